//! What operators need of a store to forget what was counted for one subject.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Debug;
use std::sync::Arc;

use jiff::Timestamp;

use super::digest::{ShortDigest, digest_of};
use super::reply::Reply;
use super::shares::Party;
use crate::authz::{Holder, HolderKind, Window};

/// Forgets what was counted.
pub trait ClearStore: Debug + Send + Sync + 'static {
    /// Forgets limits and windows of a subject as if nothing had been counted. What checks count
    /// meanwhile may be forgotten or not. Open requests keep their places, because they are still
    /// open.
    fn clear<'a>(&'a self, clearing: &'a Clearing, now: Timestamp) -> Reply<'a, Cleared>;
}

/// What a counter counts, whoever holds it: the calls of a limit rule, or the events of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CounterKind(ShortDigest);

impl CounterKind {
    /// The calls that this limit rule counts.
    #[must_use]
    pub fn limit(rule: &str) -> Self {
        CounterKind(digest_of([b"limit".as_slice(), rule.as_bytes()]))
    }

    /// The events that this window counts. Rules with equal windows share it.
    #[must_use]
    pub fn window(window: &Window) -> Self {
        let Window {
            count,
            per,
            by,
            of,
            lacking,
        } = window;
        let [by, lacking] =
            [by, lacking].map(|parts| parts.iter().map(|part| *part as u8).collect::<Vec<u8>>());
        let (block, surety) = match of {
            None => ("", "all"),
            Some(of) if of.is_sure => (&*of.name, "of"),
            Some(of) => (&*of.name, "perhaps"),
        };
        CounterKind(digest_of([
            b"window".as_slice(),
            count.name().as_bytes(),
            &per.as_nanos().to_be_bytes(),
            &by,
            &lacking,
            surety.as_bytes(),
            block.as_bytes(),
        ]))
    }
}

/// Whose counters are forgotten, and which of them. Names are compared exactly.
#[derive(Debug, Clone)]
pub struct Clearing {
    /// The issuer of the subject.
    pub issuer: Arc<str>,
    /// The subject.
    pub subject: Arc<str>,
    /// Only counters of these kinds; `None` for all of them.
    pub only: Option<HashSet<CounterKind>>,
}

/// What was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cleared {
    /// The number of counters of each kind that still mattered.
    pub counters: BTreeMap<CounterKind, usize>,
    /// Whether it was forgotten that counters of the subject were evicted while they still mattered.
    pub had_evictions: bool,
    /// Until when counters of the subject that are not in memory are unknown, because the store was
    /// full. Only forgetting all of them ends this, and not where it is the issuer's.
    pub unknown_until: Option<Timestamp>,
}

impl Clearing {
    /// The holders of the subject's counters: those that decide, and those that are rehearsed.
    pub(super) fn parties(&self) -> [Party; 2] {
        [false, true].map(|is_rehearsed| {
            let holder = Holder {
                kind: HolderKind::Subject,
                issuer: Some(Arc::clone(&self.issuer)),
                name: Arc::clone(&self.subject),
                is_rehearsed,
            };
            holder.party()
        })
    }
}
