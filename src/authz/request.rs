//! The input of a decision: subject, action, resource and context.
//!
//! This is plain data. The modules that parse and verify fill it in, and the evaluation reads it.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use super::classes::Hints;
use super::peer::Peer;
use super::uri::UriForm;
use super::value::Value;
use super::window::Readings;

/// One call by one caller in one context: the input of a decision.
#[derive(Debug, Clone, Copy)]
pub struct AccessRequest<'a> {
    /// The verified caller.
    pub subject: &'a Subject,
    /// The TLS peer of Envoy.
    pub peer: Peer<'a>,
    /// The configured name of the MCP server the call is for.
    pub server: &'a str,
    /// What is to be done.
    pub action: Action<'a>,
    /// What it is done to.
    pub resource: Resource<'a>,
    /// `params.arguments`, if the message has any.
    pub arguments: Option<&'a Value<'a>>,
    /// What is answered to the server: objects by the keys that it chose, or, in a response, by
    /// `result`.
    pub input: Option<&'a Value<'a>>,
    /// `params._meta`, if the message has it.
    pub meta: Option<&'a Value<'a>>,
    /// The protocol revision the message claims (body in the modern era, header otherwise).
    pub protocol_version: Option<&'a str>,
    /// `Mcp-Session-Id`, if present.
    pub session: Option<&'a str>,
    /// The address of the client, as Envoy proved it.
    pub source: Option<IpAddr>,
    /// The HTTP request that carried the message.
    pub http: Http<'a>,
    /// The time of the decision.
    pub now: Timestamp,
    /// What is known beyond the request itself.
    pub context: Context<'a>,
}

/// What is known beyond the request itself. What is absent cannot be evaluated.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// When the session was first seen.
    pub session_started: Option<Timestamp>,
    /// What the call is for, as the client says.
    pub purpose: Declared<'a>,
    /// The country of the source, as an ISO 3166-1 alpha-2 code.
    pub country: Option<&'a str>,
    /// What is known of the device; an object.
    pub device: Option<&'a Value<'a>>,
    /// What the windows showed that [`super::demands`] named.
    pub readings: Option<&'a Readings>,
    /// What the server's own annotations say of the tool, where they are a source of classes.
    pub hints: Hints,
    /// The defaults of the arguments that the tool's recorded input schema declares, an object
    /// shaped like the arguments.
    pub defaults: Option<&'a Value<'a>>,
    /// Whether the tool at hand is none that the server is known to have, though its tools are
    /// known, and none that a rule or a class names: all of these share what is counted by tool.
    pub tool_is_unlisted: bool,
    /// How the server reads URIs.
    pub uris: UriForm,
}

/// What a client declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Declared<'a> {
    /// Nothing.
    #[default]
    Nothing,
    /// This.
    As(&'a str),
    /// Several things, or something that is not a text.
    Unclear,
}

/// The HTTP request that carried the message, as far as a policy may see it.
#[derive(Debug, Clone, Copy)]
pub struct Http<'a> {
    /// The authority, in lower case, as the client addressed it.
    pub host: &'a str,
    /// The path without its query.
    pub path: &'a str,
    /// Lower-case header names with their values, without credentials. Names are unique.
    pub headers: &'a [(Cow<'a, str>, Cow<'a, str>)],
}

/// The MCP method, or the transport operation where there is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action<'a> {
    /// The method as written; `GET`, `DELETE` and `response` where there is none.
    pub method: &'a str,
    /// A method that reaches the same: what may be read may be subscribed to. Rules that name
    /// either of the two match.
    pub authorized_as: Option<&'a str>,
    /// What kind of authority the method needs.
    pub kind: ActionKind,
}

impl<'a> Action<'a> {
    /// The methods by which rules may name the action.
    pub fn methods(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        [Some(self.method), self.authorized_as]
            .into_iter()
            .flatten()
    }
}

/// What kind of authority an action needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionKind {
    /// Opens or keeps a connection, lists, notifies: needs no rule of its own, only a subject
    /// whom some rule could serve.
    Open,
    /// Reaches something: a rule has to allow it.
    Use,
    /// A method outside the protocol's table: a rule has to name it.
    Unknown,
}

/// What an action reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource<'a> {
    /// The server as a whole.
    Server,
    /// A tool, by name.
    Tool(&'a str),
    /// A prompt, by name.
    Prompt(&'a str),
    /// An MCP resource, by URI.
    Uri(&'a str),
    /// Every MCP resource that a URI template (RFC 6570) can expand to: a listed template, or one
    /// whose completion is asked for, with the variables filled in that the caller has chosen. A
    /// selector over URIs matches it if it matches all of them, and has no result if it may match
    /// some; for [`super::is_visible`] those are possible.
    Template(&'a str),
    /// A task, by id.
    Task(&'a str),
}

impl<'a> Resource<'a> {
    /// What names it: a name, a URI or an id; nothing for the server as a whole.
    #[must_use]
    pub fn name(&self) -> Option<&'a str> {
        match *self {
            Resource::Server => None,
            Resource::Tool(name)
            | Resource::Prompt(name)
            | Resource::Uri(name)
            | Resource::Template(name)
            | Resource::Task(name) => Some(name),
        }
    }
}

/// The verified token's party.
///
/// INVARIANT: built only by `authn` after verification; a tidy test watches the constructor.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// `iss`: the configured issuer that vouches for the subject.
    pub issuer: Arc<str>,
    /// `sub`.
    pub id: Arc<str>,
    /// The OAuth client acting for the subject.
    pub agent: Option<Arc<str>>,
    /// Groups, from the configured claim.
    pub groups: Vec<Arc<str>>,
    /// Roles, from the configured claim.
    pub roles: Vec<Arc<str>>,
    /// Granted scopes.
    pub scopes: Vec<Arc<str>>,
    /// Tenant, from the configured claim.
    pub tenant: Option<Arc<str>>,
    /// What the token says of the device, from the configured claim.
    pub device: Option<Value<'static>>,
    /// Every claim of the token, as verified.
    pub claims: Value<'static>,
    /// What of the above the token does not tell.
    pub unknown: UnknownFacts,
}

/// Facts about a subject that its token neither has nor lacks: the issuer left them out, or their
/// claim can be read in two ways. What is there of them holds; what is not is not absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact that is known or not"
)]
pub struct UnknownFacts {
    /// The OAuth client.
    pub agent: bool,
    /// Groups.
    pub groups: bool,
    /// Roles.
    pub roles: bool,
    /// Scopes.
    pub scopes: bool,
    /// The tenant.
    pub tenant: bool,
}
