//! Ids that were bound and forgotten. They are nobody's to take.

use std::collections::{BTreeSet, HashMap};

use crate::state::Digest;

/// How long an id is remembered after its last use, in seconds: 30 days.
const KEPT: i64 = 30 * 24 * 60 * 60;

/// Fingerprints of forgotten ids, at most so many. Where there are more, every id may be one of
/// those that are not remembered, until all of them are too old.
#[derive(Debug)]
pub(super) struct Lost {
    most: usize,
    ends: BTreeSet<(i64, u64)>,
    known: HashMap<u64, i64>,
    /// Until when ids may have been forgotten that are not remembered.
    unknown_until: i64,
}

impl Lost {
    pub(super) fn new(most: usize) -> Self {
        Lost {
            most,
            ends: BTreeSet::new(),
            known: HashMap::new(),
            unknown_until: i64::MIN,
        }
    }

    /// Whether an id was forgotten, or may have been, at a time in seconds since 1970.
    pub(super) fn has(&self, id: Digest, now: i64) -> bool {
        self.is_full(now) || self.known.get(&print(id)).is_some_and(|until| *until > now)
    }

    /// Whether any id may have been.
    pub(super) fn is_full(&self, now: i64) -> bool {
        self.unknown_until > now
    }

    /// Adds an id that was used last at a time.
    pub(super) fn add(&mut self, id: Digest, used: i64, now: i64) {
        let (print, until) = (print(id), used.saturating_add(KEPT));
        self.drop(print);
        self.known.insert(print, until);
        self.ends.insert((until, print));
        while let Some((until, oldest)) = self.ends.first().copied() {
            if until > now && self.known.len() <= self.most {
                break;
            }
            self.drop(oldest);
            self.unknown_until = self.unknown_until.max(until);
        }
    }

    /// Takes an id out that is bound again.
    pub(super) fn remove(&mut self, id: Digest) {
        self.drop(print(id));
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    fn drop(&mut self, print: u64) {
        if let Some(until) = self.known.remove(&print) {
            self.ends.remove(&(until, print));
        }
    }
}

/// Half of a digest, which is enough to tell as many ids apart as there is room for.
fn print(id: Digest) -> u64 {
    let (half, _) = id.split_first_chunk().unwrap_or((&[0; 8], &[]));
    u64::from_be_bytes(*half)
}
