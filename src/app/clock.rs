//! The clock of the process: the one place that asks the operating system for the time.

use jiff::Timestamp;

/// The clock of the process.
pub(super) const CLOCK: fn() -> Timestamp = Timestamp::now;

/// The present time, for commands that read files.
#[must_use]
pub fn now() -> Timestamp {
    CLOCK()
}
