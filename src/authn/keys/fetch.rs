//! What a source of keys does, and why it fails.

use super::set::{InvalidKeySet, KeySet};
use crate::fetch::{GetError, ProxyFault};
use crate::json::InvalidJson;

/// Something that key sets can be fetched from.
pub(super) trait FetchKeys: Send {
    /// Gets the keys as they are now. May be dropped at any time.
    fn fetch(&mut self) -> impl Future<Output = Result<KeySet, FetchError>> + Send;
}

/// Why keys could not be had. Its text has no URL and of what the other side said a little at most.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FetchError {
    /// Longer than `fetch_timeout` as a whole.
    #[error("no answer within `fetch_timeout`")]
    TimedOut,
    /// The file cannot be read.
    #[error("cannot read `jwks_file`: {0}")]
    File(String),
    /// The token to fetch with cannot be read.
    #[error("cannot use `token_file`: {0}")]
    TokenFile(String),
    /// No connection, or it broke.
    #[error("{0}")]
    Transport(String),
    /// The proxy for outbound requests did not help.
    #[error(transparent)]
    Proxy(ProxyFault),
    /// An answer other than 200; redirects are not followed.
    #[error("http status {0}")]
    Status(u16),
    /// The same of a discovered `jwks_uri` that the token was not sent to.
    #[error(
        "http status {0}; the metadata has a `jwks_uri` on another host, which does not get the token \
         of `token_file`: configure `jwks_uri`"
    )]
    StatusWithoutToken(u16),
    /// More than `jwks_bytes_max`.
    #[error("document exceeds `jwks_bytes_max` = {0}")]
    TooLarge(usize),
    /// The metadata document is not acceptable JSON.
    #[error("issuer metadata: {0}")]
    Metadata(InvalidJson),
    /// The metadata document is of another issuer (RFC 8414 §3.3).
    #[error("issuer metadata names another issuer")]
    IssuerMismatch,
    /// The metadata document has no acceptable `jwks_uri`.
    #[error("issuer metadata has no `jwks_uri` that is an https URL")]
    NoKeysUrl,
    /// The metadata document has a `jwks_uri` that is not protected.
    #[error(
        "issuer metadata has a `jwks_uri` over plain http: `insecure_http: true` allows that, inside \
         a network that nobody else is in"
    )]
    PlainKeysUrl,
    /// The metadata document of an issuer outside names a `jwks_uri` inside.
    #[error(
        "issuer metadata has a `jwks_uri` at an internal address, and the issuer is at none; \
         configure `jwks_uri` to have keys from there"
    )]
    InternalKeysUrl,
    /// The key set is not acceptable.
    #[error(transparent)]
    KeySet(#[from] InvalidKeySet),
}

impl From<GetError> for FetchError {
    fn from(error: GetError) -> Self {
        match error {
            GetError::TimedOut => FetchError::TimedOut,
            GetError::LeadsInside => FetchError::InternalKeysUrl,
            GetError::Transport(cause) => FetchError::Transport(cause),
            GetError::Proxy(fault) => FetchError::Proxy(fault),
            GetError::Status(status) => FetchError::Status(status),
            GetError::TooLarge(limit) => FetchError::TooLarge(limit),
        }
    }
}
