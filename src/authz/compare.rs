//! Compares a value of a request with one that a rule names.
//!
//! Servers convert values: `"true"` becomes `true`, `"5"` becomes `5`, `"Root"` becomes `root`,
//! `["root"]` becomes `"root"`. So two values are equal if they are written alike, and different if
//! every server distinguishes them; a comparison between these extremes has no result. This file
//! alone defines which values are certainly different; selectors and expressions share it.

mod date;
mod number;

pub(super) use number::NumberReadings;

use super::json_text;
use super::matching::Match;
use super::spelling::{fold, is_near, is_same_key, trim, visible};
use super::value::Value;
use date::Date;
use number::Number;

/// Whether a value of a request equals the one that a rule names.
pub(super) fn equals(named: &Value<'_>, value: &Value<'_>) -> Match {
    if is_same(named, value) {
        Match::Yes
    } else if is_too_much(named, value) {
        Match::Indeterminate
    } else if is_far(named, value) {
        Match::No
    } else {
        Match::Indeterminate
    }
}

/// Whether two values of a request are equal. A server may convert either of them.
pub(super) fn equals_mutually(one: &Value<'_>, other: &Value<'_>) -> Match {
    match (equals(one, other), equals(other, one)) {
        (Match::Yes, Match::Yes) => Match::Yes,
        (Match::No, Match::No) => Match::No,
        _ => Match::Indeterminate,
    }
}

/// Whether two texts are different keys that a server may treat as one.
pub(super) fn are_near_keys(one: &Value<'_>, other: &Value<'_>) -> bool {
    matches!((one, other), (Value::String(one), Value::String(other))
        if one != other && is_same_key(one, other))
}

/// Whether two values are written alike: numbers by value, objects in any order.
fn is_same(one: &Value<'_>, other: &Value<'_>) -> bool {
    match (one, other) {
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| is_same(one, other))
        }
        (Value::Map(one), Value::Map(members)) => {
            one.len() == members.len()
                && one.iter().all(|(key, value)| {
                    other.member(key).is_some_and(|other| is_same(value, other))
                })
        }
        (Value::Unsound(_), _) | (_, Value::Unsound(_)) => false,
        _ => match (Number::of(one), Number::of(other)) {
            (Some(one), Some(other)) => one == other,
            (_, _) => one == other,
        },
    }
}

/// The most pairs of values that a comparison of two lists or objects covers.
const PAIRS_MAX: usize = 250_000;

/// Whether two lists or objects have more pairs of values than a comparison covers.
fn is_too_much(named: &Value<'_>, value: &Value<'_>) -> bool {
    let is_container = |value: &Value<'_>| matches!(value, Value::List(_) | Value::Map(_));
    is_container(named)
        && is_container(value)
        && named
            .count(PAIRS_MAX)
            .saturating_mul(value.count(PAIRS_MAX))
            > PAIRS_MAX
}

/// Whether every server distinguishes a value from the one that a rule names.
fn is_far(named: &Value<'_>, value: &Value<'_>) -> bool {
    match named {
        // Servers differ in whether they read a text, number, null, list or object as true.
        Value::Bool(named) => matches!(value, Value::Bool(truth) if truth != named),
        Value::Int(_) | Value::Uint(_) | Value::Float(_) => {
            Number::of(named).is_some_and(|number| is_far_from_number(number, value))
        }
        Value::String(named) => is_far_from_text(named, value),
        Value::Unsound(_) => false,
        Value::Null => is_far_from_null(value),
        Value::List(elements) => is_far_from_list(elements, value),
        Value::Map(members) => is_far_from_map(members, value),
    }
}

fn is_far_from_number(number: Number, value: &Value<'_>) -> bool {
    let is_zero = number == Number::Integer(0);
    match value {
        Value::Int(_) | Value::Uint(_) | Value::Float(_) => {
            Number::of(value).is_some_and(|other| number.is_far(other))
        }
        Value::String(text) => {
            let is_empty = || matches!(&*fold(text), "" | "null");
            let has_digit = text.chars().any(char::is_numeric);
            let is_near = has_digit || (is_zero && is_empty());
            !is_near
        }
        Value::Unsound(_) => false,
        Value::Bool(_) => !is_zero && number != Number::Integer(1),
        Value::Null => !is_zero,
        // Servers may unwrap an object: `{"$eq": 5}` is 5 to a database. Or they take its names for
        // the elements of a list, as Python iterates it.
        Value::Map(members) => members.iter().all(|(name, value)| {
            is_far_from_number(number, &Value::of_text(name)) && is_far_from_number(number, value)
        }),
        Value::List(items) => match items.as_slice() {
            [] => !is_zero,
            [item] => is_far_from_number(number, item),
            [_, _, ..] => true,
        },
    }
}

fn is_far_from_text(named: &str, value: &Value<'_>) -> bool {
    if let Some(date) = Date::of(named) {
        return date.is_far_from(value);
    }
    match value {
        Value::String(text) => is_far_text(named, text),
        Value::Unsound(_) => false,
        Value::List(items) => {
            let near = |item: &Value<'_>| !is_far_from_text(named, item);
            !items.iter().any(near) && {
                let joined = joined(items);
                is_too_long(named, &joined) || !is_near(named, &joined)
            }
        }
        // Servers may unwrap an object, or take its names for the elements of a list.
        Value::Map(members) => members
            .iter()
            .all(|(name, value)| is_far_text(named, name) && is_far_from_text(named, value)),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) => {
            !spellings(value)
                .iter()
                .any(|spelling| is_near(named, spelling))
                && is_far_from_spelled(&fold(named), value)
        }
    }
}

/// Whether a scalar differs from the number or boolean that a folded text spells.
fn is_far_from_spelled(named: &str, value: &Value<'_>) -> bool {
    let is_zero = matches!(value, Value::Null)
        || Number::of(value).is_some_and(|number| number == Number::Integer(0));
    // YAML 1.1 reads `yes` as a boolean, and so do authors.
    let is_word = matches!(value, Value::Bool(true)) && TRUE_WORDS.contains(&named)
        || matches!(value, Value::Bool(false)) && FALSE_WORDS.contains(&named);
    !is_word
        && match named {
            "true" => !Number::of(value).is_some_and(|number| number != Number::Integer(0)),
            "false" => !is_zero,
            _ => named.parse::<f64>().map_or(true, |number| {
                is_far_from_number(Number::of_double(number), value)
            }),
        }
}

/// Whether no server reads two texts as equal: as texts, as the numbers or booleans that they
/// spell, or as a JSON list that one of them spells.
fn is_far_text(named: &str, text: &str) -> bool {
    let trimmed = trim(text);
    let is_unclear = || trimmed.len() > TEXT_BYTES_MAX || spells_surrogate(trimmed);
    if trimmed.starts_with('"') && trimmed.ends_with('"') && is_unclear() {
        return false;
    }
    if !is_too_long(named, text) {
        if is_near(named, text) {
            return false;
        }
        let (named, folded) = (fold(named), fold(text));
        if is_same_number(&named, &folded) || is_same_truth(&named, &folded) {
            return false;
        }
    }
    match as_list(text) {
        TextList::Of(list) => is_far_from_text(named, &list),
        TextList::TooLong => false,
        TextList::None => true,
    }
}

/// Whether folding cannot shorten a text that much. A quoted text may end in blanks only.
fn is_too_long(named: &str, text: &str) -> bool {
    let text = trim(text);
    !text.starts_with('"') && text.len() > FOLD_RATIO.saturating_mul(named.len().saturating_add(1))
}

/// The most bytes of a text that can fold to one byte of another: an escaped surrogate pair has
/// twelve, and one character folds to at most eighteen.
const FOLD_RATIO: usize = 12 * 18;

/// Whether two folded texts may be the same number. Digits of other scripts, separators and other
/// bases may spell any number.
fn is_same_number(named: &str, folded: &str) -> bool {
    let Ok(number) = named.parse::<f64>() else {
        return false;
    };
    if let Ok(other) = folded.parse::<f64>() {
        return other.partial_cmp(&number) == Some(std::cmp::Ordering::Equal);
    }
    let digits = folded.strip_prefix(['+', '-']).unwrap_or(folded);
    let is_other_base =
        digits.starts_with("0x") || digits.starts_with("0b") || digits.starts_with("0o");
    let is_separated =
        digits.contains(['_', ',']) && digits.starts_with(|one: char| one.is_ascii_digit());
    let other_digits = folded
        .chars()
        .any(|one| one.is_numeric() && !one.is_ascii());
    is_other_base || is_separated || other_digits
}

/// Whether two folded texts are words for the same boolean, at least one of them the plain one.
fn is_same_truth(named: &str, folded: &str) -> bool {
    let is_either = |word: &str| named == word || folded == word;
    let both = |words: &[&str]| words.contains(&named) && words.contains(&folded);
    (is_either("true") && both(&TRUE_WORDS))
        || (is_either("false") && both(&FALSE_WORDS))
        || (named == "false" && folded.is_empty())
}

/// Words that servers read as true, and as false.
const TRUE_WORDS: [&str; 7] = ["true", "t", "y", "yes", "1", "on", "enabled"];

const FALSE_WORDS: [&str; 7] = ["false", "f", "n", "no", "0", "off", "disabled"];

/// The JSON list in a text.
pub(super) enum TextList {
    /// The text is not a list.
    None,
    /// The text is this list.
    Of(Value<'static>),
    /// It begins like a list, but is too long to be parsed for each comparison, or spells half of a
    /// surrogate pair, which every reader takes for something else.
    TooLong,
}

/// The longest text that is parsed as JSON, in bytes.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// Whether a JSON text spells a surrogate: whole pairs count too, as the lenient reader joins none.
fn spells_surrogate(text: &str) -> bool {
    let mut escapes = text.as_bytes().windows(4);
    escapes.any(|escape| {
        matches!(
            escape,
            [
                b'\\',
                b'u',
                b'd' | b'D',
                b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F',
            ]
        )
    })
}

/// Parses a text as a JSON list.
pub(super) fn as_list(text: &str) -> TextList {
    let trimmed = text.trim();
    if !trimmed.starts_with('[') || !trimmed.ends_with(']') {
        return TextList::None;
    }
    if trimmed.len() > TEXT_BYTES_MAX || spells_surrogate(trimmed) {
        return TextList::TooLong;
    }
    json_text::parse_leniently(text).map_or(TextList::None, TextList::Of)
}

/// Compares two texts that were built from external texts. They differ only if they still differ
/// without everything that servers strip from the parts.
pub(super) fn equals_made(one: &str, other: &str) -> Match {
    let bare = |text: &str| -> String {
        let visible = visible(text);
        let kept = visible
            .chars()
            .filter(|one| !one.is_whitespace() && *one != '"');
        kept.collect()
    };
    if one == other {
        Match::Yes
    } else if bare(one) == bare(other) || !is_far_text(one, other) || !is_far_text(other, one) {
        Match::Indeterminate
    } else {
        Match::No
    }
}

fn is_far_from_null(value: &Value<'_>) -> bool {
    match value {
        Value::Null | Value::Unsound(_) => false,
        Value::String(text) => {
            let folded = fold(text);
            !folded.is_empty() && folded != "null"
        }
        Value::List(items) => !matches!(items.as_slice(), [] | [Value::Bool(false) | Value::Null]),
        Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) | Value::Map(_) => true,
    }
}

fn is_far_from_list(named: &[Value<'_>], value: &Value<'_>) -> bool {
    let far_from_all = |value: &Value<'_>| named.iter().all(|named| is_far(named, value));
    match value {
        Value::List(items) => {
            let empties = |named: &Value<'_>| {
                matches!(named, Value::Null)
                    || matches!(named, Value::String(text) if text.is_empty())
            };
            let is_empty = items.is_empty() && matches!(named, [only] if empties(only));
            !is_empty
                && named
                    .iter()
                    .any(|named| items.iter().all(|item| is_far(named, item)))
        }
        Value::String(text) => {
            let is_empty = named.is_empty() && matches!(&*fold(text), "" | "null");
            !is_empty && !text.contains(',') && !is_json(text, &['[', '{']) && far_from_all(value)
        }
        Value::Unsound(_) => false,
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Uint(_)
        | Value::Float(_)
        | Value::Map(_) => match named {
            [] => false,
            [only] => !matches!(value, Value::Null) && is_far(only, value),
            [_, _, ..] => true,
        },
    }
}

fn is_far_from_map(named: &[(std::borrow::Cow<'_, str>, Value<'_>)], value: &Value<'_>) -> bool {
    match value {
        Value::Map(members) => named.iter().any(|(key, named)| {
            members
                .iter()
                .filter(|(other, _)| is_same_key(key, other))
                .all(|(_, value)| is_far(named, value))
        }),
        Value::String(text) => !is_json(text, &['{', '"']),
        Value::Unsound(_) => false,
        Value::List(items) => items.len() != 1,
        Value::Null => !named.is_empty(),
        Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) => true,
    }
}

/// Whether a text may be JSON that begins with one of these characters.
fn is_json(text: &str, starts: &[char]) -> bool {
    text.trim_start().starts_with(starts)
}

/// A list as JavaScript converts it to a string.
pub(super) fn joined(items: &[Value<'_>]) -> String {
    let texts = items.iter().map(|item| match item {
        Value::String(text) => text.to_string(),
        Value::List(items) => joined(items),
        Value::Null | Value::Unsound(_) => String::new(),
        Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) | Value::Map(_) => {
            spellings(item).into_iter().next().unwrap_or_default()
        }
    });
    texts.collect::<Vec<_>>().join(",")
}

/// The strings to which JavaScript, Java and Python convert null, a number or a boolean.
pub(super) fn spellings(value: &Value<'_>) -> Vec<String> {
    match value {
        Value::Null => vec!["null".to_owned(), String::new(), "undefined".to_owned()],
        Value::Bool(truth) => vec![truth.to_string()],
        Value::Int(_) | Value::Uint(_) | Value::Float(_) => {
            Number::of(value).map_or_else(Vec::new, Number::spellings)
        }
        Value::String(_) | Value::Unsound(_) | Value::List(_) | Value::Map(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
