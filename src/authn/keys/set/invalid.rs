//! Why the text of a key set is refused as a whole.

use crate::json::InvalidJson;

/// Why the text is not a usable key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidKeySet {
    /// Not acceptable JSON.
    #[error("key set: {0}")]
    Json(#[from] InvalidJson),
    /// A list without an object around it.
    #[error("key set is a bare array: write `{{\"keys\": […]}}` (RFC 7517 §5)")]
    BareArray,
    /// No list `keys` of objects.
    #[error("key set has no list `keys` of objects")]
    Shape,
    /// No key at all.
    #[error("key set has no key")]
    Empty,
    /// More keys than `jwks_keys_max`.
    #[error("key set has {count} keys, more than `jwks_keys_max` = {limit}")]
    TooManyKeys {
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The keys verify tokens of workloads, and nobody knows of which trust domain.
    #[error(
        "key set has no usable key among {0}: its keys are for workloads (`use: jwt-svid`), so name the \
         `trust_domain` of the issuer"
    )]
    Workloads(usize),
    /// None of the keys can verify a token.
    #[error("key set has no usable key among {skipped}")]
    NoUsableKey {
        /// How many there are.
        skipped: usize,
    },
}
