//! Limits: how often something may be done, and how many requests may be open at once.

use std::time::Duration;

use super::counting::{CounterKey, check_parts};
use super::matching::Match;
use super::request::AccessRequest;
use super::window::KeyPart;

/// How often something may be done: a bucket of `burst` calls that fills up again at the rate of
/// `calls` in `per`. Over time the rate holds; within one `per` at most `calls + burst` pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Calls in `per`; at least 1.
    pub calls: u32,
    /// The time in which they may be made.
    pub per: Duration,
    /// How many may be made at once; at least 1.
    pub burst: u32,
    /// Whose calls share the limit. Never empty, sorted, without repeats.
    pub by: Box<[KeyPart]>,
}

/// How many requests may be open at once: from their checks to the ends of their responses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLimit {
    /// So many; at least 1.
    pub most: u32,
    /// Whose requests share the limit. Never empty, sorted, without repeats.
    pub by: Box<[KeyPart]>,
}

impl OpenLimit {
    /// Whether there is a counter of the limit for a request.
    pub(super) fn check(&self, request: &AccessRequest<'_>) -> Result<(), Match> {
        check_parts(&self.by, request)
    }

    /// The counter of a rule's limit for a request, or whether there is none.
    pub(super) fn key(&self, rule: &str, request: &AccessRequest<'_>) -> Result<CounterKey, Match> {
        let mut name = b"open:".to_vec();
        name.extend(rule.as_bytes());
        CounterKey::new(&name, &self.by, request)
    }
}

impl Limit {
    /// Whether there is a counter of the limit for a request.
    pub(super) fn check(&self, request: &AccessRequest<'_>) -> Result<(), Match> {
        check_parts(&self.by, request)
    }

    /// The counter of a rule's limit for a request, or whether there is none.
    pub(super) fn key(&self, rule: &str, request: &AccessRequest<'_>) -> Result<CounterKey, Match> {
        let mut name = b"limit:".to_vec();
        name.extend(rule.as_bytes());
        CounterKey::new(&name, &self.by, request)
    }
}
