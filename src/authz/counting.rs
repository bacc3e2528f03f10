//! The counters that a request reads and takes from: limits and windows of behaviour.
//!
//! This code does not count. The evaluation names the counters that matter for a request, `state`
//! keeps them, and their values come back as data.

mod holder;
mod key;
mod takings;

use std::fmt::Write as _;

pub use holder::{Holder, HolderKind};
pub use key::CounterKey;
pub(super) use key::check_parts;
use key::tool;
pub use takings::{LimitDemand, OpenDemand, Takings, WindowDemand};

use super::classified::ClassifiedRequest;
use super::matching::Match;
use super::request::{AccessRequest, ActionKind};
use super::selectors::{Behaviour, CountedWindow};
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

impl CountedWindow {
    /// What to read for a request. `Err` says that there is nothing, and why.
    pub(super) fn reading_demand(
        &self,
        target: &ClassifiedRequest<'_>,
    ) -> Result<WindowDemand, Match> {
        let mut lacking = target.request.lacking(&self.window.lacking);
        match lacking.next() {
            // It cannot be counted by the other window either.
            Some(_) => Err(Match::Indeterminate),
            None => self.demand(target),
        }
    }

    /// What to read or record for a request. `Err` says that there is nothing, and why.
    pub(super) fn demand(&self, target: &ClassifiedRequest<'_>) -> Result<WindowDemand, Match> {
        let request = target.request;
        let called = self.called(target)?;
        let Window {
            count,
            per,
            by,
            of,
            lacking,
        } = &self.window;
        let mut name = format!("{}:{}", count.name(), per.as_millis());
        // Writing to a string cannot fail.
        for part in lacking {
            let _ok = write!(name, ":without {}", part.name());
        }
        if let Some(of) = of {
            let mark = if of.is_sure { "of" } else { "perhaps" };
            let _ok = write!(name, ":{mark}:{}", of.name);
        }
        Ok(WindowDemand {
            key: CounterKey::new(name.as_bytes(), by, request)?,
            window: self.window.clone(),
            // Tools with the same name on two servers are two tools.
            tool: called.map(|tool| format!("{}\0{tool}", request.server).into()),
        })
    }

    /// The current tool, for windows that count tools.
    fn called<'a>(&self, target: &ClassifiedRequest<'a>) -> Result<Option<&'a str>, Match> {
        match (self.window.count, &self.of) {
            (Count::DistinctTools, of) => match tool(target.request) {
                None if of.is_none() => Err(Match::No),
                called => Ok(called.filter(|_| self.counts(target))),
            },
            (Count::Calls | Count::Denials, _) => Ok(None),
        }
    }
}

impl Behaviour {
    /// Whether more was counted than `more_than`. What may or may not have been counted makes the
    /// result unknown where it decides.
    pub(super) fn is_exceeded(&self, target: &ClassifiedRequest<'_>) -> Match {
        let request = target.request;
        let window = &self.counted.window;
        let counter = self.counted.called(target);
        if let Err(none) = counter.and_then(|_| check_parts(&window.by, request)) {
            return none;
        }
        let is_counted = window.count == Count::Calls && is_counted(request);
        let current = if is_counted {
            self.counted.selects(target)
        } else {
            Match::No
        };
        let read = |one: &CountedWindow| request.context.readings?.reading(&one.window);
        let Some(sure) = read(&self.counted) else {
            return Match::Indeterminate;
        };
        let sure = sure.saturating_add(u64::from(current == Match::Yes));
        if sure > u64::from(self.more_than) {
            return Match::Yes;
        }
        let mut unsure = self.unsure.iter().map(read);
        let before = unsure.try_fold(sure, |sum, reading| Some(sum.saturating_add(reading?)));
        let Some(before) = before else {
            return Match::Indeterminate;
        };
        if before > u64::from(self.more_than) {
            return Match::Indeterminate;
        }
        let is_current_unsure = matches!(current, Match::Unknown | Match::Indeterminate);
        let with_current = before.saturating_add(u64::from(is_current_unsure));
        if with_current > u64::from(self.more_than) {
            return current;
        }
        Match::No
    }
}
