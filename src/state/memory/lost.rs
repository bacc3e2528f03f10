//! Ids whose bindings were evicted. Nobody may bind them by first use, as long as there is room to
//! remember them.
//!
//! When there is none, the owners who have lost the most make room ([`Shares`]), so that no owner
//! can end first use for others with ids of its own:
//!
//! 1. An owner with more than a few evicted ids, who has the most of the largest issuer, loses the
//!    one that expires first. That id is free from then on: whoever knows it may bind it by first
//!    use. Only its owner bears the cost, and has left it unused for longer than many others.
//!    Refusing the owner new sessions instead, or ending its first use, would stop an honest but
//!    busy service account. Session ages cannot be abused: the id looks as young as a new session,
//!    which its owner may open at any time.
//! 2. If nobody has more than a few, many owners of one issuer have arrived. Freeing one of their
//!    ids would harm an owner who has lost little. So first use ends for the issuer: to its
//!    subjects every unbound id is unknown, until the ids that are not remembered would have
//!    expired. The subjects of other issuers are unaffected, and to them alone the id is free.

use std::collections::{BTreeSet, HashMap};

use super::shares::{Party, Shares};
use crate::state::digest::ShortDigest;

/// How long an id is remembered after its last use, in seconds: 30 days.
const KEPT: i64 = 30 * 24 * 60 * 60;

/// Fingerprints of evicted ids, with an upper bound on their number.
#[derive(Debug)]
pub(super) struct Lost {
    most: usize,
    known: HashMap<u64, Gone>,
    /// The ids of each owner, by when they expire.
    held: BTreeSet<(ShortDigest, i64, u64)>,
    issuers: HashMap<ShortDigest, Issuer>,
    shares: Shares,
}

#[derive(Debug, Clone, Copy)]
struct Gone {
    owner: ShortDigest,
    /// When it expires, in seconds since 1970.
    until: i64,
}

#[derive(Debug)]
struct Issuer {
    /// The ids of its subjects, by when they expire.
    ends: BTreeSet<(i64, u64)>,
    /// Until when unremembered ids of its subjects may have been evicted.
    unknown_until: i64,
}

/// Who pays for remembering an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    /// Nobody.
    None,
    /// An owner: one of its ids is free from now on.
    Freed,
    /// An issuer: to its subjects every unbound id is unknown.
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

    /// Whether an id was evicted, or may have been as far as the asking owner may know. `now` is in
    /// seconds since 1970.
    pub(super) fn has(&self, id: ShortDigest, asking: &Party, now: i64) -> bool {
        let issuer = self.issuers.get(&asking.group);
        issuer.is_some_and(|issuer| issuer.unknown_until > now)
            || self
                .known
                .get(&print(id))
                .is_some_and(|gone| gone.until > now)
    }

    /// Whether any id may have been evicted, for the subjects of some issuer.
    pub(super) fn has_ended(&self, now: i64) -> bool {
        self.issuers
            .values()
            .any(|issuer| issuer.unknown_until > now)
    }

    /// Adds an id of an owner, last used at `used`.
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

    /// Removes an id that is bound again.
    pub(super) fn remove(&mut self, id: ShortDigest) {
        self.drop(print(id));
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Drops what has expired. There are few issuers: only those in the configuration.
    fn sweep(&mut self, now: i64) {
        let is_over = |ends: &BTreeSet<(i64, u64)>| {
            let first = ends.first().copied();
            first.filter(|(until, _)| *until <= now)
        };
        while let Some((_, print)) = self.issuers.values().find_map(|it| is_over(&it.ends)) {
            self.drop(print);
        }
    }

    /// Makes room for another id of an owner that expires at `until`. Returns whether it could, and
    /// who pays.
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

/// Half of a digest, which is enough to distinguish as many ids as there is room for.
fn print(id: ShortDigest) -> u64 {
    let (half, _) = id.split_first_chunk().unwrap_or((&[0; 8], &[]));
    u64::from_be_bytes(*half)
}
