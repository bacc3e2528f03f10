//! Limits and windows in bounded memory, and which of them are evicted.
//!
//! Expired counters are dropped first, whoever holds them: a full bucket and an empty window are
//! equivalent to none. If none has expired, [`Shares`] chooses the holder that makes room, and its
//! counter that expires first is evicted. That holder's missing counters are then unknown until the
//! evicted one would have expired ([`Lapses`]). A limit never evicts another counter of its own
//! holder; it is refused instead.
//!
//! Using a counter costs a hash lookup, and `O(log n)` of all counters if the second at which it
//! expires changes. Adding one costs `O(log n)`.

mod clear;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use smallvec::SmallVec;

use super::bucket::CallBucket;
use super::cell::{CounterCell, Slots};
use crate::authz::{LimitDemand, Taken, WindowDemand};
use crate::state::clearing::CounterKind;
use crate::state::digest::{ShortDigest as Key, short_digest};
use crate::state::lapses::Lapses;
use crate::state::shares::{Party, Shares};
use crate::state::usage::Forgotten;

/// How many expired counters are dropped when one is added.
const SWEPT: usize = 2;
/// The most limits of a request that are searched linearly.
const MANY: usize = 16;
const NANOS: i128 = 1_000_000_000;

#[derive(Debug)]
pub(super) struct Counters {
    most: usize,
    known: HashMap<Key, StoredCounter>,
    /// Every counter, by when it expires.
    ends: BTreeSet<(i64, Key)>,
    /// The same, by holder.
    held: BTreeSet<(Key, i64, Key)>,
    shares: Shares,
    lapses: Lapses,
    forgotten: Forgotten,
}

#[derive(Debug)]
struct StoredCounter {
    cell: CounterCell,
    kind: CounterKind,
    holder: Key,
    /// When it expires, in seconds since 1970: from then on it is equivalent to none.
    over: i64,
    /// Until when evicted events would count too.
    unknown_until: i64,
}

/// A query for a window, with digests of its names.
#[derive(Debug)]
pub(super) struct WindowQuery<'d> {
    key: Key,
    tool: Option<Key>,
    slots: Slots,
    demand: &'d WindowDemand,
}

impl<'d> WindowQuery<'d> {
    pub(super) fn new(demand: &'d WindowDemand, now: Timestamp) -> Self {
        let tool = demand.tool.as_deref();
        WindowQuery {
            key: short_digest(demand.key.as_bytes()),
            tool: tool.map(|tool| short_digest(tool.as_bytes())),
            slots: Slots::new(&demand.window, now),
            demand,
        }
    }
}

/// A call taken from one limit.
struct LimitTaking<'d> {
    key: Key,
    /// When the bucket is full afterwards.
    full_at: i128,
    position: usize,
    demand: &'d LimitDemand,
}

impl Counters {
    /// Keeps at most `most` counters, but at least one.
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1);
        Counters {
            most,
            known: HashMap::new(),
            ends: BTreeSet::new(),
            held: BTreeSet::new(),
            shares: Shares::new(most),
            lapses: Lapses::new(most),
            forgotten: Forgotten::default(),
        }
    }

    /// How many counters there are.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// How many were evicted while they still mattered.
    pub(super) fn forgotten(&self) -> Forgotten {
        self.forgotten
    }

    /// The reading of a window; `None` if it is unknown.
    pub(super) fn read(&self, asked: &WindowQuery<'_>, now: Timestamp) -> Option<u64> {
        let Some(counter) = self.known.get(&asked.key) else {
            let party = || asked.demand.key.holder().party();
            let lapsed = self.lapsed(party, now, || asked.slots.longest());
            let at_hand = u64::from(asked.tool.is_some());
            return lapsed.is_none().then_some(at_hand);
        };
        let is_known = counter.unknown_until <= now.as_second();
        is_known.then(|| counter.cell.read(asked.tool, asked.slots))
    }

    /// Adds an event to a window.
    pub(super) fn record(&mut self, asked: &WindowQuery<'_>, now: Timestamp) {
        let over = asked.slots.over();
        if let Some(counter) = self.known.get_mut(&asked.key) {
            counter.cell.add(asked.tool, asked.slots);
            let over = over.max(counter.over);
            self.postpone(asked.key, over);
            return;
        }
        let Some(cell) = CounterCell::first(asked.demand.window.count, asked.tool, asked.slots)
        else {
            return;
        };
        let party = asked.demand.key.holder().party();
        if !self.has_room(&party, Some(over), now) {
            self.lose(&party, &cell, over, now);
            return;
        }
        // Making room may have evicted a counter of this holder.
        let lapsed = self.lapsed(|| party, now, || asked.slots.longest());
        let counter = StoredCounter {
            cell,
            kind: CounterKind::window(&asked.demand.window),
            holder: party.id,
            over,
            unknown_until: lapsed.unwrap_or(i64::MIN),
        };
        self.insert(asked.key, counter, &party);
    }

    /// Takes a call from each limit, or from none.
    pub(super) fn take(&mut self, limits: &[LimitDemand], keys: &[Key], now: Timestamp) -> Taken {
        let at = now.as_nanosecond();
        let mut takings: SmallVec<[LimitTaking<'_>; 4]> = SmallVec::new();
        let mut exhausted: Option<(usize, i128)> = None;
        // The latest taking from each limit, if there are too many for a linear search.
        let mut latest: HashMap<Key, i128> = HashMap::new();
        let are_many = limits.len() > MANY;
        for (position, (key, demand)) in keys.iter().zip(limits).enumerate() {
            let bucket = CallBucket::new(&demand.limit);
            let earlier = if are_many {
                latest.get(key).copied()
            } else {
                let earlier = takings.iter().rfind(|taking| taking.key == *key);
                earlier.map(|taking| taking.full_at)
            };
            let full_at = match earlier {
                Some(full_at) => Ok(full_at),
                None => self.full_at(key, demand, bucket, now),
            };
            match full_at.and_then(|full_at| bucket.take(full_at, at)) {
                Ok(full_at) => {
                    if are_many {
                        latest.insert(*key, full_at);
                    }
                    takings.push(LimitTaking {
                        key: *key,
                        full_at,
                        position,
                        demand,
                    });
                }
                Err(wait) => {
                    let (first, longest) = exhausted.unwrap_or((position, wait));
                    exhausted = Some((first, longest.max(wait)));
                }
            }
        }
        let refused = exhausted.or_else(|| self.put(&takings, now).err());
        refused.map_or(Taken::All, |(first, wait)| Taken::Exhausted {
            first,
            retry_after: Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX)),
        })
    }

    /// When the bucket of a limit is full, or how long that is unknown.
    fn full_at(
        &mut self,
        key: &Key,
        demand: &LimitDemand,
        bucket: CallBucket,
        now: Timestamp,
    ) -> Result<i128, i128> {
        let Some(counter) = self.known.get_mut(key) else {
            let party = || demand.key.holder().party();
            let lapsed = self.lapsed(party, now, || seconds(bucket.fill));
            return lapsed.map_or(Ok(i128::MIN), |until| Err(nanos_until(until, now)));
        };
        let CounterCell::Limit(full_at) = &mut counter.cell else {
            return Ok(i128::MIN);
        };
        // If the clock was set back, the time is later than an empty bucket takes, and would stay
        // so.
        let latest = now.as_nanosecond().saturating_add(bucket.fill);
        let is_set_back = *full_at > latest;
        *full_at = latest.min(*full_at);
        let full_at = *full_at;
        if is_set_back {
            self.postpone(*key, seconds(full_at));
        }
        Ok(full_at)
    }

    /// Stores all takings or none. Fails with the limit that has no room, and how long it takes
    /// until it may have room.
    fn put(&mut self, takings: &[LimitTaking<'_>], now: Timestamp) -> Result<(), (usize, i128)> {
        let mut added: SmallVec<[Key; 4]> = SmallVec::new();
        let mut lacking = None;
        for taking in takings {
            if self.known.contains_key(&taking.key) {
                continue;
            }
            let party = taking.demand.key.holder().party();
            if !self.has_room(&party, None, now) {
                lacking = Some(taking.position);
                break;
            }
            // Until every limit has room, the counter is a full bucket, which is equivalent to
            // none. It is kept for as long as its final value.
            let counter = StoredCounter {
                cell: CounterCell::Limit(i128::MIN),
                kind: CounterKind::limit(&taking.demand.rule),
                holder: party.id,
                over: seconds(taking.full_at),
                unknown_until: i64::MIN,
            };
            self.insert(taking.key, counter, &party);
            added.push(taking.key);
        }
        // Making room for one may have evicted another.
        let gone = takings
            .iter()
            .find(|taking| !self.known.contains_key(&taking.key));
        if let Some(first) = lacking.or(gone.map(|taking| taking.position)) {
            for key in added {
                self.remove(&key);
            }
            let (soonest, _) = self.ends.first().copied().unwrap_or_default();
            return Err((first, nanos_until(soonest, now)));
        }
        for taking in takings {
            if let Some(counter) = self.known.get_mut(&taking.key) {
                counter.cell = CounterCell::Limit(taking.full_at);
            }
            self.postpone(taking.key, seconds(taking.full_at));
        }
        Ok(())
    }

    /// Until when a holder's missing counter is unknown, if it is. `longest` is how many seconds an
    /// event in it can matter.
    fn lapsed(
        &self,
        party: impl FnOnce() -> Party,
        now: Timestamp,
        longest: impl FnOnce() -> i64,
    ) -> Option<i64> {
        let now = now.as_second();
        if self.lapses.are_over(now) {
            return None;
        }
        self.lapses.unknown_until(&party(), now, longest())
    }

    /// Makes room for one more counter, and returns whether it could. Without `over`, the time at
    /// which the new counter expires, no counter of its own holder is evicted.
    fn has_room(&mut self, party: &Party, over: Option<i64>, now: Timestamp) -> bool {
        for _ in 0..SWEPT {
            if !self.sweep(now) {
                break;
            }
        }
        while self.known.len() >= self.most {
            if !self.sweep(now) && !self.forget_for(party, over, now) {
                return false;
            }
        }
        true
    }

    /// Drops an expired counter, if there is one.
    fn sweep(&mut self, now: Timestamp) -> bool {
        let Some((over, key)) = self.ends.first().copied() else {
            return false;
        };
        let is_over = over <= now.as_second();
        if is_over {
            self.remove(&key);
        }
        is_over
    }

    /// Evicts a counter that still matters to make room for a holder.
    fn forget_for(&mut self, party: &Party, over: Option<i64>, now: Timestamp) -> bool {
        let payer = self.shares.payer(party);
        let holder = payer.other.unwrap_or(party.id);
        let mut own = self.held.range((holder, i64::MIN, Key::default())..);
        let first = own.next().filter(|(whose, _, _)| *whose == holder);
        let Some((_, soonest, key)) = first.copied() else {
            return false;
        };
        if payer.other.is_none() && over.is_none_or(|over| over < soonest) {
            return false;
        }
        let party = Party {
            group: payer.group,
            id: holder,
            yields_first: false,
        };
        if let Some(counter) = self.remove(&key) {
            self.lose(&party, &counter.cell, counter.over, now);
        }
        true
    }

    /// Records the eviction of a counter that matters until `over`.
    fn lose(&mut self, party: &Party, cell: &CounterCell, over: i64, now: Timestamp) {
        if self.forgotten.limits == 0 && self.forgotten.windows == 0 {
            tracing::warn!(
                most = self.most,
                "limits and windows are evicted while they still matter, and unknown until they \
                 would expire: `limits.state_keys_max` is too low, or a caller floods the store"
            );
        }
        let forgotten = match cell {
            CounterCell::Limit(_) => &mut self.forgotten.limits,
            CounterCell::Window(_) | CounterCell::Tools(_) => &mut self.forgotten.windows,
        };
        *forgotten = forgotten.saturating_add(1);
        self.lapses.note(party, now.as_second(), over);
    }

    fn insert(&mut self, key: Key, counter: StoredCounter, party: &Party) {
        self.ends.insert((counter.over, key));
        self.held.insert((counter.holder, counter.over, key));
        self.shares.add(party);
        self.known.insert(key, counter);
    }

    fn remove(&mut self, key: &Key) -> Option<StoredCounter> {
        let counter = self.known.remove(key)?;
        self.ends.remove(&(counter.over, *key));
        self.held.remove(&(counter.holder, counter.over, *key));
        self.shares.remove(counter.holder);
        Some(counter)
    }

    /// Changes when a counter expires.
    fn postpone(&mut self, key: Key, over: i64) {
        let Some(counter) = self.known.get_mut(&key) else {
            return;
        };
        if counter.over == over {
            return;
        }
        self.ends.remove(&(counter.over, key));
        self.held.remove(&(counter.holder, counter.over, key));
        counter.over = over;
        self.ends.insert((over, key));
        self.held.insert((counter.holder, over, key));
    }
}

/// Nanoseconds as whole seconds, rounded up.
fn seconds(nanos: i128) -> i64 {
    let whole = nanos.saturating_add(NANOS).saturating_sub(1);
    let whole = whole.div_euclid(NANOS);
    i64::try_from(whole).unwrap_or(i64::MAX)
}

/// How long it takes until a second begins, and at least a nanosecond.
fn nanos_until(second: i64, now: Timestamp) -> i128 {
    let at = i128::from(second).saturating_mul(NANOS);
    at.saturating_sub(now.as_nanosecond()).max(1)
}
