//! Which JSON-RPC ids of a session wait for an answer that is looked at, and which were used lately.
//!
//! Servers and bridges route an answer by the id of its request alone. While a list is awaited, no
//! other request of its session may have its id, or the list would come as the answer to that.
//! Nobody sees when any other request is answered, so its id is kept for a short time: requests
//! overtake each other on their way to the server.
//! This is known in one process, and its room is bounded: when there are too many ids, the owner
//! with the most loses some.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use smallvec::SmallVec;
use uuid::Uuid;

use super::binding::digest_of;
use super::{Digest, Owner};

/// How long an id is kept whose answer is not seen to its end, since its request.
pub const IN_FLIGHT_MAX: Duration = Duration::from_mins(10);
/// How long it is kept once an error has come in the place of its answer.
pub const AFTER_ERROR_MAX: Duration = Duration::from_secs(30);
/// How long an id is kept whose answer is not looked at: at least once, and less than twice that.
pub const RECENT_MIN: Duration = Duration::from_secs(10);

/// An id of a session on a server, however it is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestKey(Digest);

impl RequestKey {
    /// The id that is `folded`, of a session on a server, which is named as configured. Where the
    /// session is nobody's own, the id is that of this owner.
    #[must_use]
    pub fn new(server: &str, session: &str, of: Option<Owner>, folded: &str) -> Self {
        let owner = of.map(Owner::bytes);
        let parts = [
            b"id".as_slice(),
            server.as_bytes(),
            session.as_bytes(),
            owner.as_ref().map_or(&[], Digest::as_slice),
            folded.as_bytes(),
        ];
        RequestKey(digest_of(parts))
    }
}

/// The ids of a request in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestIds {
    /// Whose request it is.
    pub owner: Owner,
    /// How its answer is looked at: only answers with the same number are looked at alike.
    pub look: u8,
    /// The ids whose answers are looked at, each once.
    pub awaited: SmallVec<[RequestKey; 1]>,
    /// The other ones.
    pub others: SmallVec<[RequestKey; 1]>,
}

/// The ids in flight of one process.
#[derive(Debug)]
pub struct InFlight {
    ids_max: usize,
    /// How many are awaited, so that nobody waits for the lock while there are none.
    len: AtomicUsize,
    known: Mutex<Known>,
}

/// An id of the request is that of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdInUse;

#[derive(Debug, Default)]
struct Known {
    ids: HashMap<RequestKey, Held>,
    /// How many ids all requests have.
    awaited: usize,
    requests: HashMap<Uuid, Awaited>,
    /// Every request, by the time at which it is forgotten.
    ends: BTreeSet<(Timestamp, Uuid)>,
    owners: HashMap<Owner, Owned>,
    /// Every owner; who makes room next is last.
    turns: BTreeSet<(usize, Owner)>,
    recent: Recent,
}

/// An id whose answer is awaited. Several requests may have it if it makes no difference which of
/// them is answered, as when one check is made twice.
#[derive(Debug)]
struct Held {
    owner: Owner,
    look: u8,
    /// How many requests have it; one at least.
    requests: usize,
}

/// A request whose answer is awaited.
#[derive(Debug)]
struct Awaited {
    owner: Owner,
    until: Timestamp,
    ids: SmallVec<[RequestKey; 1]>,
}

#[derive(Debug, Default)]
struct Owned {
    ids: usize,
    ends: BTreeSet<(Timestamp, Uuid)>,
}

/// Ids that were used lately, and by whom: those of this period of time and of the one before.
#[derive(Debug, Default)]
struct Recent {
    since: Timestamp,
    current: HashMap<RequestKey, Owner>,
    before: HashMap<RequestKey, Owner>,
}

impl InFlight {
    /// Nothing in flight, and room for so many ids that are awaited, and as many in each of two
    /// periods that were used lately; but one at least.
    #[must_use]
    pub fn new(ids_max: usize) -> Self {
        InFlight {
            ids_max: ids_max.max(1),
            len: AtomicUsize::new(0),
            known: Mutex::default(),
        }
    }

    /// Whether no answer is awaited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len.load(Ordering::Acquire) == 0
    }

    /// Whether a request may not have its ids now. Nothing is kept.
    #[must_use]
    pub fn is_in_use(&self, ids: &RequestIds, now: Timestamp) -> bool {
        if ids.awaited.is_empty() && self.is_empty() {
            return false;
        }
        let mut known = self.lock();
        known.drop_old(now);
        self.len.store(known.awaited, Ordering::Release);
        known.has(ids)
    }

    /// Checks all ids of a request, and keeps them. Says how many of others were forgotten for that.
    ///
    /// # Errors
    /// One of the ids is that of a request whose answer is awaited and looked at otherwise; or an
    /// answer is to be looked at whose id was used lately. Nothing is kept then.
    pub fn enter(&self, request: Uuid, ids: &RequestIds, now: Timestamp) -> Result<usize, IdInUse> {
        if ids.awaited.is_empty() && ids.others.is_empty() {
            return Ok(0);
        }
        let mut known = self.lock();
        known.drop_old(now);
        if known.has(ids) {
            self.len.store(known.awaited, Ordering::Release);
            return Err(IdInUse);
        }
        let mut forgotten = known.recent.add(ids, self.ids_max);
        if !ids.awaited.is_empty() {
            known.add(request, ids, now);
        }
        while known.awaited > self.ids_max {
            // INVARIANT: who has the most has more than nothing.
            let Some(ids) = known.make_room() else { break };
            forgotten = forgotten.saturating_add(ids);
        }
        self.len.store(known.awaited, Ordering::Release);
        Ok(forgotten)
    }

    /// Sets the ids of a request free: it was answered.
    pub fn leave(&self, request: Uuid) {
        if self.is_empty() {
            return;
        }
        let mut known = self.lock();
        known.remove(request);
        self.len.store(known.awaited, Ordering::Release);
    }

    /// Keeps the ids of a request no longer than [`AFTER_ERROR_MAX`] from now on.
    pub fn expire_soon(&self, request: Uuid, now: Timestamp) {
        if !self.is_empty() {
            self.lock().shorten(request, end(now, AFTER_ERROR_MAX));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn has(&self, ids: &RequestIds) -> bool {
        let is_held = |id| self.ids.contains_key(id);
        let clashes = |id| {
            let held = self.ids.get(id);
            held.is_some_and(|held| held.owner != ids.owner || held.look != ids.look)
                || self.recent.has(id)
        };
        ids.others.iter().any(is_held) || ids.awaited.iter().any(clashes)
    }

    fn add(&mut self, request: Uuid, ids: &RequestIds, now: Timestamp) {
        let (owner, look) = (ids.owner, ids.look);
        for id in &ids.awaited {
            let held = self.ids.entry(*id).or_insert(Held {
                owner,
                look,
                requests: 0,
            });
            held.requests = held.requests.saturating_add(1);
        }
        let until = end(now, IN_FLIGHT_MAX);
        let count = ids.awaited.len();
        self.awaited = self.awaited.saturating_add(count);
        self.ends.insert((until, request));
        let theirs = self.owners.entry(owner).or_default();
        self.turns.remove(&(theirs.ids, owner));
        theirs.ids = theirs.ids.saturating_add(count);
        theirs.ends.insert((until, request));
        self.turns.insert((theirs.ids, owner));
        let awaited = Awaited {
            owner,
            until,
            ids: ids.awaited.clone(),
        };
        self.requests.insert(request, awaited);
    }

    fn remove(&mut self, request: Uuid) -> Option<usize> {
        let Awaited { owner, until, ids } = self.requests.remove(&request)?;
        for id in &ids {
            let Some(held) = self.ids.get_mut(id) else {
                continue;
            };
            held.requests = held.requests.saturating_sub(1);
            if held.requests == 0 {
                self.ids.remove(id);
            }
        }
        self.awaited = self.awaited.saturating_sub(ids.len());
        self.ends.remove(&(until, request));
        let theirs = self.owners.get_mut(&owner)?;
        self.turns.remove(&(theirs.ids, owner));
        theirs.ids = theirs.ids.saturating_sub(ids.len());
        theirs.ends.remove(&(until, request));
        if theirs.ends.is_empty() {
            self.owners.remove(&owner);
        } else {
            self.turns.insert((theirs.ids, owner));
        }
        Some(ids.len())
    }

    fn shorten(&mut self, request: Uuid, until: Timestamp) {
        let Some(awaited) = self.requests.get_mut(&request) else {
            return;
        };
        if awaited.until <= until {
            return;
        }
        let before = std::mem::replace(&mut awaited.until, until);
        self.ends.remove(&(before, request));
        self.ends.insert((until, request));
        if let Some(theirs) = self.owners.get_mut(&awaited.owner) {
            theirs.ends.remove(&(before, request));
            theirs.ends.insert((until, request));
        }
    }

    /// Forgets what nobody saw the end of. After a clock was set back, that takes longer.
    fn drop_old(&mut self, now: Timestamp) {
        self.recent.drop_old(now);
        while let Some((until, request)) = self.ends.first().copied() {
            if until > now {
                break;
            }
            self.ends.remove(&(until, request));
            self.remove(request);
        }
    }

    /// Forgets the request that ends first of the owner who has the most ids, and says how many it
    /// had.
    fn make_room(&mut self) -> Option<usize> {
        let (_, owner) = self.turns.last().copied()?;
        let (_, oldest) = self.owners.get(&owner)?.ends.first().copied()?;
        self.remove(oldest)
    }
}

impl Recent {
    fn has(&self, id: &RequestKey) -> bool {
        self.current.contains_key(id) || self.before.contains_key(id)
    }

    /// Keeps the ids of a request whose answers are not looked at, and says how many were forgotten
    /// for that: the end of the other ones is seen.
    fn add(&mut self, ids: &RequestIds, ids_max: usize) -> usize {
        for id in &ids.others {
            self.current.insert(*id, ids.owner);
        }
        if self.current.len() > ids_max {
            self.make_room(ids_max / 2)
        } else {
            0
        }
    }

    /// Begins a new period when one is over, or when the clock was set back.
    fn drop_old(&mut self, now: Timestamp) {
        let age = now.duration_since(self.since);
        if age.is_negative() {
            self.since = now;
        } else if age.unsigned_abs() >= RECENT_MIN {
            let is_over = age.unsigned_abs() >= RECENT_MIN.saturating_mul(2);
            self.before = std::mem::take(&mut self.current);
            if is_over {
                self.before.clear();
            }
            self.since = now;
        }
    }

    /// Leaves so many ids at most, and each owner as many as any other who had as many. Making a lot
    /// of room at once makes it seldom.
    fn make_room(&mut self, left: usize) -> usize {
        let mut theirs: HashMap<Owner, usize> = HashMap::new();
        for owner in self.current.values() {
            let count = theirs.entry(*owner).or_default();
            *count = count.saturating_add(1);
        }
        let mut counts: Vec<usize> = theirs.values().copied().collect();
        counts.sort_unstable();
        let (mut room, mut owners, mut share) = (left, counts.len(), 0);
        for count in counts {
            share = room.checked_div(owners).unwrap_or(0);
            if count > share {
                break;
            }
            room = room.saturating_sub(count);
            owners = owners.saturating_sub(1);
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

fn end(now: Timestamp, after: Duration) -> Timestamp {
    now.saturating_add(after).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn request(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn owner(name: &str) -> Owner {
        Owner::new("i", name)
    }

    fn key(id: &str) -> RequestKey {
        RequestKey::new("s", "session", None, id)
    }

    /// A list, looked at in this way.
    fn list(name: &str, look: u8, ids: &[&str]) -> RequestIds {
        RequestIds {
            owner: owner(name),
            look,
            awaited: ids.iter().map(|id| key(id)).collect(),
            others: SmallVec::new(),
        }
    }

    fn call(name: &str, ids: &[&str]) -> RequestIds {
        let list = list(name, 0, ids);
        RequestIds {
            others: list.awaited,
            awaited: SmallVec::new(),
            ..list
        }
    }

    /// Whether a request may have its ids, which a look tells as well.
    fn enter(
        in_flight: &InFlight,
        number: u128,
        ids: &RequestIds,
        seconds: i64,
    ) -> Result<usize, IdInUse> {
        let is_in_use = in_flight.is_in_use(ids, at(seconds));
        let entered = in_flight.enter(request(number), ids, at(seconds));
        assert_eq!(is_in_use, entered.is_err());
        entered
    }

    #[test]
    fn an_id_is_kept_until_its_request_is_answered() {
        let in_flight = InFlight::new(10);
        assert!(in_flight.is_empty());
        assert_eq!(enter(&in_flight, 1, &list("alice", 1, &["7"]), 0), Ok(0));
        let again = call("alice", &["7"]);
        assert_eq!(enter(&in_flight, 2, &again, 1), Err(IdInUse));
        let both = RequestIds {
            others: SmallVec::from_slice(&[key("7")]),
            ..list("bob", 1, &["8"])
        };
        assert_eq!(enter(&in_flight, 2, &both, 1), Err(IdInUse));
        // Nothing of a refused request is kept.
        assert_eq!(enter(&in_flight, 3, &list("alice", 2, &["8"]), 1), Ok(0));
        in_flight.leave(request(3));
        in_flight.leave(request(2));
        assert!(!in_flight.is_empty());
        in_flight.leave(request(1));
        assert!(in_flight.is_empty());
        assert_eq!(enter(&in_flight, 2, &again, 1), Ok(0));
        assert!(in_flight.is_empty());
    }

    #[test]
    fn ids_of_other_sessions_servers_and_owners_are_others() {
        let in_flight = InFlight::new(10);
        enter(&in_flight, 1, &list("alice", 1, &["7"]), 0).unwrap();
        for other in [
            RequestKey::new("s", "another", None, "7"),
            RequestKey::new("another", "session", None, "7"),
            RequestKey::new("ss", "ession", None, "7"),
            RequestKey::new("s", "session", Some(owner("alice")), "7"),
            RequestKey::new("s", "session", Some(owner("bob")), "7"),
        ] {
            let mut ids = call("alice", &[]);
            ids.others.push(other);
            assert_eq!(enter(&in_flight, 2, &ids, 0), Ok(0));
        }
    }

    #[test]
    fn an_id_whose_answer_is_never_seen_is_free_again_in_time() {
        let in_flight = InFlight::new(10);
        enter(&in_flight, 1, &list("alice", 1, &["7"]), 0).unwrap();
        let again = call("alice", &["7"]);
        for (after, entered) in [(599, Err(IdInUse)), (-5, Err(IdInUse)), (600, Ok(0))] {
            assert_eq!(enter(&in_flight, 2, &again, after), entered);
        }
    }

    #[test]
    fn an_error_sets_an_id_free_soon() {
        let in_flight = InFlight::new(10);
        enter(&in_flight, 1, &list("alice", 1, &["7"]), 0).unwrap();
        in_flight.expire_soon(request(1), at(100));
        // No later word makes that longer.
        in_flight.expire_soon(request(1), at(120));
        in_flight.expire_soon(request(2), at(120));
        let again = call("alice", &["7"]);
        assert_eq!(enter(&in_flight, 2, &again, 129), Err(IdInUse));
        assert_eq!(enter(&in_flight, 2, &again, 130), Ok(0));
        assert!(in_flight.is_empty());
        enter(&in_flight, 3, &list("alice", 1, &["9"]), 130).unwrap();
        in_flight.expire_soon(request(3), at(725));
        assert_eq!(enter(&in_flight, 4, &call("alice", &["9"]), 730), Ok(0));
    }

    #[test]
    fn an_id_that_was_used_lately_is_not_that_of_a_list() {
        let in_flight = InFlight::new(10);
        let called = call("alice", &["7"]);
        let listed = list("alice", 1, &["7"]);
        assert_eq!(enter(&in_flight, 1, &called, 0), Ok(0));
        // A check that is made twice is no other request.
        assert_eq!(enter(&in_flight, 2, &called, 0), Ok(0));
        assert_eq!(enter(&in_flight, 3, &listed, 0), Err(IdInUse));
        assert_eq!(enter(&in_flight, 3, &listed, 9), Err(IdInUse));
        assert_eq!(enter(&in_flight, 3, &listed, 20), Ok(0));
        in_flight.leave(request(3));
        // Within a period that began before.
        assert_eq!(enter(&in_flight, 4, &call("bob", &["8"]), 100), Ok(0));
        assert_eq!(enter(&in_flight, 1, &called, 109), Ok(0));
        for seconds in [109, 118, 127] {
            assert_eq!(enter(&in_flight, 3, &listed, seconds), Err(IdInUse));
        }
        assert_eq!(enter(&in_flight, 3, &listed, 128), Ok(0));
        in_flight.leave(request(3));
        // Whatever a clock does, the time comes.
        assert_eq!(enter(&in_flight, 1, &called, 1_000_000), Ok(0));
        assert_eq!(enter(&in_flight, 3, &listed, 0), Err(IdInUse));
        assert_eq!(enter(&in_flight, 3, &listed, 9), Err(IdInUse));
        assert_eq!(enter(&in_flight, 3, &listed, 10), Err(IdInUse));
        assert_eq!(enter(&in_flight, 3, &listed, 20), Ok(0));
    }

    #[test]
    fn a_request_that_is_checked_twice_has_its_id_until_both_are_answered() {
        let in_flight = InFlight::new(10);
        let listed = list("alice", 1, &["7"]);
        assert_eq!(enter(&in_flight, 1, &listed, 0), Ok(0));
        assert_eq!(enter(&in_flight, 2, &listed, 0), Ok(0));
        for other in [
            list("alice", 2, &["7"]),
            list("bob", 1, &["7"]),
            call("alice", &["7"]),
        ] {
            assert_eq!(enter(&in_flight, 3, &other, 0), Err(IdInUse));
        }
        in_flight.leave(request(2));
        assert_eq!(
            enter(&in_flight, 3, &call("alice", &["7"]), 0),
            Err(IdInUse)
        );
        in_flight.leave(request(1));
        assert_eq!(enter(&in_flight, 3, &call("alice", &["7"]), 0), Ok(0));
        assert!(in_flight.is_empty());
    }

    #[test]
    fn room_is_made_by_whoever_has_the_most() {
        let in_flight = InFlight::new(4);
        enter(&in_flight, 0, &list("alice", 1, &["of alice"]), 0).unwrap();
        let mut forgotten = 0;
        for number in 1..10_u128 {
            let ids = list("mallory", 1, &[&number.to_string()]);
            let now = i64::try_from(number).unwrap();
            forgotten += enter(&in_flight, number, &ids, now).unwrap();
        }
        assert_eq!(forgotten, 6);
        let of_alice = call("alice", &["of alice"]);
        assert_eq!(enter(&in_flight, 99, &of_alice, 20), Err(IdInUse));
        for (number, entered) in [(1, Ok(0)), (6, Ok(0)), (7, Err(IdInUse)), (9, Err(IdInUse))] {
            let ids = call("alice", &[&number.to_string()]);
            assert_eq!(enter(&in_flight, 99, &ids, 20), entered, "{number}");
        }
        // A batch counts by its ids, and one id as often as requests have it.
        let batch = list("mallory", 1, &["20", "21", "22"]);
        assert_eq!(enter(&in_flight, 100, &batch, 30), Ok(3));
        assert_eq!(enter(&in_flight, 101, &batch, 30), Ok(3));
        assert_eq!(enter(&in_flight, 102, &of_alice, 30), Err(IdInUse));
    }

    #[test]
    fn room_for_ids_of_late_is_made_by_whoever_has_the_most() {
        let in_flight = InFlight::new(16);
        enter(&in_flight, 0, &call("alice", &["of alice"]), 0).unwrap();
        enter(&in_flight, 0, &call("bob", &["of bob", "of bob too"]), 0).unwrap();
        let mut forgotten = 0;
        for number in 0..100_u128 {
            let ids = call("mallory", &[&number.to_string()]);
            forgotten += enter(&in_flight, number, &ids, 0).unwrap();
        }
        assert_eq!(forgotten, 90);
        for (name, id) in [
            ("alice", "of alice"),
            ("bob", "of bob"),
            ("bob", "of bob too"),
        ] {
            let listed = list(name, 1, &[id]);
            assert_eq!(enter(&in_flight, 200, &listed, 9), Err(IdInUse), "{id}");
        }
        // Nor do they take the room of what is awaited.
        let listed = list("mallory", 1, &["listed"]);
        assert_eq!(enter(&in_flight, 201, &listed, 9), Ok(0));
        for number in 0..100_u128 {
            let ids = call("mallory", &[&number.to_string()]);
            enter(&in_flight, number, &ids, 9).unwrap();
        }
        let again = call("mallory", &["listed"]);
        assert_eq!(enter(&in_flight, 202, &again, 9), Err(IdInUse));
    }
}
