//! The settings of a guarded server.

use crate::authn::TokenPlace;
pub use crate::authz::UriForm;
use crate::catalog::Trust;
use crate::upstream::AuthorizationHeader;

/// One MCP server as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of its own in the configuration"
)]
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

impl ServerSettings {
    /// Whether `host`, in lower case, is one of this server's, with its port or without.
    pub(super) fn is_host(&self, host: &str) -> bool {
        let bare = without_port(host);
        self.hosts.iter().any(|own| own == host || own == bare)
    }

    /// Whether a request for `host`, in lower case, and `path` is for this server.
    pub(super) fn is_at(&self, host: &str, path: &str) -> bool {
        let prefix = self.path.as_deref().unwrap_or_default();
        let rest = path.strip_prefix(prefix);
        self.is_host(host) && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// An authority without its port (RFC 3986 §3.2.3); the colons of a bare IPv6 address are none.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((bare, port)) if !bare.contains(':') || bare.ends_with(']') => {
            if port.bytes().all(|byte| byte.is_ascii_digit()) {
                bare
            } else {
                host
            }
        }
        Some(_) | None => host,
    }
}
