//! How full a store is, for operators.

use std::fmt::Debug;

use jiff::Timestamp;

/// Reports how full a store is.
pub trait Usage: Debug + Send + Sync + 'static {
    /// What is in memory now, and what was evicted. Does not block.
    fn usage(&self, now: Timestamp) -> StoreUsage;
}

/// What a store has in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreUsage {
    /// The number of limits and windows.
    pub counters: usize,
    /// Its sessions.
    pub sessions: BindingUsage,
    /// Its tasks.
    pub tasks: BindingUsage,
    /// What was evicted.
    pub forgotten: Forgotten,
}

/// What a store has in memory of one kind of binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BindingUsage {
    /// How many are bound.
    pub bound: usize,
    /// Whether so many were evicted that every unbound id is unknown to the subjects of some
    /// issuer.
    pub has_ended_first_use: bool,
}

/// How much was evicted because memory was full although it still mattered, since the store was
/// opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// Limits.
    pub limits: u64,
    /// Windows of behaviour, and events for which there was no room.
    pub windows: u64,
    /// Bindings of sessions.
    pub sessions: u64,
    /// Bindings of tasks.
    pub tasks: u64,
}
