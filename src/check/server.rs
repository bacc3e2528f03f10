//! The guarded MCP servers, and which of them a request is for.

use std::collections::HashMap;
use std::sync::Arc;

use super::HttpRequest;
use crate::authn::challenge::Challenges;
use crate::authn::metadata::Metadata;
use crate::authn::{Audience, IssuerSettings};
use crate::upstream::AuthorizationHeader;

/// The context extension with which an Envoy route names the server.
const CONTEXT_EXTENSION: &str = "mcp_server";

/// One MCP server as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// Its name in policy, audit and metrics.
    pub name: String,
    /// Authorities it answers for, in lower case; with a port only if the port has to match too.
    /// Empty: any.
    pub hosts: Vec<String>,
    /// The path it answers for, as a prefix of whole segments. None: reached by context extension
    /// only, unless `hosts` is given.
    pub path: Option<String>,
    /// Its resource identifier (RFC 9728 §1.2): an absolute URL, and an audience of its tokens.
    pub resource: String,
    /// Further audiences it accepts.
    pub audiences: Vec<String>,
    /// The issuers it trusts, by their `iss`.
    pub issuers: Vec<String>,
    /// The scopes named in its metadata document and in a 401 challenge.
    pub scopes_supported: Vec<String>,
    /// How a denial of the policy is answered.
    pub deny: DenySettings,
    /// The largest JSON-RPC batch; 0 refuses every batch.
    pub batch_max: usize,
    /// Whether a body in which Envoy may have replaced bytes is judged at all.
    pub string_body: bool,
    /// Whether arguments may have keys that are equal under case folding.
    pub fold_arguments: bool,
    /// What happens to the client's token on the way to the upstream.
    pub authorization: AuthorizationHeader,
}

/// How a denial of the policy is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DenySettings {
    /// In which form.
    pub shape: DenyShape,
    /// With how much of the reason.
    pub disclose: Disclose,
}

/// The form of a denied request's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DenyShape {
    /// 200 with a tool result that is an error; a JSON-RPC error for methods other than
    /// `tools/call`.
    #[default]
    ToolError,
    /// 200 with a JSON-RPC error.
    JsonrpcError,
    /// 403 with a JSON-RPC error.
    Http403,
}

/// How much a denied client learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Disclose {
    /// Nothing: what is denied looks unknown.
    Nothing,
    /// The stable reason code.
    #[default]
    Reason,
    /// The reason, the rule and its message.
    Rule,
}

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
    pub metadata: Metadata,
    /// Its challenges.
    pub challenges: Challenges,
}

/// All servers.
#[derive(Debug)]
pub struct Servers {
    servers: Vec<Arc<Server>>,
    by_name: HashMap<Arc<str>, usize>,
}

/// No configured server is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no configured server is meant")]
pub struct UnknownServer;

impl Servers {
    /// The servers, each with the issuers it trusts.
    #[must_use]
    pub fn new(settings: &[ServerSettings]) -> Self {
        let servers: Vec<Arc<Server>> = settings.iter().map(|one| Arc::new(Server::new(one))).collect();
        let by_name = servers
            .iter()
            .enumerate()
            .map(|(index, server)| (Arc::clone(&server.name), index))
            .collect();
        Servers { servers, by_name }
    }

    /// The server a request is for: by context extension, else by host and path.
    ///
    /// # Errors
    /// [`UnknownServer`] when none is, or when the context extension names one that is not
    /// configured.
    pub fn find(&self, request: &HttpRequest) -> Result<&Arc<Server>, UnknownServer> {
        if let Some(name) = request.context.get(CONTEXT_EXTENSION) {
            return self.by_name(name).ok_or(UnknownServer);
        }
        let host = request.host.to_ascii_lowercase();
        let path = request.path_only();
        self.servers
            .iter()
            .filter(|server| server.settings.is_at(&host, path))
            .max_by_key(|server| server.settings.precision())
            .ok_or(UnknownServer)
    }

    /// The server whose metadata document a request asks for.
    ///
    /// The form with the resource's path is looked for first; the form without a path serves a
    /// host with a single server.
    ///
    /// # Errors
    /// [`UnknownServer`] when there is none, or no single one.
    pub fn find_metadata(&self, request: &HttpRequest) -> Result<&Arc<Server>, UnknownServer> {
        let path = request.path_only();
        let host = request.host.to_ascii_lowercase();
        let named = request.context.get(CONTEXT_EXTENSION);
        let candidates: Vec<&Arc<Server>> = match named {
            Some(name) => self.by_name(name).into_iter().collect(),
            None => self.servers.iter().filter(|server| server.settings.is_host(&host)).collect(),
        };
        if let Some(server) = candidates.iter().find(|server| server.metadata.path() == path) {
            return Ok(server);
        }
        match candidates.as_slice() {
            [server] if path == crate::authn::metadata::WELL_KNOWN => Ok(server),
            _ => Err(UnknownServer),
        }
    }

    /// Every server, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Server>> {
        self.servers.iter()
    }

    fn by_name(&self, name: &str) -> Option<&Arc<Server>> {
        self.by_name.get(name).and_then(|index| self.servers.get(*index))
    }
}
