//! From credentials to a subject: chooses the issuer and its key, verifies, and remembers.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::cache::{self, TokenCache, TokenHash};
use super::credentials::Credentials;
use super::error::AuthenticationError;
use super::keys::{self, IssuerKeys, KeyHealth, KeyRefresher};
use super::sender::SenderConstraint;
use super::settings::{InvalidSettings, IssuerSettings, Settings};
use super::token::{Requirements, Unverified, Verified};
use crate::authz::Subject;
use crate::fetch::Outbound;

/// Whom the tokens for one MCP server may be from and for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audience {
    /// The server's resource identifier and further accepted audiences; one of them has to be in
    /// `aud`, byte for byte. Without any, no token is accepted.
    pub accepted: Vec<String>,
    /// The issuers trusted for this server; `None` means every configured one.
    pub issuers: Option<Vec<String>>,
}

/// A caller who is proved.
#[derive(Debug, Clone, PartialEq)]
pub struct Authenticated {
    /// Whom the token is about.
    pub subject: Arc<Subject>,
    /// What the token demanded of its sender, who has proved it.
    pub sender: SenderConstraint,
}

impl Authenticated {
    fn by(token: &Verified) -> Self {
        Authenticated {
            subject: Arc::clone(&token.subject),
            sender: token.sender,
        }
    }
}

/// How the keys of one issuer are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerStatus {
    /// The issuer.
    pub issuer: Arc<str>,
    /// Its keys.
    pub keys: KeyHealth,
}

/// Verifies credentials against the keys of the configured issuers.
#[derive(Debug)]
pub struct Authenticator {
    issuers: HashMap<Arc<str>, TrustedIssuer>,
    tokens: TokenCache,
    token_bytes_max: usize,
    json_depth_max: usize,
}

/// A configured issuer and its keys.
#[derive(Debug)]
struct TrustedIssuer {
    name: Arc<str>,
    settings: IssuerSettings,
    keys: IssuerKeys,
}

impl Authenticator {
    /// Builds the authenticator and one key refresher per issuer. Without its refresher running, an
    /// issuer never has keys. Keys are fetched as `outbound` says. Reads the `ca_file`s.
    ///
    /// # Errors
    /// The first thing wrong with the settings; [`Settings::faults`] knows all of them but unusable
    /// `ca_file`s.
    pub fn new(
        settings: &Settings,
        outbound: &Outbound,
    ) -> Result<(Self, Vec<KeyRefresher>), InvalidSettings> {
        if let Some((_, fault)) = settings.faults().into_iter().next() {
            return Err(fault);
        }
        let mut issuers = HashMap::new();
        let mut refreshers = Vec::new();
        for issuer in &settings.issuers {
            let (keys, refresher) = keys::open(issuer, settings, outbound)?;
            let name = Arc::clone(refresher.issuer());
            refreshers.push(refresher);
            issuers.insert(
                Arc::clone(&name),
                TrustedIssuer {
                    name,
                    settings: issuer.clone(),
                    keys,
                },
            );
        }
        let authenticator = Self {
            issuers,
            tokens: TokenCache::new(settings.token_cache_max),
            token_bytes_max: settings.token_bytes_max,
            json_depth_max: settings.json_depth_max,
        };
        Ok((authenticator, refreshers))
    }

    /// Who is calling: the subject of the one bearer token of a request, and what the token
    /// demanded of its sender.
    ///
    /// Returns without waiting, unless the token names an unknown key: then it waits for the
    /// issuer's keys, at most for `fetch_wait`. May be dropped at any time.
    ///
    /// # Errors
    /// The reason why the caller is not authenticated; of those only
    /// [`KeysUnavailable`](AuthenticationError::KeysUnavailable) says nothing about the caller.
    pub async fn authenticate(
        &self,
        credentials: &Credentials<'_>,
        audience: &Audience,
        now: Timestamp,
    ) -> Result<Authenticated, AuthenticationError> {
        let token = credentials.bearer_token(self.token_bytes_max)?;
        let hash = cache::hash(token);
        if let Some(outcome) = hash.and_then(|hash| self.recall(&hash, audience, now)) {
            return outcome;
        }
        let verified = Arc::new(self.verify(token, audience, now).await?);
        let authenticated = Authenticated::by(&verified);
        if let Some(hash) = hash {
            self.tokens.insert(hash, verified, now);
        }
        Ok(authenticated)
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
    ) -> Option<Result<Authenticated, AuthenticationError>> {
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
    ) -> Result<Option<Authenticated>, AuthenticationError> {
        let issuer = self.trusted(&known.subject.issuer, audience)?;
        if !issuer.keys.current()?.has(&known.key, known.algorithm) {
            return Ok(None);
        }
        known.check(&audience.accepted, now, issuer.settings.leeway)?;
        Ok(Some(Authenticated::by(known)))
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
        if !issuer.settings.algorithms.contains(&algorithm) {
            return Err(AuthenticationError::AlgorithmNotAllowed);
        }
        let keys = issuer.keys.candidates(token.key_id(), algorithm).await?;
        token.verify(
            &keys,
            Requirements {
                issuer: &issuer.name,
                audience: &audience.accepted,
                claims: &issuer.settings.claims,
                leeway: issuer.settings.leeway,
                now,
            },
        )
    }

    /// The configured issuer of that exact name, if this server trusts it.
    fn trusted(
        &self,
        name: &str,
        audience: &Audience,
    ) -> Result<&TrustedIssuer, AuthenticationError> {
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
mod tests;
