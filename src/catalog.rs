//! What is known of the tools of each server: how they describe themselves, and whether that is
//! still what was accepted.
//!
//! A description is part of what a model acts on, so one that changes after it was looked at can
//! turn a harmless tool into another. Every tool of every list passes through
//! [`Catalog::observe`], those that the caller does not get to see too; a call asks for the
//! [`Catalog::standing`] of its tool. What was accepted is what the server's record says, or else
//! what was seen first in this process. A record also says what arguments a tool takes, which
//! those of a call can be held against ([`InputSchema`]).
//!
//! A server may describe a tool differently to different callers. That is a change each time it
//! is first seen, and where changes are refused, the tool is refused to everybody as long as the
//! definition seen last is not the accepted one.

mod description;
mod input_schema;
mod snapshot;
mod watch;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use jiff::Timestamp;

pub use description::{Annotations, InvalidRecord, PARTS, RecordedTool, digest, parse_record};
pub use input_schema::{InputSchema, InvalidArguments, UnusableSchema};
pub use snapshot::InvalidSnapshot;

use crate::authz::{HintedClass, Hints, TrustedHints, Value};
use crate::file::{self, Failing, ReadError, START_TIME_MAX};
use snapshot::{Accepted, Recorded, Snapshot};

/// What becomes of a tool whose definition changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnChange {
    /// It is audited and counted.
    #[default]
    Audit,
    /// It is also hidden and refused until the definition is accepted.
    Deny,
}

/// How far a server is trusted in what it says of its tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trust {
    /// What becomes of a tool whose definition changes.
    pub on_change: OnChange,
    /// Whether annotations are a source of classes.
    pub hints: bool,
}

/// One server, as far as its tools are watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedServer {
    /// Its configured name.
    pub name: String,
    /// How far it is trusted.
    pub trust: Trust,
    /// Its recorded and accepted `tools/list` result.
    pub snapshot: Option<PathBuf>,
    /// Whether the arguments of calls have to fit the recorded input schemas.
    pub check_arguments: bool,
}

/// What the catalog may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many tools of a server are remembered, besides those of its record.
    pub tools_max: usize,
    /// The longest name that is remembered, in bytes: no longer one can be called.
    pub name_bytes_max: usize,
}

/// How many definitions of a tool are told apart from those that were reported already.
const REPORTED_MAX: usize = 8;

/// The tools of every server. Reads take a short lock each.
#[derive(Debug)]
pub struct Catalog {
    servers: HashMap<String, ServerTools>,
    limits: Limits,
}

/// The tools of one server.
#[derive(Debug)]
struct ServerTools {
    trust: Trust,
    /// Whether unusable input schemas are told of.
    check_arguments: bool,
    path: Option<PathBuf>,
    /// Empty where there is no record.
    accepted: ArcSwap<Snapshot>,
    seen: Mutex<HashMap<Box<str>, Tool>>,
    failing: Mutex<Option<Failing>>,
}

/// What was seen of one tool.
#[derive(Debug)]
struct Tool {
    /// The definition that was seen first.
    first: Accepted,
    /// The digest that was seen last.
    last: Arc<str>,
    /// The digest that those reported differ from.
    against: Arc<str>,
    /// Digests that were reported as changes, the latest last.
    reported: Vec<Arc<str>>,
}

/// What a listed tool was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Whether this process sees the tool for the first time.
    pub is_new: bool,
    /// Whether the tool is remembered: there is room for it, or it is recorded.
    pub is_tracked: bool,
    /// A definition other than the accepted one, where it is to be reported: once for each.
    pub change: Option<Change>,
    /// Whether it is to be hidden, because this is not its accepted definition.
    pub is_refused: bool,
    /// What its annotations are worth; those of the accepted definition.
    pub hints: Hints,
}

/// A definition other than the accepted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The digest of what was seen.
    pub digest: Arc<str>,
    /// The digest of what was accepted.
    pub accepted: Arc<str>,
}

/// What a call of a tool has to know of it.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Whether it is to be refused, because the definition seen last is not the accepted one.
    pub is_refused: bool,
    /// What its annotations are worth; those of the accepted definition.
    pub hints: Hints,
    /// What the accepted definition says of the arguments, if it is recorded.
    pub input: Option<Arc<InputSchema>>,
    /// Whether the server's tools are known, by its record or by a list that passed by, and this
    /// is none of them.
    pub is_unlisted: bool,
}

impl Standing {
    /// Of what is no tool.
    #[must_use]
    pub fn of_none(hints: Hints) -> Self {
        Standing {
            is_refused: false,
            hints,
            input: None,
            is_unlisted: false,
        }
    }
}

/// What is known of one server's tools, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview<'c> {
    /// The server.
    pub server: &'c str,
    /// How many tools are recorded; none where there is no record.
    pub recorded: Option<usize>,
    /// How many were seen.
    pub seen: usize,
    /// How many of them are not described as was accepted.
    pub changed: usize,
    /// The record in place cannot be used.
    pub failing: Option<Failing>,
}

impl Catalog {
    /// Reads the records of the servers that have one. One that cannot be used is reported by
    /// [`Catalog::overview`] where nothing depends on it.
    ///
    /// # Errors
    /// A record that cannot be used, of a server that refuses changed tools, whose hints are
    /// trusted, or whose calls have to fit the record.
    pub fn open(
        servers: Vec<WatchedServer>,
        limits: Limits,
        now: Timestamp,
    ) -> Result<Self, InvalidSnapshot> {
        let mut by_name = HashMap::new();
        for server in servers {
            let trust = server.trust;
            let mut failing = None;
            let read = server.snapshot.as_deref().map(read_at_start).transpose();
            let is_needed =
                trust.hints || trust.on_change == OnChange::Deny || server.check_arguments;
            let accepted = match read {
                Ok(accepted) => accepted.unwrap_or_default(),
                Err(error) if is_needed => return Err(error),
                Err(error) => {
                    tracing::error!(server = server.name, "{error}");
                    failing = Some(Failing::after(None, error.to_string(), now));
                    Snapshot::default()
                }
            };
            if server.check_arguments {
                tell_unusable(&server.name, &accepted);
            }
            let known = ServerTools {
                trust,
                check_arguments: server.check_arguments,
                path: server.snapshot,
                accepted: ArcSwap::from_pointee(accepted),
                seen: Mutex::default(),
                failing: Mutex::new(failing),
            };
            by_name.insert(server.name, known);
        }
        Ok(Catalog {
            servers: by_name,
            limits,
        })
    }

    /// Takes note of a tool in a list: an object with this `name`. To be called for every tool of
    /// every list, those that are hidden too.
    #[must_use]
    pub fn observe(&self, server: &str, name: &str, tool: &Value<'_>) -> Observed {
        let Some(known) = self.servers.get(server) else {
            return Observed {
                is_new: false,
                is_tracked: false,
                change: None,
                is_refused: false,
                hints: Hints::Untrusted,
            };
        };
        let seen = Accepted {
            digest: digest(name, tool).into(),
            class: Annotations::of(tool).class(),
        };
        known.observe(name, seen, self.limits)
    }

    /// What a tool in a list is beside the accepted one, of which no note is taken.
    #[must_use]
    pub fn compare(&self, server: &str, name: &str, tool: &Value<'_>) -> Standing {
        let known = self.servers.get(server);
        known.map_or_else(
            || Standing::of_none(Hints::Untrusted),
            |known| known.compare(name, &digest(name, tool), self.limits),
        )
    }

    /// What a call of a tool has to know of it.
    #[must_use]
    pub fn standing(&self, server: &str, tool: &str) -> Standing {
        let known = self.servers.get(server);
        known.map_or_else(
            || Standing::of_none(Hints::Untrusted),
            |known| known.standing(tool, self.limits),
        )
    }

    /// Whether a list may show the tool, as far as is known: one that is not in the record of its
    /// server and was in no list does not show.
    #[must_use]
    pub fn may_be_listed(&self, server: &str, tool: &str) -> bool {
        let Some(known) = self.servers.get(server) else {
            return true;
        };
        let accepted = known.accepted.load();
        let seen = known.seen.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.is_empty() || accepted.contains_key(tool) || seen.contains_key(tool)
    }

    /// What annotations are worth for requests that are about no tool.
    #[must_use]
    pub fn hints(&self, server: &str) -> Hints {
        let known = self.servers.get(server);
        known.map_or(Hints::Untrusted, |known| known.hints(None))
    }

    /// What the records of the trusted servers say at this moment.
    #[must_use]
    pub fn trusted_hints(&self) -> TrustedHints {
        let mut hints = TrustedHints::default();
        for (name, known) in self.servers.iter().filter(|(_, known)| known.trust.hints) {
            let accepted = known.accepted.load();
            let class = |(tool, own): (&String, &Recorded)| (tool.clone(), own.accepted.class);
            let classes = accepted.iter().map(class);
            hints.insert(name, classes.collect());
        }
        hints
    }

    /// What the records of the servers say at this moment of the arguments of their tools, as far
    /// as there are defaults: by server and tool, an object shaped like the arguments.
    #[must_use]
    pub fn recorded_defaults(&self) -> HashMap<String, HashMap<String, Value<'static>>> {
        let mut all = HashMap::new();
        for (name, known) in &self.servers {
            let accepted = known.accepted.load();
            let has_some = |value: &Value<'_>| *value != Value::Map(Vec::new());
            let defaults = accepted
                .iter()
                .map(|(tool, own)| (tool.clone(), own.input.defaults().clone()))
                .filter(|(_, defaults)| has_some(defaults));
            all.insert(name.clone(), defaults.collect());
        }
        all
    }

    /// What is known of each server, by name.
    #[must_use]
    pub fn overview(&self) -> Vec<Overview<'_>> {
        let mut all: Vec<_> = self
            .servers
            .iter()
            .map(|(name, known)| known.overview(name))
            .collect();
        all.sort_by_key(|one| one.server);
        all
    }

    /// Reads the record of every server again. One that cannot be used changes nothing; the log
    /// and [`Catalog::overview`] say so.
    pub fn reload(&self, now: Timestamp) {
        for (name, known) in &self.servers {
            if let Some(path) = &known.path {
                known.take(name, path, snapshot::text(path), now);
            }
        }
    }

    /// The servers that have a record, by name.
    #[must_use]
    pub fn recorded_servers(&self) -> Vec<&str> {
        let servers = self.servers.iter();
        let mut names: Vec<&str> = servers
            .filter(|(_, known)| known.path.is_some())
            .map(|(name, _)| name.as_str())
            .collect();
        names.sort_unstable();
        names
    }
}

fn read_at_start(path: &Path) -> Result<Snapshot, InvalidSnapshot> {
    let place = path.to_owned();
    let text = file::within(START_TIME_MAX, move || snapshot::text(&place));
    snapshot::read(path, text.and_then(|text| text), &Snapshot::new())
}

impl ServerTools {
    fn observe(&self, name: &str, found: Accepted, limits: Limits) -> Observed {
        let recorded = self.accepted.load();
        let recorded = recorded.get(name).map(|recorded| &recorded.accepted);
        let mut seen = lock(&self.seen);
        let has_room = seen.len() < limits.tools_max && name.len() <= limits.name_bytes_max;
        let is_new = !seen.contains_key(name);
        if is_new && recorded.is_none() && !has_room {
            return Observed {
                is_new: false,
                is_tracked: false,
                change: None,
                is_refused: false,
                hints: self.hints(None),
            };
        }
        let tool = seen.entry(name.into()).or_insert_with(|| Tool {
            last: Arc::clone(&found.digest),
            against: Arc::clone(&found.digest),
            first: found.clone(),
            reported: Vec::new(),
        });
        tool.last = Arc::clone(&found.digest);
        let accepted = recorded.unwrap_or(&tool.first).clone();
        let is_other = accepted.digest != found.digest;
        if tool.against != accepted.digest {
            tool.against = Arc::clone(&accepted.digest);
            tool.reported.clear();
        }
        let is_reported = !is_other || tool.reported.contains(&found.digest);
        let change = (!is_reported).then(|| {
            if tool.reported.len() >= REPORTED_MAX {
                tool.reported.remove(0);
            }
            tool.reported.push(Arc::clone(&found.digest));
            Change {
                digest: found.digest,
                accepted: accepted.digest,
            }
        });
        Observed {
            is_new,
            is_tracked: true,
            change,
            is_refused: is_other && self.trust.on_change == OnChange::Deny,
            hints: self.hints(Some(accepted.class)),
        }
    }

    fn standing(&self, name: &str, limits: Limits) -> Standing {
        let last = lock(&self.seen)
            .get(name)
            .map(|tool| Arc::clone(&tool.last));
        self.beside_accepted(name, last.as_deref(), limits)
    }

    fn compare(&self, name: &str, digest: &str, limits: Limits) -> Standing {
        self.beside_accepted(name, Some(digest), limits)
    }

    /// What a tool of this digest is beside the accepted one.
    fn beside_accepted(&self, name: &str, digest: Option<&str>, limits: Limits) -> Standing {
        let record = self.accepted.load();
        let recorded = record.get(name);
        let seen = lock(&self.seen);
        let tool = seen.get(name);
        let accepted = recorded.map(|recorded| &recorded.accepted);
        let accepted = accepted.or_else(|| tool.map(|tool| &tool.first));
        let is_other = match (digest, accepted) {
            (Some(digest), Some(accepted)) => *digest != *accepted.digest,
            (_, _) => false,
        };
        // Of a server with more tools than can be remembered, not all are known.
        let knows_some = !record.is_empty() || !seen.is_empty();
        let knows_all = knows_some && seen.len() < limits.tools_max;
        Standing {
            is_refused: is_other && self.trust.on_change == OnChange::Deny,
            hints: self.hints(accepted.map(|accepted| accepted.class)),
            input: recorded.map(|recorded| Arc::clone(&recorded.input)),
            is_unlisted: accepted.is_none() && knows_all,
        }
    }

    fn hints(&self, class: Option<HintedClass>) -> Hints {
        if self.trust.hints {
            Hints::Trusted(class)
        } else {
            Hints::Untrusted
        }
    }

    fn overview<'c>(&'c self, server: &'c str) -> Overview<'c> {
        let recorded = self.accepted.load();
        let seen = lock(&self.seen);
        let is_other = |name: &str, tool: &Tool| {
            let accepted = recorded.get(name).map(|recorded| &recorded.accepted);
            let accepted = accepted.unwrap_or(&tool.first);
            tool.last != accepted.digest
        };
        let changed = seen.iter().filter(|(name, tool)| is_other(name, tool));
        Overview {
            server,
            recorded: self.path.is_some().then_some(recorded.len()),
            seen: seen.len(),
            changed: changed.count(),
            failing: lock(&self.failing).clone(),
        }
    }

    /// Takes what was read of the record into force, or says why it stays as it is.
    fn take(&self, server: &str, path: &Path, text: Result<String, ReadError>, now: Timestamp) {
        let read = snapshot::read(path, text, &self.accepted.load());
        let mut failing = lock(&self.failing);
        match read {
            Ok(accepted) => {
                *failing = None;
                if self.check_arguments {
                    tell_unusable(server, &accepted);
                }
                if accepted != **self.accepted.load() {
                    tracing::info!(server, tools = accepted.len(), "recorded tools in force");
                    self.accepted.store(Arc::new(accepted));
                }
            }
            Err(error) => {
                tracing::error!(server, "{error}; those in force stay");
                *failing = Some(Failing::after(failing.as_ref(), error.to_string(), now));
            }
        }
    }
}

/// Logs the tools whose calls are refused because nothing can be held against their schemas.
fn tell_unusable(server: &str, recorded: &Snapshot) {
    let mut tools: Vec<_> = recorded.iter().collect();
    tools.sort_by_key(|(name, _)| name.as_str());
    for (name, recorded) in tools {
        if let Some(error) = recorded.input.unusable() {
            let tool = name.escape_debug();
            tracing::error!(
                server,
                "the input schema of the recorded tool `{tool}` cannot be used, so its calls are refused: {error}"
            );
        }
    }
}

/// What is locked is whole after every step, so a panic elsewhere did not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
