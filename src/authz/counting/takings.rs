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
    /// The tool at hand, where tools are counted.
    pub tool: Option<Box<str>>,
}

/// A limit that a request has to be within.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitDemand {
    /// The rule that says so.
    pub rule: Arc<str>,
    /// Its message for the caller.
    pub message: Option<Arc<str>>,
    /// The limit.
    pub limit: Limit,
    /// Its counter.
    pub key: CounterKey,
}

/// A limit under which a request has to find a place, and which keeps it for as long as the
/// request is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenDemand {
    /// The rule that says so.
    pub rule: Arc<str>,
    /// Its message for the caller.
    pub message: Option<Arc<str>>,
    /// How many places there are.
    pub most: u32,
    /// Its counter.
    pub key: CounterKey,
}

/// What a request takes from limits, from all of them or from none. What is there twice is taken
/// twice.
///
/// The parts of one request that is answered once, such as the URIs of a subscription, have one
/// place together; calls they are each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Takings {
    /// Calls, of limits on how often.
    pub calls: Vec<LimitDemand>,
    /// Places, of limits on how many at once.
    pub places: Vec<OpenDemand>,
}

impl Takings {
    /// Adds what another part takes that stands or falls with this one: of a batch, or of a request
    /// that `is_one`.
    pub fn join(&mut self, other: Takings, is_one: bool) {
        self.calls.extend(other.calls);
        for place in other.places {
            if !is_one || !self.places.contains(&place) {
                self.places.push(place);
            }
        }
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.places.is_empty()
    }

    /// The rules that say so; some may be there twice.
    pub fn rules(&self) -> impl Iterator<Item = &Arc<str>> {
        let calls = self.calls.iter().map(|demand| &demand.rule);
        calls.chain(self.places.iter().map(|demand| &demand.rule))
    }

    /// The same but for these rules, from counters of their own.
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
