//! Which JSON-RPC ids of a session wait for a response that is looked at, and which were used lately.
//!
//! Servers and bridges route a response by the id of its request alone. While a list is awaited, no
//! other request of its session may have its id, or the list would come as the response to that.
//! Nobody sees when any other request is answered, so its id is kept for a short time: requests
//! overtake each other on their way to the server.
//!
//! This is known in one process, and its room is bounded. An id that was forgotten for want of room
//! may still be in use, so for as long as that is likely the ids of its owner count as used.

mod awaited;
mod recent;
mod request;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use uuid::Uuid;

use awaited::Awaited;
use recent::Recent;
use request::end;

pub use request::{AFTER_ERROR_MAX, IN_FLIGHT_MAX, IdInUse, RECENT_MIN, RequestIds, RequestKey};

/// The ids in flight of one process.
#[derive(Debug)]
pub struct InFlight {
    /// How many are awaited, so that nobody waits for the lock while there are none.
    len: AtomicUsize,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    awaited: Awaited,
    recent: Recent,
}

impl InFlight {
    /// Nothing in flight, and room for so many ids that are awaited, and as many in each of two
    /// periods that were used lately; but one at least.
    #[must_use]
    pub fn new(ids_max: usize) -> Self {
        let ids_max = ids_max.max(1);
        InFlight {
            len: AtomicUsize::new(0),
            known: Mutex::new(Known {
                awaited: Awaited::new(ids_max),
                recent: Recent::new(ids_max),
            }),
        }
    }

    /// Whether no response is awaited.
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
        self.tell(&known);
        known.has(ids, now) || known.awaited.is_full_for(ids, now)
    }

    /// Checks all ids of a request, and keeps them. Says how many of others were forgotten for that.
    ///
    /// # Errors
    /// One of the ids is, or may be, that of a request whose response is awaited and looked at
    /// otherwise; or a response is to be looked at whose id was, or may have been, used lately, or
    /// for whose id there is no room. Nothing is kept then.
    pub fn enter(&self, request: Uuid, ids: &RequestIds, now: Timestamp) -> Result<usize, IdInUse> {
        if ids.awaited.is_empty() && ids.others.is_empty() {
            return Ok(0);
        }
        let mut known = self.lock();
        known.drop_old(now);
        let entered = known.enter(request, ids, now);
        self.tell(&known);
        entered
    }

    /// Sets the ids of a request free: it was answered.
    pub fn leave(&self, request: Uuid) {
        if self.is_empty() {
            return;
        }
        let mut known = self.lock();
        known.awaited.remove(request);
        self.tell(&known);
    }

    /// Keeps the ids of a request no longer than [`AFTER_ERROR_MAX`] from now on.
    pub fn expire_soon(&self, request: Uuid, now: Timestamp) {
        if !self.is_empty() {
            let until = end(now, AFTER_ERROR_MAX);
            self.lock().awaited.shorten(request, until);
        }
    }

    fn tell(&self, known: &Known) {
        self.len.store(known.awaited.len(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn drop_old(&mut self, now: Timestamp) {
        self.recent.drop_old(now);
        self.awaited.drop_old(now);
    }

    fn has(&self, ids: &RequestIds, now: Timestamp) -> bool {
        self.awaited.has(ids, now) || self.recent.has(ids, now)
    }

    fn enter(&mut self, request: Uuid, ids: &RequestIds, now: Timestamp) -> Result<usize, IdInUse> {
        if self.has(ids, now) {
            return Err(IdInUse);
        }
        let awaited = self.awaited.add(request, ids, now)?;
        let recent = self.recent.add(ids, now);
        Ok(awaited.saturating_add(recent))
    }
}

#[cfg(test)]
mod tests;
