//! Ids that were bound and forgotten. They are nobody's to take, as long as there is room to
//! remember them.
//!
//! Where there is none, the owners who have lost the most make it ([`Shares`]), so that nobody ends
//! first use for others by ids of their own:
//!
//! 1. An owner with more than a few forgotten ids, who has the most of the largest issuer, loses
//!    the one that is over first. That id is free from then on: whoever knows it may be the first
//!    to use it. This costs nobody but its owner, who has left it unused for longer than many
//!    others. To refuse the owner new sessions instead would stop a busy service account that is
//!    honest, and to end its first use would too. The age of a session is no younger for it than
//!    that of a new one, which its owner may have at any time.
//! 2. Where nobody has more than a few, many owners of one issuer have come. To free one of theirs
//!    would cost somebody who has lost little. So first use ends for the issuer: to its subjects
//!    every id that is not bound is unknown, until what is not remembered would have been too old.
//!    The subjects of other issuers go on, and to them alone such an id is free.

use std::collections::{BTreeSet, HashMap};

use super::shares::{Party, Shares};
use crate::state::digest::ShortDigest;

/// How long an id is remembered after its last use, in seconds: 30 days.
const KEPT: i64 = 30 * 24 * 60 * 60;

/// Fingerprints of forgotten ids, at most so many.
#[derive(Debug)]
pub(super) struct Lost {
    most: usize,
    known: HashMap<u64, Gone>,
    /// Those of each owner, by when they are too old.
    held: BTreeSet<(ShortDigest, i64, u64)>,
    issuers: HashMap<ShortDigest, Issuer>,
    shares: Shares,
}

#[derive(Debug, Clone, Copy)]
struct Gone {
    owner: ShortDigest,
    /// When it is too old, in seconds since 1970.
    until: i64,
}

#[derive(Debug)]
struct Issuer {
    /// Those of its subjects, by when they are too old.
    ends: BTreeSet<(i64, u64)>,
    /// Until when ids of its subjects may have been forgotten that are not remembered.
    unknown_until: i64,
}

/// At whose cost an id is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    /// Nobody's.
    None,
    /// An owner's, one of whose ids is free from now on.
    Freed,
    /// An issuer's, for whose subjects every id that is not bound is unknown.
    Ended,
}

impl Lost {
    pub(super) fn new(most: usize) -> Self {
        Lost {
            most,
            known: HashMap::new(),
            held: BTreeSet::new(),
            issuers: HashMap::new(),
            shares: Shares::new(most),
        }
    }

    /// Whether an id was forgotten, or may have been as far as one who asks is told, at a time in
    /// seconds since 1970.
    pub(super) fn has(&self, id: ShortDigest, asking: &Party, now: i64) -> bool {
        let issuer = self.issuers.get(&asking.group);
        issuer.is_some_and(|issuer| issuer.unknown_until > now)
            || self
                .known
                .get(&print(id))
                .is_some_and(|gone| gone.until > now)
    }

    /// Whether any id may have been, for the subjects of some issuer.
    pub(super) fn has_ended(&self, now: i64) -> bool {
        self.issuers
            .values()
            .any(|issuer| issuer.unknown_until > now)
    }

    /// Adds an id of an owner that was used last at a time.
    pub(super) fn add(&mut self, id: ShortDigest, owner: &Party, used: i64, now: i64) -> Cost {
        let (print, until) = (print(id), used.saturating_add(KEPT));
        self.drop(print);
        self.sweep(now);
        if until <= now {
            return Cost::None;
        }
        let mut cost = Cost::None;
        if self.known.len() >= self.most {
            let (is_made, whose) = self.make_room(owner, until);
            if !is_made {
                return whose;
            }
            cost = whose;
        }
        let gone = Gone {
            owner: owner.id,
            until,
        };
        self.known.insert(print, gone);
        self.held.insert((owner.id, until, print));
        self.issuer(owner.group).ends.insert((until, print));
        self.shares.add(owner);
        cost
    }

    /// Takes an id out that is bound again.
    pub(super) fn remove(&mut self, id: ShortDigest) {
        self.drop(print(id));
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Drops what is too old. There are few issuers: those that are configured.
    fn sweep(&mut self, now: i64) {
        let is_over = |ends: &BTreeSet<(i64, u64)>| {
            let first = ends.first().copied();
            first.filter(|(until, _)| *until <= now)
        };
        while let Some((_, print)) = self.issuers.values().find_map(|it| is_over(&it.ends)) {
            self.drop(print);
        }
    }

    /// Makes room for one more of an owner that is too old at a time, and says whether there is
    /// some, and at whose cost.
    fn make_room(&mut self, owner: &Party, until: i64) -> (bool, Cost) {
        let payer = self.shares.payer(owner);
        if payer.is_heavy {
            let holder = payer.other.unwrap_or(owner.id);
            let mut own = self.held.range((holder, i64::MIN, 0)..);
            let first = own.next().filter(|(whose, _, _)| *whose == holder);
            if let Some((_, _, print)) = first.copied() {
                self.drop(print);
                return (true, Cost::Freed);
            }
        }
        let is_own = payer.group == owner.group;
        let issuer = self.issuer(payer.group);
        let first = issuer.ends.first().copied();
        let first = first.filter(|(soonest, _)| !is_own || *soonest <= until);
        let (soonest, _) = first.unwrap_or((until, 0));
        issuer.unknown_until = issuer.unknown_until.max(soonest);
        if let Some((_, print)) = first {
            self.drop(print);
        }
        (first.is_some(), Cost::Ended)
    }

    fn issuer(&mut self, group: ShortDigest) -> &mut Issuer {
        self.issuers.entry(group).or_insert_with(|| Issuer {
            ends: BTreeSet::new(),
            unknown_until: i64::MIN,
        })
    }

    fn drop(&mut self, print: u64) {
        let Some(Gone { owner, until }) = self.known.remove(&print) else {
            return;
        };
        self.held.remove(&(owner, until, print));
        if let Some(group) = self.shares.group(owner) {
            self.issuer(group).ends.remove(&(until, print));
        }
        self.shares.remove(owner);
    }
}

/// Half of a digest, which is enough to tell as many ids apart as there is room for.
fn print(id: ShortDigest) -> u64 {
    let (half, _) = id.split_first_chunk().unwrap_or((&[0; 8], &[]));
    u64::from_be_bytes(*half)
}
