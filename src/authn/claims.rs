//! Verified claims to a [`Subject`] and to what has to be checked again at each use.
//!
//! Nothing here looks at a signature: [`super::token`] calls it after it has.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::settings::ClaimSettings;
use super::{AuthenticationError, Claim};
use crate::authz::{Subject, UnclearClaim, UnknownFacts, Value, ValuePath, claim, is_left_out};

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
    let agent = text(&claims, &settings.agent, Claim::Agent)?;
    let tenant = text(&claims, &settings.tenant, Claim::Tenant)?;
    let groups = texts(&claims, &settings.groups, Claim::Groups)?;
    let roles = texts(&claims, &settings.roles, Claim::Roles)?;
    let scopes = scopes(&claims, &settings.scopes)?;
    Ok(Subject {
        issuer,
        id: id.into(),
        agent: agent.value,
        groups: groups.value,
        roles: roles.value,
        scopes: scopes.value,
        tenant: tenant.value,
        device: first(&claims, &settings.device)
            .value
            .filter(|device| matches!(device, Value::Map(_)))
            .cloned(),
        unknown: UnknownFacts {
            agent: agent.is_unknown,
            groups: groups.is_unknown,
            roles: roles.is_unknown,
            scopes: scopes.is_unknown,
            tenant: tenant.is_unknown,
        },
        claims,
    })
}

/// What a token says of one fact, and whether it leaves out all or part of it.
struct Extracted<T> {
    value: T,
    is_unknown: bool,
}

impl<T> Extracted<T> {
    fn try_map<U, E>(self, map: impl FnOnce(T) -> Result<U, E>) -> Result<Extracted<U>, E> {
        Ok(Extracted {
            value: map(self.value)?,
            is_unknown: self.is_unknown,
        })
    }
}

fn audience(claims: &Value<'_>) -> Result<Vec<Arc<str>>, AuthenticationError> {
    match claims.member("aud") {
        None | Some(Value::Null) => Err(AuthenticationError::ClaimMissing(Claim::Audience)),
        Some(audience) => strings(audience, Claim::Audience),
    }
}

/// A `NumericDate` (RFC 7519 §2), 0 to 2^63−1 seconds; `null` is no date. One beyond the year 9999,
/// which issuers write for what never ends, is the last one there is.
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
            Value::Bool(_)
            | Value::Uint(_)
            | Value::String(_)
            | Value::Unsound(_)
            | Value::List(_)
            | Value::Map(_),
        ) => None,
    };
    since_epoch
        .filter(|since_epoch| !since_epoch.is_negative())
        .map(|since| Timestamp::from_duration(since).unwrap_or(Timestamp::MAX))
        .map(Some)
        .ok_or(AuthenticationError::ClaimInvalid(claim))
}

fn text(
    claims: &Value<'_>,
    names: &[String],
    claim: Claim,
) -> Result<Extracted<Option<Arc<str>>>, AuthenticationError> {
    first(claims, names).try_map(|value| {
        let Some(value) = value else {
            return Ok(None);
        };
        let text = value
            .as_str()
            .ok_or(AuthenticationError::ClaimInvalid(claim))?;
        Ok((!text.is_empty()).then(|| text.into()))
    })
}

fn texts(
    claims: &Value<'_>,
    names: &[String],
    claim: Claim,
) -> Result<Extracted<Vec<Arc<str>>>, AuthenticationError> {
    first(claims, names)
        .try_map(|value| value.map_or(Ok(Vec::new()), |value| strings(value, claim)))
}

fn scopes(
    claims: &Value<'_>,
    names: &[String],
) -> Result<Extracted<Vec<Arc<str>>>, AuthenticationError> {
    first(claims, names).try_map(|value| match value {
        None => Ok(Vec::new()),
        Some(value) => match value.as_str() {
            Some(text) => Ok(distinct(text.split_ascii_whitespace())),
            None => strings(value, Claim::Scopes),
        },
    })
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
        | Value::Unsound(_)
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

/// The first of `names` that is there and not `null`. Where one before it cannot be told, or the
/// issuer left it out, the first is unknown.
fn first<'v, 'a>(claims: &'v Value<'a>, names: &[String]) -> Extracted<Option<&'v Value<'a>>> {
    for name in names {
        // Other paths were refused with the configuration.
        let Ok(path) = ValuePath::new(name) else {
            continue;
        };
        let is_unknown = is_left_out(claims, name);
        match claim(claims, &path) {
            Ok(None | Some(Value::Null)) if !is_unknown => {}
            Ok(None | Some(Value::Null)) | Err(UnclearClaim) => {
                return Extracted {
                    value: None,
                    is_unknown: true,
                };
            }
            Ok(value) => return Extracted { value, is_unknown },
        }
    }
    Extracted {
        value: None,
        is_unknown: false,
    }
}

#[cfg(test)]
mod tests;
