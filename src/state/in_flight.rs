//! Which JSON-RPC ids of a session wait for an answer that is looked at.
//!
//! Servers and bridges route an answer by the id of its request alone. While a list is awaited, no
//! other request of its session may have its id, or the list would come as the answer to that.
//! This is known in one process, and its room is bounded: when there are too many ids, the owner
//! with the most loses its oldest.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::binding::digest_of;
use super::{Digest, Owner};

/// How long an id is kept whose answer is not seen to its end, since its request.
pub const IN_FLIGHT_MAX: Duration = Duration::from_mins(10);

/// An id of a session on a server, however it is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestKey(Digest);

impl RequestKey {
    /// The id that is `folded`, of a session on a server, which is named as configured.
    #[must_use]
    pub fn new(server: &str, session: &str, folded: &str) -> Self {
        let parts = [
            b"id".as_slice(),
            server.as_bytes(),
            session.as_bytes(),
            folded.as_bytes(),
        ];
        RequestKey(digest_of(parts))
    }
}

/// The ids in flight of one process.
#[derive(Debug)]
pub struct InFlight {
    ids_max: usize,
    /// How many there are, so that nobody waits for the lock while there are none.
    len: AtomicUsize,
    known: Mutex<Known>,
}

/// An id of the request is that of another one, whose answer is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdInUse;

#[derive(Debug, Default)]
struct Known {
    ids: HashMap<RequestKey, Uuid>,
    requests: HashMap<Uuid, Awaited>,
    /// Every request, the oldest first.
    ages: BTreeSet<(Timestamp, Uuid)>,
    owners: HashMap<Owner, Owned>,
    /// Every owner; who makes room next is last.
    turns: BTreeSet<(usize, Owner)>,
}

/// A request whose answer is awaited.
#[derive(Debug)]
struct Awaited {
    owner: Owner,
    since: Timestamp,
    ids: Vec<RequestKey>,
}

#[derive(Debug, Default)]
struct Owned {
    ids: usize,
    ages: BTreeSet<(Timestamp, Uuid)>,
}

impl InFlight {
    /// Nothing in flight, and room for so many ids, but one at least.
    #[must_use]
    pub fn new(ids_max: usize) -> Self {
        InFlight {
            ids_max: ids_max.max(1),
            len: AtomicUsize::new(0),
            known: Mutex::default(),
        }
    }

    /// Whether no id is in flight.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len.load(Ordering::Acquire) == 0
    }

    /// Checks all ids of a request, and keeps those whose answers are looked at. Says how many of
    /// others were forgotten for that.
    ///
    /// # Errors
    /// One of the ids is in flight; nothing is kept then.
    pub fn enter(
        &self,
        request: Uuid,
        owner: Owner,
        ids: &[RequestKey],
        awaited: &[RequestKey],
        now: Timestamp,
    ) -> Result<usize, IdInUse> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.drop_old(now);
        let is_in_use = ids.iter().any(|id| known.ids.contains_key(id));
        if !is_in_use && !awaited.is_empty() {
            known.add(request, owner, awaited.to_vec(), now);
        }
        let mut forgotten = 0_usize;
        while known.ids.len() > self.ids_max {
            // INVARIANT: who has the most has more than nothing.
            let Some(ids) = known.make_room() else { break };
            forgotten = forgotten.saturating_add(ids);
        }
        self.len.store(known.ids.len(), Ordering::Release);
        if is_in_use {
            Err(IdInUse)
        } else {
            Ok(forgotten)
        }
    }

    /// Sets the ids of a request free: it was answered.
    pub fn leave(&self, request: Uuid) {
        if self.is_empty() {
            return;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(request);
        self.len.store(known.ids.len(), Ordering::Release);
    }
}

impl Known {
    fn add(&mut self, request: Uuid, owner: Owner, ids: Vec<RequestKey>, now: Timestamp) {
        self.ids.extend(ids.iter().map(|id| (*id, request)));
        self.ages.insert((now, request));
        let theirs = self.owners.entry(owner).or_default();
        self.turns.remove(&(theirs.ids, owner));
        theirs.ids = theirs.ids.saturating_add(ids.len());
        theirs.ages.insert((now, request));
        self.turns.insert((theirs.ids, owner));
        let since = now;
        self.requests.insert(request, Awaited { owner, since, ids });
    }

    fn remove(&mut self, request: Uuid) -> Option<usize> {
        let Awaited { owner, since, ids } = self.requests.remove(&request)?;
        for id in &ids {
            self.ids.remove(id);
        }
        self.ages.remove(&(since, request));
        let theirs = self.owners.get_mut(&owner)?;
        self.turns.remove(&(theirs.ids, owner));
        theirs.ids = theirs.ids.saturating_sub(ids.len());
        theirs.ages.remove(&(since, request));
        if theirs.ages.is_empty() {
            self.owners.remove(&owner);
        } else {
            self.turns.insert((theirs.ids, owner));
        }
        Some(ids.len())
    }

    /// Forgets what nobody saw the end of. Of a time that lies ahead, as after a clock was set
    /// back, nothing is forgotten.
    fn drop_old(&mut self, now: Timestamp) {
        while let Some((since, request)) = self.ages.first().copied() {
            let age = now.duration_since(since);
            if age.is_negative() || age.unsigned_abs() < IN_FLIGHT_MAX {
                break;
            }
            self.remove(request);
        }
    }

    /// Forgets the oldest request of the owner who has the most ids, and says how many it had.
    fn make_room(&mut self) -> Option<usize> {
        let (_, owner) = self.turns.last().copied()?;
        let (_, oldest) = self.owners.get(&owner)?.ages.first().copied()?;
        self.remove(oldest)
    }
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
        RequestKey::new("s", "session", id)
    }

    #[test]
    fn an_id_is_kept_until_its_request_is_answered() {
        let in_flight = InFlight::new(10);
        let (alice, id) = (owner("alice"), [key("7")]);
        assert!(in_flight.is_empty());
        assert_eq!(in_flight.enter(request(1), alice, &id, &id, at(0)), Ok(0));
        assert_eq!(
            in_flight.enter(request(2), alice, &id, &[], at(1)),
            Err(IdInUse)
        );
        assert_eq!(
            in_flight.enter(
                request(2),
                owner("bob"),
                &[key("8"), key("7")],
                &[key("8")],
                at(1)
            ),
            Err(IdInUse)
        );
        // Nothing of a refused request is kept.
        assert_eq!(
            in_flight.enter(request(3), alice, &[key("8")], &[], at(1)),
            Ok(0)
        );
        in_flight.leave(request(2));
        assert!(!in_flight.is_empty());
        in_flight.leave(request(1));
        assert!(in_flight.is_empty());
        assert_eq!(in_flight.enter(request(2), alice, &id, &[], at(1)), Ok(0));
        assert!(in_flight.is_empty());
    }

    #[test]
    fn ids_of_other_sessions_and_servers_are_others() {
        let in_flight = InFlight::new(10);
        let id = [key("7")];
        in_flight
            .enter(request(1), owner("alice"), &id, &id, at(0))
            .unwrap();
        for other in [
            RequestKey::new("s", "another", "7"),
            RequestKey::new("another", "session", "7"),
            RequestKey::new("ss", "ession", "7"),
        ] {
            let entered = in_flight.enter(request(2), owner("alice"), &[other], &[], at(0));
            assert_eq!(entered, Ok(0));
        }
    }

    #[test]
    fn an_id_whose_answer_is_never_seen_is_free_again_in_time() {
        let in_flight = InFlight::new(10);
        let (alice, id) = (owner("alice"), [key("7")]);
        in_flight.enter(request(1), alice, &id, &id, at(0)).unwrap();
        for (after, entered) in [(599, Err(IdInUse)), (-5, Err(IdInUse)), (600, Ok(0))] {
            assert_eq!(
                in_flight.enter(request(2), alice, &id, &[], at(after)),
                entered
            );
        }
    }

    #[test]
    fn room_is_made_by_whoever_has_the_most() {
        let in_flight = InFlight::new(4);
        let (alice, mallory) = (owner("alice"), owner("mallory"));
        let id = [key("of alice")];
        in_flight.enter(request(0), alice, &id, &id, at(0)).unwrap();
        let mut forgotten = 0;
        for number in 1..10_u128 {
            let id = [key(&number.to_string())];
            let now = at(i64::try_from(number).unwrap());
            forgotten += in_flight
                .enter(request(number), mallory, &id, &id, now)
                .unwrap();
        }
        assert_eq!(forgotten, 6);
        assert_eq!(
            in_flight.enter(request(99), alice, &id, &[], at(20)),
            Err(IdInUse)
        );
        for (number, entered) in [(1, Ok(0)), (6, Ok(0)), (7, Err(IdInUse)), (9, Err(IdInUse))] {
            let id = [key(&number.to_string())];
            assert_eq!(
                in_flight.enter(request(99), alice, &id, &[], at(20)),
                entered,
                "{number}"
            );
        }
        // A batch counts by its ids.
        let batch: Vec<RequestKey> = (20..23).map(|id: u8| key(&id.to_string())).collect();
        let entered = in_flight.enter(request(100), mallory, &batch, &batch, at(30));
        assert_eq!(entered, Ok(3));
    }
}
