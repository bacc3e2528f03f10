//! Whom a reply is addressed to: the JSON-RPC request, as far as it could be read.

use uuid::Uuid;

use crate::mcp::{Era, Id, Payload};

/// Whom a reply is addressed to.
#[derive(Debug, Clone, Copy)]
pub(in crate::check) struct Addressee<'a> {
    /// The messages of the body, if it could be read.
    pub payload: Option<&'a Payload<'a>>,
    /// The id of a body that was refused, as far as it is sure.
    pub refused_id: Option<Id<'a>>,
    /// The era of the request.
    pub era: Era,
    /// The revisions that it is told of if it asks for another.
    pub supported: &'a [&'static str],
    /// The id of the decision.
    pub decision_id: Uuid,
}

impl Addressee<'_> {
    /// The id of a body with a single message that wants a response.
    pub(in crate::check) fn id(&self) -> Option<Id<'_>> {
        match self.payload {
            Some(Payload::One(message)) => message.kind.reply_id(),
            Some(Payload::Batch(_)) => None,
            None => self.refused_id,
        }
    }

    /// Whether nothing in the body wants a response.
    pub(super) fn is_silent(&self) -> bool {
        self.payload.is_some_and(|payload| {
            payload
                .messages()
                .iter()
                .all(|message| message.kind.reply_id().is_none())
        })
    }
}
