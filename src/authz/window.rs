//! Windows of behaviour and their readings, as plain data. `counting` determines which windows
//! matter.

use std::time::Duration;

/// A part of a counter's key: one thing by which calls are distinguished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyPart {
    /// Issuer and subject.
    Subject,
    /// Issuer and OAuth client.
    Agent,
    /// Issuer and tenant.
    Tenant,
    /// The session of a subject on a server.
    Session,
    /// The server.
    Server,
    /// The tool on its server. All tools that the server is known not to have count as one.
    Tool,
}

/// What a window counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Count {
    /// Calls, whatever their outcome, including the current one.
    Calls,
    /// Earlier calls that were denied or challenged.
    Denials,
    /// Tools that were called, including the current one.
    DistinctTools,
}

impl Count {
    /// The selector's name in a policy.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Count::Calls => "calls",
            Count::Denials => "denials",
            Count::DistinctTools => "distinct_tools",
        }
    }
}

/// Behaviour over a sliding span of time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Window {
    /// What is counted.
    pub count: Count,
    /// The length of the span.
    pub per: Duration,
    /// Whose behaviour is counted. Never empty, sorted, without repeats.
    pub by: Box<[KeyPart]>,
}

/// The readings of windows for one request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Readings(Vec<(Window, Option<u64>)>);

impl Readings {
    /// Adds the reading of a window: for [`Count::Calls`] the calls before this one, for
    /// [`Count::DistinctTools`] the tools including this one.
    pub fn insert(&mut self, window: Window, reading: u64) {
        self.0.push((window, Some(reading)));
    }

    /// Adds a window that lost events which would still count.
    pub fn insert_unknown(&mut self, window: Window) {
        self.0.push((window, None));
    }

    /// The reading of a window, if it was read and is known.
    #[must_use]
    pub fn reading(&self, window: &Window) -> Option<u64> {
        let found = self.0.iter().find(|(known, _)| known == window);
        found.and_then(|(_, reading)| *reading)
    }

    /// Whether a window was read, known or not.
    pub(super) fn has(&self, window: &Window) -> bool {
        self.0.iter().any(|(known, _)| known == window)
    }
}
