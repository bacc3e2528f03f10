//! What windows of behaviour ask of a store.

use jiff::Timestamp;

use super::reply::Reply;
use crate::authz::{Readings, WindowDemand};

/// Remembers what happened lately.
pub trait WindowStore {
    /// What windows show, without this request except for the tool it names. One of which
    /// something is forgotten is read as unknown.
    fn read<'a>(&'a self, windows: &'a [WindowDemand], now: Timestamp) -> Reply<'a, Readings>;

    /// Adds a request to windows.
    fn record<'a>(&'a self, windows: &'a [WindowDemand], now: Timestamp) -> Reply<'a, ()>;
}
