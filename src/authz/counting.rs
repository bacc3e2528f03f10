//! What is counted, and by what: limits and windows of behaviour.
//!
//! Nothing is counted here. Evaluation says which counters matter for a request, and gets what
//! they show as data.

mod holder;

use std::sync::Arc;
use std::time::Duration;

pub use holder::{Holder, HolderKind};

use super::condition::Match;
use super::request::{AccessRequest, ActionKind, Resource};

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

/// How often something may be done: a bucket of `burst` calls that fills up again at the rate of
/// `calls` in `per`. Over time the rate holds; within one `per` at most `calls + burst` pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Calls in `per`; at least 1.
    pub calls: u32,
    /// The time in which they may be made.
    pub per: Duration,
    /// How many may be made at once; at least 1.
    pub burst: u32,
    /// Whose calls share the limit. Never empty, sorted, without repeats.
    pub by: Box<[KeyPart]>,
}

/// How many requests may be open at once: from their checks to the ends of their answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLimit {
    /// So many; at least 1.
    pub most: u32,
    /// Whose requests share the limit. Never empty, sorted, without repeats.
    pub by: Box<[KeyPart]>,
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

/// The exact name of a counter: no two counters share one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CounterKey {
    bytes: Box<[u8]>,
    holder: Holder,
}

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

impl CounterKey {
    /// The key as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whose the counter is.
    #[must_use]
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// A counter of this name.
    #[cfg(test)]
    pub(crate) fn named(name: &str) -> Self {
        CounterKey {
            bytes: name.as_bytes().into(),
            holder: Holder {
                kind: HolderKind::Server,
                issuer: None,
                name: name.into(),
                is_rehearsed: false,
            },
        }
    }

    /// The counter for what a request is by. `Err` is [`Match::No`] for a request that is not
    /// about such a thing at all, and [`Match::Indeterminate`] where a part is not known.
    fn new(name: &[u8], by: &[KeyPart], request: &AccessRequest<'_>) -> Result<Self, Match> {
        let mut key = Vec::with_capacity(128);
        add(&mut key, name);
        let subject = request.subject;
        for part in by {
            // INVARIANT: parts are sorted, so equal ones are in equal places; the tag says which.
            key.push(*part as u8);
            match part {
                KeyPart::Subject => add_all(&mut key, [&*subject.issuer, &subject.id]),
                KeyPart::Agent => {
                    let agent = subject.agent.as_deref().ok_or(Match::Indeterminate)?;
                    add_all(&mut key, [&*subject.issuer, agent]);
                }
                KeyPart::Tenant => {
                    let tenant = subject.tenant.as_deref().ok_or(Match::Indeterminate)?;
                    add_all(&mut key, [&*subject.issuer, tenant]);
                }
                KeyPart::Session => {
                    let session = request.session.ok_or(Match::Indeterminate)?;
                    let owner = [&*subject.issuer, &subject.id, request.server];
                    add_all(&mut key, owner);
                    add(&mut key, session.as_bytes());
                }
                KeyPart::Server => add(&mut key, request.server.as_bytes()),
                KeyPart::Tool => {
                    let tool = tool(request).ok_or(Match::No)?;
                    add(&mut key, request.server.as_bytes());
                    // Names that callers make up would be as many counters as they like.
                    if !request.context.tool_is_unlisted {
                        add(&mut key, tool.as_bytes());
                    }
                }
            }
        }
        Ok(CounterKey {
            bytes: key.into(),
            holder: Holder::of(by, request).ok_or(Match::Indeterminate)?,
        })
    }

    /// The same counter kept apart from the real one, for what is only rehearsed.
    #[must_use]
    pub fn within(&self, space: &str) -> Self {
        let mut key = Vec::with_capacity(self.bytes.len().saturating_add(16));
        add(&mut key, space.as_bytes());
        key.extend(&self.bytes);
        let holder = Holder {
            is_rehearsed: true,
            ..self.holder.clone()
        };
        CounterKey {
            bytes: key.into(),
            holder,
        }
    }
}

/// Every part with its length before it, so that no two lists of parts give the same bytes.
fn add(key: &mut Vec<u8>, part: &[u8]) {
    key.extend(part.len().to_be_bytes());
    key.extend(part);
}

fn add_all<const N: usize>(key: &mut Vec<u8>, parts: [&str; N]) {
    for part in parts {
        add(key, part.as_bytes());
    }
}

fn tool<'a>(request: &AccessRequest<'a>) -> Option<&'a str> {
    match request.resource {
        Resource::Tool(name) => Some(name),
        Resource::Server
        | Resource::Prompt(_)
        | Resource::Uri(_)
        | Resource::Template(_)
        | Resource::Task(_) => None,
    }
}

/// Whether a request has all that it would be counted by: the error of [`CounterKey::new`], without
/// a key.
fn check_parts(by: &[KeyPart], request: &AccessRequest<'_>) -> Result<(), Match> {
    let subject = request.subject;
    by.iter().try_for_each(|part| match part {
        KeyPart::Subject | KeyPart::Server => Ok(()),
        KeyPart::Agent => subject.agent.as_ref().map(drop).ok_or(Match::Indeterminate),
        KeyPart::Tenant => subject
            .tenant
            .as_ref()
            .map(drop)
            .ok_or(Match::Indeterminate),
        KeyPart::Session => request.session.map(drop).ok_or(Match::Indeterminate),
        KeyPart::Tool => tool(request).map(drop).ok_or(Match::No),
    })
}

/// Whether an action is behaviour that is counted: opening a connection and listing is not.
pub(super) fn is_counted(request: &AccessRequest<'_>) -> bool {
    match request.action.kind {
        ActionKind::Use | ActionKind::Unknown => true,
        ActionKind::Open => false,
    }
}

/// Whether an action waits for an answer: what is only told, and what ends a session, does not.
pub(super) fn is_awaited(request: &AccessRequest<'_>) -> bool {
    let method = request.action.method;
    let is_told =
        method.starts_with("notifications/") || matches!(method, "response" | "DELETE" | "OPTIONS");
    !is_told || request.action.kind != ActionKind::Open
}

impl OpenLimit {
    /// Whether there is a counter of the limit for a request.
    pub(super) fn check(&self, request: &AccessRequest<'_>) -> Result<(), Match> {
        check_parts(&self.by, request)
    }

    /// The counter of a rule's limit for a request, or whether there is none.
    pub(super) fn key(&self, rule: &str, request: &AccessRequest<'_>) -> Result<CounterKey, Match> {
        let mut name = b"open:".to_vec();
        name.extend(rule.as_bytes());
        CounterKey::new(&name, &self.by, request)
    }
}

impl Limit {
    /// Whether there is a counter of the limit for a request.
    pub(super) fn check(&self, request: &AccessRequest<'_>) -> Result<(), Match> {
        check_parts(&self.by, request)
    }

    /// The counter of a rule's limit for a request, or whether there is none.
    pub(super) fn key(&self, rule: &str, request: &AccessRequest<'_>) -> Result<CounterKey, Match> {
        let mut name = b"limit:".to_vec();
        name.extend(rule.as_bytes());
        CounterKey::new(&name, &self.by, request)
    }
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
