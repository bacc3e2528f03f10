//! Credentials to a subject.
//!
//! [`Authenticator::authenticate`] takes the values of the `Authorization` header and gives a
//! verified [`Subject`], or the one reason why not. [`challenge`] and [`metadata`] render what a
//! caller is told about how to do better. Nothing here knows Envoy, MCP or policy.

pub mod bearer;
mod cache;
mod carried;
pub mod challenge;
mod claims;
mod error;
mod jwks;
mod keyset;
pub mod metadata;
mod peers;
mod settings;
mod token;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::authz::{Subject, Value};
use crate::json;
use cache::{TokenCache, TokenHash};
use jwks::{FetchTimes, Keys, Refresher, Source};
use token::{Expected, Unverified, Verified};

pub use carried::CarriedSubject;
pub use error::{AuthenticationError, Claim};
pub use jwks::{KeyHealth, KeyRefresher};
pub use peers::{FoundPeer, InvalidPeers, Peers};
pub use settings::{
    ClaimSettings, InvalidSettings, IssuerSettings, KeySettings, KeySourceSettings, Settings,
    SignatureAlgorithm,
};

/// Whom the tokens for one MCP server may be from and for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audience {
    /// The server's resource identifier and further accepted audiences; one of them has to be in
    /// `aud`, byte for byte. Without any, no token is accepted.
    pub accepted: Vec<String>,
    /// The issuers trusted for this server; `None` means every configured one.
    pub issuers: Option<Vec<String>>,
}

/// How the keys of one issuer are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerStatus {
    /// The issuer.
    pub issuer: Arc<str>,
    /// Its keys.
    pub keys: KeyHealth,
}

/// The posture of a device as a JSON object, as a trusted proxy writes it into a header. Nothing
/// where it is anything else, or says a key twice.
#[must_use]
pub fn device_posture(text: &str) -> Option<Value<'static>> {
    let posture = json::decode(text.as_bytes(), POSTURE_DEPTH_MAX).ok();
    posture.filter(|posture| matches!(posture, Value::Map(_)))
}

/// How deep the posture of a device may nest.
const POSTURE_DEPTH_MAX: usize = 8;

/// Verifies credentials against the keys of the configured issuers.
#[derive(Debug)]
pub struct Authenticator {
    issuers: HashMap<Arc<str>, Issuer>,
    tokens: TokenCache,
    token_bytes_max: usize,
    json_depth_max: usize,
}

#[derive(Debug)]
struct Issuer {
    name: Arc<str>,
    algorithms: Vec<SignatureAlgorithm>,
    claims: ClaimSettings,
    leeway: Duration,
    keys: Keys,
}

impl Authenticator {
    /// Builds the authenticator and one key refresher per issuer. Without its refresher running, an
    /// issuer never has keys. Reads the `ca_file`s.
    ///
    /// # Errors
    /// The first thing wrong with the settings; [`Settings::faults`] knows all of them but unusable
    /// `ca_file`s.
    pub fn new(settings: &Settings) -> Result<(Self, Vec<KeyRefresher>), InvalidSettings> {
        if let Some((_, fault)) = settings.faults().into_iter().next() {
            return Err(fault);
        }
        let mut issuers = HashMap::new();
        let mut refreshers = Vec::new();
        for issuer in &settings.issuers {
            let name: Arc<str> = issuer.issuer.as_str().into();
            let source = Source::new(issuer, settings)?;
            let mut key_settings = issuer.keys;
            if source.is_file() {
                key_settings.refresh = key_settings.refresh.min(key_settings.min_interval);
            }
            let times = FetchTimes {
                timeout: settings.fetch_timeout,
                wait: settings.fetch_wait,
            };
            let (refresher, keys) = Refresher::new(Arc::clone(&name), source, key_settings, times);
            refreshers.push(refresher.into_public());
            let issuer = Issuer {
                name: Arc::clone(&name),
                algorithms: issuer.algorithms.clone(),
                claims: issuer.claims.clone(),
                leeway: issuer.leeway,
                keys,
            };
            issuers.insert(name, issuer);
        }
        let authenticator = Self {
            issuers,
            tokens: TokenCache::new(settings.token_cache_max),
            token_bytes_max: settings.token_bytes_max,
            json_depth_max: settings.json_depth_max,
        };
        Ok((authenticator, refreshers))
    }

    /// Who is calling: the subject of the one bearer token in `authorization`, the values of every
    /// such header of the request.
    ///
    /// Returns without waiting, unless the token names an unknown key: then it waits for the
    /// issuer's keys, at most for `fetch_wait`. May be dropped at any time.
    ///
    /// # Errors
    /// The reason why the caller is not authenticated; of those only
    /// [`KeysUnavailable`](AuthenticationError::KeysUnavailable) says nothing about the caller.
    pub async fn authenticate(
        &self,
        authorization: &[&str],
        audience: &Audience,
        now: Timestamp,
    ) -> Result<Arc<Subject>, AuthenticationError> {
        let token = bearer::token(authorization, self.token_bytes_max)?;
        let hash = cache::hash(token);
        if let Some(outcome) = hash.and_then(|hash| self.recall(&hash, audience, now)) {
            return outcome;
        }
        let verified = Arc::new(self.verify(token, audience, now).await?);
        let subject = Arc::clone(&verified.subject);
        if let Some(hash) = hash {
            self.tokens.insert(hash, verified, now);
        }
        Ok(subject)
    }

    /// How the keys of each issuer are, in no order.
    pub fn issuers(&self) -> impl Iterator<Item = IssuerStatus> {
        self.issuers.values().map(|issuer| IssuerStatus {
            issuer: Arc::clone(&issuer.name),
            keys: issuer.keys.health(),
        })
    }

    /// Whether the keys of every issuer were loaded at least once. Stays true through an outage of
    /// an issuer, which taking this replica out of service would not mend.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.issuers
            .values()
            .all(|issuer| issuer.keys.health().was_loaded)
    }

    /// How many verified tokens are remembered, give or take those that expire just now.
    #[must_use]
    pub fn tokens_cached(&self) -> u64 {
        self.tokens.count()
    }

    /// Waits until [`is_ready`](Self::is_ready).
    pub async fn ready(&self) {
        for issuer in self.issuers.values() {
            issuer.keys.loaded().await;
        }
    }

    /// What is remembered about the token, checked against the server, the time and the keys of
    /// now; `None` if it has to be verified.
    fn recall(
        &self,
        hash: &TokenHash,
        audience: &Audience,
        now: Timestamp,
    ) -> Option<Result<Arc<Subject>, AuthenticationError>> {
        let known = self.tokens.find(hash, now)?;
        let outcome = self.recheck(&known, audience, now).transpose();
        if outcome.is_none() {
            self.tokens.forget(hash);
        }
        outcome
    }

    /// `Ok(None)` if the key has left the issuer's set.
    fn recheck(
        &self,
        known: &Verified,
        audience: &Audience,
        now: Timestamp,
    ) -> Result<Option<Arc<Subject>>, AuthenticationError> {
        let issuer = self.trusted(&known.subject.issuer, audience)?;
        if !issuer.keys.current()?.has(&known.key, known.algorithm) {
            return Ok(None);
        }
        known.check(&audience.accepted, now, issuer.leeway)?;
        Ok(Some(Arc::clone(&known.subject)))
    }

    async fn verify(
        &self,
        token: &str,
        audience: &Audience,
        now: Timestamp,
    ) -> Result<Verified, AuthenticationError> {
        let token = Unverified::decode(token, self.json_depth_max)?;
        let issuer = self.trusted(token.issuer()?, audience)?;
        let algorithm = token.algorithm();
        if !issuer.algorithms.contains(&algorithm) {
            return Err(AuthenticationError::AlgorithmNotAllowed);
        }
        let keys = issuer.keys.candidates(token.key_id(), algorithm).await?;
        token.verify(
            &keys,
            Expected {
                issuer: &issuer.name,
                audience: &audience.accepted,
                claims: &issuer.claims,
                leeway: issuer.leeway,
                now,
            },
        )
    }

    /// The configured issuer of that exact name, if this server trusts it.
    fn trusted(&self, name: &str, audience: &Audience) -> Result<&Issuer, AuthenticationError> {
        let is_trusted_here = audience
            .issuers
            .as_ref()
            .is_none_or(|issuers| issuers.iter().any(|own| own == name));
        self.issuers
            .get(name)
            .filter(|_| is_trusted_here)
            .ok_or(AuthenticationError::UnknownIssuer)
    }
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;
