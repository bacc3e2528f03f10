//! A watched file that cannot be used, for operators.

use jiff::Timestamp;

/// A watched file in place that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// When that was first noticed.
    pub since: Timestamp,
    /// Why.
    pub error: String,
}

impl Failing {
    /// The failure after an earlier one, whose beginning it keeps.
    #[must_use]
    pub fn after(earlier: Option<&Failing>, error: String, now: Timestamp) -> Self {
        Failing {
            since: earlier.map_or(now, |failing| failing.since),
            error,
        }
    }
}
