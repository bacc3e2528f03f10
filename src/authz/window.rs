//! Windows of behaviour and their readings, as plain data. `counting` determines which windows
//! matter.

use std::sync::Arc;
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

impl KeyPart {
    /// Every part, in the order of keys.
    pub const ALL: [KeyPart; 6] = [
        KeyPart::Subject,
        KeyPart::Agent,
        KeyPart::Tenant,
        KeyPart::Session,
        KeyPart::Server,
        KeyPart::Tool,
    ];

    /// Its name in a policy.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            KeyPart::Subject => "subject",
            KeyPart::Agent => "agent",
            KeyPart::Tenant => "tenant",
            KeyPart::Session => "session",
            KeyPart::Server => "server",
            KeyPart::Tool => "tool",
        }
    }

    /// Whether some requests lack it although they belong to one: a token need not name a client or
    /// a tenant, and not every request has a session.
    #[must_use]
    pub fn may_be_missing(self) -> bool {
        match self {
            KeyPart::Agent | KeyPart::Tenant | KeyPart::Session => true,
            KeyPart::Subject | KeyPart::Server | KeyPart::Tool => false,
        }
    }
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
    /// What is counted, if not everything.
    pub of: Option<CountedPart>,
    /// Parts of which every counted request lacks one. Empty unless it counts beside another window
    /// the requests that lack what that one counts by.
    pub lacking: Box<[KeyPart]>,
}

/// The part of the requests that a window counts: those that a block selects, or those of which
/// nobody can tell whether it does. The two are counted apart, because what is unknown is neither.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CountedPart {
    /// The block as a text, equal for equal blocks.
    pub name: Arc<str>,
    /// Whether the window counts the requests that the block surely selects.
    pub is_sure: bool,
}

impl Window {
    /// Whether it counts requests of which nobody can tell whether the other window counts them.
    #[must_use]
    pub fn is_unsure(&self) -> bool {
        !self.lacking.is_empty() || self.of.as_ref().is_some_and(|of| !of.is_sure)
    }

    /// The windows of the requests of which nobody can tell whether this one counts them. None if
    /// every request tells.
    pub fn unsure(&self) -> impl Iterator<Item = Window> {
        let unclear = self.of.as_ref().filter(|of| of.is_sure).map(|of| Window {
            of: Some(CountedPart {
                is_sure: false,
                ..of.clone()
            }),
            ..self.clone()
        });
        unclear.into_iter().chain(self.unplaced())
    }

    /// The window of the requests that lack something that this one counts by. Nobody can tell to
    /// which agent, tenant or session such a request belongs, so it may belong to each that the
    /// subject has, and each session only on its own server. Otherwise a caller would escape what is
    /// counted by leaving the session away.
    fn unplaced(&self) -> Option<Window> {
        let may_be_missing = |part: &KeyPart| part.may_be_missing();
        let lacking: Box<[KeyPart]> = self.by.iter().copied().filter(may_be_missing).collect();
        if lacking.is_empty() {
            return None;
        }
        let mut by = vec![KeyPart::Subject];
        if lacking.contains(&KeyPart::Session) {
            by.push(KeyPart::Server);
        }
        by.extend(self.by.iter().filter(|part| !part.may_be_missing()));
        by.sort_unstable();
        by.dedup();
        Some(Window {
            by: by.into(),
            lacking,
            ..self.clone()
        })
    }
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

    /// The same, as if no window of this count had counted anything.
    #[must_use]
    pub(super) fn without(&self, count: Count) -> Self {
        let readings = self.0.iter().map(|(window, reading)| {
            let is_emptied = window.count == count;
            (window.clone(), if is_emptied { Some(0) } else { *reading })
        });
        Readings(readings.collect())
    }

    /// Whether a window was read, known or not.
    pub(super) fn has(&self, window: &Window) -> bool {
        self.0.iter().any(|(known, _)| known == window)
    }
}
