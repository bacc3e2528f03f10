//! A file as read, and the id by which findings refer to it.

/// One file as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// How messages name it: its path as the operator wrote it.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// The index of a [`Source`] in its [`Findings`](super::Findings).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub(super) usize);
