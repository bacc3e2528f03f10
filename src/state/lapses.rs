//! What was forgotten though it still mattered.
//!
//! A counter that is forgotten before its time is over is not zero from then on: until that time
//! it is unknown. Which counter it was is not kept, only whose: so every counter of the holder
//! that is not there is unknown for as long as the forgotten one could have mattered. Where there
//! are too many such holders, the group with the most of them remembers for some of its own, and
//! then every counter of the group that is not there is unknown.

use std::collections::{BTreeSet, HashMap};

use crate::state::digest::ShortDigest;
use crate::state::shares::Party;

/// When something was forgotten last, and until when it matters, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lapse {
    at: i64,
    until: i64,
}

/// Every lapse that is not over.
#[derive(Debug)]
pub(crate) struct Lapses {
    most: usize,
    holders: HashMap<ShortDigest, Lapse>,
    groups: HashMap<ShortDigest, LapsedGroup>,
    /// When the last of them is over.
    latest: i64,
}

#[derive(Debug, Default)]
struct LapsedGroup {
    /// Of holders that are not remembered by themselves.
    own: Option<Lapse>,
    /// The holders that are, and when each lapse is over.
    ends: BTreeSet<(i64, ShortDigest)>,
}

impl Lapse {
    fn join(self, other: Lapse) -> Self {
        Lapse {
            at: self.at.max(other.at),
            until: self.until.max(other.until),
        }
    }

    /// Until when a counter is unknown in which nothing matters for longer than `longest`.
    fn over_for(self, longest: i64) -> i64 {
        self.until.min(self.at.saturating_add(longest))
    }
}

impl Lapses {
    /// Remembers the lapses of at most so many holders one by one.
    pub(crate) fn new(most: usize) -> Self {
        Lapses {
            most,
            holders: HashMap::new(),
            groups: HashMap::new(),
            latest: i64::MIN,
        }
    }

    /// How many holders are remembered one by one.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.holders.len()
    }

    /// Whether there is none at a time.
    pub(crate) fn are_over(&self, now: i64) -> bool {
        self.latest <= now
    }

    /// A counter of a holder was forgotten that matters until a time.
    pub(crate) fn note(&mut self, party: &Party, now: i64, until: i64) {
        let new = Lapse {
            // Times are whole seconds that have begun.
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

    /// Whether something of a holder may have been forgotten that matters at a time.
    pub(crate) fn has(&self, party: &Party, now: i64) -> bool {
        !self.are_over(now) && self.unknown_until(party, now, i64::MAX).is_some()
    }

    /// Until when a counter is unknown that is not there, if it is. Nothing in it would matter
    /// for longer than `longest` seconds.
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

    /// Drops what is over of each group; where nothing is, what is over first of the group that
    /// has the most becomes the group's.
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
