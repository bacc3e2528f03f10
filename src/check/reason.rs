//! The stable reason codes, one for each way a request can end.

/// Why a request ended as it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Everything asked for was granted.
    Allowed,
}
