//! The content of one counter.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::authz::{Count, Window};
use crate::state::digest::ShortDigest;

/// How finely windows slide: an event counts for `per`, and for up to this fraction of `per`
/// longer, never shorter.
pub const WINDOW_SLOTS: u64 = 64;
/// One more than the most tools that a rule can name as a limit.
const TOOLS_MAX: usize = 101;
/// How many entries a collection grows by, which keeps spare capacity small.
const GROWTH: usize = 4;

/// The content of one counter. At most 32 bytes for a limit, 1.1 KiB for a window of counts, and
/// 2.5 KiB for a window of tools.
#[derive(Debug)]
pub(super) enum CounterCell {
    /// When the bucket is full, in nanoseconds since 1970.
    Limit(i128),
    /// Slots with their counts, oldest first.
    Window(VecDeque<(u64, u64)>),
    /// Tools with the slot of their last call.
    Tools(Vec<(ShortDigest, u64)>),
}

/// The slots of a window at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slots {
    /// The length of a slot, in microseconds.
    length: u64,
    /// The current slot.
    now: u64,
}

impl Slots {
    pub(super) fn new(window: &Window, now: Timestamp) -> Self {
        let length = window.per.as_micros().div_ceil(u128::from(WINDOW_SLOTS));
        let length = u64::try_from(length).unwrap_or(u64::MAX).max(1);
        let now = u64::try_from(now.as_microsecond()).unwrap_or(0);
        Slots {
            length,
            now: now.checked_div(length).unwrap_or(0),
        }
    }

    /// The oldest slot that lies partly within the window.
    fn oldest(self) -> u64 {
        self.now.saturating_sub(WINDOW_SLOTS)
    }

    /// When the current slot has left the window completely, in seconds since 1970.
    pub(super) fn over(self) -> i64 {
        let slot = self.now.saturating_add(WINDOW_SLOTS).saturating_add(1);
        let end = slot.saturating_mul(self.length).div_ceil(1_000_000);
        i64::try_from(end).unwrap_or(i64::MAX)
    }

    /// The longest time that an event stays within the window, in seconds.
    pub(super) fn longest(self) -> i64 {
        let slots = WINDOW_SLOTS.saturating_add(1);
        let longest = slots.saturating_mul(self.length).div_ceil(1_000_000);
        i64::try_from(longest).unwrap_or(i64::MAX)
    }
}

impl CounterCell {
    /// The content of a window after its first event; `None` if it counts tools and the event has
    /// none.
    pub(super) fn first(count: Count, tool: Option<ShortDigest>, slots: Slots) -> Option<Self> {
        match (count, tool) {
            (Count::DistinctTools, Some(tool)) => Some(CounterCell::Tools(vec![(tool, slots.now)])),
            (Count::DistinctTools, None) => None,
            (Count::Calls | Count::Denials, _) => {
                Some(CounterCell::Window([(slots.now, 1)].into()))
            }
        }
    }

    /// The reading of a window, with the current tool.
    pub(super) fn read(&self, at_hand: Option<ShortDigest>, slots: Slots) -> u64 {
        let oldest = slots.oldest();
        match self {
            CounterCell::Window(events) => events
                .iter()
                .filter(|(slot, _)| *slot >= oldest)
                .fold(0, |sum, (_, count)| sum.saturating_add(*count)),
            CounterCell::Tools(tools) => {
                let others = tools
                    .iter()
                    .filter(|(tool, slot)| *slot >= oldest && Some(*tool) != at_hand);
                let others = u64::try_from(others.count()).unwrap_or(u64::MAX);
                others.saturating_add(u64::from(at_hand.is_some()))
            }
            CounterCell::Limit(_) => u64::from(at_hand.is_some()),
        }
    }

    /// Adds an event to a window.
    pub(super) fn add(&mut self, tool: Option<ShortDigest>, slots: Slots) {
        let oldest = slots.oldest();
        match (self, tool) {
            (CounterCell::Window(events), _) => {
                while events.front().is_some_and(|(slot, _)| *slot < oldest) {
                    events.pop_front();
                }
                match events.back_mut() {
                    // A check that began earlier may arrive later: it counts in the latest slot.
                    Some((last, count)) if *last >= slots.now => *count = count.saturating_add(1),
                    Some(_) | None => {
                        if events.len() == events.capacity() {
                            events.reserve_exact(GROWTH);
                        }
                        events.push_back((slots.now, 1));
                    }
                }
            }
            (CounterCell::Tools(tools), Some(tool)) => {
                tools.retain(|(known, slot)| *known != tool && *slot >= oldest);
                if tools.len() >= TOOLS_MAX {
                    tools.remove(0);
                }
                if tools.len() == tools.capacity() {
                    tools.reserve_exact(GROWTH);
                }
                tools.push((tool, slots.now));
            }
            (CounterCell::Tools(_) | CounterCell::Limit(_), _) => {}
        }
    }
}
