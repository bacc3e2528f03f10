//! The tools of one server: what was accepted of them, what was seen, and how the two compare.

mod listed;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::input_schema::InputSchema;
use super::marks::ToolMarks;
use super::settings::{CatalogLimits, OnChange, OnUnknown, Trust, WatchedServer};
use super::snapshot::{self, Accepted, InvalidSnapshot, Snapshot};
use super::told::Told;
use crate::authz::{HintedClass, Hints};
use crate::file::{self, Failing, ReadError, START_TIME_MAX};

pub use listed::{ListedTool, ListedTools};

/// How many definitions of a tool are told apart from those that were reported already.
pub(super) const REPORTED_MAX: usize = 8;

/// The tools of one server.
#[derive(Debug)]
pub(super) struct ServerTools {
    pub(super) trust: Trust,
    /// Whether unusable input schemas are told of.
    check_arguments: bool,
    pub(super) path: Option<PathBuf>,
    /// Empty where there is no record.
    pub(super) accepted: ArcSwap<Snapshot>,
    /// The tools of the record by their pages.
    pages: ArcSwap<Pages>,
    seen: Arc<Mutex<HashMap<Arc<str>, SeenTool>>>,
    /// Whether a list has shown a tool that there was no room to remember.
    has_untracked: Arc<AtomicBool>,
    pub(super) told: Arc<Told>,
    failing: Mutex<Option<Failing>>,
}

/// What was seen of one tool.
#[derive(Debug)]
struct SeenTool {
    /// The definition that was seen first.
    first: Accepted,
    /// What that definition marks.
    marks: Arc<ToolMarks>,
    /// The digest that was seen last.
    last: Arc<str>,
    /// Whether any other definition than the first was seen.
    has_others: bool,
    /// The digest that those reported differ from.
    against: Arc<str>,
    /// Digests that were reported as changes, the latest last.
    reported: Vec<Arc<str>>,
    first_seen: Timestamp,
    last_seen: Timestamp,
}

/// What a listed tool was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Whether this process sees the tool for the first time.
    pub is_new: bool,
    /// Whether the tool is remembered: there is room for it, or it is recorded.
    pub is_tracked: bool,
    /// A definition other than the accepted one, where it is to be reported: once for each.
    pub change: Option<ToolChange>,
    /// Why it is to be hidden, if it is.
    pub refusal: Option<ToolRefusal>,
    /// What its annotations are worth; those of the accepted definition.
    pub hints: Hints,
}

/// A definition other than the accepted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolChange {
    /// The digest of what was seen.
    pub digest: Arc<str>,
    /// The digest of what was accepted.
    pub accepted: Arc<str>,
}

/// Why a tool is hidden and refused whatever the policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolRefusal {
    /// It is not in the record.
    Unknown,
    /// The definition seen last is not the accepted one.
    Changed,
}

/// What a call of a tool has to know of it.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Why it is to be refused, if it is.
    pub refusal: Option<ToolRefusal>,
    /// What its annotations are worth; those of the accepted definition.
    pub hints: Hints,
    /// What the accepted definition says of the arguments, if it is recorded.
    pub input: Option<Arc<InputSchema>>,
    /// What the definition marks that the server has given whenever it was seen, and that of the
    /// record if there is one. None if it is not known which one its clients go by.
    pub marks: Option<Arc<ToolMarks>>,
    /// Whether the server's tools are known, by its record or by a list that passed by, and this
    /// is none of them.
    pub is_unlisted: bool,
}

impl Standing {
    /// Of what is no tool.
    #[must_use]
    pub fn of_none(hints: Hints) -> Self {
        Standing {
            refusal: None,
            hints,
            input: None,
            marks: None,
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

impl ServerTools {
    /// Whether these are the tools of a server with exactly these settings.
    pub(super) fn is_of(&self, server: &WatchedServer) -> bool {
        let WatchedServer {
            name: _,
            trust,
            snapshot,
            check_arguments,
        } = server;
        (self.trust, self.check_arguments, &self.path) == (*trust, *check_arguments, snapshot)
    }

    /// Reads the record of a server, if it has one. What was seen of its tools is that of the server
    /// with its earlier settings.
    ///
    /// # Errors
    /// A record that cannot be used, where something depends on it.
    pub(super) fn open(
        server: WatchedServer,
        now: Timestamp,
        earlier: Option<&ServerTools>,
    ) -> Result<Self, InvalidSnapshot> {
        let trust = server.trust;
        let mut failing = None;
        let read = server.snapshot.as_deref().map(read_at_start).transpose();
        let is_needed = trust.needs_record() || server.check_arguments;
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
        Ok(ServerTools {
            trust,
            check_arguments: server.check_arguments,
            path: server.snapshot,
            pages: ArcSwap::from_pointee(pages(&accepted)),
            accepted: ArcSwap::from_pointee(accepted),
            seen: earlier.map_or_else(Arc::default, |earlier| Arc::clone(&earlier.seen)),
            has_untracked: earlier
                .map_or_else(Arc::default, |earlier| Arc::clone(&earlier.has_untracked)),
            told: earlier.map_or_else(Arc::default, |earlier| Arc::clone(&earlier.told)),
            failing: Mutex::new(failing),
        })
    }

    /// Whether a list may show the tool, as far as is known.
    pub(super) fn may_list(&self, tool: &str) -> bool {
        let accepted = self.accepted.load();
        let seen = lock(&self.seen);
        accepted.is_empty() || accepted.contains_key(tool) || seen.contains_key(tool)
    }

    /// The recorded tools that have this page. Another definition that was seen changes nothing.
    pub(super) fn tools_of_page(&self, page: &str) -> Vec<String> {
        self.pages.load().get(page).cloned().unwrap_or_default()
    }

    pub(super) fn observe(
        &self,
        name: &str,
        found: Accepted,
        marks: &ToolMarks,
        limits: CatalogLimits,
        now: Timestamp,
    ) -> Observed {
        let recorded = self.accepted.load();
        let recorded = recorded.get(name).map(|recorded| &recorded.accepted);
        let mut seen = lock(&self.seen);
        let has_room = seen.len() < limits.tools_max && name.len() <= limits.name_bytes_max;
        let is_new = !seen.contains_key(name);
        if is_new && recorded.is_none() && !has_room {
            self.has_untracked.store(true, Ordering::Relaxed);
            return Observed {
                is_new: false,
                is_tracked: false,
                change: None,
                refusal: self.refusal(false, false),
                hints: self.hints(None),
            };
        }
        let tool = seen.entry(name.into()).or_insert_with(|| SeenTool {
            last: Arc::clone(&found.digest),
            against: Arc::clone(&found.digest),
            first: found.clone(),
            marks: Arc::new(marks.clone()),
            has_others: false,
            reported: Vec::new(),
            first_seen: now,
            last_seen: now,
        });
        tool.last_seen = now.max(tool.last_seen);
        tool.last = Arc::clone(&found.digest);
        tool.has_others |= tool.first.digest != found.digest;
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
            ToolChange {
                digest: found.digest,
                accepted: accepted.digest,
            }
        });
        Observed {
            is_new,
            is_tracked: true,
            change,
            refusal: self.refusal(recorded.is_some(), is_other),
            hints: self.hints(Some(accepted.class)),
        }
    }

    pub(super) fn standing(&self, name: &str, limits: CatalogLimits) -> Standing {
        let last = lock(&self.seen)
            .get(name)
            .map(|tool| Arc::clone(&tool.last));
        self.beside_accepted(name, last.as_deref(), limits)
    }

    pub(super) fn compare(&self, name: &str, digest: &str, limits: CatalogLimits) -> Standing {
        self.beside_accepted(name, Some(digest), limits)
    }

    /// What a tool of this digest is beside the accepted one.
    fn beside_accepted(&self, name: &str, digest: Option<&str>, limits: CatalogLimits) -> Standing {
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
        let marks = match (recorded, tool) {
            (_, Some(tool)) if tool.has_others => None,
            (Some(recorded), Some(tool)) if recorded.accepted.digest != tool.last => None,
            (Some(recorded), _) => Some(Arc::clone(&recorded.marks)),
            (None, Some(tool)) => Some(Arc::clone(&tool.marks)),
            (None, None) => None,
        };
        // Of a server with more tools than can be remembered, not all are known.
        let knows_some = !record.is_empty() || !seen.is_empty();
        let knows_all = knows_some && seen.len() < limits.tools_max;
        Standing {
            refusal: self.refusal(recorded.is_some(), is_other),
            hints: self.hints(accepted.map(|accepted| accepted.class)),
            input: recorded.map(|recorded| Arc::clone(&recorded.input)),
            marks,
            is_unlisted: accepted.is_none() && knows_all,
        }
    }

    /// Why a tool is refused that is recorded or not, and not described as was accepted or so.
    fn refusal(&self, is_recorded: bool, is_other: bool) -> Option<ToolRefusal> {
        if !is_recorded && self.trust.on_unknown == OnUnknown::Deny {
            return Some(ToolRefusal::Unknown);
        }
        let is_changed = is_other && self.trust.on_change == OnChange::Deny;
        is_changed.then_some(ToolRefusal::Changed)
    }

    pub(super) fn hints(&self, class: Option<HintedClass>) -> Hints {
        if self.trust.hints {
            Hints::Trusted(class)
        } else {
            Hints::Untrusted
        }
    }

    pub(super) fn overview<'c>(&'c self, server: &'c str) -> Overview<'c> {
        let recorded = self.accepted.load();
        let seen = lock(&self.seen);
        let is_other = |name: &str, tool: &SeenTool| {
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
    pub(super) fn take(
        &self,
        server: &str,
        path: &Path,
        text: Result<String, ReadError>,
        now: Timestamp,
    ) {
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
                    self.pages.store(Arc::new(pages(&accepted)));
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

/// Names of tools by the page that shows them.
type Pages = HashMap<String, Vec<String>>;

fn pages(recorded: &Snapshot) -> Pages {
    let mut pages = Pages::new();
    for (name, tool) in recorded {
        if let Some(page) = &tool.marks.page {
            pages.entry(page.clone()).or_default().push(name.clone());
        }
    }
    for tools in pages.values_mut() {
        tools.sort_unstable();
    }
    pages
}

fn read_at_start(path: &Path) -> Result<Snapshot, InvalidSnapshot> {
    let place = path.to_owned();
    let text = file::within(START_TIME_MAX, move || snapshot::text(&place));
    snapshot::read(path, text.and_then(|text| text), &Snapshot::new())
}

#[cfg(test)]
impl ServerTools {
    /// How many tools are remembered, and how many changes of one.
    pub(super) fn remembered(&self, tool: &str) -> (usize, usize) {
        let seen = lock(&self.seen);
        (
            seen.len(),
            seen.get(tool).map_or(0, |tool| tool.reported.len()),
        )
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
