//! Windows of behaviour and their readings, as plain data. `counting` says which of them matter.

use std::time::Duration;

/// One of the things by which calls are told apart.
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
    /// The tool on its server. Those that the server is known not to have are one.
    Tool,
}

/// What a window counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Count {
    /// Calls, whatever became of them, and the one at hand.
    Calls,
    /// Calls that were denied or challenged before.
    Denials,
    /// Tools that were called, and the one at hand.
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

/// Behaviour over a span of time that slides.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Window {
    /// What is counted.
    pub count: Count,
    /// How far back.
    pub per: Duration,
    /// Whose behaviour. Never empty, sorted, without repeats.
    pub by: Box<[KeyPart]>,
}

/// What windows showed for one request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Readings(Vec<(Window, Option<u64>)>);

impl Readings {
    /// Adds what a window showed: for [`Count::Calls`] the calls before this one, for
    /// [`Count::DistinctTools`] the tools with this one.
    pub fn insert(&mut self, window: Window, reading: u64) {
        self.0.push((window, Some(reading)));
    }

    /// Adds a window of which something was forgotten that would still count.
    pub fn insert_unknown(&mut self, window: Window) {
        self.0.push((window, None));
    }

    /// What a window showed, if it was read and is known.
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
