//! Verified tokens, remembered by hash so that the signature is checked once.
//!
//! Only successes are remembered. What is found here still has to pass the checks of issuer,
//! audience, time and key: see [`super::Authenticator`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use jiff::Timestamp;
use moka::Expiry;
use moka::sync::Cache;

use super::token::Verified;

/// SHA-256 of a token's text.
pub(super) type TokenHash = [u8; 32];

/// Hashes a token. `None` never happens: the digest has that length.
pub(super) fn hash(token: &str) -> Option<TokenHash> {
    digest::digest(&digest::SHA256, token.as_bytes())
        .as_ref()
        .try_into()
        .ok()
}

/// A bounded map of verified tokens.
#[derive(Debug)]
pub(super) struct TokenCache {
    tokens: Cache<TokenHash, Remembered>,
}

/// Tells an issuer with its settings from any other, and from itself with other settings.
pub(super) type IssuerMark = u64;

#[derive(Debug, Clone)]
struct Remembered {
    token: Arc<Verified>,
    /// Whose settings it was verified by.
    mark: IssuerMark,
    /// The time from its insertion to its `exp`.
    lifetime: Duration,
}

/// Frees the memory of expired tokens; whether one has expired is not decided by it.
#[derive(Debug)]
struct UntilExpiry;

impl Expiry<TokenHash, Remembered> for UntilExpiry {
    fn expire_after_create(
        &self,
        _: &TokenHash,
        value: &Remembered,
        _: Instant,
    ) -> Option<Duration> {
        Some(value.lifetime)
    }
}

impl TokenCache {
    /// A cache for at most `entries_max` tokens.
    pub(super) fn new(entries_max: u64) -> Self {
        let tokens = Cache::builder()
            .max_capacity(entries_max)
            .expire_after(UntilExpiry)
            .build();
        Self { tokens }
    }

    /// How many tokens are held, give or take those whose time is just up.
    pub(super) fn count(&self) -> u64 {
        self.tokens.entry_count()
    }

    /// The remembered token and whose settings it was verified by, never at or after its `exp`.
    pub(super) fn find(
        &self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Option<(Arc<Verified>, IssuerMark)> {
        let Remembered { token, mark, .. } = self.tokens.get(hash)?;
        (now < token.expires_at()).then_some((token, mark))
    }

    /// Remembers a token until its `exp`.
    pub(super) fn insert(
        &self,
        hash: TokenHash,
        token: Arc<Verified>,
        mark: IssuerMark,
        now: Timestamp,
    ) {
        let Ok(lifetime) = Duration::try_from(token.expires_at().duration_since(now)) else {
            return;
        };
        if !lifetime.is_zero() {
            self.tokens.insert(
                hash,
                Remembered {
                    token,
                    mark,
                    lifetime: lifetime.min(LIFETIME_MAX),
                },
            );
        }
    }

    /// Forgets a token.
    pub(super) fn forget(&self, hash: &TokenHash) {
        self.tokens.invalidate(hash);
    }
}

/// Moka panics on lifetimes above a thousand years. A token that lives longer than a day is
/// verified once a day.
const LIFETIME_MAX: Duration = Duration::from_hours(24);
