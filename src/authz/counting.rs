//! The counters that a request reads and takes from: limits and windows of behaviour.
//!
//! This code does not count. The evaluation names the counters that matter for a request, `state`
//! keeps them, and their values come back as data.

mod holder;
mod key;
mod takings;

pub use holder::{Holder, HolderKind};
pub use key::CounterKey;
pub(super) use key::check_parts;
use key::tool;
pub use takings::{LimitDemand, OpenDemand, Takings, WindowDemand};

use super::matching::Match;
use super::request::{AccessRequest, ActionKind};
use super::window::{Count, Window};

/// Whether the action counts as behaviour: opening a connection and listing do not.
pub(super) fn is_counted(request: &AccessRequest<'_>) -> bool {
    match request.action.kind {
        ActionKind::Use | ActionKind::Unknown => true,
        ActionKind::Open => false,
    }
}

/// Whether an action awaits a response: notifications, responses and ending a session do not.
pub(super) fn is_awaited(request: &AccessRequest<'_>) -> bool {
    let method = request.action.method;
    let is_told =
        method.starts_with("notifications/") || matches!(method, "response" | "DELETE" | "OPTIONS");
    !is_told || request.action.kind != ActionKind::Open
}

impl Window {
    /// What to read or record for a request. `Err` says that there is nothing, and why.
    pub(super) fn demand(&self, request: &AccessRequest<'_>) -> Result<WindowDemand, Match> {
        let name = match self.count {
            Count::Calls => "calls",
            Count::Denials => "denials",
            Count::DistinctTools => "distinct_tools",
        };
        let called = self.called(request)?;
        let name = format!("{name}:{}", self.per.as_millis());
        Ok(WindowDemand {
            key: CounterKey::new(name.as_bytes(), &self.by, request)?,
            window: self.clone(),
            // Tools with the same name on two servers are two tools.
            tool: called.map(|tool| format!("{}\0{tool}", request.server).into()),
        })
    }

    /// The current tool, for windows that count tools.
    fn called<'a>(&self, request: &AccessRequest<'a>) -> Result<Option<&'a str>, Match> {
        match self.count {
            Count::DistinctTools => tool(request).map(Some).ok_or(Match::No),
            Count::Calls | Count::Denials => Ok(None),
        }
    }

    /// Whether the reading exceeds `more_than`.
    pub(super) fn exceeds(&self, more_than: u32, request: &AccessRequest<'_>) -> Match {
        let counter = self.called(request);
        if let Err(none) = counter.and_then(|_| check_parts(&self.by, request)) {
            return none;
        }
        let reading = request.context.readings;
        let Some(reading) = reading.and_then(|readings| readings.reading(self)) else {
            return Match::Indeterminate;
        };
        let current = u64::from(self.count == Count::Calls && is_counted(request));
        Match::of(reading.saturating_add(current) > u64::from(more_than))
    }
}
