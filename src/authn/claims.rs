//! Verified claims to a [`Subject`] and to what has to be checked again at each use.
//!
//! Nothing here looks at a signature: [`super::token`] calls it after it has.

mod facts;
mod required;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::claim_settings::ClaimSettings;
use super::failure::TokenEvidence;
use super::{AuthenticationError, Claim};
use crate::authz::{EmptyLists, Subject, UnknownFacts, Value, is_left_out};

pub(super) use required::{check_required, check_tenant};

/// Whom the tokens of one issuer have to be for, at one server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Accepted<'r> {
    /// One of which has to be in `aud`.
    pub(super) audience: &'r [String],
    /// The clients of which a token without `aud` may be.
    pub(super) clients: &'r [String],
}

/// The claims about when and where a token is valid.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Validity {
    /// `aud`, as a list; `None` if there is none.
    pub(super) audience: Option<Vec<Arc<str>>>,
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

    /// Adds what the token says to the evidence.
    pub(super) fn tell(&self, evidence: &mut TokenEvidence) {
        evidence.audience = self.audience.clone().unwrap_or_default();
        evidence.expires_at = Some(self.expires_at);
        evidence.not_before = self.not_before;
        evidence.issued_at = self.issued_at;
    }

    /// Whether one of the accepted audiences is in the token's, or, where it has none, its client is
    /// an accepted one. Compared byte for byte: a trailing slash makes another resource (RFC 8707
    /// §2, RFC 3986 §6.2.1).
    pub(super) fn check_audience(
        &self,
        accepted: Accepted<'_>,
        subject: &Subject,
    ) -> Result<(), AuthenticationError> {
        match (&self.audience, &subject.agent) {
            (Some(audience), _) => {
                let is_ours = |one: &Arc<str>| accepted.audience.iter().any(|ours| **ours == **one);
                let is_accepted = audience.iter().any(is_ours);
                is_accepted
                    .then_some(())
                    .ok_or(AuthenticationError::AudienceMismatch)
            }
            (None, _) if accepted.clients.is_empty() => {
                Err(AuthenticationError::ClaimMissing(Claim::Audience))
            }
            (None, None) if subject.unknown.agent => {
                Err(AuthenticationError::ClaimInvalid(Claim::Agent))
            }
            (None, None) => Err(AuthenticationError::ClaimMissing(Claim::Agent)),
            (None, Some(client)) => {
                let mut clients = accepted.clients.iter();
                let is_accepted = !subject.unknown.agent && clients.any(|own| **own == **client);
                is_accepted
                    .then_some(())
                    .ok_or(AuthenticationError::ClientMismatch)
            }
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
    let id = facts::subject(&claims, &settings.subject)?;
    let agent = facts::text(&claims, &settings.agent);
    let tenant = facts::text(&claims, &settings.tenant);
    let groups = facts::names(&claims, &settings.groups);
    let roles = facts::names(&claims, &settings.roles);
    let scopes = facts::scopes(&claims, &settings.scopes);
    Ok(Subject {
        issuer,
        id,
        agent: agent.value,
        groups: groups.value,
        roles: roles.value,
        scopes: scopes.value,
        tenant: tenant.value,
        device: facts::object(&claims, &settings.device).cloned(),
        unknown: UnknownFacts {
            agent: agent.is_unknown,
            groups: groups.is_unknown,
            roles: roles.is_unknown,
            scopes: scopes.is_unknown,
            tenant: tenant.is_unknown,
            empty: EmptyLists {
                groups: groups.is_empty,
                roles: roles.is_empty,
                scopes: scopes.is_empty,
            },
        },
        claims,
    })
}

/// `aud` (RFC 7519 §4.1.3); `null` is none. One that the issuer has left out is not absent.
fn audience(claims: &Value<'_>) -> Result<Option<Vec<Arc<str>>>, AuthenticationError> {
    let texts = match claims.member("aud") {
        None | Some(Value::Null) if is_left_out(claims, "aud") => {
            return Err(AuthenticationError::ClaimMissing(Claim::Audience));
        }
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => Some(vec![&**text]),
        Some(Value::List(items)) => items.iter().map(Value::as_str).collect(),
        Some(
            Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::Unsound(_)
            | Value::Map(_),
        ) => None,
    };
    let texts = texts.ok_or(AuthenticationError::ClaimInvalid(Claim::Audience))?;
    let texts = texts.into_iter().filter(|text| !text.is_empty());
    Ok(Some(texts.map(Arc::from).collect()))
}

/// A `NumericDate` (RFC 7519 §2), 0 to 2^63−1 seconds; `null` is no date. One beyond the year 9999,
/// which issuers write for what never ends, is the last one there is. One that is a date of this
/// century in milliseconds or smaller units is a mistake of the issuer, by which its tokens would
/// never end, and no date.
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
        .filter(|since_epoch| !is_in_smaller_units(since_epoch.as_secs()))
        .map(|since| Timestamp::from_duration(since).unwrap_or(Timestamp::MAX))
        .map(Some)
        .ok_or(AuthenticationError::ClaimInvalid(claim))
}

/// Whether a number of seconds would be a date of this century if it counted milliseconds,
/// microseconds or nanoseconds.
fn is_in_smaller_units(seconds: i64) -> bool {
    // The beginnings of 2000 and of 2100.
    let century = 946_684_800..4_102_444_800;
    [1_000, 1_000_000, 1_000_000_000]
        .into_iter()
        .any(|unit: i64| century.contains(&seconds.div_euclid(unit)))
}

#[cfg(test)]
mod tests;
