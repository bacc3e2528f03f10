//! What is remembered from one request to the next: limits, windows of behaviour, and to whom
//! sessions and tasks belong.
//!
//! A store is asked only for what the rules that may match a request need. [`Memory`] keeps it in
//! this process; a store that replicas share fits the same trait. Times are those of the check,
//! and a store never looks at a clock.

mod binding;
mod in_flight;
mod memory;
mod open;

use std::fmt::{Debug, Formatter};
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use uuid::Uuid;

use crate::authz::{LimitDemand, OpenDemand, Opened, Readings, Taken, WindowDemand};

pub use binding::{Bind, Binding, BindingKey, BindingKind, Owner, Whose};
pub use in_flight::{
    AFTER_ERROR_MAX, IN_FLIGHT_MAX, IdInUse, InFlight, RECENT_MIN, RequestIds, RequestKey,
};
pub use memory::{Forgotten, Memory, WINDOW_SLOTS};
pub(crate) use memory::{Party, Shares};
pub use open::{PlaceKey, Places, UNATTENDED_MAX};

/// Remembers. Keys are told apart exactly, whatever is in them.
///
/// A store may forget for want of room, but what it forgot is unknown from then on, never zero and
/// never free: a window gives no reading, a limit has no room, an id is [`Whose::Unknown`]. A
/// reading is never less than what happened. A store that cannot tell fails.
pub trait State: Debug + Send + Sync + 'static {
    /// What windows show, without this request except for the tool it names. One of which
    /// something is forgotten is read as unknown.
    fn read<'a>(&'a self, windows: &'a [WindowDemand], now: Timestamp) -> Reply<'a, Readings>;

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

    /// The stream of a request's answer has begun, here or anywhere: its places are kept until it
    /// is closed. Takes them if they are not taken, whatever the limits.
    fn attend(&self, places: &[PlaceKey], request: Uuid) {
        let _ = (places, request);
    }

    /// Gives back the places of a request, if it has them. May be called from a destructor, so a
    /// store that replicas share does the rest behind.
    fn close(&self, places: &[PlaceKey], request: Uuid) {
        let _ = (places, request);
    }

    /// Adds a request to windows.
    fn record<'a>(&'a self, windows: &'a [WindowDemand], now: Timestamp) -> Reply<'a, ()>;

    /// Whose each of these is, in their order, as far as one who asks is told: what is nobody's to
    /// some may be unknown to others.
    fn bindings<'a>(
        &'a self,
        keys: &'a [BindingKey],
        asking: Owner,
        now: Timestamp,
    ) -> Reply<'a, Vec<Whose>>;

    /// Binds each of these, by itself, and says in their order whose it is after that. What is
    /// bound [`Bind::Anew`] always is.
    fn bind<'a>(
        &'a self,
        keys: &'a [BindingKey],
        owner: Owner,
        how: Bind,
        now: Timestamp,
    ) -> Reply<'a, Vec<Whose>>;
}

/// What a store replies: at once, or in time.
pub enum Reply<'a, T> {
    /// It is known already.
    Now(Ready<Result<T, StateUnavailable>>),
    /// It has to be waited for.
    Later(Pin<Box<dyn Future<Output = Result<T, StateUnavailable>> + Send + 'a>>),
}

impl<T> Reply<'_, T> {
    /// A reply that is known already.
    pub fn now(reply: T) -> Self {
        Reply::Now(ready(Ok(reply)))
    }
}

impl<T> Future for Reply<'_, T> {
    type Output = Result<T, StateUnavailable>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Reply::Now(reply) => Pin::new(reply).poll(cx),
            Reply::Later(reply) => reply.as_mut().poll(cx),
        }
    }
}

impl<T> Debug for Reply<'_, T> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Reply::Now(_) => "Now",
            Reply::Later(_) => "Later",
        })
    }
}

/// The store cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the state store is unavailable")]
pub struct StateUnavailable;

/// What is remembered, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How many counters and windows are remembered together, and of how many holders that they
    /// have lost some.
    pub keys_max: usize,
    /// How many sessions are remembered, and how many that were forgotten; and besides them as
    /// many tasks.
    pub bindings_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            keys_max: 100_000,
            bindings_max: 100_000,
        }
    }
}

/// The first half of a SHA-256: long enough that no two names meet, and of one size whatever a
/// client calls itself.
pub(crate) type Digest = [u8; 16];

fn short_digest(bytes: &[u8]) -> Digest {
    let digest = digest(&SHA256, bytes);
    let mut short = Digest::default();
    for (to, from) in short.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    short
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;
