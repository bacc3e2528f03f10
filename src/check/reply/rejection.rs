//! Replies to requests that are not acceptable, and to those that nobody can decide about now.

use super::addressee::Addressee;
use super::body::{ReplyData, data, http_error, http_error_as, json_reply};
use crate::check::reason::{Reason, UNKNOWN_METADATA};
use crate::check::verdict::LocalReply;
use crate::mcp::{Refusal, reply as rpc};

/// 503: nothing can be decided about the request now.
pub(in crate::check) fn failed(to: &Addressee<'_>, reason: Reason) -> LocalReply {
    let data = ReplyData {
        retry_after: Some(RETRY_AFTER_SECONDS.into()),
        ..data(to, reason)
    };
    let mut reply = http_error(to, reason, &data);
    reply
        .headers
        .push(("retry-after", RETRY_AFTER_SECONDS.to_string()));
    reply
}

/// A body that was refused. The text names the header or the limit at fault.
pub(in crate::check) fn refused(to: &Addressee<'_>, refusal: &Refusal) -> LocalReply {
    let reason = Reason::from(refusal);
    let mut data = data(to, reason);
    if let Some(requested) = refusal.requested_version()
        && !to.supported.is_empty()
    {
        data.requested = Some(requested);
        data.supported = to.supported;
    }
    let code = refusal.rpc_code(to.era);
    json_reply(
        reason.status(),
        rpc::error(to.id(), code, &refusal.to_string(), Some(&data)),
    )
}

/// A request that was rejected for anything but its body, or that no server is meant by.
pub(in crate::check) fn rejected(to: &Addressee<'_>, reason: Reason) -> LocalReply {
    let mut reply = http_error(to, reason, &data(to, reason));
    if reason == Reason::MethodNotAllowed {
        reply
            .headers
            .push(("allow", "POST, GET, DELETE, OPTIONS".to_owned()));
    }
    reply
}

/// A request for a metadata document that no server has.
pub(in crate::check) fn no_metadata(to: &Addressee<'_>) -> LocalReply {
    let reason = Reason::UnknownServer;
    http_error_as(UNKNOWN_METADATA, to, reason, &data(to, reason))
}

/// How long a client is asked to wait before it tries again what could not be decided.
const RETRY_AFTER_SECONDS: u32 = 5;
