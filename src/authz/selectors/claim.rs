//! A selector over one claim of a token, or over one fact about a device.

use super::value::ExpectedValue;
use crate::authz::matching::Match;
use crate::authz::path::{ValuePath, gather_claim};
use crate::authz::value::Value;

/// One claim and the values that fulfil the selector.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimSelector {
    /// The path of the claim. Names may contain dots, and lists may be on the way.
    pub path: ValuePath,
    /// The accepted values; any of them fulfils the selector.
    pub expected: Box<[ExpectedValue]>,
}

impl ClaimSelector {
    /// A list claim is a set: it matches if any element does, as with groups and roles, and so does
    /// a path through a list.
    ///
    /// Issuers write a set in other ways too: as a text with blanks or commas between its elements,
    /// or as an object whose members are named like them. Only the settings of an issuer can say
    /// which claim is one, so an element found that way has no result.
    pub(crate) fn matches_in(&self, claims: &Value<'_>) -> Match {
        let found = gather_claim(claims, &self.path);
        let values = found.values.iter();
        let known = Match::any(values.map(|claim| self.matches_claim(claim)));
        if found.is_unclear {
            known.or(Match::Indeterminate)
        } else {
            known
        }
    }

    fn matches_claim(&self, claim: &Value<'_>) -> Match {
        match claim {
            Value::List(items) => Match::any(items.iter().map(|item| self.matches_element(item))),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::Unsound(_)
            | Value::Map(_) => self.matches_element(claim),
        }
    }

    fn matches_element(&self, element: &Value<'_>) -> Match {
        if let Value::Map(_) = element {
            let held = without_refused(element);
            let each = self.expected.iter().map(|expected| {
                let is_name = matches!(expected, ExpectedValue::Exactly(Value::String(_)));
                let value = if is_name && !expected.is_nothing() {
                    &held
                } else {
                    element
                };
                ExpectedValue::match_one(std::slice::from_ref(expected), value)
            });
            return Match::any(each);
        }
        let found = ExpectedValue::match_one(&self.expected, element);
        let Value::String(text) = element else {
            return found;
        };
        if found == Match::No && elements_of(text).any(|one| self.is_near(one)) {
            return Match::Indeterminate;
        }
        found
    }

    fn is_near(&self, text: &str) -> bool {
        let text = Value::of_text(text);
        ExpectedValue::match_one(&self.expected, &text) != Match::No
    }
}

/// What a text has, read as a set: the parts between commas or semicolons, and those between blanks,
/// without the brackets and quotes in which some issuers put them.
fn elements_of(text: &str) -> impl Iterator<Item = &str> {
    let is_mark = |one: char| matches!(one, ',' | ';');
    let parts = text.split(is_mark);
    let words = text.split(move |one: char| is_mark(one) || one.is_whitespace());
    let is_edge = |one: char| one.is_whitespace() || "[]{}()\"'".contains(one);
    let elements = parts
        .chain(words)
        .map(move |part| part.trim_matches(is_edge));
    elements.filter(|element| !element.is_empty())
}

/// An object without the members that say of their names that they are not held: `false` and `null`,
/// as the settings of an issuer read roles and groups.
fn without_refused<'a>(value: &Value<'a>) -> Value<'a> {
    let Value::Map(members) = value else {
        return value.clone();
    };
    let held = members
        .iter()
        .filter(|(_, value)| !matches!(value, Value::Bool(false) | Value::Null));
    Value::Map(
        held.map(|(name, value)| (name.clone(), without_refused(value)))
            .collect(),
    )
}
