//! Verified claims to a [`Subject`] and to what has to be checked again at each use.
//!
//! Nothing here looks at a signature: [`super::token`] calls it after it has.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::settings::ClaimSettings;
use super::{AuthenticationError, Claim};
use crate::authz::{Subject, Value};

/// The claims about when and where a token is valid.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Validity {
    /// `aud`, as a list.
    pub(super) audience: Vec<Arc<str>>,
    /// `exp`.
    pub(super) expires_at: Timestamp,
    /// `nbf`.
    pub(super) not_before: Option<Timestamp>,
    /// `iat`.
    pub(super) issued_at: Option<Timestamp>,
}

impl Validity {
    /// Reads `aud`, `exp`, `nbf` and `iat`.
    pub(super) fn from_claims(claims: &Value<'_>) -> Result<Self, AuthenticationError> {
        let expires_at = timestamp(claims, "exp", Claim::Expiry)?
            .ok_or(AuthenticationError::ClaimMissing(Claim::Expiry))?;
        Ok(Self {
            audience: audience(claims)?,
            expires_at,
            not_before: timestamp(claims, "nbf", Claim::NotBefore)?,
            issued_at: timestamp(claims, "iat", Claim::IssuedAt)?,
        })
    }

    /// Whether one of `accepted` is in the audience. Compared byte for byte: a trailing slash makes
    /// another resource (RFC 8707 §2, RFC 3986 §6.2.1).
    pub(super) fn check_audience(&self, accepted: &[String]) -> Result<(), AuthenticationError> {
        let is_ours = |audience: &Arc<str>| accepted.iter().any(|ours| **ours == **audience);
        if self.audience.iter().any(is_ours) {
            Ok(())
        } else {
            Err(AuthenticationError::AudienceMismatch)
        }
    }

    /// Whether the token is valid at `now`, with clocks apart by up to `leeway`.
    pub(super) fn check_time(
        &self,
        now: Timestamp,
        leeway: Duration,
    ) -> Result<(), AuthenticationError> {
        let earliest_now = now.checked_sub(leeway).unwrap_or(Timestamp::MIN);
        let latest_now = now.checked_add(leeway).unwrap_or(Timestamp::MAX);
        if earliest_now >= self.expires_at {
            return Err(AuthenticationError::TokenExpired);
        }
        if self
            .not_before
            .is_some_and(|not_before| latest_now < not_before)
        {
            return Err(AuthenticationError::TokenNotYetValid);
        }
        if self
            .issued_at
            .is_some_and(|issued_at| latest_now < issued_at)
        {
            return Err(AuthenticationError::IssuedInFuture);
        }
        Ok(())
    }
}

/// Builds the subject of a token whose signature and issuer have been verified.
pub(super) fn subject(
    claims: Value<'static>,
    issuer: Arc<str>,
    settings: &ClaimSettings,
) -> Result<Subject, AuthenticationError> {
    let id = match claims.member("sub") {
        None | Some(Value::Null) => Err(AuthenticationError::ClaimMissing(Claim::Subject)),
        Some(id) => id
            .as_str()
            .filter(|id| !id.is_empty())
            .ok_or(AuthenticationError::ClaimInvalid(Claim::Subject)),
    }?;
    Ok(Subject {
        issuer,
        id: id.into(),
        agent: text(&claims, &settings.agent, Claim::Agent)?,
        groups: texts(&claims, &settings.groups, Claim::Groups)?,
        roles: texts(&claims, &settings.roles, Claim::Roles)?,
        scopes: scopes(&claims, &settings.scopes)?,
        tenant: text(&claims, &settings.tenant, Claim::Tenant)?,
        device: first(&claims, &settings.device)
            .filter(|device| matches!(device, Value::Map(_)))
            .cloned(),
        claims,
    })
}

fn audience(claims: &Value<'_>) -> Result<Vec<Arc<str>>, AuthenticationError> {
    match claims.member("aud") {
        None | Some(Value::Null) => Err(AuthenticationError::ClaimMissing(Claim::Audience)),
        Some(audience) => strings(audience, Claim::Audience),
    }
}

/// A `NumericDate` (RFC 7519 §2) between 1970 and 9999; `null` is no date.
fn timestamp(
    claims: &Value<'_>,
    name: &str,
    claim: Claim,
) -> Result<Option<Timestamp>, AuthenticationError> {
    let since_epoch = match claims.member(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Int(seconds)) => Some(SignedDuration::from_secs(*seconds)),
        Some(Value::Float(seconds)) => SignedDuration::try_from_secs_f64(*seconds).ok(),
        Some(
            Value::Bool(_) | Value::Uint(_) | Value::String(_) | Value::List(_) | Value::Map(_),
        ) => None,
    };
    since_epoch
        .filter(|since_epoch| !since_epoch.is_negative())
        .and_then(|since_epoch| Timestamp::from_duration(since_epoch).ok())
        .map(Some)
        .ok_or(AuthenticationError::ClaimInvalid(claim))
}

fn text(
    claims: &Value<'_>,
    names: &[String],
    claim: Claim,
) -> Result<Option<Arc<str>>, AuthenticationError> {
    let Some(value) = first(claims, names) else {
        return Ok(None);
    };
    let text = value
        .as_str()
        .ok_or(AuthenticationError::ClaimInvalid(claim))?;
    Ok((!text.is_empty()).then(|| text.into()))
}

fn texts(
    claims: &Value<'_>,
    names: &[String],
    claim: Claim,
) -> Result<Vec<Arc<str>>, AuthenticationError> {
    first(claims, names).map_or(Ok(Vec::new()), |value| strings(value, claim))
}

fn scopes(claims: &Value<'_>, names: &[String]) -> Result<Vec<Arc<str>>, AuthenticationError> {
    let Some(value) = first(claims, names) else {
        return Ok(Vec::new());
    };
    match value.as_str() {
        Some(text) => Ok(distinct(text.split_ascii_whitespace())),
        None => strings(value, Claim::Scopes),
    }
}

/// A string, or a list of nothing but strings; empty ones are left out.
fn strings(value: &Value<'_>, claim: Claim) -> Result<Vec<Arc<str>>, AuthenticationError> {
    let invalid = AuthenticationError::ClaimInvalid(claim);
    match value {
        Value::String(text) => Ok(distinct([text.as_ref()])),
        Value::List(elements) => {
            let texts: Option<Vec<&str>> = elements.iter().map(Value::as_str).collect();
            texts.map(distinct).ok_or(invalid)
        }
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Uint(_)
        | Value::Float(_)
        | Value::Map(_) => Err(invalid),
    }
}

fn distinct<'t>(texts: impl IntoIterator<Item = &'t str>) -> Vec<Arc<str>> {
    let mut seen = HashSet::new();
    texts
        .into_iter()
        .filter(|text| !text.is_empty() && seen.insert(*text))
        .map(Arc::from)
        .collect()
}

/// The first of `names` that is there and not `null`.
fn first<'v, 'a>(claims: &'v Value<'a>, names: &[String]) -> Option<&'v Value<'a>> {
    names
        .iter()
        .filter_map(|name| lookup(claims, name))
        .find(|value| !matches!(value, Value::Null))
}

/// The member `path`, or else the way through nested members that its dots describe, longest names
/// first: claim names may be URLs, which have dots of their own.
fn lookup<'v, 'a>(value: &'v Value<'a>, path: &str) -> Option<&'v Value<'a>> {
    value.member(path).or_else(|| {
        path.rmatch_indices('.').find_map(|(at, _)| {
            let (name, rest) = path.split_at_checked(at)?;
            lookup(value.member(name)?, rest.strip_prefix('.')?)
        })
    })
}

#[cfg(test)]
mod tests;
