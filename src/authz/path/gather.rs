//! Paths through lists: every value at a path into claims or facts about the device.

use super::{ValuePath, is_left_out};
use crate::authz::value::Value;

/// What is at a path that may go through lists.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Gathered<'v, 'a> {
    /// The values, in the order of the document.
    pub(crate) values: Vec<&'v Value<'a>>,
    /// Whether there is anything at the path, be it an empty list on the way.
    is_there: bool,
    /// Whether further values may be at the path: two readings differ, a value on the way is
    /// neither an object nor a list, or the issuer left the claim out.
    pub(crate) is_unclear: bool,
}

impl Gathered<'_, '_> {
    fn unclear() -> Self {
        Gathered {
            is_unclear: true,
            ..Gathered::default()
        }
    }

    /// Adds what another item of the same list has.
    fn and(mut self, other: Self) -> Self {
        self.values.extend(other.values);
        self.is_there |= other.is_there;
        self.is_unclear |= other.is_unclear;
        self
    }

    /// Combines two readings of a path.
    fn or(self, other: Self) -> Self {
        if other.is_absent() || self == other {
            return self;
        }
        if self.is_absent() {
            return other;
        }
        Self::unclear()
    }

    fn is_absent(&self) -> bool {
        !self.is_there && !self.is_unclear
    }
}

impl ValuePath {
    /// Every value at the path. A list on the way stands for its items, or for the one at the
    /// position that the path names.
    fn gather<'v, 'a>(&self, value: &'v Value<'a>, from: usize) -> Gathered<'v, 'a> {
        if from == self.len() {
            return Gathered {
                values: vec![value],
                is_there: true,
                is_unclear: false,
            };
        }
        match value {
            Value::Null => Gathered::default(),
            Value::Map(members) => {
                let next = from.saturating_add(1)..=self.len();
                let readings = next.filter_map(|next| {
                    let name = self.joined(from, next);
                    let own = members.iter().rfind(|(key, _)| key == name)?;
                    Some(self.gather(&own.1, next))
                });
                readings.fold(Gathered::default(), Gathered::or)
            }
            Value::List(items) => {
                if let Some(at) = self.position(from) {
                    return items.get(at).map_or_else(Gathered::default, |item| {
                        self.gather(item, from.saturating_add(1))
                    });
                }
                let empty = Gathered {
                    is_there: true,
                    ..Gathered::default()
                };
                let found = items.iter().map(|item| self.gather(item, from));
                found.fold(empty, Gathered::and)
            }
            Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::Unsound(_) => Gathered::unclear(),
        }
    }

    /// The position in a list that a name is.
    fn position(&self, at: usize) -> Option<usize> {
        let name = self.joined(at, at.saturating_add(1));
        let position: usize = name.parse().ok().filter(|_| self.has_positions)?;
        (position.to_string() == name).then_some(position)
    }
}

/// Every value at a path into facts, which are an object.
fn gather_facts<'v, 'a>(facts: &'v Value<'a>, path: &ValuePath) -> Gathered<'v, 'a> {
    if matches!(facts, Value::Map(_) | Value::Null) {
        path.gather(facts, 0)
    } else {
        Gathered::unclear()
    }
}

/// Every value at a path into the claims of a verified token.
pub(crate) fn gather_claim<'v, 'a>(claims: &'v Value<'a>, path: &ValuePath) -> Gathered<'v, 'a> {
    let mut found = gather_facts(claims, path);
    found.is_unclear |= is_left_out(claims, path.as_str());
    found
}

/// What a token has at the path of a claim.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundClaims<'v, 'a> {
    /// The values that are not null; `None` if the token has none, and no list in which they would
    /// be.
    pub values: Option<Vec<&'v Value<'a>>>,
    /// Whether the token may lack some of them: the issuer left them out, or the path has two
    /// readings.
    pub are_incomplete: bool,
}

/// The values of a claim, however the names of its path are joined.
#[must_use]
pub fn claims_at<'v, 'a>(claims: &'v Value<'a>, path: &ValuePath) -> FoundClaims<'v, 'a> {
    let Gathered {
        mut values,
        is_there,
        is_unclear,
    } = gather_claim(claims, path);
    let was_empty = values.is_empty();
    values.retain(|value| **value != Value::Null);
    let is_there = is_there && (was_empty || !values.is_empty());
    FoundClaims {
        values: is_there.then_some(values),
        are_incomplete: is_unclear,
    }
}

#[cfg(test)]
mod tests;
