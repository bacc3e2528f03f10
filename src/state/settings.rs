//! What can be configured of a store.

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
