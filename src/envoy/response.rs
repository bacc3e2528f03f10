//! [`Verdict`] to `CheckResponse`.
//!
//! Envoy forwards whatever has `status.code` 0, which is also the default, and puts the headers it
//! is given on the wire as they are. So a response is built only here, by one function for each
//! outcome; the code is an argument of none of them that could be 0.

use std::borrow::Cow;

use prost_types::value::Kind;
use prost_types::{Struct, Value};

use crate::check::{Answer, Obligations, Outcome, Verdict};

use super::proto::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use super::proto::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use super::proto::envoy::service::auth::v3::check_response::HttpResponse;
use super::proto::envoy::service::auth::v3::{CheckResponse, DeniedHttpResponse, OkHttpResponse};
use super::proto::envoy::r#type::v3::HttpStatus;
use super::proto::google::rpc::Status;

/// Puts a verdict into Envoy's words.
#[must_use]
pub fn check_response(verdict: Verdict) -> CheckResponse {
    let Verdict { outcome, metadata } = verdict;
    let (code, http_response) = match outcome {
        Outcome::Allow(obligations) => (Code::Ok, HttpResponse::OkResponse(allow(obligations))),
        Outcome::Answer(answer) => (
            denial_code(&answer),
            HttpResponse::DeniedResponse(denied(answer)),
        ),
        Outcome::Fail(answer) => (
            Code::Unavailable,
            HttpResponse::ErrorResponse(failed(answer)),
        ),
    };
    CheckResponse {
        status: Some(Status {
            code: code as i32,
            message: String::new(),
        }),
        dynamic_metadata: facts(metadata),
        http_response: Some(http_response),
    }
}

/// The `google.rpc.Code`s we answer with.
#[derive(Debug, Clone, Copy)]
enum Code {
    Ok = 0,
    PermissionDenied = 7,
    Unavailable = 14,
    Unauthenticated = 16,
}

fn denial_code(answer: &Answer) -> Code {
    if answer.status == http::StatusCode::UNAUTHORIZED {
        Code::Unauthenticated
    } else {
        Code::PermissionDenied
    }
}

/// Header changes of an allow. What cannot be set is removed: otherwise the value that the client
/// sent under a trusted name would reach the upstream.
fn allow(obligations: Obligations) -> OkHttpResponse {
    let Obligations { set, remove } = obligations;
    let mut headers: Vec<HeaderValueOption> = Vec::with_capacity(set.len());
    let mut unset = Vec::new();
    for (name, value) in set {
        if is_settable(&name, &value) {
            headers.push(header(&name, value));
        } else {
            tracing::error!(%name, "an upstream header cannot be set and is removed");
            unset.push(name.into_owned());
        }
    }
    // Envoy removes after it has set, so a name in both lists would be removed.
    let is_set = |name: &str| {
        let mut keys = headers.iter().filter_map(|option| option.header.as_ref());
        keys.any(|header| header.key.eq_ignore_ascii_case(name))
    };
    let mut headers_to_remove: Vec<String> = Vec::with_capacity(remove.len());
    for name in remove.into_iter().chain(unset) {
        let known = headers_to_remove
            .iter()
            .any(|other| other.eq_ignore_ascii_case(&name));
        if !known && !is_set(&name) && !is_reserved(&name) {
            headers_to_remove.push(name);
        }
    }
    OkHttpResponse {
        headers,
        headers_to_remove,
    }
}

/// The answer of a denial. A status that Envoy would not survive becomes 403.
fn denied(answer: Answer) -> DeniedHttpResponse {
    let status = match answer.status.as_u16() {
        code @ (200 | 202 | 204 | 400..=599) => code,
        _ => 403,
    };
    response(status, answer)
}

/// The answer where no decision could be made. Anything but a 5xx becomes 503.
fn failed(answer: Answer) -> DeniedHttpResponse {
    let status = match answer.status.as_u16() {
        code @ 500..=599 => code,
        _ => 503,
    };
    response(status, answer)
}

fn response(status: u16, answer: Answer) -> DeniedHttpResponse {
    let Answer {
        status: _,
        headers,
        body,
    } = answer;
    let headers = settable_headers(headers)
        .map(|(name, value)| header(name, value))
        .collect();
    DeniedHttpResponse {
        status: Some(HttpStatus {
            code: i32::from(status),
        }),
        headers,
        body,
    }
}

/// The headers of an answer that Envoy may be given.
pub(super) fn settable_headers(
    headers: Vec<(&'static str, String)>,
) -> impl Iterator<Item = (&'static str, String)> {
    headers.into_iter().filter(|(name, value)| {
        let settable = is_settable(name, value);
        if !settable {
            tracing::error!(name, "a header of the answer cannot be sent");
        }
        settable
    })
}

/// One header. `value` and not `raw_value`, which `ext_authz` ignores; the action is what Envoy
/// does anyway today, and what we need once it obeys.
fn header(name: &str, value: String) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue {
            key: name.to_owned(),
            value,
            raw_value: bytes::Bytes::new(),
        }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd as i32,
    }
}

/// Whether Envoy may be given a header: a name in lower case that frames no message, and a value
/// of visible ASCII (inner spaces allowed) that is not empty. Envoy itself would let CR and LF
/// through to the wire.
fn is_settable(name: &str, value: &str) -> bool {
    let named = !name.is_empty()
        && name.bytes().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&b)
        });
    let valued = !value.is_empty()
        && value.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
        && !value.starts_with(' ')
        && !value.ends_with(' ');
    named && valued && !is_reserved(name)
}

/// Whether a header belongs to the message's framing or routing, which is Envoy's.
fn is_reserved(name: &str) -> bool {
    name.is_empty()
        || name.starts_with(':')
        || RESERVED
            .iter()
            .any(|reserved| reserved.eq_ignore_ascii_case(name))
}

/// Facts about the decision, as the strings of a struct.
fn facts(metadata: Vec<(Cow<'static, str>, String)>) -> Option<Struct> {
    if metadata.is_empty() {
        return None;
    }
    let fields = metadata
        .into_iter()
        .map(|(key, text)| {
            (
                key.into_owned(),
                Value {
                    kind: Some(Kind::StringValue(text)),
                },
            )
        })
        .collect();
    Some(Struct { fields })
}

const RESERVED: [&str; 9] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

#[cfg(test)]
mod tests;
