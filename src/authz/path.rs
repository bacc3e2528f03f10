//! Dotted paths into arguments, claims and facts about the device.
//!
//! All of them share one lookup. Names may contain dots, so every reading of a path is tried, and
//! if two readings find different values, neither is used.
//!
//! A path into claims or facts about the device may also go through lists ([`gather`]), because
//! their order and content are the issuer's. A path into arguments may not: their client could put
//! a value at another position.

mod gather;

use std::sync::Arc;

pub(super) use gather::gather_claim;
pub use gather::{FoundClaims, claims_at};

use super::spelling::is_same_key;
use super::value::Value;

/// How many names a path may join. An object identifier as the name of a claim has eleven
/// (`urn:oid:1.3.6.1.4.1.5923.1.1.1.7`).
pub const PATH_NAMES_MAX: usize = 16;

/// A dotted path into an object: `issue.owner`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValuePath {
    text: Arc<str>,
    /// The first byte of each name.
    starts: Box<[usize]>,
    /// Whether a number is also the position of an item in a list.
    has_positions: bool,
}

/// Why a text is not a path that can lead to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// A name is empty.
    #[error("a name in the path is empty")]
    Empty,
    /// More than [`PATH_NAMES_MAX`] names.
    #[error("the path joins more than {PATH_NAMES_MAX} names")]
    TooLong,
    /// Syntax of another path language, which is not a name here.
    #[error("paths have neither patterns nor indexes in brackets")]
    Form,
    /// A position in a list that a client has ordered.
    #[error("a path into arguments has no positions of lists")]
    Position,
}

/// Who chose the keys that a path goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyOrigin {
    /// A client: a server may treat a key that differs in case or separators as another.
    Sent,
    /// A verified token or a trusted proxy, whose keys are exact.
    Proven,
}

/// The result of a lookup.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum FoundValue<'v, 'a> {
    /// This value.
    Value(&'v Value<'a>),
    /// Nothing.
    Absent,
    /// Unclear: two readings differ, a value on the way is not an object, or a server may find a
    /// value under another key.
    Unclear,
}

/// Why a lookup is unclear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unclear {
    /// A server may treat this key as a named one.
    Key(String),
    /// A value on the way is not an object.
    NoObject,
    /// Two readings of the path lead to different values.
    TwoPaths,
}

impl ValuePath {
    /// Parses a path into arguments.
    ///
    /// # Errors
    /// If no value can ever be at the path.
    pub fn of_argument(text: &str) -> Result<Self, InvalidPath> {
        let path = Self::parse(text)?;
        let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
        if text.split('.').skip(1).any(is_number) {
            return Err(InvalidPath::Position);
        }
        Ok(path)
    }

    /// Parses a path into claims or facts about the device. A number in it is a name, or the
    /// position of an item in a list, from 0.
    ///
    /// # Errors
    /// If no value can ever be at the path.
    pub fn of_claim(text: &str) -> Result<Self, InvalidPath> {
        Ok(ValuePath {
            has_positions: true,
            ..Self::parse(text)?
        })
    }

    fn parse(text: &str) -> Result<Self, InvalidPath> {
        let names: Vec<&str> = text.split('.').collect();
        if names.iter().any(|name| name.is_empty()) {
            return Err(InvalidPath::Empty);
        }
        if text.contains(['[', ']', '*']) || text.starts_with(['$', '/']) {
            return Err(InvalidPath::Form);
        }
        Self::of_names(&names)
    }

    /// A path of exact names, as an expression selects them one by one.
    ///
    /// # Errors
    /// If there are too many.
    pub(super) fn of_names(names: &[&str]) -> Result<Self, InvalidPath> {
        if names.len() > PATH_NAMES_MAX {
            return Err(InvalidPath::TooLong);
        }
        let mut start = 0_usize;
        let starts = names.iter().map(|name| {
            let own = start;
            start = own.saturating_add(name.len()).saturating_add(1);
            own
        });
        let starts = starts.collect();
        Ok(ValuePath {
            text: names.join(".").into(),
            starts,
            has_positions: false,
        })
    }

    /// The path as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How many names it joins.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// The value at the path.
    pub(super) fn find<'v, 'a>(&self, root: &'v Value<'a>, keys: KeyOrigin) -> FoundValue<'v, 'a> {
        self.walk(root, 0, self.len(), keys)
    }

    /// Why [`ValuePath::find`] is unclear, if it is.
    pub(super) fn why_unclear(&self, root: &Value<'_>, keys: KeyOrigin) -> Option<Unclear> {
        let is_unclear = self.find(root, keys) == FoundValue::Unclear;
        is_unclear.then(|| self.obstacle(root, 0, keys).unwrap_or(Unclear::TwoPaths))
    }

    /// The obstacle to following some reading of the path.
    fn obstacle(&self, value: &Value<'_>, from: usize, keys: KeyOrigin) -> Option<Unclear> {
        let to = self.len();
        let Value::Map(members) = value else {
            let is_open = from < to && *value != Value::Null;
            return is_open.then_some(Unclear::NoObject);
        };
        (from.saturating_add(1)..=to).find_map(|next| {
            let name = self.joined(from, next);
            let mut others = members.iter().filter(|(key, _)| key != name);
            let near = others.find(|(key, _)| keys == KeyOrigin::Sent && is_same_key(key, name));
            if let Some((key, _)) = near {
                return Some(Unclear::Key(key.to_string()));
            }
            let own = members.iter().rfind(|(key, _)| key == name);
            self.obstacle(&own?.1, next, keys)
        })
    }

    /// Whether the last name is a key of the object before it; `None` if that is unclear, for
    /// example because there is no such object.
    pub(super) fn is_there(&self, root: &Value<'_>, keys: KeyOrigin) -> Option<bool> {
        match self.find(root, keys) {
            FoundValue::Value(_) => return Some(true),
            FoundValue::Unclear => return None,
            FoundValue::Absent => {}
        }
        let parent = self.len().checked_sub(1)?;
        match self.walk(root, 0, parent, keys) {
            FoundValue::Value(Value::Map(_)) => Some(false),
            FoundValue::Value(_) | FoundValue::Absent | FoundValue::Unclear => None,
        }
    }

    /// Follows the names from `from` up to `to` in every way they can be joined.
    fn walk<'v, 'a>(
        &self,
        value: &'v Value<'a>,
        from: usize,
        to: usize,
        keys: KeyOrigin,
    ) -> FoundValue<'v, 'a> {
        if from == to {
            return FoundValue::Value(value);
        }
        let Value::Map(members) = value else {
            let is_null = *value == Value::Null;
            return if is_null {
                FoundValue::Absent
            } else {
                FoundValue::Unclear
            };
        };
        let mut found = FoundValue::Absent;
        for next in from.saturating_add(1)..=to {
            let name = self.joined(from, next);
            let mut own = None;
            for (key, member) in members {
                if key == name {
                    own = Some(member);
                } else if keys == KeyOrigin::Sent && is_same_key(key, name) {
                    return FoundValue::Unclear;
                }
            }
            if let Some(member) = own {
                found = found.or(self.walk(member, next, to, keys));
            }
        }
        found
    }

    /// The names from one to another, joined to one name.
    fn joined(&self, from: usize, to: usize) -> &str {
        let start = self.starts.get(from).copied().unwrap_or(self.text.len());
        // A dot precedes the next name.
        let end = self.starts.get(to).map(|next| next.saturating_sub(1));
        let end = end.unwrap_or(self.text.len());
        self.text.get(start..end).unwrap_or_default()
    }
}

impl FoundValue<'_, '_> {
    /// Combines the results of two readings of a path.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (FoundValue::Absent, found) | (found, FoundValue::Absent) => found,
            (FoundValue::Value(one), FoundValue::Value(other)) if one == other => {
                FoundValue::Value(one)
            }
            (
                FoundValue::Value(_) | FoundValue::Unclear,
                FoundValue::Value(_) | FoundValue::Unclear,
            ) => FoundValue::Unclear,
        }
    }
}

/// Finds a claim of a verified token.
pub(super) fn find_claim<'v, 'a>(claims: &'v Value<'a>, path: &ValuePath) -> FoundValue<'v, 'a> {
    let found = path.find(claims, KeyOrigin::Proven);
    if found == FoundValue::Absent && is_left_out(claims, path.as_str()) {
        return FoundValue::Unclear;
    }
    found
}

/// Whether the issuer has left out a claim that the subject has: by a reference to where the claim
/// is available (`OpenID` Connect Core §5.6.2), or, for groups, by indicating that there are too
/// many.
#[must_use]
pub fn is_left_out(claims: &Value<'_>, path: &str) -> bool {
    let is_under = |name: &str| {
        path.strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let referred = match claims.member("_claim_names") {
        Some(Value::Map(references)) => references.iter().any(|(name, _)| is_under(name)),
        // Names in an unreadable form may be any names.
        Some(Value::Null) | None => false,
        Some(_) => true,
    };
    let too_many = match claims.member("hasgroups") {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(_) => true,
    };
    referred || (too_many && is_under("groups"))
}

/// The argument at a dotted path, however its names are joined.
///
/// # Errors
/// If some server may find another value there than another server: a key of the client's is nearly
/// one of the path, two readings differ, or a value on the way is no object.
pub fn argument<'v, 'a>(
    arguments: &'v Value<'a>,
    path: &ValuePath,
) -> Result<Option<&'v Value<'a>>, UnclearArgument> {
    match path.find(arguments, KeyOrigin::Sent) {
        FoundValue::Value(value) => Ok(Some(value)),
        FoundValue::Absent => Ok(None),
        FoundValue::Unclear => Err(UnclearArgument),
    }
}

/// An argument that servers may read in several ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnclearArgument;

#[cfg(test)]
mod tests;
