//! What can be configured about authentication: plain data with the defaults, decoded elsewhere.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use super::claim_settings::{ClaimSettings, RequiredClaim};
use super::discovery;
use super::issuer_name::{self, InvalidIssuerName};
use super::provider::Provider;
use super::spiffe;
use super::{SignatureAlgorithm, TokenTypes};
use crate::authz::{InvalidPath, ScopeNames};
use crate::fetch::{is_loopback, url_to_fetch};

/// Everything that authentication takes from the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthnSettings {
    /// The issuers whose tokens are accepted.
    pub issuers: Vec<IssuerSettings>,
    /// The longest token, in bytes.
    pub token_bytes_max: usize,
    /// How many verified tokens are remembered.
    pub token_cache_max: u64,
    /// The deepest nesting of a token's header or claims, and of a key set.
    pub json_depth_max: usize,
    /// The largest key set or discovery document, in bytes.
    pub jwks_bytes_max: usize,
    /// The most keys a key set may have.
    pub jwks_keys_max: usize,
    /// The time for one fetch of a key set as a whole, discovery included.
    pub fetch_timeout: Duration,
    /// How long one caller waits for a fetch that its token's unknown key id has asked for. The
    /// fetch itself goes on.
    pub fetch_wait: Duration,
}

impl Default for AuthnSettings {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            token_bytes_max: 16 * 1024,
            token_cache_max: 100_000,
            json_depth_max: 64,
            jwks_bytes_max: 1024 * 1024,
            jwks_keys_max: 100,
            fetch_timeout: Duration::from_secs(3),
            fetch_wait: Duration::from_secs(2),
        }
    }
}

/// One trusted issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerSettings {
    /// The exact value of `iss`, or with a variable for the tenant.
    pub issuer: String,
    /// Whose tokens it has, if they are of a known form. [`IssuerSettings::claims`] and
    /// [`IssuerSettings::required_claims`] say what is in force.
    pub provider: Option<Provider>,
    /// The accepted tenants, if its name has the variable.
    pub tenants: Vec<String>,
    /// The clients of which a token without `aud` is accepted.
    pub clients: Vec<String>,
    /// Where its keys are.
    pub source: KeySourceSettings,
    /// The signature algorithms accepted from it.
    pub algorithms: Vec<SignatureAlgorithm>,
    /// The `typ` of its access tokens.
    pub token_types: TokenTypes,
    /// A PEM file with trust roots for its TLS certificates, beside the system's.
    pub ca_file: Option<PathBuf>,
    /// A file with the bearer token with which its metadata and keys are fetched.
    pub token_file: Option<PathBuf>,
    /// Whether its metadata and keys may be fetched over plain http.
    pub insecure_http: bool,
    /// Which claims say what.
    pub claims: ClaimSettings,
    /// How its scopes are advertised to clients; `None`: as they are in tokens.
    pub scope_names: Option<ScopeNames>,
    /// Which claims its tokens have to have besides.
    pub required_claims: Vec<RequiredClaim>,
    /// How far its clock may differ from ours.
    pub leeway: Duration,
    /// When its keys are fetched.
    pub keys: KeySettings,
}

impl IssuerSettings {
    /// Whether its keys are fetched as with other settings of the same issuer.
    pub(super) fn fetches_as(&self, other: &IssuerSettings) -> bool {
        let IssuerSettings {
            issuer: _,
            provider: _,
            tenants: _,
            clients: _,
            source: _,
            algorithms: _,
            token_types: _,
            ca_file: _,
            token_file,
            insecure_http,
            claims: _,
            scope_names: _,
            required_claims: _,
            leeway: _,
            keys,
        } = self;
        self.has_keys_of(other)
            && (token_file, *insecure_http) == (&other.token_file, other.insecure_http)
            && *keys == other.keys
    }

    /// Whether its keys come from the same place as with other settings of the same issuer, over the
    /// same trust roots, and not over plain http unless that is still allowed.
    pub(super) fn has_keys_of(&self, other: &IssuerSettings) -> bool {
        self.source == other.source
            && self.ca_file == other.ca_file
            && (self.insecure_http || !other.insecure_http)
    }

    /// What is wrong with the way to its keys.
    fn source_faults(&self) -> Vec<InvalidSettings> {
        let name = || self.issuer.clone();
        let (url, invalid) = match &self.source {
            KeySourceSettings::File(_) => {
                let insecure = self
                    .insecure_http
                    .then(|| InvalidSettings::InsecureFile(name()));
                let token = self.token_file.as_ref();
                let token = token.map(|_| InvalidSettings::UnusedToken(name()));
                return insecure.into_iter().chain(token).collect();
            }
            KeySourceSettings::Discovery => {
                let Some(base) = issuer_name::metadata_base(&self.issuer) else {
                    return vec![InvalidSettings::KeysOfTenants(name())];
                };
                let documents = discovery::urls(&base, true).into_iter();
                let first = documents.flatten().next();
                (first, InvalidSettings::IssuerUrl(name()))
            }
            KeySourceSettings::Uri(uri) => {
                (url_to_fetch(uri, true), InvalidSettings::KeysUrl(name()))
            }
        };
        let Some(url) = url else {
            return vec![invalid];
        };
        let is_plain = url.scheme() != "https" && !is_loopback(&url);
        if is_plain && !self.insecure_http {
            return vec![InvalidSettings::PlainHttp(name())];
        }
        let token = self.token_file.as_ref().filter(|_| is_plain);
        token
            .map(|_| InvalidSettings::PlainToken(name()))
            .into_iter()
            .collect()
    }

    /// Each `iss` that its tokens may have: its name, or one for each tenant.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        issuer_name::names(&self.issuer, &self.tenants)
    }

    /// Settings for `issuer` with every default: keys by discovery, every algorithm.
    #[must_use]
    pub fn new(issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            provider: None,
            tenants: Vec::new(),
            clients: Vec::new(),
            source: KeySourceSettings::Discovery,
            algorithms: SignatureAlgorithm::ALL.to_vec(),
            token_types: TokenTypes::default(),
            ca_file: None,
            token_file: None,
            insecure_http: false,
            claims: ClaimSettings::default(),
            scope_names: None,
            required_claims: Vec::new(),
            leeway: Duration::from_secs(30),
            keys: KeySettings::default(),
        }
    }
}

/// Where the keys of an issuer come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySourceSettings {
    /// From the issuer's metadata (RFC 8414, then `OpenID` Connect Discovery).
    Discovery,
    /// From this URL.
    Uri(String),
    /// From this file, which is read again every `min_interval` or `refresh`, whichever is less.
    File(PathBuf),
}

/// When the keys of an issuer are fetched, and how long they serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySettings {
    /// The time between fetches while all is well; up to a tenth less, at random.
    pub refresh: Duration,
    /// How long after the last successful fetch the keys still serve.
    pub stale_max: Duration,
    /// The least time between fetches caused by unknown key ids, and the most between retries
    /// after a failed fetch.
    pub min_interval: Duration,
}

impl Default for KeySettings {
    fn default() -> Self {
        Self {
            refresh: Duration::from_mins(5),
            stale_max: Duration::from_hours(6),
            min_interval: Duration::from_secs(10),
        }
    }
}

/// What is wrong with the settings of an issuer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// `issuer` is empty.
    #[error("issuer is empty")]
    EmptyIssuer,
    /// Two entries have the same `issuer`.
    #[error("issuer `{0}` is there twice")]
    DuplicateIssuer(String),
    /// No token can be from an issuer of that name.
    #[error("issuer `{issuer}`: {fault}")]
    Name {
        /// The issuer.
        issuer: String,
        /// Why.
        fault: InvalidIssuerName,
    },
    /// Nothing says where the keys of its tenants are.
    #[error(
        "issuer `{0}`: the keys of its tenants cannot be discovered; set `jwks_uri` or `jwks_file`"
    )]
    KeysOfTenants(String),
    /// Discovery needs an `issuer` that is an https URL (http on loopback) without query or
    /// fragment (RFC 8414 §2).
    #[error("issuer `{0}` is not an https URL, so its keys cannot be discovered")]
    IssuerUrl(String),
    /// `jwks_uri` is not an https URL (http on loopback).
    #[error("`jwks_uri` of issuer `{0}` is not an https URL")]
    KeysUrl(String),
    /// Metadata and keys would come over plain http.
    #[error(
        "keys of issuer `{0}` would be fetched over plain http: `insecure_http: true` allows that, \
         inside a network that nobody else is in"
    )]
    PlainHttp(String),
    /// `insecure_http` where nothing is fetched.
    #[error("nothing is fetched for issuer `{0}`, so `insecure_http` says nothing")]
    InsecureFile(String),
    /// `token_file` where nothing is fetched.
    #[error("nothing is fetched for issuer `{0}`, so its `token_file` is not used")]
    UnusedToken(String),
    /// The token would be sent unprotected.
    #[error("`token_file` of issuer `{0}`: the token would be sent over plain http")]
    PlainToken(String),
    /// `algorithms` is empty.
    #[error("issuer `{0}` has no algorithm")]
    NoAlgorithm(String),
    /// `refresh` or `min_interval` is zero, or `stale_max` is less than `refresh`.
    #[error(
        "issuer `{0}`: `refresh` and `min_interval` must be above zero, `stale_max` at least `refresh`"
    )]
    Interval(String),
    /// A path in `claims` leads to no claim.
    #[error("`claims` of issuer `{issuer}`: `{path}` can never match: {error}")]
    ClaimPath {
        /// The issuer.
        issuer: String,
        /// The path.
        path: String,
        /// Why.
        error: InvalidPath,
    },
    /// `ca_file` cannot be read, or has no certificate.
    #[error("`ca_file` of issuer `{issuer}`: {cause}")]
    CaFile {
        /// The issuer.
        issuer: String,
        /// What is wrong with it.
        cause: String,
    },
    /// No HTTP client could be made.
    #[error("http client for issuer `{issuer}`: {cause}")]
    Client {
        /// The issuer.
        issuer: String,
        /// What is wrong with it.
        cause: String,
    },
}

impl AuthnSettings {
    /// Each `iss` that tokens of issuers of these names may have. A name may be that of an issuer as
    /// it is configured, or one `iss` of it; others are left out.
    #[must_use]
    pub fn names_of(&self, issuers: &[String]) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for issuer in issuers {
            for settings in &self.issuers {
                let meant = settings.names().into_iter();
                let meant = meant.filter(|name| *issuer == settings.issuer || issuer == name);
                for name in meant {
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
            }
        }
        names
    }

    /// Whether keys are fetched and read by the same limits as with other settings.
    pub(super) fn fetches_as(&self, other: &AuthnSettings) -> bool {
        let AuthnSettings {
            issuers: _,
            token_bytes_max: _,
            token_cache_max: _,
            json_depth_max,
            jwks_bytes_max,
            jwks_keys_max,
            fetch_timeout,
            fetch_wait,
        } = self;
        (json_depth_max, jwks_bytes_max, jwks_keys_max)
            == (
                &other.json_depth_max,
                &other.jwks_bytes_max,
                &other.jwks_keys_max,
            )
            && (fetch_timeout, fetch_wait) == (&other.fetch_timeout, &other.fetch_wait)
    }

    /// Everything that is wrong with these settings and can be known without reading a file, each
    /// with the index of its issuer.
    #[must_use]
    pub fn faults(&self) -> Vec<(usize, InvalidSettings)> {
        let mut seen = HashSet::new();
        let mut faults = Vec::new();
        for (index, settings) in self.issuers.iter().enumerate() {
            let name = settings.issuer.clone();
            let mut fault = |fault| faults.push((index, fault));
            if name.is_empty() {
                fault(InvalidSettings::EmptyIssuer);
                continue;
            }
            let has_variable = name.contains(issuer_name::TENANT_VARIABLE);
            let itself = has_variable.then(|| name.clone());
            for name in settings.names().into_iter().chain(itself) {
                if !seen.insert(name.clone()) {
                    fault(InvalidSettings::DuplicateIssuer(name));
                }
            }
            for why in issuer_name::faults(&name, &settings.tenants) {
                fault(InvalidSettings::Name {
                    issuer: name.clone(),
                    fault: why,
                });
            }
            // Of a name that begins like one, this was found above.
            let is_spiffe = settings.provider == Some(Provider::Spiffe);
            if is_spiffe && !name.starts_with(spiffe::SCHEME) {
                fault(InvalidSettings::Name {
                    issuer: name.clone(),
                    fault: InvalidIssuerName::TrustDomain,
                });
            }
            settings.source_faults().into_iter().for_each(&mut fault);
            if settings.algorithms.is_empty() {
                fault(InvalidSettings::NoAlgorithm(name.clone()));
            }
            for (path, error) in settings.claims.invalid_paths() {
                fault(InvalidSettings::ClaimPath {
                    issuer: name.clone(),
                    path: path.to_owned(),
                    error,
                });
            }
            let keys = settings.keys;
            if keys.refresh.is_zero()
                || keys.min_interval.is_zero()
                || keys.stale_max < keys.refresh
            {
                fault(InvalidSettings::Interval(name));
            }
        }
        faults
    }
}
