//! Where a value is: dotted paths into arguments, claims and what is known of the device.
//!
//! There is one lookup for all of them. Names may have dots of their own, so every reading of a
//! path is tried, and where two of them find different values, neither is taken.

use std::sync::Arc;

use super::spelling::is_same_key;
use super::value::Value;

/// How many names a path may join; the readings double with each.
pub const PATH_NAMES_MAX: usize = 8;

/// A dotted path into an object: `issue.owner`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValuePath {
    text: Arc<str>,
    /// The first byte of each name.
    starts: Box<[usize]>,
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
    /// A form of another language of paths, which is no name here.
    #[error("paths have neither patterns nor indexes")]
    Form,
}

/// Whose keys a path goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyOrigin {
    /// Those of a client: a server may take a key that differs in case or separators for another.
    Sent,
    /// Those of a verified token or a trusted proxy, which are as they are.
    Proven,
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum FoundValue<'v, 'a> {
    /// This value.
    Value(&'v Value<'a>),
    /// Nothing.
    Absent,
    /// It cannot be told: two readings differ, something on the way is no object, or a server
    /// may find a value under another key.
    Unclear,
}

/// Why it cannot be told what is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unclear {
    /// A server may take this key for a named one.
    Key(String),
    /// Something on the way is no object.
    NoObject,
    /// Two readings of the path lead to different values.
    TwoPaths,
}

impl ValuePath {
    /// A path.
    ///
    /// # Errors
    /// If no value can ever be there.
    pub fn new(text: &str) -> Result<Self, InvalidPath> {
        let names: Vec<&str> = text.split('.').collect();
        if names.iter().any(|name| name.is_empty()) {
            return Err(InvalidPath::Empty);
        }
        let is_number = |name: &&str| name.bytes().all(|byte| byte.is_ascii_digit());
        let is_form = text.contains(['[', ']', '*'])
            || text.starts_with(['$', '/'])
            || (names.len() > 1 && names.iter().skip(1).any(is_number));
        if is_form {
            return Err(InvalidPath::Form);
        }
        Self::of_names(&names)
    }

    /// A path of names that are taken as they are, as an expression selects them one by one.
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

    /// Why what [`ValuePath::find`] finds is unclear, if it is.
    pub(super) fn why_unclear(&self, root: &Value<'_>, keys: KeyOrigin) -> Option<Unclear> {
        let is_unclear = self.find(root, keys) == FoundValue::Unclear;
        is_unclear.then(|| self.obstacle(root, 0, keys).unwrap_or(Unclear::TwoPaths))
    }

    /// What keeps some reading of the path from being followed.
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

    /// Whether the last name is a key of the object before it; nothing if that cannot be told,
    /// as where there is no such object.
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

    /// The names from one to another as one name.
    fn joined(&self, from: usize, to: usize) -> &str {
        let start = self.starts.get(from).copied().unwrap_or(self.text.len());
        // Before the next name is a dot.
        let end = self.starts.get(to).map(|next| next.saturating_sub(1));
        let end = end.unwrap_or(self.text.len());
        self.text.get(start..end).unwrap_or_default()
    }
}

impl FoundValue<'_, '_> {
    /// What two readings of a path come to together.
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

/// A claim of a verified token.
pub(super) fn find_claim<'v, 'a>(claims: &'v Value<'a>, path: &ValuePath) -> FoundValue<'v, 'a> {
    let found = path.find(claims, KeyOrigin::Proven);
    if found == FoundValue::Absent && is_left_out(claims, path.as_str()) {
        return FoundValue::Unclear;
    }
    found
}

/// Whether the issuer has left a claim out that the subject has: by a reference to where it can be
/// had (`OpenID` Connect Core §5.6.2), or, for groups, by saying that there are too many.
#[must_use]
pub fn is_left_out(claims: &Value<'_>, path: &str) -> bool {
    let is_under = |name: &str| {
        path.strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let referred = match claims.member("_claim_names") {
        Some(Value::Map(references)) => references.iter().any(|(name, _)| is_under(name)),
        // Names of a form that cannot be read may be any.
        Some(Value::Null) | None => false,
        Some(_) => true,
    };
    let too_many = match claims.member("hasgroups") {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(_) => true,
    };
    referred || (too_many && is_under("groups"))
}

/// The claim at a dotted path, in whatever way its names are joined.
///
/// # Errors
/// If it cannot be told whether the token has it.
pub fn claim<'v, 'a>(
    claims: &'v Value<'a>,
    path: &ValuePath,
) -> Result<Option<&'v Value<'a>>, UnclearClaim> {
    match find_claim(claims, path) {
        FoundValue::Value(value) => Ok(Some(value)),
        FoundValue::Absent => Ok(None),
        FoundValue::Unclear => Err(UnclearClaim),
    }
}

/// A claim that the token neither has nor lacks: it was left out, or its path has two readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnclearClaim;

#[cfg(test)]
mod tests;
