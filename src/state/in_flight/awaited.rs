//! Ids whose responses are awaited.
//!
//! When there are too many, [`Shares`] chooses an owner, and its request that expires first is
//! evicted. An owner's own young request is never evicted for another of its requests, which is
//! refused instead; otherwise an owner could free the id of a response still to come by requesting
//! enough lists. An owner whose young request is evicted for others can use no ids until that
//! request would no longer be young.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use smallvec::SmallVec;
use uuid::Uuid;

use super::request::{IN_FLIGHT_MAX, IdInUse, RequestIds, RequestKey, end, second_from};
use crate::state::binding::Owner;
use crate::state::digest::ShortDigest;
use crate::state::lapses::Lapses;
use crate::state::shares::{Party, Shares};

/// How long a response is likely to be still to come.
pub(super) const YOUNG_MAX: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(super) struct Awaited {
    most: usize,
    ids: HashMap<RequestKey, Held>,
    /// The number of ids of all requests.
    len: usize,
    requests: HashMap<Uuid, Request>,
    /// Every request, by when it expires.
    ends: BTreeSet<(Timestamp, Uuid)>,
    /// The same, by owner.
    held: BTreeSet<(ShortDigest, Timestamp, Uuid)>,
    shares: Shares,
    lapses: Lapses,
}

/// An awaited id. Several requests may share it if it makes no difference which of them is
/// answered, as when a check is made twice.
#[derive(Debug)]
struct Held {
    owner: Owner,
    look: u8,
    /// How many requests share it; at least one.
    requests: usize,
}

/// A request whose response is awaited.
#[derive(Debug)]
struct Request {
    owner: ShortDigest,
    young_until: Timestamp,
    until: Timestamp,
    ids: SmallVec<[RequestKey; 1]>,
}

/// Which request is evicted to make room.
struct Victim {
    request: Uuid,
    owner: Party,
    /// Until when a response is likely, if it still is.
    likely_until: Option<Timestamp>,
}

impl Awaited {
    pub(super) fn new(most: usize) -> Self {
        Awaited {
            most,
            ids: HashMap::new(),
            len: 0,
            requests: HashMap::new(),
            ends: BTreeSet::new(),
            held: BTreeSet::new(),
            shares: Shares::new(most),
            lapses: Lapses::new(most),
        }
    }

    /// How many ids are awaited.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether an id of a request is, or may be, awaited with a different inspection.
    pub(super) fn has(&self, ids: &RequestIds, now: Timestamp) -> bool {
        let clashes = |id| {
            let held: Option<&Held> = self.ids.get(id);
            held.is_some_and(|held| held.owner != ids.owner || held.look != ids.look)
        };
        self.lapses.has(&ids.owner.party(), now.as_second())
            || ids.others.iter().any(|id| self.ids.contains_key(id))
            || ids.awaited.iter().any(clashes)
    }

    /// Whether there is no room for the ids of a request, and none can be made.
    pub(super) fn is_full_for(&self, ids: &RequestIds, now: Timestamp) -> bool {
        self.lacks_room(ids) && self.victim(&ids.owner.party(), now).is_none()
    }

    /// Adds a request, and returns how many ids of others were evicted for it.
    ///
    /// # Errors
    /// There is no room.
    pub(super) fn add(
        &mut self,
        request: Uuid,
        ids: &RequestIds,
        now: Timestamp,
    ) -> Result<usize, IdInUse> {
        if ids.awaited.is_empty() {
            return Ok(0);
        }
        let party = ids.owner.party();
        let mut forgotten = 0_usize;
        while self.lacks_room(ids) {
            let victim = self.victim(&party, now).ok_or(IdInUse)?;
            forgotten = forgotten.saturating_add(self.forget(&victim, now));
        }
        for id in &ids.awaited {
            let held = self.ids.entry(*id).or_insert(Held {
                owner: ids.owner,
                look: ids.look,
                requests: 0,
            });
            held.requests = held.requests.saturating_add(1);
            self.shares.add(&party);
        }
        self.len = self.len.saturating_add(ids.awaited.len());
        let until = end(now, IN_FLIGHT_MAX);
        self.ends.insert((until, request));
        self.held.insert((party.id, until, request));
        let added = Request {
            owner: party.id,
            young_until: end(now, YOUNG_MAX),
            until,
            ids: ids.awaited.clone(),
        };
        self.requests.insert(request, added);
        Ok(forgotten)
    }

    /// Removes a request, and returns how many ids it had.
    pub(super) fn remove(&mut self, request: Uuid) -> usize {
        let Some(removed) = self.requests.remove(&request) else {
            return 0;
        };
        let Request {
            owner, until, ids, ..
        } = removed;
        for id in &ids {
            self.shares.remove(owner);
            let Some(held) = self.ids.get_mut(id) else {
                continue;
            };
            held.requests = held.requests.saturating_sub(1);
            if held.requests == 0 {
                self.ids.remove(id);
            }
        }
        self.len = self.len.saturating_sub(ids.len());
        self.ends.remove(&(until, request));
        self.held.remove(&(owner, until, request));
        ids.len()
    }

    /// Keeps a request no longer than this.
    pub(super) fn shorten(&mut self, request: Uuid, until: Timestamp) {
        let Some(known) = self.requests.get_mut(&request) else {
            return;
        };
        if known.until <= until {
            return;
        }
        let before = std::mem::replace(&mut known.until, until);
        self.ends.remove(&(before, request));
        self.ends.insert((until, request));
        self.held.remove(&(known.owner, before, request));
        self.held.insert((known.owner, until, request));
    }

    /// Drops requests whose end was never seen.
    pub(super) fn drop_old(&mut self, now: Timestamp) {
        while let Some((until, request)) = self.ends.first().copied() {
            if until > now {
                break;
            }
            self.ends.remove(&(until, request));
            self.remove(request);
        }
        // Only a clock that was set back gives such a late end. The request is kept as if it were
        // new.
        while let Some((until, request)) = self.ends.last().copied() {
            if until <= end(now, IN_FLIGHT_MAX.saturating_mul(2)) {
                break;
            }
            self.ends.remove(&(until, request));
            self.shorten(request, end(now, IN_FLIGHT_MAX));
        }
    }

    fn lacks_room(&self, ids: &RequestIds) -> bool {
        let more = ids.awaited.len();
        more > 0 && self.len.saturating_add(more) > self.most
    }

    fn victim(&self, asking: &Party, now: Timestamp) -> Option<Victim> {
        let payer = self.shares.payer(asking);
        let holder = payer.other.unwrap_or(asking.id);
        let mut own = self
            .held
            .range((holder, Timestamp::MIN, Uuid::nil())..)
            .take_while(|(whose, ..)| *whose == holder);
        let (_, _, request) = *own.next()?;
        let known = self.requests.get(&request)?;
        let likely_until = known.young_until.min(known.until);
        let likely_until = Some(likely_until).filter(|until| *until > now);
        let is_own_and_young = payer.other.is_none() && likely_until.is_some();
        (!is_own_and_young).then_some(Victim {
            request,
            owner: Party {
                group: payer.group,
                id: holder,
                yields_first: false,
            },
            likely_until,
        })
    }

    fn forget(&mut self, victim: &Victim, now: Timestamp) -> usize {
        if let Some(until) = victim.likely_until {
            let until = second_from(until);
            self.lapses.note(&victim.owner, now.as_second(), until);
        }
        self.remove(victim.request)
    }
}
