//! Why an answer cannot be let through.

use crate::mcp::Unreadable;
use crate::state::StateUnavailable;

/// Why an answer cannot be let through. The codes are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// Envoy does not give the body in a way in which it can be filtered.
    NotStreamed,
    /// The body is compressed, though the upstream was not asked for that.
    Encoded,
    /// The answer is a part of a body.
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

impl Unfit {
    /// The stable code, in metrics, audit and the client's error.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Unfit::NotStreamed => "answer_not_streamed",
            Unfit::Encoded => "answer_encoded",
            Unfit::Partial => "answer_partial",
            Unfit::ContentType => "answer_content_type",
            Unfit::Unreadable => "answer_unreadable",
            Unfit::Incomplete => "answer_incomplete",
            Unfit::SessionId => "answer_session_id",
            Unfit::Context => "answer_context",
            Unfit::StateUnavailable => "state_unavailable",
        }
    }

    /// What a client may read.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Unfit::NotStreamed => "the answer of the server was not given to the filter",
            Unfit::Encoded => "the answer of the server is compressed",
            Unfit::Partial => "the answer of the server is only a part",
            Unfit::ContentType => "the answer of the server is neither JSON nor an event stream",
            Unfit::Unreadable => "the answer of the server cannot be read",
            Unfit::Incomplete => "the answer of the server did not arrive whole",
            Unfit::SessionId => "the server issued a session id that is none",
            Unfit::Context => "nobody said whose the answer of the server is",
            Unfit::StateUnavailable => "the session cannot be bound to its subject now",
        }
    }
}

impl From<Unreadable> for Unfit {
    fn from(fault: Unreadable) -> Self {
        match fault {
            Unreadable::Incomplete => Unfit::Incomplete,
            Unreadable::NotJson
            | Unreadable::Bom
            | Unreadable::NotUtf8
            | Unreadable::TooDeep
            | Unreadable::TrailingData
            | Unreadable::AmbiguousLine
            | Unreadable::Abandoned => Unfit::Unreadable,
        }
    }
}

impl From<StateUnavailable> for Unfit {
    fn from(StateUnavailable: StateUnavailable) -> Self {
        Unfit::StateUnavailable
    }
}
