//! The fields of an audit record, and how they are written.
//!
//! Names follow OpenTelemetry's semantic conventions where those have one (`http.*`, `url.*`,
//! `client.address`, `mcp.*`); all others are this service's own. No field ever carries a
//! token, a secret or the value of an argument.

use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::authz::Value;
use crate::json;

/// How many argument names a record lists.
const ARGUMENT_NAMES_MAX: usize = 64;
/// How many characters of client text a field keeps.
const TEXT_CHARS_MAX: usize = 256;

/// One decision. Absent fields are left out of the line.
#[derive(Debug, Clone, Serialize)]
pub struct Record {
    /// When the check began.
    pub time: Timestamp,
    /// The id that the answer and the upstream carry too.
    pub decision_id: Uuid,
    /// `x-request-id`, as Envoy set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The trace the check belongs to, 32 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// `allow`, `deny`, `challenge`, `reject` or `fail`.
    pub decision: &'static str,
    /// The stable reason code.
    pub reason: &'static str,
    /// The rules that decided or allowed, in file order.
    pub rules: Vec<Arc<str>>,
    /// Rules that could not be evaluated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules_indeterminate: Vec<Arc<str>>,
    /// The policy that was in force.
    pub policy_revision: Arc<str>,
    /// `iss` of the verified token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Arc<str>>,
    /// `sub` of the verified token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Arc<str>>,
    /// The OAuth client acting for the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<Arc<str>>,
    /// The subject's tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Arc<str>>,
    /// The TLS peer of Envoy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The address of the client.
    #[serde(rename = "client.address", skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// The HTTP method.
    #[serde(rename = "http.request.method")]
    pub http_method: String,
    /// The path, without its query.
    #[serde(rename = "url.path")]
    pub path: String,
    /// The status of the answer; absent when the request went to the upstream.
    #[serde(
        rename = "http.response.status_code",
        skip_serializing_if = "Option::is_none"
    )]
    pub status: Option<u16>,
    /// The configured name of the MCP server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Arc<str>>,
    /// The JSON-RPC method; of a batch, that of the element that decided.
    #[serde(rename = "mcp.method.name", skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The tool, prompt, resource URI or task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The risk class of the tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Arc<str>>,
    /// How many messages the body carried, if it was a batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// The session, hashed.
    #[serde(rename = "mcp.session.id", skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The protocol revision.
    #[serde(
        rename = "mcp.protocol.version",
        skip_serializing_if = "Option::is_none"
    )]
    pub protocol_version: Option<String>,
    /// What the arguments were, without their values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Arguments>,
    /// What would be decided if the shadow rules counted; only where one of them matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<WouldBe>,
    /// What the candidate policy would decide; only where it is something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate: Option<WouldBe>,
    /// How long the check took, in seconds.
    pub duration_seconds: f64,
}

/// A decision that was not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WouldBe {
    /// `allow`, `deny` or `challenge`.
    pub decision: &'static str,
    /// The reason code.
    pub reason: &'static str,
    /// The shadow rules that match, or the candidate's rules that decided.
    pub rules: Vec<Arc<str>>,
    /// The candidate policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_revision: Option<Arc<str>>,
}

impl Record {
    /// Client text as far as a record keeps it.
    #[must_use]
    pub fn text(text: &str) -> String {
        text.chars().take(TEXT_CHARS_MAX).collect()
    }
}

/// The arguments of a call as evidence: which there were, and a digest that two equal calls
/// share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Arguments {
    /// Top-level names in sorted order, at most 64.
    pub names: Vec<String>,
    /// `sha256:` and the digest of the arguments as JSON without white space, members sorted by
    /// name at every depth.
    pub digest: String,
}

impl Arguments {
    /// Describes the arguments of a call.
    #[must_use]
    pub fn of(arguments: &Value<'_>) -> Self {
        let mut names: Vec<String> = match arguments {
            Value::Map(members) => members.iter().map(|(name, _)| Record::text(name)).collect(),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::List(_) => Vec::new(),
        };
        names.sort_unstable();
        names.truncate(ARGUMENT_NAMES_MAX);
        Arguments {
            names,
            digest: json::digest(arguments),
        }
    }
}

/// A session id as evidence shows it: enough to join records, not enough to use the session.
#[must_use]
pub fn session_hash(session: &str) -> String {
    let digest = digest(&SHA256, session.as_bytes());
    hex(digest.as_ref().get(..8).unwrap_or_default())
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            for nibble in [byte >> 4, byte & 0xf] {
                text.extend(char::from_digit(u32::from(nibble), 16));
            }
            text
        })
}
