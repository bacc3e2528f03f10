//! What the edge gives a response filter and what it gets back, piece by piece.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;

use super::head::ResponseHead;
use crate::check::LocalReply;
use crate::telemetry::notices::Noticed;

/// What the check of a request said of it, carried here by the PEP: the string members of the
/// dynamic metadata of its verdict, or none if the PEP does not forward them.
pub type Carried = Option<HashMap<String, String>>;

/// What a request has for as long as the stream of its response lasts. It ends when this is
/// dropped, whatever has ended the stream.
#[derive(Debug, Default)]
pub struct Attendance(
    #[expect(dead_code, reason = "it is there to be dropped")] Option<Box<dyn Debug + Send + Sync>>,
);

impl Attendance {
    /// Keeps a value until the stream ends.
    pub fn of(what: impl Debug + Send + Sync + 'static) -> Self {
        Attendance(Some(Box::new(what)))
    }
}

/// What the PEP is to do, in order.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum FilterOutput {
    /// Send the head, without these headers. Comes once, before every chunk.
    Head {
        /// Lower-case names.
        remove: &'static [&'static str],
    },
    /// Send a chunk of the body.
    Chunk(Bytes),
    /// The body has ended.
    End,
    /// Send this instead of the response; nothing of it was sent. Comes alone and last.
    Reply(LocalReply),
    /// Break the response off: what was sent cannot be made good. Comes last.
    Abort,
}

impl FilterOutput {
    /// The name of the kind of output, for logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            FilterOutput::Head { .. } => "head",
            FilterOutput::Chunk(_) => "chunk",
            FilterOutput::End => "end",
            FilterOutput::Reply(_) => "reply",
            FilterOutput::Abort => "abort",
        }
    }
}

/// Filters the responses of upstreams. The edge depends on this and not on the pipeline, so that it
/// can be tested without one.
pub trait FilterResponses: Send + Sync + 'static {
    /// The state of one response.
    type Filter: ResponseFilter;

    /// What the request of a response has for as long as its stream lasts, from the first that the
    /// PEP says of it. Is kept even if nothing of the response is shown.
    fn attend(self: &Arc<Self>, carried: &Carried) -> Attendance {
        let _ = carried;
        Attendance::default()
    }

    /// Begins with the head of a response.
    fn begin(
        self: &Arc<Self>,
        carried: Carried,
        head: ResponseHead,
    ) -> impl Future<Output = (Self::Filter, Vec<FilterOutput>)> + Send;

    /// Reports a mistake in the PEP's configuration.
    fn notice(&self, _noticed: Noticed) {}
}

/// The filter of one response. May be dropped at any await, when the client has left.
pub trait ResponseFilter: Send + 'static {
    /// A chunk of the body, which may be empty; `end` if it is the last one.
    fn body(&mut self, chunk: Bytes, end: bool) -> impl Future<Output = Vec<FilterOutput>> + Send;

    /// The body has ended, and trailers follow it. The outputs come before them.
    fn trailers(&mut self) -> impl Future<Output = Vec<FilterOutput>> + Send;

    /// Whether the response lasts as long as its client wants it, so that its end is not waited for
    /// when the process ends.
    fn is_standing(&self) -> bool {
        false
    }
}
