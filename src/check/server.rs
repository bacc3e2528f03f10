//! The guarded MCP servers, and which of them a request is for. What is configured of each is in
//! `server/settings.rs`.

mod faces;
mod hosts;
mod settings;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use super::reason::Reason;
use super::request::HttpRequest;
use crate::authn::metadata;
use crate::authz::Subject;
use crate::telemetry::metrics::{Counter, Metrics};

pub use faces::{Face, InvalidServer};
pub use hosts::{is_host_of, is_valid_host, is_valid_wildcard, is_wildcard};
pub use settings::{
    ChallengeScopes, DenySettings, DenyShape, Disclose, FoundPaths, IndirectTool, InnerForm,
    InnerPaths, SCOPE_VARIABLE, ScopeNames, ScopeResults, ServerSettings, SessionBinding, UriForm,
    ValuePath, has_legacy,
};

use faces::Faces;

/// The context extension with which an Envoy route names the server.
pub(super) const CONTEXT_EXTENSION: &str = "mcp_server";

/// One MCP server, ready to be asked about.
#[derive(Debug)]
pub struct Server {
    /// Its name, shared with records.
    pub name: Arc<str>,
    /// Its settings.
    pub settings: ServerSettings,
    /// What it is called at each of its hosts.
    faces: Faces,
    /// The counters of its decisions, by reason, once there was one.
    decisions: [OnceLock<Counter>; Reason::ALL.len()],
}

/// All servers.
#[derive(Debug)]
pub struct Servers {
    all: Vec<Arc<Server>>,
    by_name: HashMap<Arc<str>, usize>,
    /// The names of those that were there before, in this process.
    removed: HashSet<Arc<str>>,
}

/// No configured server is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no configured server is meant")]
pub struct UnknownServer;

impl Servers {
    /// Prepares every server.
    ///
    /// # Errors
    /// The first server whose metadata or challenges cannot be made.
    pub fn new(settings: &[ServerSettings]) -> Result<Self, InvalidServer> {
        Self::next(None, settings)
    }

    /// Prepares the servers after others, whose names it remembers.
    ///
    /// # Errors
    /// Those of [`Servers::new`].
    pub fn next(
        earlier: Option<&Servers>,
        settings: &[ServerSettings],
    ) -> Result<Self, InvalidServer> {
        let servers = settings
            .iter()
            .map(|one| Server::new(one.clone()).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        let by_name: HashMap<Arc<str>, usize> = servers
            .iter()
            .enumerate()
            .map(|(index, server)| (Arc::clone(&server.name), index))
            .collect();
        let known = earlier.into_iter();
        let known = known.flat_map(|earlier| earlier.by_name.keys().chain(&earlier.removed));
        let removed = known.filter(|name| !by_name.contains_key(*name)).cloned();
        Ok(Servers {
            removed: removed.collect(),
            all: servers,
            by_name,
        })
    }

    /// Whether a server of this name was configured before, in this process, and is no more.
    pub(crate) fn is_removed(&self, name: &str) -> bool {
        self.removed.contains(name)
    }

    /// The server a request is for: by context extension, else by host and path, and what it is
    /// called there. A server that names the host comes before one whose wildcard covers it, as in
    /// Envoy's `domains`, and then the longer path.
    ///
    /// # Errors
    /// [`UnknownServer`] when none is, when the context extension names one that is not
    /// configured, or when its resource follows the host and this is none of its hosts.
    pub fn find(&self, request: &HttpRequest<'_>) -> Result<FoundServer<'_>, UnknownServer> {
        let host = request.host_folded();
        if let Some(name) = request.context(CONTEXT_EXTENSION) {
            let server = self.by_name(name).ok_or(UnknownServer)?;
            return FoundServer::at(server, &host).ok_or(UnknownServer);
        }
        let path = request.path_only();
        let found = self.all.iter().filter_map(|server| {
            let found = server.settings.find_at(&host, path)?;
            let length = server.settings.path.as_deref().map_or(0, str::len);
            // A host with its port is nearer than one that matches any port.
            Some(((found.is_exact, length, found.authority.len()), server))
        });
        let (_, server) = found.max_by_key(|(rank, _)| *rank).ok_or(UnknownServer)?;
        FoundServer::at(server, &host).ok_or(UnknownServer)
    }

    /// Whether a request is for one of several servers, and only what its client sent says which.
    pub(super) fn is_chosen_by_host(&self, request: &HttpRequest<'_>) -> bool {
        self.all.len() > 1 && request.context(CONTEXT_EXTENSION).is_none()
    }

    /// The server whose metadata document a request asks for.
    ///
    /// The form with the resource's path is looked for first; the form without a path serves a
    /// host with a single server.
    ///
    /// # Errors
    /// [`UnknownServer`] when there is none, or no single one.
    pub fn find_metadata(
        &self,
        request: &HttpRequest<'_>,
    ) -> Result<FoundServer<'_>, UnknownServer> {
        let host = request.host_folded();
        if let Some(name) = request.context(CONTEXT_EXTENSION) {
            let server = self.by_name(name).ok_or(UnknownServer)?;
            let found = FoundServer::at(server, &host).into_iter().collect();
            return described(found, request.path).ok_or(UnknownServer);
        }
        let at = |is_exact| {
            let of_host = self.all.iter().filter(|server| {
                let found = server.settings.host(&host);
                found.is_some_and(|found| found.is_exact == is_exact)
            });
            of_host
                .filter_map(|server| FoundServer::at(server, &host))
                .collect()
        };
        described(at(true), request.path)
            .or_else(|| described(at(false), request.path))
            .ok_or(UnknownServer)
    }

    /// Every server, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Server>> {
        self.all.iter()
    }

    /// The server of this configured name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Arc<Server>> {
        self.by_name
            .get(name)
            .and_then(|index| self.all.get(*index))
    }
}

/// A server that is meant, and what it is called at the host that was asked.
#[derive(Debug, Clone)]
pub struct FoundServer<'s> {
    /// The server.
    pub server: &'s Arc<Server>,
    /// What it is called.
    pub face: Arc<Face>,
}

impl<'s> FoundServer<'s> {
    /// The server at `host`, an authority in lower case.
    fn at(server: &'s Arc<Server>, host: &str) -> Option<Self> {
        let face = server.face(host)?;
        Some(FoundServer { server, face })
    }
}

/// The server among those of a host whose metadata document is at a path.
fn described<'s>(mut found: Vec<FoundServer<'s>>, path: &str) -> Option<FoundServer<'s>> {
    let at = found.iter().position(|one| one.face.metadata.is_at(path));
    let at = at.or_else(|| {
        let all = found.iter().enumerate();
        let mut near = all.filter(|(_, one)| one.face.metadata.is_nearly_at(path));
        match (near.next(), near.next()) {
            (Some((at, _)), None) => Some(at),
            (_, _) => None,
        }
    });
    let only = || (found.len() == 1 && metadata::is_root(path)).then_some(0);
    let at = at.or_else(only)?;
    Some(found.swap_remove(at))
}

impl Server {
    /// Prepares a server.
    ///
    /// # Errors
    /// When its metadata or challenges cannot be made.
    pub fn new(settings: ServerSettings) -> Result<Self, InvalidServer> {
        let faces = Faces::new(&settings)?;
        let name = Arc::from(settings.name.as_str());
        Ok(Server {
            name,
            settings,
            faces,
            decisions: [const { OnceLock::new() }; Reason::ALL.len()],
        })
    }

    /// What it is called at `host`, an authority in lower case.
    #[must_use]
    pub fn face(&self, host: &str) -> Option<Arc<Face>> {
        self.faces.at(&self.settings.hosts, host)
    }

    /// The subject of a token as the rules of this server see it: with both names of each scope,
    /// where its issuer has two.
    pub(super) fn with_scope_names(&self, subject: Arc<Subject>) -> Arc<Subject> {
        let names = self.settings.scope_names(&subject.issuer);
        let with_names = names.and_then(|names| names.with_advertised(&subject));
        with_names.map_or(subject, Arc::new)
    }

    /// Counts a decision about a request to it. INVARIANT: always in the same metrics, those of
    /// its pipeline.
    pub(super) fn count(&self, metrics: &Metrics, reason: Reason) {
        let new = || {
            metrics
                .checks
                .decision_counter(&self.name, reason.decision(), reason.code())
        };
        match self.decisions.get(reason as usize) {
            Some(counter) => counter.get_or_init(new).inc(),
            None => new().inc(),
        };
    }
}
