//! Why a response cannot be let through.

use crate::mcp::Unreadable;
use crate::state::StateUnavailable;

/// Why a response cannot be let through. The codes are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseRefusal {
    /// Envoy does not give the body in a way in which it can be filtered.
    NotStreamed,
    /// The body is compressed, though the upstream was not asked for that.
    Encoded,
    /// The response is a part of a body.
    Partial,
    /// The body is neither JSON nor a stream of events.
    ContentType,
    /// The body is not JSON, or not a stream of it.
    Unreadable,
    /// The body ends too early.
    Incomplete,
    /// The session id that is issued is there twice or is none.
    SessionId,
    /// The context of the request is not believed, where something would come of it.
    Context,
    /// The state store cannot be asked whose a session is.
    StateUnavailable,
}

impl ResponseRefusal {
    /// The stable code, in metrics, audit and the client's error.
    pub(super) const fn code(self) -> &'static str {
        match self {
            ResponseRefusal::NotStreamed => "response_not_streamed",
            ResponseRefusal::Encoded => "response_encoded",
            ResponseRefusal::Partial => "response_partial",
            ResponseRefusal::ContentType => "response_content_type",
            ResponseRefusal::Unreadable => "response_unreadable",
            ResponseRefusal::Incomplete => "response_incomplete",
            ResponseRefusal::SessionId => "response_session_id",
            ResponseRefusal::Context => "response_context",
            ResponseRefusal::StateUnavailable => "state_unavailable",
        }
    }

    /// What a client may read.
    pub(super) const fn text(self) -> &'static str {
        match self {
            ResponseRefusal::NotStreamed => {
                "the response of the server was not given to the filter"
            }
            ResponseRefusal::Encoded => "the response of the server is compressed",
            ResponseRefusal::Partial => "the response of the server is only a part",
            ResponseRefusal::ContentType => {
                "the response of the server is neither JSON nor an event stream"
            }
            ResponseRefusal::Unreadable => "the response of the server cannot be read",
            ResponseRefusal::Incomplete => "the response of the server did not arrive whole",
            ResponseRefusal::SessionId => "the server issued a session id that is none",
            ResponseRefusal::Context => "nobody said whose the response of the server is",
            ResponseRefusal::StateUnavailable => "the session cannot be bound to its subject now",
        }
    }
}

impl From<Unreadable> for ResponseRefusal {
    fn from(fault: Unreadable) -> Self {
        match fault {
            Unreadable::Incomplete => ResponseRefusal::Incomplete,
            Unreadable::NotJson
            | Unreadable::Bom
            | Unreadable::NotUtf8
            | Unreadable::TooDeep
            | Unreadable::TrailingData
            | Unreadable::AmbiguousLine
            | Unreadable::TooLarge
            | Unreadable::Abandoned => ResponseRefusal::Unreadable,
        }
    }
}

impl From<StateUnavailable> for ResponseRefusal {
    fn from(StateUnavailable: StateUnavailable) -> Self {
        ResponseRefusal::StateUnavailable
    }
}
