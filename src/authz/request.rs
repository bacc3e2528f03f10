//! The input of a decision: subject, action, resource and context.
//!
//! This is plain data. The modules that parse and verify fill it in, and the evaluation reads it.

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::Timestamp;

use super::classes::Hints;
use super::peer::Peer;
use super::subject::Subject;
use super::uri::UriForm;
use super::value::Value;
use super::window::{KeyPart, Readings};

/// One call by one caller in one context: the input of a decision.
#[derive(Debug, Clone, Copy)]
pub struct AccessRequest<'a> {
    /// The verified caller.
    pub subject: &'a Subject,
    /// The TLS peer of Envoy.
    pub peer: Peer<'a>,
    /// The configured name of the MCP server the call is for.
    pub server: &'a str,
    /// The action.
    pub action: Action<'a>,
    /// The resource that the action reaches.
    pub resource: Resource<'a>,
    /// `params.arguments`, if the message has any.
    pub arguments: Option<&'a Value<'a>>,
    /// The answers to the server: objects by the keys that it chose, or, in a response, by
    /// `result`.
    pub input: Option<&'a Value<'a>>,
    /// `params._meta`, if the message has it.
    pub meta: Option<&'a Value<'a>>,
    /// The protocol revision that the message claims (body in the modern era, header otherwise).
    pub protocol_version: Option<&'a str>,
    /// `Mcp-Session-Id`, if present.
    pub session: Option<&'a str>,
    /// The address of the client, as verified by Envoy.
    pub source: Option<IpAddr>,
    /// The HTTP request that carried the message.
    pub http: Http<'a>,
    /// The time of the decision.
    pub now: Timestamp,
    /// Facts beyond the request itself.
    pub context: Context<'a>,
}

impl AccessRequest<'_> {
    /// Whether the request can be counted by a part; every request is taken to have a tool.
    fn has(&self, part: KeyPart) -> bool {
        match part {
            KeyPart::Agent => self.subject.agent.is_some(),
            KeyPart::Tenant => self.subject.tenant.is_some(),
            KeyPart::Session => self.session.is_some(),
            KeyPart::Subject | KeyPart::Server | KeyPart::Tool => true,
        }
    }

    /// The parts that the request would be counted by and lacks, though it belongs to one.
    pub(super) fn lacking(&self, by: &[KeyPart]) -> impl Iterator<Item = KeyPart> {
        by.iter().copied().filter(|part| !self.has(*part))
    }
}

/// Facts beyond the request itself. An absent fact cannot be evaluated.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// When the session was first seen.
    pub session_started: Option<Timestamp>,
    /// The purpose of the call, as the client declares it.
    pub purpose: Declared<'a>,
    /// The country of the source, as an ISO 3166-1 alpha-2 code.
    pub country: Option<&'a str>,
    /// The facts about the device; an object.
    pub device: Option<&'a Value<'a>>,
    /// The readings of the windows that [`super::demands`] named.
    pub readings: Option<&'a Readings>,
    /// What the server's own annotations say about the tool, if they are a source of classes.
    pub hints: Hints,
    /// The defaults of the arguments that the tool's recorded input schema declares, an object
    /// shaped like the arguments.
    pub defaults: Option<&'a Value<'a>>,
    /// Whether the server's tools are known, the current tool is not among them, and no rule or
    /// class names it. All such tools share the counters that are kept by tool.
    pub tool_is_unlisted: bool,
    /// How the server reads URIs.
    pub uris: UriForm,
    /// Whether what the request reaches belongs to something that the caller was allowed, and so
    /// needs no rule of its own: a task that the caller created, or the page of a tool that the
    /// caller may call. Whoever some rule could serve may use it then; every other rule applies to it
    /// as to anything else.
    pub is_entailed: bool,
}

/// A declaration of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Declared<'a> {
    /// Nothing.
    #[default]
    Nothing,
    /// This value.
    As(&'a str),
    /// Several values, or one that is not a text.
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

/// The MCP method, or the transport operation if there is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action<'a> {
    /// The method as written; `GET`, `DELETE` and `response` if there is none.
    pub method: &'a str,
    /// A method that reaches the same resource: whoever may read may subscribe. Rules that name
    /// either of the two match.
    pub authorized_as: Option<&'a str>,
    /// The kind of authority that the method needs.
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

/// The kind of authority that an action needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionKind {
    /// Opens or keeps a connection, lists, notifies: needs no rule of its own, only a subject whom
    /// some rule could serve.
    Open,
    /// Reaches a resource: a rule must allow it.
    Use,
    /// A method outside the protocol's table: a rule must name it.
    Unknown,
}

/// The resource that an action reaches.
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
    /// to be completed, with the variables filled in that the caller has chosen. A selector over
    /// URIs matches it if it matches all of them, and has no result if it may match some;
    /// [`super::is_visible`] treats those as possible.
    Template(&'a str),
    /// A task, by id.
    Task(&'a str),
}

impl<'a> Resource<'a> {
    /// The name, URI or id; `None` for the server as a whole.
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
