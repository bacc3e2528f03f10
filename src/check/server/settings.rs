//! The settings of a guarded server.

use std::sync::Arc;

use super::hosts::{self, HostMatch};
use crate::authn::{TokenPlace, metadata};
pub use crate::authz::{SCOPE_VARIABLE, ScopeNames, UriForm, ValuePath};
use crate::catalog::Trust;
use crate::mcp::LEGACY_REVISIONS;
pub use crate::mcp::{FoundPaths, IndirectTool, InnerForm, InnerPaths};
use crate::upstream::AuthorizationHeader;

/// The place of the host in a resource identifier.
pub(super) const HOST_VARIABLE: &str = "{host}";

/// One MCP server as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of its own in the configuration"
)]
pub struct ServerSettings {
    /// Its name in policy, audit and metrics.
    pub name: String,
    /// Authorities it answers for, in lower case; with a port only if the port has to match too. One
    /// that begins with `*.` covers every name with one label in its place. Empty: any.
    pub hosts: Vec<String>,
    /// The path it answers for, as a prefix of whole segments. None: reached by context extension
    /// only, unless `hosts` is given.
    pub path: Option<String>,
    /// Its resource identifiers (RFC 9728 §1.2): absolute URLs, one for each of its hosts and one at
    /// most with `{host}` in the place of the host. That of the host that is asked is the audience
    /// of its tokens.
    pub resources: Vec<String>,
    /// Further audiences it accepts.
    pub audiences: Vec<String>,
    /// The issuers it trusts, by their `iss`.
    pub issuers: Vec<String>,
    /// Where clients are sent to log in; `None`: to its issuers.
    pub authorization_servers: Option<Vec<String>>,
    /// The scopes named in its metadata document and in a 401 challenge.
    pub scopes_supported: Vec<String>,
    /// How its scopes are advertised, in the place of what its issuers say.
    pub scope_names: Option<ScopeNames>,
    /// How its issuers advertise scopes, by their `iss`.
    pub issuer_scope_names: Vec<(String, ScopeNames)>,
    /// Which scopes a challenge names.
    pub challenge_scopes: ChallengeScopes,
    /// Whom a result tells of missing scopes.
    pub scope_results: ScopeResults,
    /// How a denial of the policy is replied to.
    pub deny: DenySettings,
    /// The largest JSON-RPC batch; 0 refuses every batch.
    pub batch_max: usize,
    /// Whether a body in which Envoy may have replaced bytes is judged at all.
    pub string_body: bool,
    /// Whether arguments may have keys that are equal under case folding.
    pub fold_arguments: bool,
    /// How it reads the URIs of resources.
    pub uris: UriForm,
    /// Where its requests have their token.
    pub token: TokenPlace,
    /// What happens to the client's token on the way to the upstream.
    pub authorization: AuthorizationHeader,
    /// Whether sessions and tasks belong to a subject.
    pub session_binding: SessionBinding,
    /// Whether the server may answer on any GET stream, as it does in revision 2024-11-05, so that
    /// all of them are looked at. A stream that is resumed is looked at in any case.
    pub responses_on_get: bool,
    /// Whether clients may resume streams (`Last-Event-ID`): the server itself gives an event only
    /// to the session that it is of.
    pub resume: bool,
    /// How far it is trusted in what it says of its tools.
    pub trust: Trust,
    /// Whether the arguments of calls have to fit the recorded input schemas.
    pub check_arguments: bool,
    /// Its tools that call other tools of it, or find them.
    pub indirect: Option<Arc<[IndirectTool]>>,
    /// The protocol revisions that it speaks. Empty: any known one.
    pub protocol_versions: Vec<&'static str>,
}

/// Whether a list of revisions, of which none means any, has one with sessions and streams on GET.
#[must_use]
pub fn has_legacy(versions: &[&str]) -> bool {
    let is_legacy = |version: &&str| LEGACY_REVISIONS.contains(version);
    versions.is_empty() || versions.iter().any(is_legacy)
}

/// Whether sessions and tasks belong to a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SessionBinding {
    /// An id is bound when the server issues it, or else to the first who is allowed to use it.
    #[default]
    On,
    /// An id that was not seen to be issued is unknown.
    Strict,
    /// Nothing is bound.
    Off,
}

/// How a denial of the policy is replied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DenySettings {
    /// In which form.
    pub shape: DenyShape,
    /// With how much of the reason.
    pub disclose: Disclose,
}

/// The form of the reply to a denied request.
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

/// Which scopes a challenge for a missing scope names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChallengeScopes {
    /// Those that are missing and those that the token has, as far as they are known here: clients
    /// replace their scopes by what a challenge names.
    #[default]
    All,
    /// Those that are missing.
    Missing,
}

/// Which callers are told of a missing scope in the result of their call, and not by a challenge:
/// some clients end at a 403.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ScopeResults {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// Those who call by one of these OAuth clients.
    Agents(Vec<String>),
}

impl ServerSettings {
    /// Whether it speaks a revision.
    #[must_use]
    pub fn speaks(&self, version: &str) -> bool {
        self.protocol_versions.is_empty() || self.protocol_versions.contains(&version)
    }

    /// Whether it speaks a revision with sessions.
    #[must_use]
    pub fn speaks_legacy(&self) -> bool {
        has_legacy(&self.protocol_versions)
    }

    /// How `host`, in lower case, is one of this server's.
    pub(super) fn host<'a>(&self, host: &'a str) -> Option<HostMatch<'a>> {
        hosts::find(&self.hosts, host)
    }

    /// How a request for `host`, in lower case, and `path` is for this server.
    pub(super) fn find_at<'a>(&self, host: &'a str, path: &str) -> Option<HostMatch<'a>> {
        let prefix = self.path.as_deref().unwrap_or_default();
        let rest = path.strip_prefix(prefix)?;
        let is_below = rest.is_empty() || rest.starts_with('/');
        self.host(host).filter(|_| is_below)
    }

    /// Whether it is called by no other host than its own: all of its identifiers follow the host.
    #[must_use]
    pub fn follows_host(&self) -> bool {
        self.resources
            .iter()
            .all(|resource| resource.contains(HOST_VARIABLE))
    }

    /// Where clients are sent to log in: unless configured, those of the issuers that are URLs of
    /// authorization servers (RFC 8414 §2).
    #[must_use]
    pub fn authorization_servers(&self) -> Vec<String> {
        let configured = self.authorization_servers.clone();
        configured.unwrap_or_else(|| {
            let issuers = self.issuers.iter();
            let own = issuers.filter(|issuer| metadata::is_authorization_server(issuer));
            own.cloned().collect()
        })
    }

    /// How the scopes in the tokens of an issuer are advertised.
    #[must_use]
    pub fn scope_names(&self, issuer: &str) -> Option<&ScopeNames> {
        let mut of_issuers = self.issuer_scope_names.iter();
        let mut of_issuer = || of_issuers.find(|(name, _)| name == issuer);
        let own = self.scope_names.as_ref();
        own.or_else(|| of_issuer().map(|(_, names)| names))
    }

    /// `scopes_supported` as they are advertised to a client that has no token yet: by the names of
    /// the first issuer at which it can log in, as clients take the first of several.
    #[must_use]
    pub fn advertised_scopes(&self) -> Vec<String> {
        let servers = self.authorization_servers();
        let mut issuers = self.issuers.iter();
        let first = issuers.find(|issuer| servers.contains(issuer));
        let first = first.or(self.issuers.first());
        let names = first.and_then(|issuer| self.scope_names(issuer));
        let mut advertised = Vec::with_capacity(self.scopes_supported.len());
        for scope in &self.scopes_supported {
            let name = names.map_or_else(
                || scope.clone(),
                |names| names.advertised(scope).into_owned(),
            );
            if !advertised.contains(&name) {
                advertised.push(name);
            }
        }
        advertised
    }

    /// Whether a caller is told of a missing scope in the result of its call.
    pub(crate) fn tells_scopes_in_results(&self, agent: Option<&str>) -> bool {
        match &self.scope_results {
            ScopeResults::None => false,
            ScopeResults::All => true,
            ScopeResults::Agents(agents) => {
                agent.is_some_and(|agent| agents.iter().any(|own| own == agent))
            }
        }
    }
}
