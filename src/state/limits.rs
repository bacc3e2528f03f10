//! What limits need of a store: calls per time, and places for as long as a request is open.

use std::future::ready;

use jiff::Timestamp;
use uuid::Uuid;

use super::places::PlaceKey;
use super::reply::{Reply, StateUnavailable};
use crate::authz::{LimitDemand, OpenDemand, Opened, Taken};

/// Counts calls and open requests.
pub trait LimitStore {
    /// Takes one call from each limit, from all of them or from none. A limit has no room if the
    /// store has evicted some of its calls or has no room for it.
    fn take<'a>(&'a self, limits: &'a [LimitDemand], now: Timestamp) -> Reply<'a, Taken>;

    /// Takes a place under each limit for a request, under all of them or under none. The request
    /// holds them until it is closed, or until its stream is overdue. A store without places fails.
    fn open<'a>(
        &'a self,
        places: &'a [OpenDemand],
        request: Uuid,
        now: Timestamp,
    ) -> Reply<'a, Opened> {
        let _ = (places, request, now);
        Reply::Now(ready(Err(StateUnavailable)))
    }

    /// Reports that the stream of a request's response has begun, in this replica or another: its
    /// places are kept until it is closed. Takes the places if they are not taken, whatever the
    /// limits.
    fn attend(&self, places: &[PlaceKey], request: Uuid) {
        let _ = (places, request);
    }

    /// Frees the places of a request, if it holds any. May be called from a destructor, so a shared
    /// store does the rest in the background.
    fn close(&self, places: &[PlaceKey], request: Uuid) {
        let _ = (places, request);
    }
}
