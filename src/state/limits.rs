//! What limits ask of a store: calls for a time, and places for as long as a request is open.

use std::future::ready;

use jiff::Timestamp;
use uuid::Uuid;

use super::places::PlaceKey;
use super::reply::{Reply, StateUnavailable};
use crate::authz::{LimitDemand, OpenDemand, Opened, Taken};

/// Counts calls and open requests.
pub trait LimitStore {
    /// Takes one call from each limit, from all of them or from none. A limit of which something
    /// is forgotten, or for which there is no room in the store, has no room either.
    fn take<'a>(&'a self, limits: &'a [LimitDemand], now: Timestamp) -> Reply<'a, Taken>;

    /// Takes a place under each limit for a request, under all of them or under none. They are the
    /// request's until it is closed, or until it is late to be attended. A store without places
    /// cannot be asked for any.
    fn open<'a>(
        &'a self,
        places: &'a [OpenDemand],
        request: Uuid,
        now: Timestamp,
    ) -> Reply<'a, Opened> {
        let _ = (places, request, now);
        Reply::Now(ready(Err(StateUnavailable)))
    }

    /// The stream of a request's response has begun, here or anywhere: its places are kept until it
    /// is closed. Takes them if they are not taken, whatever the limits.
    fn attend(&self, places: &[PlaceKey], request: Uuid) {
        let _ = (places, request);
    }

    /// Gives back the places of a request, if it has them. May be called from a destructor, so a
    /// store that replicas share does the rest behind.
    fn close(&self, places: &[PlaceKey], request: Uuid) {
        let _ = (places, request);
    }
}
