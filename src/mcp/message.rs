//! Decoded JSON-RPC messages.

use std::borrow::Cow;

use super::id::Id;
use super::indirect::FoundPaths;
use super::inner_calls::{InnerCall, InnerFault};
use super::method::Method;
use super::place::META_PROTOCOL_VERSION;
use super::selection::Selected;
use crate::authz::Value;

/// One JSON-RPC message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message<'a> {
    /// Request, notification or response.
    pub kind: MessageKind<'a>,
    /// The method as written, unescaped; `response` for a response.
    pub method: Cow<'a, str>,
    /// The method's row in the table. Absent for a method outside it and for a response.
    pub entry: Option<&'static Method>,
    /// The arguments of the call: `arguments` of `tools/call`, `prompts/get` and of methods outside
    /// the table, `context.arguments` of `completion/complete`. Always an object; null counts as
    /// absent.
    pub arguments: Option<Value<'a>>,
    /// What a user or client answers to the server: `params.inputResponses` (2026-07-28), by the
    /// keys that the server chose, or the member `result` of a response. Always an object; null
    /// counts as absent.
    pub input: Option<Value<'a>>,
    /// `params._meta`, always an object.
    pub meta: Option<Value<'a>>,
    /// `params.protocolVersion` of `initialize`: a proposal, not yet the version in use.
    pub proposed_version: Option<Cow<'a, str>>,
    /// Whether the call requests to run as a task, by `params.task` (2025-11-25).
    pub is_task: bool,
    /// What the method reaches.
    pub(super) selected: Selected<'a>,
    /// The calls that the called tool is asked to make, or why they cannot be told.
    pub(super) inner: Result<Vec<InnerCall<'a>>, InnerFault>,
    /// Where the result has a list of tools, if the called tool is one that finds tools.
    pub results: Option<FoundPaths>,
}

impl Message<'_> {
    /// Whether the response to the message may create a task: the call requests one, or its client
    /// declares the extension `io.modelcontextprotocol/tasks`.
    #[must_use]
    pub fn may_create_task(&self) -> bool {
        let capabilities = || self.meta.as_ref()?.member(META_CLIENT_CAPABILITIES);
        let extension = || {
            capabilities()?
                .member("extensions")?
                .member(TASKS_EXTENSION)
        };
        self.entry.is_some_and(|entry| entry.creates_task)
            && (self.is_task || extension().is_some())
    }

    /// Whether the message opens a legacy session: an `initialize` without a version in `_meta`.
    #[must_use]
    pub fn is_handshake(&self) -> bool {
        let is_request = matches!(self.kind, MessageKind::Request { .. });
        is_request && self.method == INITIALIZE && self.envelope_version().is_none()
    }

    /// Whether the response to the message lasts until its client ends it.
    #[must_use]
    pub fn is_subscription(&self) -> bool {
        matches!(self.selected, Selected::Subscriptions { .. })
    }

    /// The protocol version in `_meta`, which makes a message modern.
    #[must_use]
    pub fn envelope_version(&self) -> Option<&str> {
        self.meta.as_ref()?.member(META_PROTOCOL_VERSION)?.as_str()
    }
}

/// The content of a body.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every body is one message, and boxing it would cost an allocation"
)]
pub enum Payload<'a> {
    /// One message.
    One(Message<'a>),
    /// A batch; never empty, without `initialize`, without modern messages, ids unique.
    Batch(Vec<Message<'a>>),
}

impl<'a> Payload<'a> {
    /// The messages, in order.
    #[must_use]
    pub fn messages(&self) -> &[Message<'a>] {
        match self {
            Payload::One(message) => std::slice::from_ref(message),
            Payload::Batch(messages) => messages,
        }
    }
}

/// The form of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind<'a> {
    /// Expects a response with this id.
    Request {
        /// The id to reply with.
        id: Id<'a>,
    },
    /// Expects no response.
    Notification,
    /// Responds to a request from the server.
    Response {
        /// The server's id.
        id: Id<'a>,
    },
}

impl<'a> MessageKind<'a> {
    /// The id to reply with, if the sender expects a response.
    #[must_use]
    pub fn reply_id(&self) -> Option<Id<'a>> {
        match self {
            MessageKind::Request { id } => Some(*id),
            MessageKind::Notification | MessageKind::Response { .. } => None,
        }
    }
}

/// The method that opens a legacy session.
pub(super) const INITIALIZE: &str = "initialize";

const META_CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const TASKS_EXTENSION: &str = "io.modelcontextprotocol/tasks";
