//! The ids of requests and of their replies.

use std::fmt;

use super::refusal::Refusal;

/// An id as it was written: the JSON text of a string of at most 256 bytes between its quotes, or
/// of an integer of at most 2^53−1.
///
/// INVARIANT: created only here, from checked JSON, so it may be inserted into JSON verbatim. `-0`,
/// `1.0` and `1e3` are refused, because no server repeats them as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id<'a>(&'a str);

impl<'a> Id<'a> {
    /// The JSON text, byte for byte, including the quotes of a string.
    #[must_use]
    pub fn lexeme(&self) -> &'a str {
        self.0
    }

    /// Parses the JSON text of an id; `None` if it is not one.
    #[must_use]
    pub fn new(lexeme: &'a str) -> Option<Self> {
        Self::parse(lexeme).ok().map(|(id, _)| id)
    }

    /// The id as servers see it that keep ids as strings or numbers. A string that spells an
    /// integer folds to the integer, so that `7`, `"7"`, `"07"`, `"7.0"` and `" 0x7 "` are one.
    #[must_use]
    pub fn folded(&self) -> String {
        match Self::parse(self.0) {
            Ok((_, IdValue::Text(text))) => match spelled_integer(&text) {
                Some(number) => number.to_string(),
                // A number never starts with a quote.
                None => format!("\"{text}"),
            },
            Ok((_, IdValue::Number(number))) => number.to_string(),
            Err(_) => self.0.to_owned(),
        }
    }

    pub(super) fn parse(lexeme: &'a str) -> Result<(Self, IdValue), Refusal> {
        let value = if lexeme.starts_with('"') {
            // Replies repeat the spelling, so its length counts.
            if lexeme.len() > ID_BYTES_MAX.saturating_add(r#""""#.len()) {
                return Err(Refusal::IdTooLong);
            }
            // What was read as JSON before has half of a surrogate pair, if anything is wrong with it.
            let text = serde_json::from_str(lexeme);
            IdValue::Text(text.map_err(|_| Refusal::InvalidJson)?)
        } else {
            let number: i64 = lexeme.parse().map_err(|_| Refusal::IdInvalid)?;
            let is_plain = lexeme.starts_with(|c: char| c == '-' || c.is_ascii_digit());
            if !is_plain || lexeme == "-0" || number.unsigned_abs() > SAFE_INTEGER_MAX {
                return Err(Refusal::IdInvalid);
            }
            IdValue::Number(number)
        };
        Ok((Self(lexeme), value))
    }
}

impl fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The value of an id, to compare ids that are spelled differently.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) enum IdValue {
    Number(i64),
    Text(String),
}

/// The integer that some server reads from a string, as Python's `int` and `JavaScript`'s `Number`
/// do. Larger integers stay strings: after rounding, different ids would be equal.
fn spelled_integer(text: &str) -> Option<i64> {
    const LONGEST: usize = 32;
    if text.len() > LONGEST {
        return None;
    }
    let text = text.trim().replace('_', "").to_ascii_lowercase();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(&text)),
    };
    let radixes = [("0x", 16), ("0o", 8), ("0b", 2)];
    let based = radixes.iter().find_map(|(prefix, radix)| {
        let digits = digits.strip_prefix(prefix)?;
        i64::from_str_radix(digits, *radix).ok()
    });
    let number = match based {
        Some(number) => number,
        // A fraction of zeros, as in `7.0`.
        None => match digits.split_once('.') {
            Some((whole, zeros)) if zeros.bytes().all(|byte| byte == b'0') => whole,
            Some(_) | None => digits,
        }
        .parse()
        .ok()?,
    };
    let is_safe = number >= 0 && number.unsigned_abs() <= SAFE_INTEGER_MAX;
    is_safe
        .then_some(number)
        .and_then(|number: i64| number.checked_mul(sign))
}

/// The longest string id, in bytes as written between its quotes.
const ID_BYTES_MAX: usize = 256;

/// 2^53−1: beyond it, a JavaScript server replies with another number.
const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;
