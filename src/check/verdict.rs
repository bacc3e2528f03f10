//! What a check comes to: forward the request, reply to it, or fail.

use http::StatusCode;

use super::invalid_check::InvalidCheck;
use super::request::HttpRequest;
use crate::text::Text;
use crate::upstream::Obligations;

/// What the PEP is told to do.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Verdict {
    /// Forward, reply, or fail.
    pub outcome: Outcome,
    /// String facts about the decision for the PEP's log and later filters, in a fixed order.
    pub metadata: Vec<(Text, Text)>,
}

/// What the PEP does with the request.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Forward to the upstream with these header changes.
    Allow(Obligations),
    /// Do not forward: send this reply. The status is never 0 and never 1xx.
    Reply(LocalReply),
    /// No decision could be made: send this reply, as an error of the PDP.
    Fail(LocalReply),
}

/// A complete HTTP response of our own, sent in the place of one of the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalReply {
    /// The status code.
    pub status: StatusCode,
    /// Headers, lower-case names, values without control characters.
    pub headers: Vec<(&'static str, String)>,
    /// The body; UTF-8, may be empty.
    pub body: String,
}

/// Decides about described requests. The edge depends on this and not on the
/// [pipeline](super::Pipeline), so that it can be tested without one.
pub trait Decide: Send + Sync + 'static {
    /// Judges a request. Runs inside the span of the check; may be dropped at any await.
    fn decide(&self, request: &HttpRequest<'_>) -> impl Future<Output = Verdict> + Send;

    /// Rejects a check that describes no HTTP request.
    fn refuse(&self, fault: InvalidCheck) -> impl Future<Output = Verdict> + Send;
}
