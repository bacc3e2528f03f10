//! Limits as token buckets.

use crate::authz::Limit;

/// The generic cell rate algorithm (ITU-T I.371). It represents a bucket by the moment at which it
/// is full, in nanoseconds since 1970. It is exact except for the rounding of `per / calls` to
/// nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallBucket {
    /// How long it takes to regain one call.
    pub(super) interval: i128,
    /// How long an empty bucket takes to fill.
    pub(super) fill: i128,
}

impl CallBucket {
    pub(super) fn new(limit: &Limit) -> Self {
        let per = i128::try_from(limit.per.as_nanos()).unwrap_or(i128::from(i64::MAX));
        let interval = per.checked_div(i128::from(limit.calls)).unwrap_or(per);
        CallBucket {
            interval,
            fill: interval.saturating_mul(i128::from(limit.burst)),
        }
    }

    /// When the bucket is full after one more call, or how long to wait. A clock that was set back
    /// must not keep callers out for longer than an empty bucket does.
    pub(super) fn take(&self, full_at: i128, now: i128) -> Result<i128, i128> {
        let known = full_at.clamp(now, now.saturating_add(self.fill));
        let after = known.saturating_add(self.interval);
        let wait = after.saturating_sub(self.fill).saturating_sub(now);
        if wait > 0 { Err(wait) } else { Ok(after) }
    }
}
