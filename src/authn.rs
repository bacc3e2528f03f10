//! Authentication: credentials to a [`Subject`](crate::authz::Subject), or the one reason why not.
//!
//! Nothing here knows Envoy, MCP or policy, and nothing outside knows tokens.
//!
//! # An example
//!
//! A request carries `Authorization: Bearer eyJ…`, a token of `https://idp.example`:
//!
//! 1. [`Credentials`] holds the header; `bearer.rs` takes the one token from it. Two headers, or a
//!    token in the query string, end here. [`TokenPlace`] says which header it is.
//! 2. `cache.rs` knows the hash of a token that was verified before. Its audience, its times and its
//!    key are checked again, because each may have changed; its signature is not.
//! 3. `token.rs` decodes a new token, without believing it: `iss` chooses a configured issuer, `alg`
//!    has to be among that issuer's `algorithms`, and `kid` chooses a key.
//! 4. `keys.rs` has the issuer's keys, which an actor fetches ahead of need. An unknown `kid` may be
//!    a new key: the request waits up to `fetch_wait` for one fetch, which all such requests share.
//! 5. `token.rs` verifies the signature, and `claims.rs` turns the claims into a
//!    [`Subject`](crate::authz::Subject) by the issuer's settings. The groups of the token are now
//!    facts that a policy can ask for.
//! 6. `sender.rs`: a token whose claim `cnf` binds it to a certificate or a key has to be sent by its
//!    holder. Nothing proves that yet, so such a token is refused. This one has no such claim.
//! 7. [`Authenticator::authenticate`] returns the subject, or an [`AuthenticationFailure`], from
//!    which [`challenge`] writes the `WWW-Authenticate` header and [`metadata`] the document that it
//!    names.
//!
//! [`Peers`] does the same for the certificate of a TLS client. [`SerializedSubject`] takes a subject
//! from the check of a request to the response of the upstream.
//!
//! Authentication proves. What happened before, such as a session that is another subject's, is
//! remembered by [`crate::state`] and asked by [`crate::check`].

mod algorithm;
mod authenticator;
mod bearer;
mod cache;
pub mod challenge;
mod claim_settings;
mod claims;
mod credentials;
mod discovery;
mod error;
mod failure;
mod issuer_name;
mod keys;
pub mod metadata;
mod peers;
mod posture;
mod provider;
mod sender;
mod serialized_subject;
mod settings;
mod spiffe;
mod token;
mod token_header;
mod token_types;

pub use algorithm::SignatureAlgorithm;
pub use authenticator::{Audience, Authenticated, Authenticator, IssuerStatus};
pub use claim_settings::{
    ClaimSettings, ListedClaims, RequiredClaim, RequiredValue, check_claim_path,
};
pub use credentials::{Credentials, TokenPlace};
pub use error::{AuthenticationError, Claim, TokenPart};
pub use failure::{AuthenticationFailure, TokenEvidence};
pub use issuer_name::{InvalidIssuerName, TENANT_VARIABLE};
pub use keys::{
    FaultWeight, IssuerFileFault, KeyHealth, KeyRefresher, UnusableKey, issuer_file_faults,
};
pub use peers::{FoundPeer, InvalidPeers, Peers};
pub use posture::device_posture;
pub use provider::Provider;
pub use sender::SenderConstraint;
pub use serialized_subject::SerializedSubject;
pub use settings::{
    AuthnSettings, InvalidSettings, IssuerSettings, KeySettings, KeySourceSettings,
};
pub use token_types::{InvalidTokenType, NO_TYPE, TokenTypes};

#[cfg(test)]
mod fixtures;
