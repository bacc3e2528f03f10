//! What is remembered from one request to the next: limits, windows of behaviour, sessions.
//!
//! A store is asked only for what the rules that may match a request need. [`Memory`] keeps it in
//! this process; a store that replicas share fits the same trait. Times are those of the check,
//! and a store never looks at a clock.

mod memory;

use std::fmt::Debug;
use std::pin::Pin;

use jiff::Timestamp;

use crate::authz::{CounterKey, LimitDemand, Readings, Taken, WindowDemand};

pub use memory::{Memory, WINDOW_SLOTS};

/// Remembers. Keys are told apart exactly, whatever is in them.
pub trait State: Debug + Send + Sync + 'static {
    /// What windows show, without this request except for the tool it names.
    fn read<'a>(&'a self, windows: &'a [WindowDemand], now: Timestamp) -> Reply<'a, Readings>;

    /// Takes one call from each limit, from all of them or from none.
    fn take<'a>(&'a self, limits: &'a [LimitDemand], now: Timestamp) -> Reply<'a, Taken>;

    /// Adds a request to windows.
    fn record<'a>(&'a self, windows: &'a [WindowDemand], now: Timestamp) -> Reply<'a, ()>;

    /// When a session was first asked about, which may be now.
    fn session_started<'a>(&'a self, key: &'a CounterKey, now: Timestamp) -> Reply<'a, Timestamp>;
}

/// What a store replies, in time.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, StateUnavailable>> + Send + 'a>>;

/// The store cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the state store is unavailable")]
pub struct StateUnavailable;

/// What is remembered, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How many counters, windows and sessions are remembered together.
    pub keys_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { keys_max: 100_000 }
    }
}
