//! Selectors over JSON values: arguments, claims and facts about the device.

use std::borrow::Cow;

use crate::authz::compare;
use crate::authz::compare::{TextList, spellings};
use crate::authz::glob::Glob;
use crate::authz::matching::Match;
use crate::authz::path::{FoundValue, KeyOrigin, ValuePath};
use crate::authz::spelling::{fold, fold_decomposed, is_nothing};
use crate::authz::value::Value;

/// How many elements of a list are compared; a longer list has no result.
const ITEMS_MAX: usize = 10_000;

/// How many bytes of a non-ASCII text are folded for a pattern; a longer text has no result unless
/// it matches unfolded.
const FOLDED_BYTES_MAX: usize = 256 << 10;

fn is_too_long_to_fold(text: &str) -> bool {
    text.len() > FOLDED_BYTES_MAX && !text.is_ascii()
}

/// One argument and the values that fulfil the selector.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueSelector {
    /// The path of the argument.
    pub path: ValuePath,
    /// The accepted values; any of them fulfils the selector.
    pub expected: Box<[ExpectedValue]>,
}

/// A value that a selector accepts.
#[derive(Debug, Clone, PartialEq)]
pub enum ExpectedValue {
    /// Exactly this string, number or boolean.
    Exactly(Value<'static>),
    /// A string that matches the pattern.
    Pattern(TextPattern),
}

/// A pattern over texts, with its form for servers that fold texts.
#[derive(Debug, Clone, PartialEq)]
pub struct TextPattern {
    glob: Glob,
    folded: Option<Glob>,
}

impl ExpectedValue {
    /// Whether the value stands for having no name, or for no.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        match self {
            ExpectedValue::Exactly(Value::Null) => true,
            ExpectedValue::Exactly(Value::Bool(truth)) => !truth,
            ExpectedValue::Exactly(Value::Int(number)) => *number == 0,
            ExpectedValue::Exactly(Value::Float(number)) => *number == 0.0,
            ExpectedValue::Exactly(Value::String(text)) => is_nothing(text),
            ExpectedValue::Exactly(
                Value::Uint(_) | Value::Unsound(_) | Value::List(_) | Value::Map(_),
            )
            | ExpectedValue::Pattern(_) => false,
        }
    }
}

impl TextPattern {
    /// The pattern as written.
    #[must_use]
    pub fn glob(&self) -> &Glob {
        &self.glob
    }

    /// Wraps a pattern over names.
    #[must_use]
    pub fn new(glob: Glob) -> Self {
        // Folding may expand a character to several, or drop some at the ends, so `?` becomes a
        // run.
        let parts = glob.as_str().split(['*', '?']).map(fold_decomposed);
        let folded = parts.collect::<Vec<_>>().join("*");
        TextPattern {
            folded: Glob::name(&folded).ok(),
            glob,
        }
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.glob.as_str()
    }

    fn matches_text(&self, text: &str) -> Match {
        if self.glob.matches(text) {
            return Match::Yes;
        }
        let Some(glob) = self.folded.as_ref().filter(|_| !is_too_long_to_fold(text)) else {
            return Match::Indeterminate;
        };
        let folded = fold_decomposed(text);
        let trimmed = fold(text);
        if glob.matches(&folded) || (trimmed != folded && glob.matches(&fold_decomposed(&trimmed)))
        {
            Match::Indeterminate
        } else {
            Match::No
        }
    }

    fn matches(&self, value: &Value<'_>) -> Match {
        let is_far = match value {
            Value::String(text) => return self.matches_text(text),
            Value::Unsound(_) => false,
            Value::List(items) => items.iter().all(|item| self.matches(item) == Match::No),
            Value::Map(members) => members.iter().all(|(name, value)| {
                self.matches_text(name) == Match::No && self.matches(value) == Match::No
            }),
            // The text to which a server converts a value is not the text that was sent.
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) => {
                let mut spelled = spellings(value).into_iter();
                spelled.all(|text| self.matches_text(&text) == Match::No)
            }
        };
        if is_far {
            Match::No
        } else {
            Match::Indeterminate
        }
    }
}

impl ValueSelector {
    /// A missing argument does not match, unless the tool has a default for it that might; missing
    /// arguments count as an empty object.
    ///
    /// A list matches if all of its elements match. It does not match if no server extracts a
    /// matching element from it. Otherwise it has no result: so wrapping a value in a list can
    /// neither widen an allow nor evade a deny.
    pub(crate) fn matches(
        &self,
        arguments: Option<&Value<'_>>,
        defaults: Option<&Value<'_>>,
    ) -> Match {
        let found = arguments.map_or(FoundValue::Absent, |arguments| {
            self.path.find(arguments, KeyOrigin::Sent)
        });
        match found {
            FoundValue::Value(value) => self.matches_value(value),
            FoundValue::Unclear => Match::Indeterminate,
            FoundValue::Absent => {
                let default = defaults.map_or(FoundValue::Absent, |defaults| {
                    self.path.find(defaults, KeyOrigin::Proven)
                });
                match default {
                    FoundValue::Value(default) if self.matches_value(default) != Match::No => {
                        Match::Indeterminate
                    }
                    FoundValue::Value(_) | FoundValue::Absent => Match::No,
                    FoundValue::Unclear => Match::Indeterminate,
                }
            }
        }
    }

    fn matches_value(&self, value: &Value<'_>) -> Match {
        let items = match value {
            Value::List(items) => items,
            Value::String(text) => return self.matches_text(text, value),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::Unsound(_)
            | Value::Map(_) => return ExpectedValue::match_one(&self.expected, value),
        };
        if items.len() > ITEMS_MAX {
            return Match::Indeterminate;
        }
        let mut results = items
            .iter()
            .map(|item| ExpectedValue::match_one(&self.expected, item));
        let first = results.next().unwrap_or(Match::No);
        if !results.all(|result| result == first) {
            return Match::Indeterminate;
        }
        // No element is one of the values, but the list as a whole may be.
        let is_far = |expected: &ExpectedValue| match expected {
            ExpectedValue::Exactly(named) => compare::equals(named, value) == Match::No,
            ExpectedValue::Pattern(pattern) => {
                pattern.matches_text(&compare::joined(items)) == Match::No
            }
        };
        // Every list is true to a server that treats any present value as true.
        let is_truth =
            |expected: &ExpectedValue| matches!(expected, ExpectedValue::Exactly(Value::Bool(_)));
        match first {
            Match::No if !self.expected.iter().all(is_far) => Match::Indeterminate,
            Match::Yes if self.expected.iter().any(is_truth) => Match::Indeterminate,
            Match::Yes | Match::No | Match::Indeterminate | Match::Unknown => first,
        }
    }
}

impl ValueSelector {
    /// Some servers read a text as a list: as JSON, or as parts between commas.
    fn matches_text(&self, text: &str, value: &Value<'_>) -> Match {
        let found = ExpectedValue::match_one(&self.expected, value);
        if found != Match::No {
            return found;
        }
        let part = |part: &str| {
            let part = Value::String(Cow::Borrowed(part.trim()));
            ExpectedValue::match_one(&self.expected, &part)
        };
        let near_part = text.contains(',')
            && (text.split(',').nth(ITEMS_MAX).is_some()
                || text.split(',').any(|one| part(one) != Match::No));
        let near_list = match compare::as_list(text) {
            TextList::Of(list) => self.matches_value(&list) != Match::No,
            TextList::TooLong => true,
            TextList::None => false,
        };
        if near_part || near_list {
            Match::Indeterminate
        } else {
            Match::No
        }
    }
}

impl ExpectedValue {
    pub(super) fn match_one(expected: &[ExpectedValue], value: &Value<'_>) -> Match {
        Match::any(expected.iter().map(|expected| expected.matches(value)))
    }

    fn matches(&self, value: &Value<'_>) -> Match {
        match self {
            ExpectedValue::Exactly(named) => compare::equals(named, value),
            ExpectedValue::Pattern(pattern) => pattern.matches(value),
        }
    }
}
