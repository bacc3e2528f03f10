//! The pipeline: one described HTTP request in, one verdict out.
//!
//! This file orders the steps and is the only place that turns a fault of any step into a
//! [`Reason`]. What a step does is not here, nor how a verdict is put on the wire.

mod reason;

use std::collections::HashMap;
use std::net::IpAddr;

use bytes::Bytes;

pub use reason::Reason;

/// One HTTP request as the PEP describes it. Produced by [`crate::envoy`].
#[derive(Debug, Clone, Default)]
pub struct HttpRequest {
    /// The method, as sent.
    pub method: String,
    /// `:path`, undecoded, with its query.
    pub path: String,
    /// `:authority`, as sent.
    pub host: String,
    /// Every header in order, names in lower case, without pseudo-headers. Values that were not
    /// UTF-8 are kept lossily; repeated headers are kept apart where the PEP kept them apart.
    pub headers: Vec<(String, String)>,
    /// The body as it was buffered.
    pub body: Body,
    /// Whether the PEP says that the body was cut (`x-envoy-auth-partial-body: true`).
    pub truncated: bool,
    /// The TCP peer of Envoy, or the client address Envoy proved (`x-envoy-external-address`).
    pub source: Option<IpAddr>,
    /// The authenticated TLS peer of Envoy.
    pub principal: Option<String>,
    /// Envoy's per-route context extensions.
    pub context: HashMap<String, String>,
}

/// The body of a described request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Body {
    /// No body was sent, or none was buffered.
    #[default]
    Absent,
    /// The bytes as sent.
    Bytes(Bytes),
    /// A string in which lost bytes were replaced by `!` (Envoy without `pack_as_bytes`).
    Lossy(Bytes),
}

/// What the PEP is told to do.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Verdict {
    /// Forward, answer, or fail.
    pub outcome: Outcome,
    /// String facts about the decision for the PEP's log and later filters, in a fixed order.
    pub metadata: Vec<(&'static str, String)>,
}

/// How the request ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Forward to the upstream with these header changes.
    Allow(Obligations),
    /// Do not forward: answer this. The status is never 0 and never 1xx.
    Answer(Answer),
    /// No decision could be made: answer this, as an error of the PDP.
    Fail(Answer),
}

/// Header changes for the upstream request. A name is never in both lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Obligations {
    /// Set, overwriting whatever the client sent. Values are visible ASCII and never empty.
    pub set: Vec<(&'static str, String)>,
    /// Removed.
    pub remove: Vec<String>,
}

/// A complete HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: http::StatusCode,
    /// Headers, lower-case names, values without control characters.
    pub headers: Vec<(&'static str, String)>,
    /// The body; UTF-8, may be empty.
    pub body: String,
}
