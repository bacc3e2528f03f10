//! Claims to the facts about a subject, as far as they can be told.
//!
//! A claim that is there and is not of a form that says a fact does not make its token unusable: the
//! fact is unknown, as one that the issuer left out, so only a rule over it is affected.

use std::collections::HashSet;
use std::sync::Arc;

use crate::authn::claim_settings::ListedClaims;
use crate::authn::{AuthenticationError, Claim};
use crate::authz::{FoundClaims, Value, ValuePath, claims_at};

/// What a token says of one fact, and whether it leaves out all or part of it.
pub(super) struct Extracted<T> {
    pub(super) value: T,
    pub(super) is_unknown: bool,
    /// Whether a claim is there that names nothing.
    pub(super) is_empty: bool,
}

/// Who the subject is, by the first of these claims that says something.
pub(super) fn subject(
    claims: &Value<'_>,
    paths: &[String],
) -> Result<Arc<str>, AuthenticationError> {
    let invalid = Err(AuthenticationError::ClaimInvalid(Claim::Subject));
    let mut is_there = false;
    for path in paths {
        let found = at(claims, path);
        if found.are_incomplete {
            return invalid;
        }
        match found.values.as_deref() {
            None | Some([]) => {}
            Some([Value::String(text)]) if text.is_empty() => is_there = true,
            Some([Value::String(text)]) => return Ok((&**text).into()),
            Some(_) => return invalid,
        }
    }
    if is_there {
        return invalid;
    }
    Err(AuthenticationError::ClaimMissing(Claim::Subject))
}

/// One text, from the first of these claims that is there.
pub(super) fn text(claims: &Value<'_>, paths: &[String]) -> Extracted<Option<Arc<str>>> {
    let FoundClaims {
        values,
        are_incomplete,
    } = first(claims, paths);
    let (value, is_text) = match values.as_deref() {
        None | Some([]) => (None, true),
        Some([Value::String(text)]) => ((!text.is_empty()).then(|| (&**text).into()), true),
        Some(_) => (None, false),
    };
    Extracted {
        value: value.filter(|_| !are_incomplete),
        is_unknown: are_incomplete || !is_text,
        is_empty: false,
    }
}

/// The object in the first of these claims that is there.
pub(super) fn object<'v>(
    claims: &'v Value<'static>,
    paths: &[String],
) -> Option<&'v Value<'static>> {
    match first(claims, paths).values.as_deref() {
        Some([object @ Value::Map(_)]) => Some(*object),
        None | Some(_) => None,
    }
}

/// Names, from the first of the claims that is there or from all of them.
pub(super) fn names(claims: &Value<'_>, listed: &ListedClaims) -> Extracted<Vec<Arc<str>>> {
    extract(claims, listed, |text| vec![text])
}

/// Scopes, which a text has with blanks between them (RFC 9068 §2.2.3).
pub(super) fn scopes(claims: &Value<'_>, listed: &ListedClaims) -> Extracted<Vec<Arc<str>>> {
    extract(claims, listed, |text| {
        text.split_ascii_whitespace().collect()
    })
}

fn extract(
    claims: &Value<'_>,
    listed: &ListedClaims,
    split: fn(&str) -> Vec<&str>,
) -> Extracted<Vec<Arc<str>>> {
    let found = match listed {
        ListedClaims::First(paths) => vec![first(claims, paths)],
        ListedClaims::Any(paths) => paths.iter().map(|path| at(claims, path)).collect(),
    };
    let mut names = Vec::new();
    let mut is_unknown = false;
    for one in &found {
        is_unknown |= one.are_incomplete;
        for value in one.values.iter().flatten() {
            is_unknown |= !add_names(value, split, &mut names);
        }
    }
    let value = distinct(names);
    let is_there = found.iter().any(|one| one.values.is_some());
    Extracted {
        is_empty: is_there && value.is_empty() && !is_unknown,
        value,
        is_unknown,
    }
}

/// Adds the names that a value has; whether these are all.
fn add_names<'v>(
    value: &'v Value<'_>,
    split: fn(&str) -> Vec<&str>,
    names: &mut Vec<&'v str>,
) -> bool {
    match value {
        Value::String(text) => {
            names.extend(split(text));
            true
        }
        Value::List(items) => {
            let texts = items.iter().filter_map(Value::as_str);
            names.extend(texts);
            items.iter().all(|item| item.as_str().is_some())
        }
        Value::Map(members) => {
            let mut held = members.iter().map(|(name, value)| (name, is_held(value)));
            let yes = held.clone().filter(|(_, held)| *held == Some(true));
            names.extend(yes.map(|(name, _)| &**name));
            held.all(|(_, held)| held.is_some())
        }
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Uint(_)
        | Value::Float(_)
        | Value::Unsound(_) => false,
    }
}

/// Whether the member of an object says that its name is one of the subject's: by `true`, or by an
/// object of texts, as Zitadel has the organizations that grant a role. `None` if that cannot be
/// told.
fn is_held(value: &Value<'_>) -> Option<bool> {
    match value {
        Value::Bool(held) => Some(*held),
        Value::Null => Some(false),
        Value::Map(members) => {
            let are_texts = members.iter().all(|(_, value)| value.as_str().is_some());
            (are_texts && !members.is_empty()).then_some(true)
        }
        Value::Int(_)
        | Value::Uint(_)
        | Value::Float(_)
        | Value::String(_)
        | Value::Unsound(_)
        | Value::List(_) => None,
    }
}

fn distinct(texts: Vec<&str>) -> Vec<Arc<str>> {
    let mut seen = HashSet::new();
    texts
        .into_iter()
        .filter(|text| !text.is_empty() && seen.insert(*text))
        .map(Arc::from)
        .collect()
}

/// The first of these claims that is there. Where one before it cannot be told, none is.
fn first<'v, 'a>(claims: &'v Value<'a>, paths: &[String]) -> FoundClaims<'v, 'a> {
    let mut found = paths.iter().map(|path| at(claims, path));
    let first = found.find(|found| found.values.is_some() || found.are_incomplete);
    first.unwrap_or(ABSENT)
}

/// What is at the path of a claim. A path that leads nowhere was refused with the configuration.
pub(super) fn at<'v, 'a>(claims: &'v Value<'a>, path: &str) -> FoundClaims<'v, 'a> {
    ValuePath::of_claim(path).map_or(ABSENT, |path| claims_at(claims, &path))
}

const ABSENT: FoundClaims<'static, 'static> = FoundClaims {
    values: None,
    are_incomplete: false,
};
