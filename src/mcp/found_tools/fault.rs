//! Why the result of a search cannot be filtered.

/// Why the result of a search cannot be filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnclearResult {
    /// It is not JSON, has a key twice, or nests too deep.
    #[error("the result cannot be read as JSON")]
    NotJson,
    /// It is not an object.
    #[error("the result is not an object")]
    NotAnObject,
    /// A key is nearly that of a member of results.
    #[error("a key of the result is nearly that of another member")]
    Ambiguous,
    /// It stands for a task, whose result comes later.
    #[error("the result comes later, as that of a task")]
    Task,
    /// A part of it has no list where the configuration says.
    #[error("a part of the result has no list at the configured path")]
    NoList,
}
