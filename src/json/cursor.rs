//! Reads JSON text (RFC 8259) from beginning to end: byte by byte where that matters, many bytes at
//! a time where it does not.
//!
//! The cursor knows the grammar and no meaning. It accepts and refuses the same texts as
//! `serde_json`, but for half of a surrogate pair in a string that is no key; the tests compare the
//! two. Decoding each body through serde measured slower than the decision itself, because serde
//! builds every value through a type. For texts that arrive in pieces there is `lexer.rs`.

use std::borrow::Cow;

use crate::authz::Value;

/// Why a text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// It ends before its value does.
    Incomplete,
    /// No continuation makes it valid; this includes numbers out of range, and half of a surrogate
    /// pair in a key.
    Invalid,
    /// It has more values and keys than the limit.
    TooMany,
}

/// A position in a text.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    /// INVARIANT: at a character boundary, as long as nothing was refused.
    at: usize,
    /// How many more values and keys may be read.
    values_left: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at the beginning of a text and reads at most `values_max` values and keys. Each
    /// scalar, array, object and member key counts as one, including those that are skipped.
    pub(crate) fn new(text: &'a str, values_max: usize) -> Self {
        Cursor {
            text,
            at: 0,
            values_left: values_max,
        }
    }

    /// How many more values and keys may be read.
    pub(crate) fn values_left(&self) -> usize {
        self.values_left
    }

    /// Whether nothing but white space is left.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.peek().is_err()
    }

    /// The next byte that is not white space.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<u8, Syntax> {
        loop {
            match self.byte()? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Ok(byte),
            }
        }
    }

    /// Consumes a bracket or other mark if it is next.
    #[inline]
    pub(crate) fn takes(&mut self, mark: u8) -> Result<bool, Syntax> {
        let is_next = self.peek()? == mark;
        self.at += usize::from(is_next);
        Ok(is_next)
    }

    /// Consumes the bracket that begins an array or object if it is next.
    #[inline]
    pub(crate) fn opens(&mut self, opener: u8) -> Result<bool, Syntax> {
        let opens = self.takes(opener)?;
        if opens {
            self.count()?;
        }
        Ok(opens)
    }

    /// Whether the array or object that `closer` ends has another element. Consumes the comma or
    /// the closer.
    #[inline]
    pub(crate) fn goes_on(&mut self, closer: u8) -> Result<bool, Syntax> {
        if self.takes(b',')? {
            Ok(true)
        } else if self.takes(closer)? {
            Ok(false)
        } else {
            Err(Syntax::Invalid)
        }
    }

    /// A key and the colon after it.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<Cow<'a, str>, Syntax> {
        if self.peek()? != b'"' {
            return Err(Syntax::Invalid);
        }
        self.count()?;
        match self.string(true)? {
            Text::Sound(key) if self.takes(b':')? => Ok(key),
            // Equal keys with half of a surrogate pair could not be told from different ones.
            Text::Sound(_) | Text::Unsound(_) => Err(Syntax::Invalid),
        }
    }

    /// A value that is neither an array nor an object. A string that is not kept is still checked,
    /// and is returned empty.
    #[inline]
    pub(crate) fn scalar(&mut self, keep: bool) -> Result<Value<'a>, Syntax> {
        let first = self.peek()?;
        self.count()?;
        match first {
            b'"' => Ok(match self.string(keep)? {
                Text::Sound(text) => Value::String(text),
                Text::Unsound(spelling) => Value::Unsound(Cow::Borrowed(spelling)),
            }),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Null),
            _ => Err(Syntax::Invalid),
        }
    }

    /// Skips a value of any kind and depth, and returns its spelling.
    pub(crate) fn skip(&mut self) -> Result<&'a str, Syntax> {
        self.peek()?;
        let start = self.at;
        let mut closers = Vec::new();
        loop {
            // A value begins here.
            if self.opens(b'{')? {
                if !self.takes(b'}')? {
                    self.key()?;
                    closers.push(b'}');
                    continue;
                }
            } else if self.opens(b'[')? {
                if !self.takes(b']')? {
                    closers.push(b']');
                    continue;
                }
            } else {
                self.scalar(false)?;
            }
            // A value has ended here, and perhaps the containers around it.
            loop {
                let Some(closer) = closers.last().copied() else {
                    return self.since(start);
                };
                if self.goes_on(closer)? {
                    if closer == b'}' {
                        self.key()?;
                    }
                    break;
                }
                closers.pop();
            }
        }
    }

    /// Counts a value or key.
    #[inline]
    fn count(&mut self) -> Result<(), Syntax> {
        let left = self.values_left.checked_sub(1);
        self.values_left = left.ok_or(Syntax::TooMany)?;
        Ok(())
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    #[inline]
    fn byte(&self) -> Result<u8, Syntax> {
        let byte = self.bytes().get(self.at);
        byte.copied().ok_or(Syntax::Incomplete)
    }

    fn next(&mut self) -> Result<u8, Syntax> {
        let byte = self.byte()?;
        self.at += 1;
        Ok(byte)
    }

    fn since(&self, start: usize) -> Result<&'a str, Syntax> {
        self.text.get(start..self.at).ok_or(Syntax::Invalid)
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, Syntax> {
        for expected in word.bytes() {
            if self.next()? != expected {
                return Err(Syntax::Invalid);
            }
        }
        Ok(value)
    }

    /// A string; its quotation mark is next.
    #[inline]
    fn string(&mut self, keep: bool) -> Result<Text<'a>, Syntax> {
        self.at += 1;
        let start = self.at;
        self.pass_plain();
        if self.byte()? == b'"' {
            let text = self.since(start)?;
            self.at += 1;
            return Ok(Text::Sound(Cow::Borrowed(if keep { text } else { "" })));
        }
        self.escaped_string(start, keep)
    }

    /// The rest of a string that began at `start` and is not all plain characters.
    fn escaped_string(&mut self, start: usize, keep: bool) -> Result<Text<'a>, Syntax> {
        let mut text = String::new();
        let mut is_sound = true;
        let mut from = start;
        loop {
            let plain = self.since(from)?;
            if keep {
                text.push_str(plain);
            }
            let end = self.at;
            match self.next()? {
                b'"' if is_sound => return Ok(Text::Sound(Cow::Owned(text))),
                b'"' => {
                    let spelling = self.text.get(start..end).ok_or(Syntax::Invalid)?;
                    return Ok(Text::Unsound(if keep { spelling } else { "" }));
                }
                b'\\' => match self.escape()? {
                    Some(character) if keep => text.push(character),
                    Some(_) => {}
                    None => is_sound = false,
                },
                // Control characters have to be escaped.
                _ => return Err(Syntax::Invalid),
            }
            from = self.at;
            self.pass_plain();
        }
    }

    /// Skips characters of a string that stand for themselves.
    #[inline]
    fn pass_plain(&mut self) {
        let mut rest = self.bytes().get(self.at..).unwrap_or_default();
        while let Some((word, behind)) = rest.split_first_chunk() {
            let marks = marks(u64::from_le_bytes(*word));
            if marks != 0 {
                self.at += (marks.trailing_zeros() / u8::BITS) as usize;
                return;
            }
            self.at += word.len();
            rest = behind;
        }
        let is_mark = |byte: &u8| matches!(byte, ..b' ' | b'"' | b'\\');
        self.at += rest.iter().position(is_mark).unwrap_or(rest.len());
    }

    /// The character for a backslash escape (RFC 8259 §7); none for half of a surrogate pair.
    fn escape(&mut self) -> Result<Option<char>, Syntax> {
        Ok(Some(match self.next()? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.code_point(),
            _ => return Err(Syntax::Invalid),
        }))
    }

    fn code_point(&mut self) -> Result<Option<char>, Syntax> {
        let first = self.code_unit()?;
        let code = match first {
            0xd800..=0xdbff => {
                let rest = self.bytes().get(self.at..).unwrap_or_default();
                if !rest.starts_with(b"\\u") {
                    return Ok(None);
                }
                let behind = self.at;
                self.at += b"\\u".len();
                let low = self.code_unit()?;
                if !(0xdc00..=0xdfff).contains(&low) {
                    // It stands for itself, or begins a pair.
                    self.at = behind;
                    return Ok(None);
                }
                0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00)
            }
            code => code,
        };
        Ok(char::from_u32(code))
    }

    fn code_unit(&mut self) -> Result<u32, Syntax> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = char::from(self.next()?).to_digit(16);
            unit = (unit << 4) | digit.ok_or(Syntax::Invalid)?;
        }
        Ok(unit)
    }

    /// A number (RFC 8259 §6): an integer if it is written as one and fits.
    fn number(&mut self) -> Result<Value<'a>, Syntax> {
        let start = self.at;
        let is_negative = self.byte()? == b'-';
        self.at += usize::from(is_negative);
        let first = self.at;
        let value = self.digits()?;
        if self.since(first)?.len() > 1 && self.bytes().get(first) == Some(&b'0') {
            return Err(Syntax::Invalid);
        }
        let mut is_integer = true;
        if self.byte() == Ok(b'.') {
            is_integer = false;
            self.at += 1;
            self.digits()?;
        }
        if let Ok(b'e' | b'E') = self.byte() {
            is_integer = false;
            self.at += 1;
            if let b'+' | b'-' = self.byte()? {
                self.at += 1;
            }
            self.digits()?;
        }
        let integer = match value {
            Some(value) if is_integer && !is_negative => {
                Some(i64::try_from(value).map_or(Value::Uint(value), Value::Int))
            }
            // Integers have no negative zero.
            Some(1..) if is_integer => value
                .and_then(|value| 0_i64.checked_sub_unsigned(value))
                .map(Value::Int),
            Some(_) | None => None,
        };
        if let Some(integer) = integer {
            return Ok(integer);
        }
        let number: f64 = self.since(start)?.parse().map_err(|_| Syntax::Invalid)?;
        if number.is_finite() {
            Ok(Value::Float(number))
        } else {
            Err(Syntax::Invalid)
        }
    }

    /// One or more digits, and their integer if it fits.
    #[inline]
    fn digits(&mut self) -> Result<Option<u64>, Syntax> {
        let mut value = Some(0_u64);
        let start = self.at;
        while let Ok(digit @ b'0'..=b'9') = self.byte() {
            let digit = u64::from(digit - b'0');
            value = value.and_then(|value| value.checked_mul(10)?.checked_add(digit));
            self.at += 1;
        }
        if self.at == start {
            self.byte()?;
            return Err(Syntax::Invalid);
        }
        Ok(value)
    }
}

/// The content of a string.
enum Text<'a> {
    /// Characters.
    Sound(Cow<'a, str>),
    /// As it is written between its quotation marks: it has half of a surrogate pair.
    Unsound(&'a str),
}

/// Sets the highest bit of each of eight bytes that cannot stand for itself in a string: control
/// characters, the quotation mark and the backslash. Bits above the lowest one set may be wrong.
#[inline]
fn marks(word: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHEST: u64 = ONES << 7;
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, 0x20) | is(b'"') | is(b'\\')) & HIGHEST
}

#[cfg(test)]
mod tests;
