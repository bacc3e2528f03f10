//! The answer of an upstream on its way back to the client, as the PEP describes it piece by piece.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;

use super::Answer;
use crate::telemetry::notices::Noticed;

/// What the check of a request said of it, carried here by the PEP: the string members of the
/// dynamic metadata of its verdict, or none if the PEP does not forward them.
pub type Carried = Option<HashMap<String, String>>;

/// The head of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerHead {
    /// The status; none if it is missing or not a status.
    pub status: Option<u16>,
    /// Every header in order, names in lower case, without pseudo-headers; bytes that are not
    /// UTF-8 are kept lossily.
    pub headers: Vec<(String, String)>,
    /// Whether there is no body.
    pub is_all: bool,
    /// How the PEP will give the body.
    pub body: BodyMode,
}

/// How the PEP gives the body of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyMode {
    /// Chunk by chunk, and only what comes back goes on (`FULL_DUPLEX_STREAMED`).
    Streamed,
    /// Not at all: it goes to the client as it is.
    Withheld,
    /// In a way in which it cannot be filtered as it streams. If the head goes on, so does the
    /// body, as it is and unseen.
    Other,
}

/// What a request has for as long as the stream about its answer lasts. It ends when this is
/// dropped, whatever has ended the stream.
#[derive(Debug, Default)]
pub struct Attendance(
    #[expect(dead_code, reason = "it is there to be dropped")] Option<Box<dyn Debug + Send + Sync>>,
);

impl Attendance {
    /// This.
    pub fn of(what: impl Debug + Send + Sync + 'static) -> Self {
        Attendance(Some(Box::new(what)))
    }
}

/// What the PEP is told, in order.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Output {
    /// Send the head, without these headers. Comes once, before every chunk.
    Head {
        /// Lower-case names.
        remove: &'static [&'static str],
    },
    /// Send a chunk of the body.
    Chunk(Bytes),
    /// The body has ended.
    End,
    /// Send this instead of the answer; nothing of it was sent. Comes alone and last.
    Answer(Answer),
    /// Break the answer off: what was sent cannot be made good. Comes last.
    Abort,
}

impl Output {
    /// The name of the kind of output, for logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Output::Head { .. } => "head",
            Output::Chunk(_) => "chunk",
            Output::End => "end",
            Output::Answer(_) => "answer",
            Output::Abort => "abort",
        }
    }
}

/// Looks at answers. The edge depends on this and not on the pipeline, so that it can be tested
/// without one.
pub trait Process: Send + Sync + 'static {
    /// The state of one answer.
    type Exchange: Exchange;

    /// What the request of an answer has for as long as its stream lasts, from the first that the
    /// PEP says of it. Is kept even if nothing of the answer is shown.
    fn attend(self: &Arc<Self>, carried: &Carried) -> Attendance {
        let _ = carried;
        Attendance::default()
    }

    /// Begins with the head of an answer.
    fn begin(
        self: &Arc<Self>,
        carried: Carried,
        head: AnswerHead,
    ) -> impl Future<Output = (Self::Exchange, Vec<Output>)> + Send;

    /// Takes note of a mistake of the PEP's.
    fn notice(&self, _noticed: Noticed) {}
}

/// One answer that is looked at. May be dropped at any await, when the client has left.
pub trait Exchange: Send + 'static {
    /// A chunk of the body, which may be empty; `end` if it is the last one.
    fn body(&mut self, chunk: Bytes, end: bool) -> impl Future<Output = Vec<Output>> + Send;

    /// The body has ended, and trailers follow it. What is told comes before them.
    fn trailers(&mut self) -> impl Future<Output = Vec<Output>> + Send;
}
