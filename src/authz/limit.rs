//! Limits: how often calls may be made, and how many requests may be open at once.

use std::time::Duration;

use super::counting::{CounterKey, check_parts};
use super::matching::Match;
use super::request::AccessRequest;
use super::window::KeyPart;

/// A limit on frequency: a bucket of `burst` calls that refills at the rate of `calls` in `per`.
/// Over time the rate holds; within one `per` at most `calls + burst` pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Calls in `per`; at least 1.
    pub calls: u32,
    /// The period for `calls`.
    pub per: Duration,
    /// How many calls may be made at once; at least 1.
    pub burst: u32,
    /// Which calls share the limit. Never empty, sorted, without repeats.
    pub by: Box<[KeyPart]>,
}

/// How many requests may be open at once, each from its check to the end of its response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLimit {
    /// The maximum; at least 1.
    pub most: u32,
    /// Which requests share the limit. Never empty, sorted, without repeats.
    pub by: Box<[KeyPart]>,
}

impl OpenLimit {
    /// Checks that the limit has a counter for a request.
    pub(super) fn check(&self, request: &AccessRequest<'_>) -> Result<(), Match> {
        check_parts(&self.by, request)
    }

    /// The counter of a rule's limit for a request, or why there is none.
    pub(super) fn key(&self, rule: &str, request: &AccessRequest<'_>) -> Result<CounterKey, Match> {
        let mut name = b"open:".to_vec();
        name.extend(rule.as_bytes());
        CounterKey::new(&name, &self.by, request)
    }
}

impl Limit {
    /// Checks that the limit has a counter for a request.
    pub(super) fn check(&self, request: &AccessRequest<'_>) -> Result<(), Match> {
        check_parts(&self.by, request)
    }

    /// The counter of a rule's limit for a request, or why there is none.
    pub(super) fn key(&self, rule: &str, request: &AccessRequest<'_>) -> Result<CounterKey, Match> {
        let mut name = b"limit:".to_vec();
        name.extend(rule.as_bytes());
        CounterKey::new(&name, &self.by, request)
    }
}
