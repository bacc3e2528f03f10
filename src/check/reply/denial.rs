//! Replies to requests that are denied, in the form and with the disclosure that their server is
//! configured for.

use std::time::Duration;

use http::StatusCode;

use super::addressee::Addressee;
use super::body::{INVALID_PARAMS, INVALID_REQUEST, Misfit, ReplyData, accepted, data, json_reply};
use crate::authz::{Challenge, Denial};
use crate::check::objection::ArgumentFault;
use crate::check::reason::{Reason, UNKNOWN_METHOD};
use crate::check::server::{DenySettings, DenyShape, Disclose};
use crate::check::verdict::LocalReply;
use crate::mcp::{Era, Id, Message, MessageKind, Payload, reply as rpc};

/// JSON-RPC 2.0 §5.1.
const METHOD_NOT_FOUND: i32 = -32601;
/// The most bytes of the replies to a batch. With the facts that Envoy is text besides it stays
/// below the longest message that Envoy takes (`max_receive_message_length: 262144`).
const BATCH_REPLY_BYTES_MAX: usize = 192 << 10;

/// Why a request is denied.
#[derive(Debug, Clone, Copy)]
pub(in crate::check) struct Denied<'a> {
    reason: Reason,
    rule: Option<&'a str>,
    message: Option<&'a str>,
    retry_after: Option<Duration>,
    misfit: Option<&'a ArgumentFault>,
    scopes: Option<MissingScopes<'a>>,
}

/// The scopes of a caller who lacks some, by their advertised names.
#[derive(Debug, Clone, Copy)]
pub(super) struct MissingScopes<'a> {
    /// What the caller must obtain.
    pub(super) challenge: &'a Challenge,
    /// Those to ask for.
    pub(super) asked: &'a [String],
    /// Those that are missing.
    pub(super) missing: &'a [String],
}

/// A missing scope in the form of a denial. What can be had is told whatever else is disclosed.
pub(super) fn lacks_scopes(
    to: &Addressee<'_>,
    settings: DenySettings,
    scopes: MissingScopes<'_>,
) -> LocalReply {
    let disclose = match settings.disclose {
        Disclose::Nothing | Disclose::Reason => Disclose::Reason,
        Disclose::Rule => Disclose::Rule,
    };
    let denial = Denied {
        reason: Reason::InsufficientScope,
        rule: Some(&scopes.challenge.rule),
        message: scopes.challenge.message.as_deref(),
        retry_after: None,
        misfit: None,
        scopes: Some(scopes),
    };
    denied(
        to,
        DenySettings {
            disclose,
            ..settings
        },
        denial,
    )
}

impl<'a> Denied<'a> {
    /// By policy, or because of the arguments as the second says.
    pub(in crate::check) fn new(denial: &'a Denial, misfit: Option<&'a ArgumentFault>) -> Self {
        let reason = Reason::from(denial.reason);
        Denied {
            reason,
            rule: denial.rule.as_deref(),
            message: denial.message.as_deref(),
            retry_after: denial.retry_after,
            misfit: misfit.filter(|misfit| misfit.reason() == denial.reason),
            scopes: None,
        }
    }
}

/// A reply about a session or task that belongs to another subject, or to nobody. A session is
/// answered as servers answer a dead one (404), so that clients begin a new one. They end with
/// anything else, and the session is of no use to them.
pub(in crate::check) fn not_owned(
    to: &Addressee<'_>,
    settings: DenySettings,
    reason: Reason,
) -> LocalReply {
    let says_nothing = settings.disclose == Disclose::Nothing;
    if matches!(reason, Reason::SessionUnknown | Reason::SessionMismatch) {
        let (text, data) = if says_nothing {
            ("Session not found", None)
        } else {
            (reason.text(), Some(data(to, reason)))
        };
        let body = rpc::error(to.id(), INVALID_REQUEST, text, data.as_ref());
        return json_reply(reason.status(), body);
    }
    let denied_so = Denied {
        reason,
        rule: None,
        message: None,
        retry_after: None,
        misfit: None,
        scopes: None,
    };
    denied(to, settings, denied_so)
}

/// What the policy denies, in the form and with the disclosure that the server is configured for.
pub(in crate::check) fn denied(
    to: &Addressee<'_>,
    settings: DenySettings,
    denial: Denied<'_>,
) -> LocalReply {
    let reason = denial.reason;
    let mut data = data(to, reason);
    data.retry_after = denial.retry_after.map(whole_seconds);
    data.misfit = denial.misfit.map(|misfit| Misfit {
        at: misfit.place(),
        kind: misfit.kind(),
    });
    if let Some(scopes) = denial.scopes {
        data.scopes = scopes.asked;
        data.acr_values = &scopes.challenge.acr_values;
        data.max_age = scopes.challenge.max_age.map(|age| age.as_secs());
    }
    if settings.disclose == Disclose::Rule {
        data.rule = denial.rule;
        data.message = denial.message;
    }
    let is_limited = reason == Reason::RateLimited && settings.disclose != Disclose::Nothing;
    let refused = match settings.disclose {
        // Any denial looks the same.
        Disclose::Nothing => Reason::DeniedByRule.status(),
        Disclose::Reason | Disclose::Rule => reason.status(),
    };
    let is_no_method = is_no_method(to, settings, reason);
    let status = match settings.shape {
        DenyShape::ToolError | DenyShape::JsonrpcError | DenyShape::Http403 if is_no_method => {
            UNKNOWN_METHOD
        }
        DenyShape::ToolError | DenyShape::JsonrpcError => StatusCode::OK,
        DenyShape::Http403 => refused,
    };
    let text = DenialText {
        settings,
        reason,
        code: if is_no_method {
            METHOD_NOT_FOUND
        } else if reason == Reason::TaskUnknown {
            // What servers say of a task they do not have.
            INVALID_PARAMS
        } else {
            i32::from(refused.as_u16())
        },
        data,
        message: denial.message,
        misfit: denial.misfit,
        missing: denial.scopes,
    };
    let body = match to.payload {
        None => {
            // GET and DELETE: there is no message that could be replied to with 200.
            return with_retry_after(text.refused(to, refused), denial, is_limited);
        }
        Some(_) if to.is_silent() => return accepted(),
        Some(Payload::One(message)) => text.reply(message, to.era).unwrap_or_default(),
        Some(Payload::Batch(messages)) => match text.batch(messages, to.era) {
            Some(body) => body,
            // Clients take a refusal by its status.
            None => return with_retry_after(text.refused(to, refused), denial, is_limited),
        },
    };
    with_retry_after(json_reply(status, body), denial, is_limited)
}

/// Whether a request is told that there is no such method, as modern servers tell it: 404 with
/// −32601 (2026-07-28, Streamable HTTP, Sending Messages to the Server). Where nothing is disclosed,
/// so is whatever looks like that.
fn is_no_method(to: &Addressee<'_>, settings: DenySettings, reason: Reason) -> bool {
    let Some(Payload::One(message)) = to.payload else {
        return false;
    };
    let is_unknown = match settings.disclose {
        Disclose::Nothing => lacking(&message.method, reason).0 == METHOD_NOT_FOUND,
        Disclose::Reason | Disclose::Rule => reason == Reason::UnknownMethod,
    };
    let is_request = matches!(message.kind, MessageKind::Request { .. });
    is_unknown && is_request && to.era == Era::Modern
}

/// `Retry-After` where the status says that something is wrong (RFC 9110 §10.2.3).
fn with_retry_after(mut reply: LocalReply, denial: Denied<'_>, is_limited: bool) -> LocalReply {
    if let Some(wait) = denial.retry_after.filter(|_| is_limited)
        && reply.status != StatusCode::OK
    {
        let seconds = whole_seconds(wait).to_string();
        reply.headers.push(("retry-after", seconds));
    }
    reply
}

/// Seconds after which the wait is surely over.
fn whole_seconds(wait: Duration) -> u64 {
    let part = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(part)
}

/// What a denied client is told.
struct DenialText<'a> {
    settings: DenySettings,
    reason: Reason,
    /// The code of a JSON-RPC error.
    code: i32,
    data: ReplyData<'a>,
    message: Option<&'a str>,
    misfit: Option<&'a ArgumentFault>,
    missing: Option<MissingScopes<'a>>,
}

impl DenialText<'_> {
    /// The replies to a batch. Where there is no room for everything that could be said, each
    /// request is told the reason alone; where there is no room for that either, there is no such
    /// reply.
    fn batch(&self, messages: &[Message<'_>], era: Era) -> Option<String> {
        let replies = |reply: &dyn Fn(&Message<'_>) -> Option<String>| {
            let mut all = Vec::new();
            let mut bytes: usize = 0;
            for reply in messages.iter().filter_map(reply) {
                bytes = bytes.saturating_add(reply.len());
                if bytes > BATCH_REPLY_BYTES_MAX {
                    return None;
                }
                all.push(reply);
            }
            Some(rpc::batch(&all))
        };
        replies(&|message| self.reply(message, era))
            .or_else(|| replies(&|message| self.bare(message)))
    }

    /// The reason alone.
    fn bare(&self, message: &Message<'_>) -> Option<String> {
        let MessageKind::Request { id } = message.kind else {
            return None;
        };
        if self.settings.disclose == Disclose::Nothing {
            return Some(unknown(id, &message.method, self.reason));
        }
        let text = format!("Denied ({})", self.reason.code());
        let data = None::<&ReplyData<'_>>;
        Some(rpc::error(Some(id), self.code, &text, data))
    }

    fn reply(&self, message: &Message<'_>, era: Era) -> Option<String> {
        let MessageKind::Request { id } = message.kind else {
            return None;
        };
        if self.settings.disclose == Disclose::Nothing {
            return Some(unknown(id, &message.method, self.reason));
        }
        let as_result =
            self.settings.shape == DenyShape::ToolError && *message.method == *TOOLS_CALL;
        let text = self.text();
        Some(if as_result {
            rpc::tool_error(id, &text, &self.data, era == Era::Modern)
        } else {
            rpc::error(Some(id), self.code, &text, Some(&self.data))
        })
    }

    /// For what has no message that could look unknown.
    fn refused(mut self, to: &Addressee<'_>, status: StatusCode) -> LocalReply {
        let mut text = self.reason.text();
        if self.settings.disclose == Disclose::Nothing {
            self.data.reason = None;
            text = "Forbidden";
        }
        let code = i32::from(status.as_u16());
        json_reply(status, rpc::error(to.id(), code, text, Some(&self.data)))
    }

    fn text(&self) -> String {
        let why = match (self.settings.disclose, self.message) {
            (Disclose::Rule, Some(message)) => message,
            (Disclose::Rule | Disclose::Reason | Disclose::Nothing, _) => self.reason.text(),
        };
        let code = self.reason.code();
        let misfit = self.misfit.map_or_else(String::new, |misfit| {
            let (place, kind) = (misfit.place(), misfit.kind());
            if place.is_empty() {
                format!(": {kind}")
            } else {
                format!(" at `{place}`: {kind}")
            }
        });
        let missing = self.missing.map_or_else(String::new, missing);
        format!("Denied: {why}{misfit}{missing} ({code})")
    }
}

/// What a caller has to obtain, in words: scopes, and another login where that is missing too.
fn missing(scopes: MissingScopes<'_>) -> String {
    let mut text = match scopes.missing {
        [] => String::new(),
        scopes => format!("; missing scopes: {}", scopes.join(" ")),
    };
    let Challenge {
        acr_values,
        max_age,
        ..
    } = scopes.challenge;
    let acr = (!acr_values.is_empty()).then(|| format!("acr_values {}", acr_values.join(" ")));
    let age = max_age.map(|age| format!("max_age {}", age.as_secs()));
    let login: Vec<String> = acr.into_iter().chain(age).collect();
    if !login.is_empty() {
        text.push_str("; missing login: ");
        text.push_str(&login.join(", "));
    }
    text
}

const TOOLS_CALL: &str = "tools/call";
/// The other method that names tasks.
const LISTEN: &str = "subscriptions/listen";

/// The reply of a server that does not have what was asked for. It has no name in it, as no
/// client text is repeated.
fn unknown(id: Id<'_>, method: &str, reason: Reason) -> String {
    let (code, message) = lacking(method, reason);
    rpc::error(Some(id), code, message, None::<&ReplyData<'_>>)
}

/// What servers say that lack what a method asks for.
fn lacking(method: &str, reason: Reason) -> (i32, &'static str) {
    let is_for_task = matches!(reason, Reason::TaskMismatch | Reason::TaskUnknown);
    match method {
        method if is_for_task && (method.starts_with("tasks/") || method == LISTEN) => {
            (INVALID_PARAMS, "Task not found")
        }
        TOOLS_CALL => (INVALID_PARAMS, "Unknown tool"),
        "prompts/get" => (INVALID_PARAMS, "Unknown prompt"),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
            (INVALID_PARAMS, "Resource not found")
        }
        _ => (METHOD_NOT_FOUND, "Method not found"),
    }
}
