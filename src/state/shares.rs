//! Tracks how much of a store each holder has, and chooses who makes room.
//!
//! Holders are in groups: the subjects of one issuer are one group. Room is made by the group with
//! the most keys, and within it by the holder with the most. So neither many keys of one holder nor
//! many holders of one group can take what others have: with `n` groups, one with less than an
//! `n`th of the room keeps all of it.
//!
//! Holders with no more than a few keys each count as equal, and do not take from each other within
//! their group: a newcomer that finds no room gets none.
//!
//! Adding, removing and choosing who makes room cost `O(log n)` of the holders, and a scan of the
//! groups: there are a few for each configured issuer.

use std::collections::{BTreeSet, HashMap};

use super::digest::{ShortDigest, digest_of};
use crate::authz::Holder;

/// The most keys that count as a few.
const FEW_MAX: usize = 16;
/// The fraction of a store that a few keys may take, so that small stores have a smaller limit.
const FEW_PART: usize = 64;

/// A holder and its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Party {
    /// The group.
    pub(crate) group: ShortDigest,
    /// The holder, unique across all groups.
    pub(crate) id: ShortDigest,
    /// Whether the group makes room before all groups that do not yield first, whatever they have.
    pub(crate) yields_first: bool,
}

/// Who makes room for another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Payer {
    /// The group.
    pub(crate) group: ShortDigest,
    /// The holder in it; `None` if it is the asking holder.
    pub(crate) other: Option<ShortDigest>,
    /// Whether the holder has, or would have, more than a few keys.
    pub(crate) is_heavy: bool,
}

#[derive(Debug)]
pub(crate) struct Shares {
    few: usize,
    groups: HashMap<ShortDigest, ShareGroup>,
    holders: HashMap<ShortDigest, HolderShare>,
    /// Numbers holders in order of arrival.
    arrivals: u64,
}

#[derive(Debug, Default)]
struct ShareGroup {
    yields_first: bool,
    /// The number of keys in the group.
    count: usize,
    /// Every holder; the last one makes room. INVARIANT: the turn of each is [`Shares::turn`].
    turns: BTreeSet<YieldTurn>,
}

/// How many keys more than a few, the arrival number, and the holder.
type YieldTurn = (usize, u64, ShortDigest);

#[derive(Debug, Clone, Copy)]
struct HolderShare {
    group: ShortDigest,
    arrival: u64,
    count: usize,
}

impl Shares {
    /// The shares of a store with room for this many keys.
    pub(crate) fn new(most: usize) -> Self {
        Shares {
            few: most.checked_div(FEW_PART).unwrap_or(0).clamp(1, FEW_MAX),
            groups: HashMap::new(),
            holders: HashMap::new(),
            arrivals: 0,
        }
    }

    /// How many keys a holder has.
    #[cfg(test)]
    pub(super) fn count(&self, holder: ShortDigest) -> usize {
        self.holders.get(&holder).map_or(0, |share| share.count)
    }

    /// The group of a holder that has a key.
    pub(super) fn group(&self, holder: ShortDigest) -> Option<ShortDigest> {
        self.holders.get(&holder).map(|share| share.group)
    }

    /// Adds a key of a holder.
    pub(crate) fn add(&mut self, party: &Party) {
        let arrival = self.arrivals.saturating_add(1);
        let share = self.holders.entry(party.id).or_insert_with(|| {
            self.arrivals = arrival;
            HolderShare {
                group: party.group,
                arrival,
                count: 0,
            }
        });
        let group = self.groups.entry(share.group).or_default();
        group.yields_first = party.yields_first;
        group.turns.remove(&turn(self.few, *share, party.id));
        share.count = share.count.saturating_add(1);
        group.count = group.count.saturating_add(1);
        group.turns.insert(turn(self.few, *share, party.id));
    }

    /// Removes a key of a holder.
    pub(crate) fn remove(&mut self, holder: ShortDigest) {
        let Some(share) = self.holders.get_mut(&holder) else {
            return;
        };
        let Some(group) = self.groups.get_mut(&share.group) else {
            return;
        };
        group.turns.remove(&turn(self.few, *share, holder));
        share.count = share.count.saturating_sub(1);
        group.count = group.count.saturating_sub(1);
        if share.count > 0 {
            group.turns.insert(turn(self.few, *share, holder));
        } else {
            self.holders.remove(&holder);
        }
    }

    /// Who makes room for another key of a holder. Among equals it is the asking holder.
    pub(crate) fn payer(&self, asking: &Party) -> Payer {
        let own = self.groups.get(&asking.group);
        let own_count = own.map_or(0, |group| group.count).saturating_add(1);
        let larger = self
            .largest_besides(asking)
            .filter(|(weight, _, _)| *weight > (asking.yields_first, own_count));
        if let Some((_, group, (excess, _, holder))) = larger {
            return Payer {
                group,
                other: Some(holder),
                is_heavy: excess > 0,
            };
        }
        let count = self.holders.get(&asking.id).map_or(0, |share| share.count);
        let own_excess = count.saturating_add(1).saturating_sub(self.few);
        let heavier = own
            .and_then(|group| group.turns.last())
            .filter(|(excess, _, holder)| *excess > own_excess && *holder != asking.id);
        Payer {
            group: asking.group,
            other: heavier.map(|(_, _, holder)| *holder),
            is_heavy: heavier.is_some() || own_excess > 0,
        }
    }

    /// The holder with the most keys, or among equals the last to arrive, other than the asking
    /// one: in its group, or else in the largest one.
    pub(super) fn next_besides(&self, asking: &Party) -> Option<ShortDigest> {
        let own = self.groups.get(&asking.group);
        let mut turns = own.into_iter().flat_map(|group| group.turns.iter().rev());
        let beside = turns.find(|(_, _, holder)| *holder != asking.id).copied();
        let elsewhere = || self.largest_besides(asking).map(|(_, _, turn)| turn);
        let (_, _, holder) = beside.or_else(elsewhere)?;
        Some(holder)
    }

    /// The largest group other than the asking holder's, and who in it makes room.
    fn largest_besides(&self, asking: &Party) -> Option<((bool, usize), ShortDigest, YieldTurn)> {
        let others = self.groups.iter().filter(|(id, _)| **id != asking.group);
        let sized = others.filter_map(|(id, group)| {
            let turn = group.turns.last()?;
            Some(((group.yields_first, group.count), *id, *turn))
        });
        sized.max()
    }
}

impl Holder {
    /// The holder of counters, among those of its kind and issuer.
    pub(super) fn party(&self) -> Party {
        let kind = self.kind.name().as_bytes();
        let issuer = self.issuer.as_deref().unwrap_or_default().as_bytes();
        let space: &[u8] = if self.is_rehearsed { b"rehearsed" } else { b"" };
        Party {
            group: digest_of([b"group".as_slice(), space, kind, issuer]),
            id: digest_of([
                b"holder".as_slice(),
                space,
                kind,
                issuer,
                self.name.as_bytes(),
            ]),
            yields_first: self.is_rehearsed,
        }
    }
}

fn turn(few: usize, share: HolderShare, holder: ShortDigest) -> YieldTurn {
    (share.count.saturating_sub(few), share.arrival, holder)
}
