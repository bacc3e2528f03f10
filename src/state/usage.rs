//! How full a store is, for operators.

use std::fmt::Debug;

use jiff::Timestamp;

/// Tells how full a store is.
pub trait Usage: Debug + Send + Sync + 'static {
    /// What is remembered now, and what was forgotten. Does not block.
    fn usage(&self, now: Timestamp) -> StoreUsage;
}

/// What a store remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreUsage {
    /// How many limits and windows.
    pub counters: usize,
    /// Its sessions.
    pub sessions: BindingUsage,
    /// Its tasks.
    pub tasks: BindingUsage,
    /// What was forgotten.
    pub forgotten: Forgotten,
}

/// What a store remembers of one kind of binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BindingUsage {
    /// How many are bound.
    pub bound: usize,
    /// Whether so many were forgotten that every id that is not bound is unknown to the subjects of
    /// some issuer.
    pub has_ended_first_use: bool,
}

/// How much was forgotten for want of room although it mattered, since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// Limits.
    pub limits: u64,
    /// Windows of behaviour, and events of those for which there was no room.
    pub windows: u64,
    /// Bindings of sessions.
    pub sessions: u64,
    /// Bindings of tasks.
    pub tasks: u64,
}
