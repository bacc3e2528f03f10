//! Records evictions that still matter.
//!
//! A counter that is evicted before it expires is not zero from then on: until it would have
//! expired it is unknown. A lapse records only its holder, not the counter, so all missing counters
//! of that holder are unknown for as long as the evicted one could have mattered. When too many
//! holders have lapses, the group with the most of them takes over some of its own; then every
//! missing counter of the group is unknown.

use std::collections::{BTreeSet, HashMap};

use crate::state::digest::ShortDigest;
use crate::state::shares::Party;

/// The latest eviction, and until when it matters, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lapse {
    at: i64,
    until: i64,
}

/// Every lapse that has not expired.
#[derive(Debug)]
pub(crate) struct Lapses {
    most: usize,
    holders: HashMap<ShortDigest, Lapse>,
    groups: HashMap<ShortDigest, LapsedGroup>,
    /// When the last of them expires.
    latest: i64,
}

#[derive(Debug, Default)]
struct LapsedGroup {
    /// The lapse of holders that are not recorded individually.
    own: Option<Lapse>,
    /// The holders that are recorded, by when their lapse expires.
    ends: BTreeSet<(i64, ShortDigest)>,
}

impl Lapse {
    fn join(self, other: Lapse) -> Self {
        Lapse {
            at: self.at.max(other.at),
            until: self.until.max(other.until),
        }
    }

    /// Until when a counter is unknown whose entries matter for at most `longest` seconds.
    fn over_for(self, longest: i64) -> i64 {
        self.until.min(self.at.saturating_add(longest))
    }
}

impl Lapses {
    /// Records the lapses of at most this many holders individually.
    pub(crate) fn new(most: usize) -> Self {
        Lapses {
            most,
            holders: HashMap::new(),
            groups: HashMap::new(),
            latest: i64::MIN,
        }
    }

    /// How many holders are recorded individually.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.holders.len()
    }

    /// Whether every lapse has expired at `now`.
    pub(crate) fn are_over(&self, now: i64) -> bool {
        self.latest <= now
    }

    /// Records that a counter of a holder was evicted that matters until `until`.
    pub(crate) fn note(&mut self, party: &Party, now: i64, until: i64) {
        let new = Lapse {
            // Times are truncated to whole seconds.
            at: now.saturating_add(1),
            until,
        };
        self.latest = self.latest.max(until);
        let old = self.holders.remove(&party.id);
        if let Some(old) = old {
            let ends = &mut self.groups.entry(party.group).or_default().ends;
            ends.remove(&(old.until, party.id));
        }
        while self.holders.len() >= self.most {
            if !self.make_room(now) {
                break;
            }
        }
        let lapse = old.map_or(new, |old| old.join(new));
        self.holders.insert(party.id, lapse);
        let ends = &mut self.groups.entry(party.group).or_default().ends;
        ends.insert((lapse.until, party.id));
    }

    /// Forgets the lapse of a holder, and returns whether it mattered at `now`. That of its group
    /// remains.
    pub(crate) fn forget(&mut self, party: &Party, now: i64) -> bool {
        let Some(lapse) = self.holders.remove(&party.id) else {
            return false;
        };
        if let Some(group) = self.groups.get_mut(&party.group) {
            group.ends.remove(&(lapse.until, party.id));
        }
        lapse.until > now
    }

    /// Whether an evicted counter of a holder may still matter at `now`.
    pub(crate) fn has(&self, party: &Party, now: i64) -> bool {
        !self.are_over(now) && self.unknown_until(party, now, i64::MAX).is_some()
    }

    /// Until when a missing counter is unknown, if it is. Its entries would matter for at most
    /// `longest` seconds.
    pub(crate) fn unknown_until(&self, party: &Party, now: i64, longest: i64) -> Option<i64> {
        let group = self.groups.get(&party.group).and_then(|group| group.own);
        let lapses = self
            .holders
            .get(&party.id)
            .copied()
            .into_iter()
            .chain(group);
        let until = lapses.map(|lapse| lapse.over_for(longest)).max()?;
        (until > now).then_some(until)
    }

    /// Drops the expired lapses of each group. If there are none, the lapse that expires first in
    /// the group with the most becomes the group's own.
    fn make_room(&mut self, now: i64) -> bool {
        let mut is_made = false;
        for group in self.groups.values_mut() {
            while let Some((until, holder)) = group.ends.first().copied() {
                if until > now {
                    break;
                }
                group.ends.pop_first();
                self.holders.remove(&holder);
                is_made = true;
            }
        }
        if is_made {
            return true;
        }
        let sizes = self
            .groups
            .iter()
            .map(|(id, group)| (group.ends.len(), *id));
        let most = sizes.max().and_then(|(_, id)| self.groups.get_mut(&id));
        let Some(group) = most else {
            return false;
        };
        let Some((_, holder)) = group.ends.pop_first() else {
            return false;
        };
        if let Some(lapse) = self.holders.remove(&holder) {
            group.own = Some(group.own.map_or(lapse, |own| own.join(lapse)));
        }
        true
    }
}
