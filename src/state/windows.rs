//! What windows of behaviour need of a store.

use jiff::Timestamp;

use super::reply::Reply;
use crate::authz::{Readings, WindowDemand};

/// Remembers recent behaviour.
pub trait WindowStore {
    /// The readings of windows, without this request except for the tool it names. A window with
    /// evicted events reads as unknown.
    fn read<'a>(&'a self, windows: &'a [WindowDemand], now: Timestamp) -> Reply<'a, Readings>;

    /// Adds a request to windows.
    fn record<'a>(&'a self, windows: &'a [WindowDemand], now: Timestamp) -> Reply<'a, ()>;
}
