//! Tracks which JSON-RPC ids of a session await an inspected response, and which were used
//! recently.
//!
//! Servers and bridges route a response only by the id of its request. While the response to a list
//! request is awaited, no other request of its session may use its id; otherwise the list could
//! arrive as the response to the other request. The service does not see when other requests are
//! answered, so their ids are kept for a short time: requests can overtake each other on their way
//! to the server.
//!
//! One process tracks these ids, in bounded memory. An evicted id may still be in use, so for as
//! long as that is likely, all ids of its owner count as used.

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

/// The ids in flight in one process.
#[derive(Debug)]
pub struct InFlight {
    /// How many ids are awaited, so that no check waits for the lock while there are none.
    len: AtomicUsize,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    awaited: Awaited,
    recent: Recent,
}

impl InFlight {
    /// Starts empty, with room for `ids_max` awaited ids, and as many recently used ids in each of
    /// two periods; at least one of each.
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

    /// Whether a request must not use its ids now. Records nothing.
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

    /// Checks and records all ids of a request. Returns how many other ids were evicted to make
    /// room.
    ///
    /// # Errors
    /// One of the ids is, or may be, that of a request whose response is awaited and inspected
    /// differently. Or a response is to be inspected and its id was, or may have been, used
    /// recently, or there is no room for it. Nothing is recorded then.
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

    /// Frees the ids of an answered request.
    pub fn leave(&self, request: Uuid) {
        if self.is_empty() {
            return;
        }
        let mut known = self.lock();
        known.awaited.remove(request);
        self.tell(&known);
    }

    /// Keeps the ids of a request for at most [`AFTER_ERROR_MAX`] from now on.
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
