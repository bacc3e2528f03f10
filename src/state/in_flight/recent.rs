//! Recently used ids whose responses are not inspected: those of the current period and of the one
//! before.
//!
//! When there are too many, the owners with the most lose some. For them, any id may have been used
//! recently until the evicted ones would have expired.

use std::collections::HashMap;

use jiff::Timestamp;

use super::request::{RECENT_MIN, RequestIds, RequestKey, end, second_from};
use crate::state::binding::Owner;
use crate::state::lapses::Lapses;

#[derive(Debug)]
pub(super) struct Recent {
    most: usize,
    since: Timestamp,
    current: HashMap<RequestKey, Owner>,
    before: HashMap<RequestKey, Owner>,
    lapses: Lapses,
}

impl Recent {
    /// Room for this many ids in each period.
    pub(super) fn new(most: usize) -> Self {
        Recent {
            most,
            since: Timestamp::default(),
            current: HashMap::new(),
            before: HashMap::new(),
            lapses: Lapses::new(most),
        }
    }

    /// Whether a response is to be inspected and its id was, or may have been, used recently.
    pub(super) fn has(&self, ids: &RequestIds, now: Timestamp) -> bool {
        let is_known = |id| self.current.contains_key(id) || self.before.contains_key(id);
        !ids.awaited.is_empty()
            && (self.lapses.has(&ids.owner.party(), now.as_second())
                || ids.awaited.iter().any(is_known))
    }

    /// Records the ids of a request whose responses are not inspected, and returns how many were
    /// evicted for them. The other ids are recorded elsewhere, because their end is seen.
    pub(super) fn add(&mut self, ids: &RequestIds, now: Timestamp) -> usize {
        for id in &ids.others {
            self.current.insert(*id, ids.owner);
        }
        if self.current.len() > self.most {
            self.make_room(now)
        } else {
            0
        }
    }

    /// Begins a new period when one is over, or when the clock was set back. A check that began
    /// earlier may arrive later; it does not prolong a period.
    pub(super) fn drop_old(&mut self, now: Timestamp) {
        let age = now.duration_since(self.since);
        if age.unsigned_abs() < RECENT_MIN {
            return;
        }
        if !age.is_negative() {
            let is_over = age.unsigned_abs() >= RECENT_MIN.saturating_mul(2);
            self.before = std::mem::take(&mut self.current);
            if is_over {
                self.before.clear();
            }
        }
        self.since = now;
    }

    /// Halves the number of ids, with the same cap for every owner. Making a lot of room at once
    /// keeps it rare.
    fn make_room(&mut self, now: Timestamp) -> usize {
        let mut theirs: HashMap<Owner, usize> = HashMap::new();
        for owner in self.current.values() {
            let count = theirs.entry(*owner).or_default();
            *count = count.saturating_add(1);
        }
        let share = share(theirs.values().copied().collect(), self.most / 2);
        let until = second_from(end(now, RECENT_MIN));
        for (owner, _) in theirs.iter().filter(|(_, count)| **count > share) {
            self.lapses.note(&owner.party(), now.as_second(), until);
        }
        let before = self.current.len();
        theirs.clear();
        self.current.retain(|_, owner| {
            let count = theirs.entry(*owner).or_default();
            *count = count.saturating_add(1);
            *count <= share
        });
        before.saturating_sub(self.current.len())
    }
}

/// The cap for each owner, so that all together fit into the room.
fn share(mut counts: Vec<usize>, mut room: usize) -> usize {
    counts.sort_unstable();
    let (mut owners, mut share) = (counts.len(), 0);
    for count in counts {
        share = room.checked_div(owners).unwrap_or(0);
        if count > share {
            break;
        }
        room = room.saturating_sub(count);
        owners = owners.saturating_sub(1);
    }
    share
}
