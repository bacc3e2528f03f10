//! Settings of a store.

/// What a store keeps in memory, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateSettings {
    /// How many counters and windows together, and for how many holders it records that some were
    /// evicted.
    pub keys_max: usize,
    /// How many sessions, how many evicted sessions, and as many tasks and evicted tasks in
    /// addition.
    pub bindings_max: usize,
}

impl Default for StateSettings {
    fn default() -> Self {
        StateSettings {
            keys_max: 100_000,
            bindings_max: 100_000,
        }
    }
}
