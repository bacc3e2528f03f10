//! State in the memory of one process.
//!
//! Memory is bounded. When it is full, the holder with the most makes room, and what is evicted is
//! unknown from then on. `memory/counters.rs` explains this for limits and windows,
//! `memory/bindings.rs` for sessions and tasks.
//!
//! Each part of a check holds the lock once, for about a microsecond.

mod bindings;
mod bucket;
mod cell;
mod counters;
mod lost;

use std::sync::{Mutex, MutexGuard, PoisonError};

use bindings::Bindings;
use counters::{Counters, WindowQuery};
use jiff::Timestamp;
use smallvec::SmallVec;
use uuid::Uuid;

use super::clearing::{ClearStore, Cleared, Clearing};
use super::digest::{ShortDigest, short_digest};
use super::shares;
use super::usage::{BindingUsage, Forgotten, StoreUsage, Usage};
use super::{
    Bind, Binding, BindingKey, BindingKind, BindingStore, LimitStore, OpenPlaces, Owner, PlaceKey,
    Reply, StateSettings, Whose, WindowStore,
};
use crate::authz::{LimitDemand, OpenDemand, Opened, Readings, Taken, WindowDemand};

pub use cell::WINDOW_SLOTS;

/// Counters and bindings of one process.
///
/// At most, a limit with its holder takes 500 bytes, a window of calls or denials 1.5 KiB, a window
/// of tools 3 KiB, and a holder's lapses 110 bytes. A binding with its owner takes 750 bytes, and
/// the fingerprint of an evicted binding 350.
#[derive(Debug)]
pub struct Memory {
    counters: Mutex<Counters>,
    sessions: Mutex<Bindings>,
    tasks: Mutex<Bindings>,
    places: OpenPlaces,
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new(settings: StateSettings) -> Self {
        let bound = |kind| Mutex::new(Bindings::new(kind, settings.bindings_max));
        Memory {
            counters: Mutex::new(Counters::new(settings.keys_max)),
            sessions: bound(BindingKind::Session),
            tasks: bound(BindingKind::Task),
            places: OpenPlaces::default(),
        }
    }

    /// How many counters and windows are in memory.
    #[must_use]
    pub fn keys(&self) -> usize {
        lock(&self.counters).len()
    }

    /// How many sessions or tasks are bound.
    #[must_use]
    pub fn bound(&self, kind: BindingKind) -> usize {
        self.of(kind).len()
    }

    /// How much was evicted.
    #[must_use]
    pub fn forgotten(&self) -> Forgotten {
        Forgotten {
            sessions: lock(&self.sessions).forgotten(),
            tasks: lock(&self.tasks).forgotten(),
            ..lock(&self.counters).forgotten()
        }
    }

    /// Whether so many bindings of a kind were evicted that every unbound id is unknown to the
    /// subjects of some issuer.
    #[must_use]
    pub fn has_ended_first_use(&self, kind: BindingKind, now: Timestamp) -> bool {
        self.of(kind).has_ended_first_use(now)
    }

    fn of(&self, kind: BindingKind) -> MutexGuard<'_, Bindings> {
        match kind {
            BindingKind::Session => lock(&self.sessions),
            BindingKind::Task => lock(&self.tasks),
        }
    }
}

fn lock<T>(part: &Mutex<T>) -> MutexGuard<'_, T> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WindowStore for Memory {
    fn read<'a>(&'a self, windows: &'a [WindowDemand], now: Timestamp) -> Reply<'a, Readings> {
        let asked: SmallVec<[WindowQuery<'_>; 2]> =
            windows.iter().map(|it| WindowQuery::new(it, now)).collect();
        let mut readings = Readings::default();
        let counters = lock(&self.counters);
        for (asked, demand) in asked.iter().zip(windows) {
            match counters.read(asked, now) {
                Some(reading) => readings.insert(demand.window.clone(), reading),
                None => readings.insert_unknown(demand.window.clone()),
            }
        }
        Reply::now(readings)
    }

    fn record<'a>(&'a self, windows: &'a [WindowDemand], now: Timestamp) -> Reply<'a, ()> {
        let asked: SmallVec<[WindowQuery<'_>; 2]> =
            windows.iter().map(|it| WindowQuery::new(it, now)).collect();
        let mut counters = lock(&self.counters);
        for asked in &asked {
            counters.record(asked, now);
        }
        Reply::now(())
    }
}

impl LimitStore for Memory {
    fn take<'a>(&'a self, limits: &'a [LimitDemand], now: Timestamp) -> Reply<'a, Taken> {
        let keys: SmallVec<[ShortDigest; 4]> = limits
            .iter()
            .map(|limit| short_digest(limit.key.as_bytes()))
            .collect();
        let taken = lock(&self.counters).take(limits, &keys, now);
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
}

impl BindingStore for Memory {
    fn bindings<'a>(
        &'a self,
        keys: &'a [BindingKey],
        asking: Owner,
        now: Timestamp,
    ) -> Reply<'a, Vec<Whose>> {
        let find = |key: &BindingKey| self.of(key.kind()).find(key.digest(), asking, now);
        let found = keys.iter().map(find).collect();
        Reply::now(found)
    }

    fn bind<'a>(
        &'a self,
        keys: &'a [BindingKey],
        owner: Owner,
        how: Bind,
        now: Timestamp,
    ) -> Reply<'a, Vec<Whose>> {
        let binding = Binding {
            owner,
            since: now,
            is_issued: how == Bind::Anew,
        };
        let bind = |key: &BindingKey| self.of(key.kind()).bind(key.digest(), binding, how, now);
        let bound = keys.iter().map(bind).collect();
        Reply::now(bound)
    }
}

impl ClearStore for Memory {
    fn clear<'a>(&'a self, clearing: &'a Clearing, now: Timestamp) -> Reply<'a, Cleared> {
        let mut cleared = Cleared::default();
        let only = clearing.only.as_ref();
        for party in clearing.parties() {
            let mut next = Some(Counters::first_of(&party));
            while let Some(from) = next {
                let forgotten = &mut cleared.counters;
                next = lock(&self.counters).forget_some(&party, from, only, now, forgotten);
            }
            let mut counters = lock(&self.counters);
            if only.is_none() {
                cleared.had_evictions |= counters.forget_evictions(&party, now);
            }
            let until = counters.unknown_until(&party, now);
            let until = until.map(|until| Timestamp::from_second(until).unwrap_or(Timestamp::MAX));
            cleared.unknown_until = cleared.unknown_until.max(until);
        }
        Reply::now(cleared)
    }
}

impl Usage for Memory {
    fn usage(&self, now: Timestamp) -> StoreUsage {
        let of = |kind| BindingUsage {
            bound: self.bound(kind),
            has_ended_first_use: self.has_ended_first_use(kind, now),
        };
        StoreUsage {
            counters: self.keys(),
            sessions: of(BindingKind::Session),
            tasks: of(BindingKind::Task),
            forgotten: self.forgotten(),
        }
    }
}

#[cfg(test)]
mod tests;
