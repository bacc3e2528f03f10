//! Forgets the counters of one holder, a few at a time, so that no check waits long for the lock.

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;

use jiff::Timestamp;
use smallvec::SmallVec;

use super::{Counters, Key};
use crate::state::clearing::CounterKind;
use crate::state::shares::Party;

/// How many counters are looked at while the lock is held.
const AT_ONCE: usize = 64;

/// Where to go on: after this counter of the holder.
pub(in crate::state::memory) type Position = Bound<(Key, i64, Key)>;

impl Counters {
    /// Before the first counter of a holder.
    pub(in crate::state::memory) fn first_of(holder: &Party) -> Position {
        Bound::Included((holder.id, i64::MIN, Key::default()))
    }

    /// Forgets some counters of a holder, of these kinds or of all, and counts those that still
    /// mattered. Returns where to go on, if there may be more.
    pub(in crate::state::memory) fn forget_some(
        &mut self,
        holder: &Party,
        from: Position,
        only: Option<&HashSet<CounterKind>>,
        now: Timestamp,
        forgotten: &mut BTreeMap<CounterKind, usize>,
    ) -> Option<Position> {
        let held = self.held.range((from, Bound::Unbounded));
        let held = held.take_while(|(whose, _, _)| *whose == holder.id);
        let some: SmallVec<[_; AT_ONCE]> = held.take(AT_ONCE).copied().collect();
        for (_, over, key) in &some {
            let kind = self.known.get(key).map(|counter| counter.kind);
            let is_meant = |kind: &CounterKind| only.is_none_or(|only| only.contains(kind));
            let Some(kind) = kind.filter(is_meant) else {
                continue;
            };
            self.remove(key);
            if *over > now.as_second() {
                let count = forgotten.entry(kind).or_default();
                *count = count.saturating_add(1);
            }
        }
        let last = some.last().filter(|_| some.len() == AT_ONCE);
        last.map(|last| Bound::Excluded(*last))
    }

    /// Forgets that counters of a holder were evicted: those that are missing are empty from now on.
    /// Returns whether that still mattered.
    pub(in crate::state::memory) fn forget_evictions(
        &mut self,
        holder: &Party,
        now: Timestamp,
    ) -> bool {
        self.lapses.forget(holder, now.as_second())
    }

    /// Until when missing counters of a holder are unknown, if they are.
    pub(in crate::state::memory) fn unknown_until(
        &self,
        holder: &Party,
        now: Timestamp,
    ) -> Option<i64> {
        self.lapses.unknown_until(holder, now.as_second(), i64::MAX)
    }
}
