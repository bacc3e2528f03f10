//! Which counters a request reads and takes from: limits and windows of behaviour.
//!
//! Nothing is counted here. The evaluation names the counters that matter for a request, `state`
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

/// Whether an action is behaviour that is counted: opening a connection and listing is not.
pub(super) fn is_counted(request: &AccessRequest<'_>) -> bool {
    match request.action.kind {
        ActionKind::Use | ActionKind::Unknown => true,
        ActionKind::Open => false,
    }
}

/// Whether an action waits for a response: what is only told, and what ends a session, does not.
pub(super) fn is_awaited(request: &AccessRequest<'_>) -> bool {
    let method = request.action.method;
    let is_told =
        method.starts_with("notifications/") || matches!(method, "response" | "DELETE" | "OPTIONS");
    !is_told || request.action.kind != ActionKind::Open
}

impl Window {
    /// What has to be read or recorded for a request, or whether there is nothing.
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
            // Tools of one name on two servers are two tools.
            tool: called.map(|tool| format!("{}\0{tool}", request.server).into()),
        })
    }

    /// The tool at hand, where tools are counted.
    fn called<'a>(&self, request: &AccessRequest<'a>) -> Result<Option<&'a str>, Match> {
        match self.count {
            Count::DistinctTools => tool(request).map(Some).ok_or(Match::No),
            Count::Calls | Count::Denials => Ok(None),
        }
    }

    /// Whether there was more than `more_than` of what is counted.
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
