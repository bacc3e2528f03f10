//! Binds sessions and tasks to subjects: knowing an id is not enough to use it.
//!
//! An id is bound to a subject and a server when the server issues it, where responses are
//! filtered, and otherwise on its first use by a request that is allowed. From then on nobody else
//! may use it. Deleting a session does not free its id, because a server that ignores DELETE would
//! hand the session to the next caller. An id that the store has forgotten cannot be taken either.

use std::collections::HashSet;

use jiff::Timestamp;

use super::reason::Reason;
use super::request::HttpRequest;
use super::server::{Server, SessionBinding};
use crate::authz::{Resource, Subject};
use crate::state::{Bind, BindingKey, BindingKind, Owner, State, StateUnavailable, Whose};
use crate::telemetry::metrics::{BoundBy, Metrics};
use crate::text::Text;
use crate::upstream::{self};

/// The header with the session's id, in lower case.
pub(super) const SESSION_HEADER: &str = "mcp-session-id";

/// The ids that a request uses and that belong to somebody.
pub(super) struct UsedBindings<'u> {
    server: &'u Server,
    subject: &'u Subject,
    session: Option<&'u str>,
    /// Keys, each once.
    keys: Vec<BindingKey>,
    /// The number of the part of the request that uses each first; 0 where there is none.
    users: Vec<usize>,
}

/// To whom that belongs.
#[derive(Default)]
pub(super) struct FoundBindings {
    /// Something is not the caller's: why, and which part of the request uses it.
    pub(super) refusal: Option<(Reason, usize)>,
    /// Since when the session is the caller's.
    pub(super) session_started: Option<Timestamp>,
    /// What has become the caller's now.
    pub(super) bound: Vec<BindingKind>,
    /// What belongs to nobody so far.
    free: Vec<(usize, BindingKey)>,
    /// The tasks that their server created for the caller.
    created_tasks: Vec<BindingKey>,
}

impl<'u> UsedBindings<'u> {
    /// What a request to a server uses: its session, and the tasks among what its parts reach.
    pub(super) fn of<'r>(
        server: &'u Server,
        subject: &'u Subject,
        session: Option<&'u str>,
        resources: impl Iterator<Item = Resource<'r>>,
    ) -> Self {
        let mut used = UsedBindings {
            server,
            subject,
            session,
            keys: Vec::new(),
            users: Vec::new(),
        };
        if server.settings.session_binding == SessionBinding::Off {
            return used;
        }
        used.keys = session
            .map(|id| BindingKey::session(&server.name, id))
            .into_iter()
            .collect();
        let tasks = resources.enumerate().filter_map(|(index, resource)| {
            let id = task_id(&resource)?;
            Some((index, BindingKey::task(&server.name, id)))
        });
        let mut seen: HashSet<BindingKey> = HashSet::new();
        for (index, key) in tasks {
            if seen.insert(key) {
                used.users.resize(used.keys.len(), 0);
                used.keys.push(key);
                used.users.push(index);
            }
        }
        used
    }

    /// Looks up whose all of it is. `ages` says that the age of the session matters even where
    /// nothing is bound.
    pub(super) async fn find(
        &self,
        state: &dyn State,
        ages: bool,
        now: Timestamp,
    ) -> Result<FoundBindings, StateUnavailable> {
        let mut found = FoundBindings::default();
        if self.server.settings.session_binding == SessionBinding::Off {
            if let (true, Some(id)) = (ages, self.session) {
                let owner = self.owner();
                let key = BindingKey::session_as_seen_by(owner, &self.server.name, id);
                let seen = state.bind(&[key], owner, Bind::IfFree, now).await?;
                // One that was forgotten must not look young.
                found.session_started = seen.first().and_then(|seen| match seen {
                    Whose::Of(binding) => Some(binding.since),
                    Whose::Nobodys | Whose::Unknown => None,
                });
            }
            return Ok(found);
        }
        if self.keys.is_empty() {
            return Ok(found);
        }
        let owner = self.owner();
        let bindings = state.bindings(&self.keys, owner, now).await?;
        if bindings.len() != self.keys.len() {
            return Err(StateUnavailable);
        }
        let is_strict = self.server.settings.session_binding == SessionBinding::Strict;
        let users = self.users.iter().copied().chain(std::iter::repeat(0));
        for ((index, key), whose) in users.zip(&self.keys).zip(bindings) {
            let started = match whose {
                Whose::Of(binding) if binding.owner == owner => {
                    if key.kind() == BindingKind::Task && binding.is_issued {
                        found.created_tasks.push(*key);
                    }
                    binding.since
                }
                Whose::Of(_) => return Ok(FoundBindings::refused(mismatch(key.kind()), index)),
                Whose::Nobodys if !is_strict => {
                    found.free.push((index, *key));
                    now
                }
                Whose::Nobodys | Whose::Unknown => {
                    return Ok(FoundBindings::refused(unknown(key.kind()), index));
                }
            };
            if key.kind() == BindingKind::Session {
                found.session_started = Some(started);
            }
        }
        Ok(found)
    }

    /// Binds what was free to the caller, who was allowed to use it. What somebody else has taken
    /// meanwhile is theirs, and what there is no room for is unknown: the request is refused after
    /// all, and the rest stays the caller's.
    pub(super) async fn claim(
        &self,
        found: &mut FoundBindings,
        state: &dyn State,
        now: Timestamp,
    ) -> Result<(), StateUnavailable> {
        let free = std::mem::take(&mut found.free);
        if free.is_empty() {
            return Ok(());
        }
        let owner = self.owner();
        let keys: Vec<BindingKey> = free.iter().map(|(_, key)| *key).collect();
        let bindings = state.bind(&keys, owner, Bind::IfFree, now).await?;
        if bindings.len() != keys.len() {
            return Err(StateUnavailable);
        }
        for ((index, key), whose) in free.iter().zip(bindings) {
            let refusal = match whose {
                Whose::Of(binding) if binding.owner == owner => {
                    found.bound.push(key.kind());
                    continue;
                }
                Whose::Of(_) => mismatch(key.kind()),
                Whose::Nobodys | Whose::Unknown => unknown(key.kind()),
            };
            found.refusal = found.refusal.or(Some((refusal, *index)));
        }
        Ok(())
    }

    fn owner(&self) -> Owner {
        Owner::of(self.subject)
    }
}

impl FoundBindings {
    /// Whether a server was seen to create a task for the caller.
    pub(super) fn has_created(&self, server: &Server, id: &str) -> bool {
        let tasks = &self.created_tasks;
        !tasks.is_empty() && tasks.contains(&BindingKey::task(&server.name, id))
    }

    fn refused(reason: Reason, index: usize) -> Self {
        FoundBindings {
            refusal: Some((reason, index)),
            ..FoundBindings::default()
        }
    }
}

fn task_id<'r>(resource: &Resource<'r>) -> Option<&'r str> {
    match resource {
        Resource::Task(id) => Some(id),
        Resource::Server
        | Resource::Tool(_)
        | Resource::Prompt(_)
        | Resource::Uri(_)
        | Resource::Template(_) => None,
    }
}

fn mismatch(kind: BindingKind) -> Reason {
    match kind {
        BindingKind::Session => Reason::SessionMismatch,
        BindingKind::Task => Reason::TaskMismatch,
    }
}

fn unknown(kind: BindingKind) -> Reason {
    match kind {
        BindingKind::Session => Reason::SessionUnknown,
        BindingKind::Task => Reason::TaskUnknown,
    }
}

/// The headers that would name a session to the upstream though nobody has judged it: that of a
/// modern request, which has no session, so that a server without the modern era cannot take it
/// for one; and names that CGI and WSGI cannot tell from the header's.
pub(super) fn unjudged_headers(request: &HttpRequest<'_>, session: Option<&str>) -> Vec<Text> {
    let names = request.header_names();
    let mut unjudged: Vec<&str> = names
        .filter(|name| *name != SESSION_HEADER || session.is_none())
        .filter(|name| upstream::reads_as(name, SESSION_HEADER))
        .collect();
    unjudged.sort_unstable();
    unjudged.dedup();
    unjudged.into_iter().map(Text::copy).collect()
}

/// Binds the session or task that a server has issued now, whatever its id was bound to before.
/// Does nothing where nothing is bound.
///
/// # Errors
/// The store cannot be asked: nobody may be given the id then, as the next one to use it would
/// take it.
pub(crate) async fn bind_issued(
    state: &dyn State,
    metrics: &Metrics,
    server: &Server,
    owner: Owner,
    key: BindingKey,
    now: Timestamp,
) -> Result<(), StateUnavailable> {
    if server.settings.session_binding == SessionBinding::Off {
        return Ok(());
    }
    let bound = state.bind(&[key], owner, Bind::Anew, now).await?;
    let is_bound = |whose: &Whose| matches!(whose, Whose::Of(binding) if binding.owner == owner);
    if !bound.first().is_some_and(is_bound) {
        return Err(StateUnavailable);
    }
    metrics
        .sessions
        .record_binding(&server.name, word(key.kind()), BoundBy::Issued);
    Ok(())
}

/// Whether a session or task is its owner's already, or ids stand for nothing.
///
/// # Errors
/// The store cannot be asked.
pub(crate) async fn is_bound(
    state: &dyn State,
    server: &Server,
    owner: Owner,
    key: BindingKey,
    now: Timestamp,
) -> Result<bool, StateUnavailable> {
    if server.settings.session_binding == SessionBinding::Off {
        return Ok(true);
    }
    let bindings = state.bindings(&[key], owner, now).await?;
    let is_owned = |whose: &Whose| match whose {
        Whose::Of(binding) => binding.owner == owner,
        Whose::Nobodys | Whose::Unknown => false,
    };
    Ok(bindings.iter().any(is_owned))
}

/// Which of these tasks a subject may see, in their order: its own, and those that belong to
/// nobody unless only issued ids are known. Not those of which nobody knows whose they are. All of
/// them where tasks are not bound.
///
/// # Errors
/// The store cannot be asked.
pub(crate) async fn visible_tasks(
    state: &dyn State,
    server: &Server,
    owner: Owner,
    ids: &[&str],
    now: Timestamp,
) -> Result<Vec<bool>, StateUnavailable> {
    let is_strict = match server.settings.session_binding {
        SessionBinding::Off => return Ok(vec![true; ids.len()]),
        SessionBinding::On => false,
        SessionBinding::Strict => true,
    };
    let keys: Vec<BindingKey> = ids
        .iter()
        .map(|id| BindingKey::task(&server.name, id))
        .collect();
    let bindings = state.bindings(&keys, owner, now).await?;
    if bindings.len() != keys.len() {
        return Err(StateUnavailable);
    }
    let is_visible = bindings.iter().map(|whose| match whose {
        Whose::Of(binding) => binding.owner == owner,
        Whose::Nobodys => !is_strict,
        Whose::Unknown => false,
    });
    Ok(is_visible.collect())
}

/// The word of a kind in metrics.
pub(super) fn word(kind: BindingKind) -> &'static str {
    match kind {
        BindingKind::Session => "session",
        BindingKind::Task => "task",
    }
}

#[cfg(test)]
mod tests;
