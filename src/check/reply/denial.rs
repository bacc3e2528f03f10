//! Answers that keep MCP clients alive and tell them why (SPEC §7).
//!
//! What a client makes of a status, a challenge and a body differs by SDK; the forms here are
//! the ones that all of them survive. No text of the client is in them but the id.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde::Serialize;
use uuid::Uuid;

use super::server::{DenySettings, DenyShape, Disclose, Server};
use super::{Answer, Effect, Reason};
use crate::authn::AuthenticationError;
use crate::authn::challenge::{self, StepUp};
use crate::authz::{Challenge, Denial};
use crate::catalog::InvalidArguments;
use crate::mcp::{Era, Id, Kind, MODERN_REVISION, Message, Payload, Refusal, answer as rpc};

/// JSON-RPC 2.0 §5.1.
const INVALID_REQUEST: i32 = -32600;
const INVALID_PARAMS: i32 = -32602;
const METHOD_NOT_FOUND: i32 = -32601;
/// The most bytes of the answers to a batch. With the facts that Envoy is told besides it stays below
/// the longest message that Envoy takes (`max_receive_message_length: 262144`).
const BATCH_ANSWER_BYTES_MAX: usize = 192 << 10;
/// How long a client is asked to wait before it tries again what could not be decided.
const RETRY_AFTER_SECONDS: u32 = 5;

/// What an answer is addressed to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addressee<'a> {
    /// The messages of the body, if it could be read.
    pub payload: Option<&'a Payload<'a>>,
    /// The id of a body that was refused, as far as it is sure.
    pub refused_id: Option<Id<'a>>,
    /// The era of the request.
    pub era: Era,
    /// The id of the decision.
    pub decision_id: Uuid,
}

impl Addressee<'_> {
    /// The id of a body with a single message that wants an answer.
    pub(super) fn id(&self) -> Option<Id<'_>> {
        match self.payload {
            Some(Payload::One(message)) => message.kind.answer_id(),
            Some(Payload::Batch(_)) => None,
            None => self.refused_id,
        }
    }

    /// Whether nothing in the body wants an answer.
    fn is_silent(&self) -> bool {
        self.payload.is_some_and(|payload| {
            payload
                .messages()
                .iter()
                .all(|message| message.kind.answer_id().is_none())
        })
    }

    fn data(&self, reason: Reason) -> Data<'_> {
        Data {
            decision_id: Some(self.decision_id),
            reason: Some(reason.code()),
            ..Data::default()
        }
    }
}

/// What a client is told besides a text: `error.data`, or `_meta` of a tool's result. Absent members
/// are left out.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Data<'a> {
    /// `acr` values, any of which would do.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub acr_values: &'a [Arc<str>],
    /// The id of the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_id: Option<Uuid>,
    /// The greatest age that the login may have, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u64>,
    /// The message of the rule.
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
    /// The scopes that are needed.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub scopes: &'a [Arc<str>],
    /// The protocol revisions there are.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub supported: &'a [&'static str],
}

/// The first fault of arguments that do not fit the schema of their tool.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Misfit<'a> {
    /// A JSON Pointer into the arguments.
    pub at: &'a str,
    /// What is not met.
    pub kind: &'static str,
}

/// 401, or 400 where the request for authorization is itself malformed (RFC 6750 §3.1).
pub(super) fn unauthenticated(
    to: &Addressee<'_>,
    server: &Server,
    error: AuthenticationError,
) -> Answer {
    let malformed = challenge::error_code(error) == Some("invalid_request");
    let status = if malformed {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::UNAUTHORIZED
    };
    let code = if malformed {
        INVALID_REQUEST
    } else {
        i32::from(status.as_u16())
    };
    let reason = Reason::from(error);
    let mut answer = http_error(to, status, code, reason, &to.data(reason));
    answer
        .headers
        .push(("www-authenticate", server.challenges.unauthenticated(error)));
    answer
}

/// 503: nothing can be said about the request now.
pub(super) fn failed(to: &Addressee<'_>, reason: Reason) -> Answer {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let data = Data {
        retry_after: Some(RETRY_AFTER_SECONDS.into()),
        ..to.data(reason)
    };
    let mut answer = http_error(to, status, i32::from(status.as_u16()), reason, &data);
    answer
        .headers
        .push(("retry-after", RETRY_AFTER_SECONDS.to_string()));
    answer
}

/// A body that was refused. The text names the header or the limit at fault.
pub(super) fn refused(to: &Addressee<'_>, refusal: &Refusal) -> Answer {
    let status = StatusCode::from_u16(refusal.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut data = to.data(Reason::from(refusal));
    if let Some(requested) = refusal.requested_version(to.era) {
        data.requested = Some(requested);
        data.supported = &[MODERN_REVISION];
    }
    let code = refusal.rpc_code(to.era);
    json_answer(
        status,
        rpc::error(to.id(), code, &refusal.to_string(), Some(&data)),
    )
}

/// A request that was rejected for anything but its body, or that no server is meant by.
pub(super) fn rejected(to: &Addressee<'_>, status: StatusCode, reason: Reason) -> Answer {
    let code = match reason.effect() {
        Effect::Reject => INVALID_REQUEST,
        Effect::Deny | Effect::Challenge | Effect::Fail | Effect::Allow | Effect::Answer => {
            i32::from(status.as_u16())
        }
    };
    http_error(to, status, code, reason, &to.data(reason))
}

/// 403 where a scope is missing, else 401, with everything that is missing, all at once: the
/// clients that SDKs make step up by themselves only for a scope.
pub(super) fn challenged(
    to: &Addressee<'_>,
    server: &Server,
    challenge: &Challenge,
    reason: Reason,
) -> Answer {
    if to.is_silent() {
        return accepted();
    }
    let mut data = Data {
        scopes: &challenge.scopes,
        acr_values: &challenge.acr_values,
        max_age: challenge.max_age.map(|age| age.as_secs()),
        ..to.data(reason)
    };
    if server.settings.deny.disclose == Disclose::Rule {
        data.rule = Some(&challenge.rule);
        data.message = challenge.message.as_deref();
    }
    let status = if reason == Reason::InsufficientScope {
        StatusCode::FORBIDDEN
    } else {
        StatusCode::UNAUTHORIZED
    };
    let mut answer = http_error(to, status, i32::from(status.as_u16()), reason, &data);
    let texts = |texts: &[Arc<str>]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let step_up = StepUp {
        lacks_scope: reason == Reason::InsufficientScope,
        scopes: &texts(&challenge.scopes),
        acr_values: &texts(&challenge.acr_values),
        max_age: challenge.max_age,
    };
    if let Ok(value) = server.challenges.step_up(&step_up) {
        answer.headers.push(("www-authenticate", value));
    }
    answer
}

/// Why a request is denied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Denied<'a> {
    reason: Reason,
    rule: Option<&'a str>,
    message: Option<&'a str>,
    retry_after: Option<Duration>,
    misfit: Option<&'a InvalidArguments>,
}

impl<'a> Denied<'a> {
    /// By policy, or because the arguments do not fit as the second says.
    pub(super) fn new(denial: &'a Denial, misfit: Option<&'a InvalidArguments>) -> Self {
        let reason = Reason::from(denial.reason);
        Denied {
            reason,
            rule: denial.rule.as_deref(),
            message: denial.message.as_deref(),
            retry_after: denial.retry_after,
            misfit: misfit.filter(|_| reason == Reason::ArgumentsInvalid),
        }
    }
}

/// What belongs to another subject, or to nobody. A session that is nobody's, or must look so, is
/// answered as servers answer a dead one, so that clients begin a new one (mcp.md §1.4).
pub(super) fn not_owned(to: &Addressee<'_>, settings: DenySettings, reason: Reason) -> Answer {
    let says_nothing = settings.disclose == Disclose::Nothing;
    if reason == Reason::SessionUnknown || (reason == Reason::SessionMismatch && says_nothing) {
        let (text, data) = if says_nothing {
            ("Session not found", None)
        } else {
            (reason.text(), Some(to.data(reason)))
        };
        let body = rpc::error(to.id(), INVALID_REQUEST, text, data.as_ref());
        return json_answer(StatusCode::NOT_FOUND, body);
    }
    let denied_so = Denied {
        reason,
        rule: None,
        message: None,
        retry_after: None,
        misfit: None,
    };
    denied(to, settings, denied_so)
}

/// What the policy denies, in the form and with the disclosure that the server is configured for.
pub(super) fn denied(to: &Addressee<'_>, settings: DenySettings, denial: Denied<'_>) -> Answer {
    let reason = denial.reason;
    let mut data = to.data(reason);
    data.retry_after = denial.retry_after.map(whole_seconds);
    data.misfit = denial.misfit.map(|misfit| Misfit {
        at: &misfit.path,
        kind: misfit.kind,
    });
    if settings.disclose == Disclose::Rule {
        data.rule = denial.rule;
        data.message = denial.message;
    }
    let is_limited = reason == Reason::RateLimited && settings.disclose != Disclose::Nothing;
    let refused = if is_limited {
        StatusCode::TOO_MANY_REQUESTS
    } else {
        StatusCode::FORBIDDEN
    };
    let status = match settings.shape {
        DenyShape::ToolError | DenyShape::JsonrpcError => StatusCode::OK,
        DenyShape::Http403 => refused,
    };
    let told = Told {
        settings,
        reason,
        // What servers say of a task they do not have.
        code: if reason == Reason::TaskUnknown {
            INVALID_PARAMS
        } else {
            i32::from(refused.as_u16())
        },
        data,
        message: denial.message,
        misfit: denial.misfit,
    };
    let body = match to.payload {
        None => {
            // GET and DELETE: there is no message that could be answered with 200.
            return with_retry_after(told.refused(to, refused), denial, is_limited);
        }
        Some(_) if to.is_silent() => return accepted(),
        Some(Payload::One(message)) => told.answer(message, to.era).unwrap_or_default(),
        Some(Payload::Batch(messages)) => match told.batch(messages, to.era) {
            Some(body) => body,
            // Clients take a refusal by its status.
            None => return with_retry_after(told.refused(to, refused), denial, is_limited),
        },
    };
    with_retry_after(json_answer(status, body), denial, is_limited)
}

/// `Retry-After` where the status says that something is wrong (RFC 9110 §10.2.3).
fn with_retry_after(mut answer: Answer, denial: Denied<'_>, is_limited: bool) -> Answer {
    if let Some(wait) = denial.retry_after.filter(|_| is_limited)
        && answer.status != StatusCode::OK
    {
        let seconds = whole_seconds(wait).to_string();
        answer.headers.push(("retry-after", seconds));
    }
    answer
}

/// Seconds after which the wait is surely over.
fn whole_seconds(wait: Duration) -> u64 {
    let part = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(part)
}

/// What a denied client is told.
struct Told<'a> {
    settings: DenySettings,
    reason: Reason,
    /// The code of a JSON-RPC error.
    code: i32,
    data: Data<'a>,
    message: Option<&'a str>,
    misfit: Option<&'a InvalidArguments>,
}

impl Told<'_> {
    /// The answers to a batch. Where there is no room for all that could be told, each request is
    /// told the reason alone; where there is no room for that, there is no such answer.
    fn batch(&self, messages: &[Message<'_>], era: Era) -> Option<String> {
        let answers = |answer: &dyn Fn(&Message<'_>) -> Option<String>| {
            let mut answers = Vec::new();
            let mut bytes: usize = 0;
            for answer in messages.iter().filter_map(answer) {
                bytes = bytes.saturating_add(answer.len());
                if bytes > BATCH_ANSWER_BYTES_MAX {
                    return None;
                }
                answers.push(answer);
            }
            Some(rpc::batch(&answers))
        };
        answers(&|message| self.answer(message, era))
            .or_else(|| answers(&|message| self.bare(message)))
    }

    /// The reason alone.
    fn bare(&self, message: &Message<'_>) -> Option<String> {
        let Kind::Request { id } = message.kind else {
            return None;
        };
        if self.settings.disclose == Disclose::Nothing {
            return Some(unknown(id, &message.method, self.reason));
        }
        let text = format!("Denied ({})", self.reason.code());
        let data = None::<&Data<'_>>;
        Some(rpc::error(Some(id), self.code, &text, data))
    }

    fn answer(&self, message: &Message<'_>, era: Era) -> Option<String> {
        let Kind::Request { id } = message.kind else {
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
    fn refused(mut self, to: &Addressee<'_>, status: StatusCode) -> Answer {
        let mut text = self.reason.text();
        if self.settings.disclose == Disclose::Nothing {
            self.data.reason = None;
            text = "Forbidden";
        }
        let code = i32::from(status.as_u16());
        json_answer(status, rpc::error(to.id(), code, text, Some(&self.data)))
    }

    fn text(&self) -> String {
        let why = match (self.settings.disclose, self.message) {
            (Disclose::Rule, Some(message)) => message,
            (Disclose::Rule | Disclose::Reason | Disclose::Nothing, _) => self.reason.text(),
        };
        let code = self.reason.code();
        let misfit = self.misfit.map_or_else(String::new, |misfit| {
            let gap = if misfit.path.is_empty() { ":" } else { "" };
            format!("{gap} {misfit}")
        });
        format!("Denied: {why}{misfit} ({code})")
    }
}

const TOOLS_CALL: &str = "tools/call";
/// The other method that names tasks.
const LISTEN: &str = "subscriptions/listen";

/// The answer of a server that does not have what was asked for. It has no name in it, as no
/// client text is repeated.
fn unknown(id: Id<'_>, method: &str, reason: Reason) -> String {
    let is_for_task = matches!(reason, Reason::TaskMismatch | Reason::TaskUnknown);
    let (code, message) = match method {
        method if is_for_task && (method.starts_with("tasks/") || method == LISTEN) => {
            (INVALID_PARAMS, "Task not found")
        }
        TOOLS_CALL => (INVALID_PARAMS, "Unknown tool"),
        "prompts/get" => (INVALID_PARAMS, "Unknown prompt"),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
            (INVALID_PARAMS, "Resource not found")
        }
        _ => (METHOD_NOT_FOUND, "Method not found"),
    };
    rpc::error(Some(id), code, message, None::<&Data<'_>>)
}

/// 202 without a body: what is refused is dropped, and the sender goes on.
fn accepted() -> Answer {
    Answer {
        status: StatusCode::ACCEPTED,
        headers: Vec::new(),
        body: String::new(),
    }
}

fn http_error(
    to: &Addressee<'_>,
    status: StatusCode,
    code: i32,
    reason: Reason,
    data: &Data<'_>,
) -> Answer {
    json_answer(status, rpc::error(to.id(), code, reason.text(), Some(data)))
}

pub(super) fn json_answer(status: StatusCode, body: String) -> Answer {
    Answer {
        status,
        headers: vec![("content-type", "application/json".to_owned())],
        body,
    }
}
