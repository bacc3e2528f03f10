//! What can be wrong with the settings of an issuer.

use crate::authn::issuer_name::InvalidIssuerName;
use crate::authz::InvalidPath;

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
    /// A text that is no trust domain.
    #[error(
        "`{0}` is no trust domain: lower-case letters, digits, `.`, `-` and `_`, without `spiffe://`"
    )]
    TrustDomain(String),
    /// A trust domain beside a name that is one.
    #[error("issuer `{0}` is a trust domain by its name, so `trust_domain` says nothing")]
    TwoTrustDomains(String),
    /// Nothing says whose workloads its tokens are of.
    #[error(
        "issuer `{0}` has tokens of SPIFFE: name its `trust_domain`, or call it by that, as \
         `spiffe://` and lower-case letters, digits, `.`, `-` and `_`"
    )]
    NoTrustDomain(String),
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
