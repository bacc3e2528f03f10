//! The bodies of replies: JSON-RPC errors and what they say besides a text.

use std::sync::Arc;

use http::StatusCode;
use serde::Serialize;
use uuid::Uuid;

use super::addressee::Addressee;
use crate::check::reason::{DecisionKind, Reason};
use crate::check::verdict::LocalReply;
use crate::mcp::reply as rpc;

/// JSON-RPC 2.0 §5.1.
pub(super) const INVALID_REQUEST: i32 = -32600;
/// The same.
pub(super) const INVALID_PARAMS: i32 = -32602;

/// What a client is told besides a text: `error.data`, or `_meta` of a tool's result. Absent
/// members are left out.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct ReplyData<'a> {
    /// `acr` values, any of which would do.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub acr_values: &'a [Arc<str>],
    /// The id of the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_id: Option<Uuid>,
    /// The greatest age that the login may have, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u64>,
    /// The message of the rule, or what is wrong beside the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<&'a str>,
    /// Where the arguments do not fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub misfit: Option<Misfit<'a>>,
    /// The reason code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The protocol revision that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested: Option<&'a str>,
    /// How long to wait, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// The rule that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'a str>,
    /// The scopes to ask for.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub scopes: &'a [String],
    /// The protocol revisions there are.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub supported: &'a [&'static str],
}

/// The first fault of arguments that do not fit the schema of their tool.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Misfit<'a> {
    /// A JSON Pointer into the arguments.
    pub at: &'a str,
    /// What is not met.
    pub kind: &'static str,
}

/// 202 without a body: what is refused is dropped, and the sender goes on.
pub(super) fn accepted() -> LocalReply {
    LocalReply {
        status: StatusCode::ACCEPTED,
        headers: Vec::new(),
        body: String::new(),
    }
}

/// A JSON-RPC error with the status of its reason.
pub(super) fn http_error(to: &Addressee<'_>, reason: Reason, data: &ReplyData<'_>) -> LocalReply {
    http_error_as(reason.status(), to, reason, data)
}

/// A JSON-RPC error. Its code is the status, but for a request that is not acceptable.
pub(super) fn http_error_as(
    status: StatusCode,
    to: &Addressee<'_>,
    reason: Reason,
    data: &ReplyData<'_>,
) -> LocalReply {
    let code = match reason.decision() {
        DecisionKind::Reject => INVALID_REQUEST,
        DecisionKind::Allow
        | DecisionKind::Deny
        | DecisionKind::Challenge
        | DecisionKind::Fail
        | DecisionKind::Reply => i32::from(status.as_u16()),
    };
    json_reply(status, rpc::error(to.id(), code, reason.text(), Some(data)))
}

/// What every error says: the decision and its reason.
pub(super) fn data(to: &Addressee<'_>, reason: Reason) -> ReplyData<'static> {
    ReplyData {
        decision_id: Some(to.decision_id),
        reason: Some(reason.code()),
        ..ReplyData::default()
    }
}

/// A reply with a body of JSON.
pub(crate) fn json_reply(status: StatusCode, body: String) -> LocalReply {
    LocalReply {
        status,
        headers: vec![("content-type", "application/json".to_owned())],
        body,
    }
}
