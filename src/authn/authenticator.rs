//! From credentials to a subject: chooses the issuer and its key, verifies, and remembers.

mod expected;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::cache::{self, IssuerMark, TokenCache, TokenHash};
use super::claims::Accepted;
use super::credentials::Credentials;
use super::error::AuthenticationError;
use super::failure::{AuthenticationFailure, TokenEvidence};
use super::issuer_name;
use super::keys::{self, IssuerKeys, KeyHealth, KeyRefresher};
use super::sender::SenderConstraint;
use super::settings::{AuthnSettings, InvalidSettings, IssuerSettings};
use super::token::{Requirements, Unverified, Verified};
use crate::authz::Subject;
use crate::fetch::Outbound;
use expected::Refused;

/// Whom the tokens for one MCP server may be from and for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audience {
    /// The server's resource identifier and further accepted audiences; one of them has to be in
    /// `aud`, byte for byte. Without any, no token is accepted.
    pub accepted: Vec<String>,
    /// The issuers trusted for this server, each by its `iss`; `None` means every configured one.
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
    /// The issuers, in the order of the configuration.
    issuers: Vec<Arc<TrustedIssuer>>,
    /// Each `iss` that tokens may have.
    names: HashMap<Arc<str>, Named>,
    tokens: Arc<TokenCache>,
    /// The settings but for the issuers.
    limits: AuthnSettings,
    /// How keys are fetched.
    outbound: Arc<Outbound>,
    /// The mark of the next issuer.
    next_mark: IssuerMark,
}

/// Whose tokens have an `iss`.
#[derive(Debug)]
struct Named {
    issuer: Arc<TrustedIssuer>,
    /// Which of the issuer's tenants, if it has several.
    tenant: Option<Box<str>>,
}

/// A configured issuer and its keys.
#[derive(Debug)]
struct TrustedIssuer {
    /// As configured.
    name: Arc<str>,
    settings: IssuerSettings,
    keys: Arc<IssuerKeys>,
    /// A remembered token counts only if it was verified by these settings.
    mark: IssuerMark,
}

impl Authenticator {
    /// Builds the authenticator and one key refresher per issuer. Without its refresher running, an
    /// issuer never has keys. Keys are fetched as `outbound` says. Reads the `ca_file`s.
    ///
    /// # Errors
    /// The first thing wrong with the settings; [`AuthnSettings::faults`] knows all of them but unusable
    /// `ca_file`s.
    pub fn new(
        settings: &AuthnSettings,
        outbound: Arc<Outbound>,
    ) -> Result<(Self, Vec<KeyRefresher>), InvalidSettings> {
        Self::next(None, settings, outbound)
    }

    /// The authenticator after another one, whose remembered tokens it shares, and a refresher for
    /// each issuer whose keys it does not share. Keys are shared as long as nothing about fetching
    /// them is set otherwise; an issuer whose keys come from the same place as before begins with
    /// those that were fetched last.
    ///
    /// A token that was verified for an issuer that has gone since, or by other settings of it, is
    /// never taken from what is remembered.
    ///
    /// # Errors
    /// Those of [`Authenticator::new`].
    pub fn next(
        earlier: Option<&Authenticator>,
        settings: &AuthnSettings,
        outbound: Arc<Outbound>,
    ) -> Result<(Self, Vec<KeyRefresher>), InvalidSettings> {
        if let Some((_, fault)) = settings.faults().into_iter().next() {
            return Err(fault);
        }
        let limits = AuthnSettings {
            issuers: Vec::new(),
            ..settings.clone()
        };
        let fetches_alike = earlier.is_some_and(|earlier| {
            settings.fetches_as(&earlier.limits) && Arc::ptr_eq(&earlier.outbound, &outbound)
        });
        let mut next_mark = earlier.map_or(0, |earlier| earlier.next_mark);
        let mut issuers = Vec::new();
        let mut refreshers = Vec::new();
        for issuer in &settings.issuers {
            let mut known = earlier.iter().flat_map(|earlier| &earlier.issuers);
            let known = known.find(|known| *known.name == *issuer.issuer);
            if let Some(known) = known.filter(|known| fetches_alike && known.settings == *issuer) {
                issuers.push(Arc::clone(known));
                continue;
            }
            let shared = known.filter(|known| fetches_alike && issuer.fetches_as(&known.settings));
            let (name, keys) = if let Some(known) = shared {
                (Arc::clone(&known.name), Arc::clone(&known.keys))
            } else {
                let before = known.filter(|known| issuer.has_keys_of(&known.settings));
                let before = before.map(|known| &*known.keys);
                let (keys, refresher) = keys::open(issuer, settings, &outbound, before)?;
                let name = Arc::clone(refresher.issuer());
                refreshers.push(refresher);
                (name, Arc::new(keys))
            };
            let trusted = TrustedIssuer {
                name,
                settings: issuer.clone(),
                keys,
                mark: next_mark,
            };
            next_mark = next_mark.saturating_add(1);
            issuers.push(Arc::new(trusted));
        }
        let tokens = earlier
            .filter(|earlier| earlier.limits.token_cache_max == limits.token_cache_max)
            .map(|earlier| Arc::clone(&earlier.tokens));
        let authenticator = Self {
            names: names(&issuers),
            issuers,
            tokens: tokens.unwrap_or_else(|| Arc::new(TokenCache::new(limits.token_cache_max))),
            limits,
            outbound,
            next_mark,
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
    ) -> Result<Authenticated, Box<AuthenticationFailure>> {
        let token = credentials
            .bearer_token(self.limits.token_bytes_max)
            .map_err(|error| AuthenticationFailure::of_credentials(error, credentials))?;
        let refused = |error, evidence: TokenEvidence| {
            let issuer = evidence.issuer.as_ref();
            let named = issuer.and_then(|issuer| self.names.get(issuer));
            let issuer = named.map(|named| (&named.issuer.settings, &*named.issuer.keys));
            let settings = issuer.map(|(settings, _)| settings);
            let about = Refused {
                error,
                evidence: &evidence,
                now,
                accepted: &audience.accepted,
                trusted: audience.issuers.as_deref(),
                configured: self.issuers.iter().map(|one| &one.settings).collect(),
                issuer,
                tenant: named.and_then(|named| named.tenant.as_deref()),
            };
            let expected = about.expected();
            AuthenticationFailure {
                expected,
                ..AuthenticationFailure::of_token(error, evidence, credentials, settings)
            }
        };
        let hash = cache::hash(token);
        if let Some((known, outcome)) = hash.and_then(|hash| self.recall(&hash, audience, now)) {
            return outcome.map_err(|error| Box::new(refused(error, known.evidence())));
        }
        let mut evidence = TokenEvidence::default();
        let verified = self.verify(token, audience, now, &mut evidence).await;
        let (verified, mark) = verified.map_err(|error| refused(error, evidence))?;
        let verified = Arc::new(verified);
        let authenticated = Authenticated::by(&verified);
        if let Some(hash) = hash {
            self.tokens.insert(hash, verified, mark, now);
        }
        Ok(authenticated)
    }

    /// How the keys of each issuer are, in no order.
    pub fn issuers(&self) -> impl Iterator<Item = IssuerStatus> {
        self.issuers.iter().map(|issuer| IssuerStatus {
            issuer: Arc::clone(&issuer.name),
            keys: issuer.keys.health(),
        })
    }

    /// Whether the keys of every issuer were loaded at least once. Stays true through an outage of
    /// an issuer, which taking this replica out of service would not mend.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.issuers
            .iter()
            .all(|issuer| issuer.keys.health().was_loaded)
    }

    /// How many verified tokens are remembered, give or take those that expire just now.
    #[must_use]
    pub fn tokens_cached(&self) -> u64 {
        self.tokens.count()
    }

    /// Waits until [`is_ready`](Self::is_ready).
    pub async fn ready(&self) {
        for issuer in &self.issuers {
            issuer.keys.loaded().await;
        }
    }

    /// Waits until every issuer was asked once for its keys, whether or not it has answered.
    pub async fn tried(&self) {
        for issuer in &self.issuers {
            issuer.keys.tried().await;
        }
    }

    /// What is remembered about the token, checked against the server, the time and the keys of
    /// now; `None` if it has to be verified.
    fn recall(
        &self,
        hash: &TokenHash,
        audience: &Audience,
        now: Timestamp,
    ) -> Option<(Arc<Verified>, Result<Authenticated, AuthenticationError>)> {
        let (known, mark) = self.tokens.find(hash, now)?;
        let outcome = self.recheck(&known, mark, audience, now).transpose();
        if outcome.is_none() {
            self.tokens.forget(hash);
        }
        Some((known, outcome?))
    }

    /// `Ok(None)` if the key has left the issuer's set, or the issuer has other settings now.
    fn recheck(
        &self,
        known: &Verified,
        mark: IssuerMark,
        audience: &Audience,
        now: Timestamp,
    ) -> Result<Option<Authenticated>, AuthenticationError> {
        let (_, named) = self.trusted(&known.subject.issuer, audience)?;
        let issuer = &named.issuer;
        if issuer.mark != mark || !issuer.keys.current()?.has(&known.key, known.algorithm) {
            return Ok(None);
        }
        known.check(issuer.accepted(audience), now, issuer.settings.leeway)?;
        Ok(Some(Authenticated::by(known)))
    }

    async fn verify(
        &self,
        token: &str,
        audience: &Audience,
        now: Timestamp,
        evidence: &mut TokenEvidence,
    ) -> Result<(Verified, IssuerMark), AuthenticationError> {
        let token = Unverified::decode(token, self.limits.json_depth_max)?;
        *evidence = token.evidence();
        let (name, Named { issuer, tenant }) = self.trusted(token.issuer()?, audience)?;
        let settings = &issuer.settings;
        let header = token.header();
        if !settings.token_types.has(header.kind.as_deref()) {
            return Err(AuthenticationError::TokenType);
        }
        let algorithm = header.algorithm;
        if !settings.algorithms.contains(&algorithm) {
            return Err(AuthenticationError::AlgorithmNotAllowed);
        }
        // Where the keys are is configured; a token may repeat it, and is not asked.
        if let Some(url) = &header.key_url
            && !issuer.keys.current()?.is_from(url)
        {
            return Err(AuthenticationError::EmbeddedKey("jku"));
        }
        let id = header.key_id.as_deref();
        let mut keys = issuer.keys.candidates(id, algorithm).await?;
        let own_tenant = tenant
            .as_deref()
            .or_else(|| issuer_name::microsoft_tenant(name));
        if let Some(tenant) = own_tenant {
            keys.retain(|key| issuer_name::is_key_of(key.issuer.as_deref(), tenant));
            if keys.is_empty() {
                return Err(AuthenticationError::ForeignKey);
            }
        }
        let workloads = settings.workloads();
        let required = Requirements {
            issuer: name,
            tenant: tenant.as_deref(),
            workloads: workloads.as_deref(),
            accepted: issuer.accepted(audience),
            claims: &settings.claims,
            required_claims: &settings.required_claims,
            leeway: settings.leeway,
            now,
        };
        let verified = token.verify(&keys, required, evidence)?;
        Ok((verified, issuer.mark))
    }

    /// The configured issuer whose tokens have that exact `iss`, if this server trusts it.
    fn trusted(
        &self,
        name: &str,
        audience: &Audience,
    ) -> Result<(&Arc<str>, &Named), AuthenticationError> {
        let is_trusted_here = audience
            .issuers
            .as_ref()
            .is_none_or(|issuers| issuers.iter().any(|own| own == name));
        self.names
            .get_key_value(name)
            .filter(|_| is_trusted_here)
            .ok_or(AuthenticationError::UnknownIssuer)
    }
}

impl TrustedIssuer {
    /// Whom its tokens have to be for, at a server.
    fn accepted<'a>(&'a self, audience: &'a Audience) -> Accepted<'a> {
        Accepted {
            audience: &audience.accepted,
            clients: &self.settings.clients,
        }
    }
}

/// The issuers by each `iss` that their tokens may have.
fn names(issuers: &[Arc<TrustedIssuer>]) -> HashMap<Arc<str>, Named> {
    let mut names = HashMap::new();
    for issuer in issuers {
        let tenants = issuer.settings.tenants.iter().map(|tenant| Some(&**tenant));
        let tenants = tenants.chain(std::iter::repeat(None));
        for (name, tenant) in issuer.settings.names().into_iter().zip(tenants) {
            let whose = Named {
                issuer: Arc::clone(issuer),
                tenant: tenant.map(Box::from),
            };
            names.insert(Arc::from(name), whose);
        }
    }
    names
}

#[cfg(test)]
mod tests;
