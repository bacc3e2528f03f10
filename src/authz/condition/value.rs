//! Selectors over JSON values: arguments and claims.

use std::sync::Arc;

use crate::authz::glob::Glob;
use crate::authz::request::Value;

use super::Match;

/// A dotted path into an object: `issue.owner`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValuePath {
    text: Arc<str>,
    segments: Box<[Box<str>]>,
}

/// One argument and the values that fulfil the selector.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueSelector {
    /// Where the argument is.
    pub path: ValuePath,
    /// Any of these.
    pub expected: Box<[Expected]>,
}

/// A value that a selector accepts.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// A string that matches the pattern.
    Text(Glob),
    /// This integer, also when written with a fraction of zero.
    Integer(i64),
    /// This number.
    Number(f64),
    /// This truth value.
    Truth(bool),
}

impl ValuePath {
    /// A path, or nothing if a segment is empty.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let segments: Box<[Box<str>]> = text.split('.').map(Box::from).collect();
        let whole = segments.iter().all(|segment| !segment.is_empty());
        whole.then(|| ValuePath {
            text: text.into(),
            segments,
        })
    }

    /// The path as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Applies `test` to the value at the path. An absent or null one does not match; something
    /// other than an object on the way cannot be evaluated, since a server might still find
    /// a value in it.
    pub(super) fn resolve(
        &self,
        root: &Value<'_>,
        test: impl FnOnce(&Value<'_>) -> Match,
    ) -> Match {
        let mut value = root;
        for segment in &self.segments {
            match value {
                Value::Map(_) => match value.member(segment) {
                    Some(member) => value = member,
                    None => return Match::No,
                },
                Value::Null => return Match::No,
                Value::Bool(_)
                | Value::Int(_)
                | Value::Uint(_)
                | Value::Float(_)
                | Value::String(_)
                | Value::List(_) => return Match::Indeterminate,
            }
        }
        test(value)
    }
}

impl ValueSelector {
    /// Absent arguments are as an empty object.
    ///
    /// A list matches if all of its elements do, does not match if none does, and cannot be
    /// evaluated if only some do: so neither an allow can be widened nor a deny evaded by
    /// wrapping a value in a list. Objects, nested lists and values of another scalar type (which
    /// a lenient server may convert) cannot be evaluated.
    pub(super) fn matches(&self, arguments: Option<&Value<'_>>) -> Match {
        let Some(arguments) = arguments else {
            return Match::No;
        };
        self.path.resolve(arguments, |value| match value {
            Value::List(items) => {
                let mut results = items
                    .iter()
                    .map(|item| Expected::match_one(&self.expected, item));
                let first = results.next().unwrap_or(Match::No);
                if results.all(|result| result == first) {
                    first
                } else {
                    Match::Indeterminate
                }
            }
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::Map(_) => Expected::match_one(&self.expected, value),
        })
    }
}

impl Expected {
    /// For values that are sets where they are lists.
    pub(super) fn match_any_element(expected: &[Expected], value: &Value<'_>) -> Match {
        match value {
            Value::List(items) => {
                Match::any(items.iter().map(|item| Expected::match_one(expected, item)))
            }
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::Map(_) => Expected::match_one(expected, value),
        }
    }

    fn match_one(expected: &[Expected], value: &Value<'_>) -> Match {
        Match::any(expected.iter().map(|expected| expected.matches(value)))
    }

    fn matches(&self, value: &Value<'_>) -> Match {
        match (self, value) {
            (_, Value::Null) => Match::No,
            (Expected::Text(pattern), Value::String(text)) => Match::of(pattern.matches(text)),
            (Expected::Truth(expected), Value::Bool(truth)) => Match::of(expected == truth),
            (Expected::Integer(_) | Expected::Number(_), _) => self.matches_number(value),
            (Expected::Text(_) | Expected::Truth(_), _) => Match::Indeterminate,
        }
    }

    fn matches_number(&self, value: &Value<'_>) -> Match {
        let number = match value {
            Value::Int(number) => i128::from(*number),
            Value::Uint(number) => i128::from(*number),
            Value::Float(number) => return self.matches_float(*number),
            Value::Null | Value::Bool(_) | Value::String(_) | Value::List(_) | Value::Map(_) => {
                return Match::Indeterminate;
            }
        };
        match self {
            Expected::Integer(expected) => Match::of(i128::from(*expected) == number),
            Expected::Number(expected) => Match::of(whole(*expected) == Some(number)),
            Expected::Text(_) | Expected::Truth(_) => Match::Indeterminate,
        }
    }

    #[expect(
        clippy::float_cmp,
        reason = "a value is compared with the one written in the rule"
    )]
    fn matches_float(&self, number: f64) -> Match {
        match self {
            Expected::Integer(expected) => Match::of(whole(number) == Some(i128::from(*expected))),
            Expected::Number(expected) => Match::of(*expected == number),
            Expected::Text(_) | Expected::Truth(_) => Match::Indeterminate,
        }
    }
}

/// The integer that a float is, if it is one of a size that JSON integers have.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked first"
)]
fn whole(number: f64) -> Option<i128> {
    (number.fract() == 0.0 && number.abs() < 1e20).then_some(number as i128)
}
