//! Open requests: the places that `open` limits give, in one process.
//!
//! A check takes a place, and the replica that serves the response's stream keeps it until the
//! stream ends. The place is taken even before the stream begins, so no more requests than the
//! limit ever get through at once. If the stream does not begin, the place is free after
//! [`UNATTENDED_MAX`]. Another replica than the check's may serve the stream; then the place counts
//! there.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::digest::{ShortDigest, short_digest};
use crate::authz::{CounterKey, OpenDemand, Opened};

/// How long a place is kept if its stream does not begin.
pub const UNATTENDED_MAX: Duration = Duration::from_secs(10);

/// The name of a limit's counter, at a fixed size. No two counters share one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlaceKey(ShortDigest);

impl PlaceKey {
    /// The name of this counter.
    #[must_use]
    pub fn of(key: &CounterKey) -> Self {
        PlaceKey(short_digest(key.as_bytes()))
    }
}

impl fmt::Display for PlaceKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for PlaceKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for PlaceKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PlaceKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let number = (text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .then(|| u128::from_str_radix(&text, 16).ok())
            .flatten();
        let number = number.ok_or_else(|| serde::de::Error::custom("not the name of a counter"))?;
        Ok(PlaceKey(number.to_be_bytes()))
    }
}

/// The places of one process.
#[derive(Debug, Default)]
pub struct OpenPlaces(Mutex<TakenPlaces>);

#[derive(Debug, Default)]
struct TakenPlaces {
    /// The requests that hold places of each counter. INVARIANT: each counter has at least one.
    by_key: HashMap<PlaceKey, PlaceCounter>,
    /// Checks that took places, in order, with the time by which their stream must begin. Each
    /// check lists a counter once.
    unattended: VecDeque<(Timestamp, Uuid, Box<[PlaceKey]>)>,
}

/// The places of one counter.
#[derive(Debug, Default)]
struct PlaceCounter {
    taken: usize,
    requests: HashMap<Uuid, Own>,
}

/// The places of one request under one counter.
#[derive(Debug, Clone, Copy, Default)]
struct Own {
    attended: usize,
    /// Places whose stream has not begun.
    unattended: usize,
}

impl OpenPlaces {
    /// Takes a place of each counter for a request, from all of them or from none.
    pub fn open(&self, demands: &[OpenDemand], request: Uuid, now: Timestamp) -> Opened {
        let mut taken = self.lock();
        taken.drop_unattended(now);
        let mut wanted: HashMap<PlaceKey, usize> = HashMap::with_capacity(demands.len().min(16));
        for (first, demand) in demands.iter().enumerate() {
            let key = PlaceKey::of(&demand.key);
            let others = taken.by_key.get(&key).map_or(0, |counter| counter.taken);
            let most = usize::try_from(demand.most).unwrap_or(usize::MAX);
            let own = wanted.entry(key).or_default();
            if own.saturating_add(others) >= most {
                return Opened::Full { first };
            }
            *own = own.saturating_add(1);
        }
        for (key, places) in &wanted {
            taken.change(*key, request, |own| {
                own.unattended = own.unattended.saturating_add(*places);
            });
        }
        if !wanted.is_empty() {
            let until = now.saturating_add(UNATTENDED_MAX).unwrap_or(Timestamp::MAX);
            let keys = wanted.into_keys().collect();
            taken.unattended.push_back((until, request, keys));
        }
        Opened::All
    }

    /// Keeps the places of a request until it is closed, because its stream has begun. Places that
    /// were taken in another process, or were already free again, count from now on, whatever the
    /// limit.
    pub fn attend(&self, keys: &[PlaceKey], request: Uuid) {
        let mut wanted: HashMap<PlaceKey, usize> = HashMap::new();
        for key in keys {
            let places = wanted.entry(*key).or_default();
            *places = places.saturating_add(1);
        }
        let mut taken = self.lock();
        for (key, places) in wanted {
            taken.change(key, request, |own| {
                let more = places.saturating_sub(own.attended);
                own.unattended = own.unattended.saturating_sub(more);
                own.attended = own.attended.max(places);
            });
        }
    }

    /// Frees the places of a request.
    pub fn close(&self, keys: &[PlaceKey], request: Uuid) {
        let mut taken = self.lock();
        for key in keys {
            taken.change(*key, request, |own| *own = Own::default());
        }
    }

    /// How many places are taken.
    #[must_use]
    pub fn len(&self) -> usize {
        let taken = self.lock();
        taken.by_key.values().map(|counter| counter.taken).sum()
    }

    /// Whether no place is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, TakenPlaces> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TakenPlaces {
    /// Changes how many places a request has under a counter.
    fn change(&mut self, key: PlaceKey, request: Uuid, change: impl FnOnce(&mut Own)) {
        let counter = self.by_key.entry(key).or_default();
        let own = counter.requests.entry(request).or_default();
        let before = own.count();
        change(own);
        let after = own.count();
        counter.taken = counter.taken.saturating_sub(before).saturating_add(after);
        if after == 0 {
            counter.requests.remove(&request);
        }
        if counter.taken == 0 {
            self.by_key.remove(&key);
        }
    }

    /// Frees places whose stream is overdue.
    fn drop_unattended(&mut self, now: Timestamp) {
        // Only a clock that was set back gives such a late end. It is treated as if it were new.
        let latest = now.saturating_add(UNATTENDED_MAX.saturating_mul(2));
        let latest = latest.unwrap_or(Timestamp::MAX);
        if self
            .unattended
            .front()
            .is_some_and(|(until, ..)| *until > latest)
        {
            let anew = now.saturating_add(UNATTENDED_MAX).unwrap_or(Timestamp::MAX);
            for (until, ..) in &mut self.unattended {
                *until = anew.min(*until);
            }
        }
        while let Some((_, request, keys)) =
            self.unattended.pop_front_if(|(until, ..)| *until <= now)
        {
            for key in keys {
                self.change(key, request, |own| own.unattended = 0);
            }
        }
    }
}

impl Own {
    fn count(self) -> usize {
        self.attended.saturating_add(self.unattended)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn request(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn demand(name: &str, most: u32) -> OpenDemand {
        OpenDemand {
            rule: Arc::from(name),
            message: None,
            most,
            key: CounterKey::named(name),
        }
    }

    fn key(name: &str) -> PlaceKey {
        PlaceKey::of(&CounterKey::named(name))
    }

    #[test]
    fn only_the_limit_is_open_at_once() {
        let places = OpenPlaces::default();
        let demand = [demand("a", 2)];
        assert_eq!(places.open(&demand, request(1), at(0)), Opened::All);
        assert_eq!(places.open(&demand, request(2), at(0)), Opened::All);
        assert_eq!(
            places.open(&demand, request(3), at(0)),
            Opened::Full { first: 0 }
        );
        places.attend(&[key("a")], request(1));
        places.attend(&[key("a")], request(2));
        assert_eq!(
            places.open(&demand, request(3), at(99)),
            Opened::Full { first: 0 }
        );
        places.close(&[key("a")], request(1));
        places.close(&[key("a")], request(1));
        assert_eq!(places.open(&demand, request(3), at(99)), Opened::All);
        assert_eq!(
            places.open(&demand, request(4), at(99)),
            Opened::Full { first: 0 }
        );
        places.close(&[key("a")], request(2));
        places.close(&[key("a")], request(3));
        assert!(places.is_empty());
    }

    #[test]
    fn a_place_of_each_counter_is_taken_or_none() {
        let places = OpenPlaces::default();
        assert_eq!(
            places.open(&[demand("b", 1)], request(1), at(0)),
            Opened::All
        );
        let both = [demand("a", 1), demand("b", 1)];
        assert_eq!(
            places.open(&both, request(2), at(0)),
            Opened::Full { first: 1 }
        );
        assert_eq!(places.len(), 1);
        // A batch may ask for a counter twice.
        let twice = [demand("c", 2), demand("c", 2)];
        assert_eq!(
            places.open(&[demand("c", 1), demand("c", 1)], request(3), at(0)),
            Opened::Full { first: 1 }
        );
        assert_eq!(places.open(&twice, request(3), at(0)), Opened::All);
        places.attend(&[key("c"), key("c")], request(3));
        assert_eq!(places.len(), 3);
        assert_eq!(
            places.open(&[demand("c", 2)], request(4), at(99)),
            Opened::Full { first: 0 }
        );
        places.close(&[key("c"), key("c")], request(3));
        assert_eq!(
            places.open(&[demand("c", 2)], request(4), at(99)),
            Opened::All
        );
    }

    #[test]
    fn a_batch_has_one_place_for_each_request() {
        let places = OpenPlaces::default();
        let many: Vec<OpenDemand> = (0..1000).map(|_| demand("a", 1000)).collect();
        let (one, two) = (vec![key("a"); 1000], vec![key("a"); 2]);
        assert_eq!(places.open(&many, request(1), at(0)), Opened::All);
        assert_eq!(places.len(), 1000);
        assert_eq!(
            places.open(&[demand("a", 1000)], request(2), at(0)),
            Opened::Full { first: 0 }
        );
        // A stream begins for some of them; the others are freed in time.
        places.attend(&two, request(1));
        places.attend(&two, request(1));
        assert_eq!(places.len(), 1000);
        assert_eq!(places.open(&[], request(3), at(10)), Opened::All);
        assert_eq!(places.len(), 2);
        places.attend(&one, request(1));
        assert_eq!(places.len(), 1000);
        places.close(&one, request(2));
        assert_eq!(places.len(), 1000);
        places.close(&one, request(1));
        assert!(places.is_empty());
    }

    #[test]
    fn a_place_whose_stream_does_not_begin_is_freed_in_time() {
        let places = OpenPlaces::default();
        let demand = [demand("a", 1)];
        assert_eq!(places.open(&demand, request(1), at(0)), Opened::All);
        assert_eq!(
            places.open(&demand, request(2), at(9)),
            Opened::Full { first: 0 }
        );
        assert_eq!(places.open(&demand, request(2), at(10)), Opened::All);
        // A stream that begins too late still counts, and its end frees only its own place.
        places.attend(&[key("a")], request(1));
        places.attend(&[key("a")], request(2));
        assert_eq!(places.len(), 2);
        places.close(&[key("a")], request(1));
        assert_eq!(
            places.open(&demand, request(3), at(99)),
            Opened::Full { first: 0 }
        );
        places.close(&[key("a")], request(2));
        assert!(places.is_empty());
    }

    #[test]
    fn a_clock_that_is_set_back_prolongs_no_place() {
        let places = OpenPlaces::default();
        let demand = [demand("a", 1)];
        assert_eq!(places.open(&demand, request(1), at(100_000)), Opened::All);
        for now in [0, 9] {
            let full = places.open(&demand, request(2), at(now));
            assert_eq!(full, Opened::Full { first: 0 });
        }
        assert_eq!(places.open(&demand, request(2), at(10)), Opened::All);
        // Nor is anything else kept for longer.
        for number in 3..100_u128 {
            places.close(&[key("a")], request(number - 1));
            let now = i64::try_from(number).unwrap() * 20;
            assert_eq!(places.open(&demand, request(number), at(now)), Opened::All);
        }
        assert_eq!(places.lock().unattended.len(), 1);
    }

    #[test]
    fn another_replica_may_serve_a_stream() {
        let (one, other) = (OpenPlaces::default(), OpenPlaces::default());
        let demand = [demand("a", 1)];
        assert_eq!(one.open(&demand, request(1), at(0)), Opened::All);
        other.attend(&[key("a")], request(1));
        assert_eq!(
            other.open(&demand, request(2), at(1)),
            Opened::Full { first: 0 }
        );
        assert_eq!(one.open(&demand, request(2), at(10)), Opened::All);
        other.close(&[key("a")], request(1));
        assert_eq!(other.open(&demand, request(3), at(10)), Opened::All);
    }

    #[test]
    fn names_of_counters_serialize_as_text() {
        let text = serde_json::to_string(&key("a")).unwrap();
        assert_eq!(serde_json::from_str::<PlaceKey>(&text).unwrap(), key("a"));
        for wrong in [
            "\"\"",
            "\"+0000000000000000000000000000000\"",
            "7",
            "\"zz\"",
        ] {
            assert!(serde_json::from_str::<PlaceKey>(wrong).is_err(), "{wrong}");
        }
    }
}
