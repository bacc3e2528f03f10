//! The windows that a request reads, and what it takes from limits.

use std::sync::Arc;

use super::key::CounterKey;
use crate::authz::limit::Limit;
use crate::authz::window::Window;

/// A window that matters for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowDemand {
    /// The window.
    pub window: Window,
    /// Its counter.
    pub key: CounterKey,
    /// The current tool, for windows that count tools.
    pub tool: Option<Box<str>>,
}

/// A limit that a request must be within.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitDemand {
    /// The limit rule.
    pub rule: Arc<str>,
    /// Its message for the caller.
    pub message: Option<Arc<str>>,
    /// The limit.
    pub limit: Limit,
    /// Its counter.
    pub key: CounterKey,
}

/// A limit under which a request must find a place, and holds it for as long as it is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenDemand {
    /// The limit rule.
    pub rule: Arc<str>,
    /// Its message for the caller.
    pub message: Option<Arc<str>>,
    /// How many places there are.
    pub most: u32,
    /// Its counter.
    pub key: CounterKey,
}

/// What a request takes from limits, from all of them or from none. A limit that occurs twice is
/// taken from twice.
///
/// The parts of one request with one response, such as the URIs of a subscription, share one place,
/// but each counts as a call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Takings {
    /// Calls, for limits on frequency.
    pub calls: Vec<LimitDemand>,
    /// Places, for limits on open requests.
    pub places: Vec<OpenDemand>,
}

impl Takings {
    /// Adds the takings of another part that passes or fails together with this one: of a batch, or
    /// of a request that `is_one`.
    pub fn join(&mut self, other: Takings, is_one: bool) {
        self.calls.extend(other.calls);
        for place in other.places {
            if !is_one || !self.places.contains(&place) {
                self.places.push(place);
            }
        }
    }

    /// Leaves out the calls that another part takes for both.
    pub fn leave_out(&mut self, taken: &[LimitDemand]) {
        self.calls.retain(|demand| !taken.contains(demand));
    }

    /// Whether nothing is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.places.is_empty()
    }

    /// The limit rules, possibly with repeats.
    pub fn rules(&self) -> impl Iterator<Item = &Arc<str>> {
        let calls = self.calls.iter().map(|demand| &demand.rule);
        calls.chain(self.places.iter().map(|demand| &demand.rule))
    }

    /// The same takings without those of the rules `but`, from counters in a separate space.
    #[must_use]
    pub fn aside(&self, but: &[Arc<str>], space: &str) -> Self {
        let calls = self
            .calls
            .iter()
            .filter(|demand| !but.contains(&demand.rule));
        let places = self
            .places
            .iter()
            .filter(|demand| !but.contains(&demand.rule));
        Takings {
            calls: calls
                .map(|demand| LimitDemand {
                    key: demand.key.within(space),
                    ..demand.clone()
                })
                .collect(),
            places: places
                .map(|demand| OpenDemand {
                    key: demand.key.within(space),
                    ..demand.clone()
                })
                .collect(),
        }
    }
}
