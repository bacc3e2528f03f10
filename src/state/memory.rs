//! State in the memory of one process.
//!
//! The number of keys is bounded. When there are too many, the one that was not asked about for
//! the longest time is forgotten: a caller who floods the store with keys of its own asks about
//! its limits with every call, so it never makes room by them. What is forgotten begins anew.
//! Bindings have room of their own, which callers cannot take from each other either.

mod bound;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bound::Bound;
use jiff::Timestamp;
use lru::LruCache;
use uuid::Uuid;

use super::{
    Bind, Binding, BindingKey, BindingKind, Digest as Key, Owner, PlaceKey, Places, Reply,
    Settings, State, short_digest as short,
};
use crate::authz::{
    Count, Limit, LimitDemand, OpenDemand, Opened, Readings, Taken, Window, WindowDemand,
};

/// How finely windows slide: what happened counts for `per` and for up to one part in this many
/// of it longer, never shorter.
pub const WINDOW_SLOTS: u64 = 64;
/// One more than the most tools that a rule can ask about.
const TOOLS_MAX: usize = 101;
/// A power of two, so that a digest's first byte spreads keys evenly.
const SHARDS: usize = 16;

/// Counters and bindings of one process.
#[derive(Debug)]
pub struct Memory {
    shards: [Mutex<Shard>; SHARDS],
    shard_keys_max: usize,
    sessions: Mutex<Bound>,
    tasks: Mutex<Bound>,
    places: Places,
}

type Shard = LruCache<Key, Cell>;

#[derive(Debug)]
enum Cell {
    /// When the bucket is full again, in nanoseconds since 1970.
    Limit(i128),
    /// Slots with their counts, oldest first.
    Window(VecDeque<(u64, u64)>),
    /// Tools with the slot they were last called in.
    Tools(Vec<(Key, u64)>),
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Memory {
            shards: std::array::from_fn(|_| Mutex::new(LruCache::unbounded())),
            shard_keys_max: settings.keys_max.div_ceil(SHARDS).max(1),
            sessions: Mutex::new(Bound::new(settings.bindings_max)),
            tasks: Mutex::new(Bound::new(settings.bindings_max)),
            places: Places::default(),
        }
    }

    /// How many counters and windows are remembered.
    #[must_use]
    pub fn keys(&self) -> usize {
        let sizes = self.shards.iter().map(|shard| lock(shard).len());
        sizes.sum()
    }

    fn shard(&self, index: usize) -> Option<MutexGuard<'_, Shard>> {
        self.shards.get(index).map(lock)
    }

    fn bound(&self, kind: BindingKind) -> MutexGuard<'_, Bound> {
        match kind {
            BindingKind::Session => lock(&self.sessions),
            BindingKind::Task => lock(&self.tasks),
        }
    }

    fn put(&self, shard: &mut Shard, key: Key, cell: Cell) {
        shard.put(key, cell);
        while shard.len() > self.shard_keys_max {
            shard.pop_lru();
        }
    }

    fn read_window(&self, demand: &WindowDemand, now: Timestamp) -> u64 {
        let key = short(demand.key.as_bytes());
        let Some(mut shard) = self.shard(place(&key)) else {
            return 0;
        };
        let oldest = oldest_slot(&demand.window, now);
        match shard.get(&key) {
            Some(Cell::Window(slots)) => slots
                .iter()
                .filter(|(slot, _)| *slot >= oldest)
                .fold(0, |sum, (_, count)| sum.saturating_add(*count)),
            Some(Cell::Tools(tools)) => {
                let at_hand = demand.tool.as_deref().map(|tool| short(tool.as_bytes()));
                let others = tools
                    .iter()
                    .filter(|(tool, slot)| *slot >= oldest && Some(*tool) != at_hand);
                count_of(others.count()).saturating_add(u64::from(at_hand.is_some()))
            }
            Some(Cell::Limit(_)) | None => u64::from(demand.tool.is_some()),
        }
    }

    fn add_event(&self, demand: &WindowDemand, now: Timestamp) {
        let key = short(demand.key.as_bytes());
        let Some(mut shard) = self.shard(place(&key)) else {
            return;
        };
        let slot = slot(&demand.window, now);
        let oldest = oldest_slot(&demand.window, now);
        let tool = demand.tool.as_deref().map(|tool| short(tool.as_bytes()));
        match (shard.get_mut(&key), tool) {
            (Some(Cell::Window(slots)), _) => {
                while slots.front().is_some_and(|(slot, _)| *slot < oldest) {
                    slots.pop_front();
                }
                match slots.back_mut() {
                    // A check that began earlier may come later: it counts with the latest.
                    Some((last, count)) if *last >= slot => *count = count.saturating_add(1),
                    Some(_) | None => slots.push_back((slot, 1)),
                }
            }
            (Some(Cell::Tools(tools)), Some(tool)) => {
                tools.retain(|(known, slot)| *known != tool && *slot >= oldest);
                if tools.len() >= TOOLS_MAX {
                    tools.remove(0);
                }
                tools.push((tool, slot));
            }
            (Some(Cell::Tools(_) | Cell::Limit(_)) | None, tool) => {
                let cell = match (demand.window.count, tool) {
                    (Count::DistinctTools, Some(tool)) => Cell::Tools(vec![(tool, slot)]),
                    (Count::DistinctTools, None) => return,
                    (Count::Calls | Count::Denials, _) => Cell::Window([(slot, 1)].into()),
                };
                self.put(&mut shard, key, cell);
            }
        }
    }

    fn take_all(&self, limits: &[LimitDemand], now: Timestamp) -> Taken {
        let keys: Vec<Key> = limits
            .iter()
            .map(|limit| short(limit.key.as_bytes()))
            .collect();
        let mut places: Vec<usize> = keys.iter().map(place).collect();
        places.sort_unstable();
        places.dedup();
        // Every store locks its shards in one order, so that two checks never wait for each other.
        let mut shards: Vec<(usize, MutexGuard<'_, Shard>)> = places
            .into_iter()
            .filter_map(|place| Some((place, self.shard(place)?)))
            .collect();
        let now = now.as_nanosecond();
        let mut taken: Vec<(Key, i128)> = Vec::with_capacity(limits.len());
        let mut exhausted: Option<(usize, i128)> = None;
        for (position, (key, demand)) in keys.iter().zip(limits).enumerate() {
            let earlier = taken.iter().rfind(|(known, _)| known == key);
            let full_at = match earlier {
                Some((_, full_at)) => *full_at,
                None => stored(&mut shards, key),
            };
            match Bucket::new(&demand.limit).take(full_at, now) {
                Ok(full_at) => taken.push((*key, full_at)),
                Err(wait) => {
                    let (first, longest) = exhausted.unwrap_or((position, wait));
                    exhausted = Some((first, longest.max(wait)));
                }
            }
        }
        if let Some((first, wait)) = exhausted {
            let wait = u64::try_from(wait).unwrap_or(u64::MAX);
            return Taken::Exhausted {
                first,
                retry_after: Duration::from_nanos(wait),
            };
        }
        for (key, full_at) in taken {
            let own = place(&key);
            if let Some((_, shard)) = shards.iter_mut().find(|(place, _)| *place == own) {
                self.put(shard, key, Cell::Limit(full_at));
            }
        }
        Taken::All
    }
}

fn stored(shards: &mut [(usize, MutexGuard<'_, Shard>)], key: &Key) -> i128 {
    let own = place(key);
    let shard = shards.iter_mut().find(|(place, _)| *place == own);
    match shard.and_then(|(_, shard)| shard.get(key)) {
        Some(Cell::Limit(full_at)) => *full_at,
        Some(Cell::Window(_) | Cell::Tools(_)) | None => i128::MIN,
    }
}

/// The generic cell rate algorithm (ITU-T I.371): a bucket as the moment at which it is full.
/// Exact but for the rounding of `per / calls` to nanoseconds.
struct Bucket {
    /// How long one call takes to come back.
    interval: i128,
    /// How long an empty bucket takes to fill.
    fill: i128,
}

impl Bucket {
    fn new(limit: &Limit) -> Self {
        let per = i128::try_from(limit.per.as_nanos()).unwrap_or(i128::from(i64::MAX));
        let interval = per.checked_div(i128::from(limit.calls)).unwrap_or(per);
        Bucket {
            interval,
            fill: interval.saturating_mul(i128::from(limit.burst)),
        }
    }

    /// When it is full after a call more, or how long to wait. A clock that was set back must not
    /// keep callers out for longer than an empty bucket does.
    fn take(&self, full_at: i128, now: i128) -> Result<i128, i128> {
        let known = full_at.clamp(now, now.saturating_add(self.fill));
        let after = known.saturating_add(self.interval);
        let wait = after.saturating_sub(self.fill).saturating_sub(now);
        if wait > 0 { Err(wait) } else { Ok(after) }
    }
}

fn lock<T>(part: &Mutex<T>) -> MutexGuard<'_, T> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

fn place(key: &Key) -> usize {
    let [first, ..] = *key;
    usize::from(first) % SHARDS
}

fn count_of(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The slot of a moment; slots are as long as a part of the window.
fn slot(window: &Window, now: Timestamp) -> u64 {
    let length = window.per.as_micros().div_ceil(u128::from(WINDOW_SLOTS));
    let now = u128::try_from(now.as_microsecond()).unwrap_or(0);
    u64::try_from(now / length.max(1)).unwrap_or(u64::MAX)
}

/// The oldest slot of which some part is within the window.
fn oldest_slot(window: &Window, now: Timestamp) -> u64 {
    slot(window, now).saturating_sub(WINDOW_SLOTS)
}

impl State for Memory {
    fn read<'a>(&'a self, windows: &'a [WindowDemand], now: Timestamp) -> Reply<'a, Readings> {
        let mut readings = Readings::default();
        for demand in windows {
            let reading = self.read_window(demand, now);
            readings.insert(demand.window.clone(), reading);
        }
        Reply::now(readings)
    }

    fn take<'a>(&'a self, limits: &'a [LimitDemand], now: Timestamp) -> Reply<'a, Taken> {
        let taken = self.take_all(limits, now);
        Reply::now(taken)
    }

    fn open<'a>(
        &'a self,
        places: &'a [OpenDemand],
        request: Uuid,
        now: Timestamp,
    ) -> Reply<'a, Opened> {
        Reply::now(self.places.open(places, request, now))
    }

    fn attend(&self, places: &[PlaceKey], request: Uuid) {
        self.places.attend(places, request);
    }

    fn close(&self, places: &[PlaceKey], request: Uuid) {
        self.places.close(places, request);
    }

    fn record<'a>(&'a self, windows: &'a [WindowDemand], now: Timestamp) -> Reply<'a, ()> {
        for demand in windows {
            self.add_event(demand, now);
        }
        Reply::now(())
    }

    fn bindings<'a>(
        &'a self,
        keys: &'a [BindingKey],
        _: Timestamp,
    ) -> Reply<'a, Vec<Option<Binding>>> {
        let find = |key: &BindingKey| self.bound(key.kind()).find(key.digest());
        let found = keys.iter().map(find).collect();
        Reply::now(found)
    }

    fn bind<'a>(
        &'a self,
        keys: &'a [BindingKey],
        owner: Owner,
        how: Bind,
        now: Timestamp,
    ) -> Reply<'a, Vec<Binding>> {
        let binding = Binding { owner, since: now };
        let bind = |key: &BindingKey| self.bound(key.kind()).bind(key.digest(), binding, how);
        let bound = keys.iter().map(bind).collect();
        Reply::now(bound)
    }
}

#[cfg(test)]
mod tests;
