//! The guarded MCP servers, and which of them a request is for. What is configured of each is in
//! `server/settings.rs`.

mod settings;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use super::reason::Reason;
use super::request::HttpRequest;
use crate::authn::Audience;
use crate::authn::challenge::{Challenges, InvalidChallenge};
use crate::authn::metadata::{self, InvalidResource, ResourceMetadata};
use crate::telemetry::metrics::{Counter, Metrics};

pub use settings::{
    DenySettings, DenyShape, Disclose, IndirectTool, InnerForm, InnerPaths, ServerSettings,
    SessionBinding, UriForm, ValuePath,
};

/// The context extension with which an Envoy route names the server.
const CONTEXT_EXTENSION: &str = "mcp_server";

/// One MCP server, ready to be asked about.
#[derive(Debug)]
pub struct Server {
    /// Its name, shared with records.
    pub name: Arc<str>,
    /// Its settings.
    pub settings: ServerSettings,
    /// What a token for it has to carry.
    pub audience: Audience,
    /// Its metadata document.
    pub metadata: ResourceMetadata,
    /// Its challenges.
    pub challenges: Challenges,
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

    /// The server a request is for: by context extension, else by host and path.
    ///
    /// # Errors
    /// [`UnknownServer`] when none is, or when the context extension names one that is not
    /// configured.
    pub fn find(&self, request: &HttpRequest<'_>) -> Result<&Arc<Server>, UnknownServer> {
        if let Some(name) = request.context(CONTEXT_EXTENSION) {
            return self.by_name(name).ok_or(UnknownServer);
        }
        let host = request.host_folded();
        let path = request.path_only();
        self.all
            .iter()
            .filter(|server| server.settings.is_at(&host, path))
            .max_by_key(|server| server.settings.path.as_deref().map_or(0, str::len))
            .ok_or(UnknownServer)
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
    pub fn find_metadata(&self, request: &HttpRequest<'_>) -> Result<&Arc<Server>, UnknownServer> {
        let host = request.host_folded();
        let candidates: Vec<&Arc<Server>> = match request.context(CONTEXT_EXTENSION) {
            Some(name) => self.by_name(name).into_iter().collect(),
            None => self
                .all
                .iter()
                .filter(|server| server.settings.is_host(&host))
                .collect(),
        };
        if let Some(server) = candidates
            .iter()
            .find(|one| one.metadata.is_at(request.path))
        {
            return Ok(server);
        }
        let near = candidates.iter();
        let mut near = near.filter(|one| one.metadata.is_nearly_at(request.path));
        if let (Some(server), None) = (near.next(), near.next()) {
            return Ok(server);
        }
        match candidates.as_slice() {
            [server] if metadata::is_root(request.path) => Ok(server),
            _ => Err(UnknownServer),
        }
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

/// Why a server cannot be guarded as configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidServer {
    /// Its `resource` is not a resource identifier.
    #[error(transparent)]
    Resource(#[from] InvalidResource),
    /// Its challenges would be misread.
    #[error(transparent)]
    Challenge(#[from] InvalidChallenge),
}

impl Server {
    /// Prepares a server.
    ///
    /// # Errors
    /// When its metadata or challenges cannot be made.
    pub fn new(settings: ServerSettings) -> Result<Self, InvalidServer> {
        let scopes = &settings.scopes_supported;
        let metadata = ResourceMetadata::new(&settings.resource, &settings.issuers, scopes, None)?;
        let challenges = Challenges::new(metadata.url(), scopes)?;
        let mut accepted = vec![settings.resource.clone()];
        accepted.extend(settings.audiences.iter().cloned());
        let audience = Audience {
            accepted,
            issuers: Some(settings.issuers.clone()),
        };
        let name = Arc::from(settings.name.as_str());
        Ok(Server {
            name,
            settings,
            audience,
            metadata,
            challenges,
            decisions: [const { OnceLock::new() }; Reason::ALL.len()],
        })
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
