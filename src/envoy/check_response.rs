//! Writes a [`Verdict`] as a `CheckResponse`.
//!
//! Envoy forwards whatever has `status.code` 0, which is also the default, and puts the headers it
//! is given on the wire as they are. So a response is written only here, by one function for each
//! outcome; the code is an argument of none of them that could be 0.
//!
//! Messages and their fields are those of `proto/envoy/service/auth/v3`.

use crate::byte_class::{self, ByteClass};
use crate::check::{LocalReply, Obligations, Outcome, Text, Verdict};

use super::protobuf::{put_bytes, put_message, put_number};

/// Appends a verdict as a `CheckResponse`.
pub fn put_check_response(verdict: &Verdict, to: &mut Vec<u8>) {
    let code = match &verdict.outcome {
        Outcome::Allow(_) => Code::Ok,
        Outcome::Reply(reply) => denial_code(reply),
        Outcome::Fail(_) => Code::Unavailable,
    };
    put_message(to, 1, |to| put_number(to, 1, code as u16));
    match &verdict.outcome {
        Outcome::Allow(obligations) => put_message(to, 3, |to| allow(obligations, to)),
        Outcome::Reply(reply) => put_message(to, 2, |to| denied(reply, to)),
        Outcome::Fail(reply) => put_message(to, 5, |to| failed(reply, to)),
    }
    if !verdict.metadata.is_empty() {
        put_message(to, 4, |to| facts(&verdict.metadata, to));
    }
}

/// The `google.rpc.Code`s we reply with.
#[derive(Debug, Clone, Copy)]
enum Code {
    Ok = 0,
    PermissionDenied = 7,
    Unavailable = 14,
    Unauthenticated = 16,
}

fn denial_code(reply: &LocalReply) -> Code {
    if reply.status == http::StatusCode::UNAUTHORIZED {
        Code::Unauthenticated
    } else {
        Code::PermissionDenied
    }
}

/// Header changes of an allow, an `OkHttpResponse`. What cannot be set is removed: otherwise the
/// value that the client sent under a trusted name would reach the upstream.
fn allow(obligations: &Obligations, to: &mut Vec<u8>) {
    let Obligations { set, remove } = obligations;
    let mut unset = Vec::new();
    for (name, value) in set {
        if is_settable(name, value) {
            put_header(to, name, value);
        } else {
            tracing::error!(
                name = &**name,
                "an upstream header cannot be set and is removed"
            );
            unset.push(name);
        }
    }
    let names = remove.iter().chain(unset.iter().copied());
    for (index, name) in names.clone().enumerate() {
        let is_same = |other: &Text| other.eq_ignore_ascii_case(name);
        // Envoy removes after it has set, so a name in both lists would be removed.
        let is_set =
            set.iter().any(|(own, _)| is_same(own)) && !unset.iter().any(|own| is_same(own));
        let is_known = names.clone().take(index).any(is_same);
        if !is_set && !is_known && !is_reserved(name) {
            put_bytes(to, 5, name.as_bytes());
        }
    }
}

/// The reply of a denial. A status that Envoy would not survive becomes 403.
fn denied(reply: &LocalReply, to: &mut Vec<u8>) {
    let status = match reply.status.as_u16() {
        code @ (200 | 202 | 204 | 400..=599) => code,
        _ => 403,
    };
    put_reply(to, status, reply);
}

/// The reply where no decision could be made. Anything but a 5xx becomes 503.
fn failed(reply: &LocalReply, to: &mut Vec<u8>) {
    let status = match reply.status.as_u16() {
        code @ 500..=599 => code,
        _ => 503,
    };
    put_reply(to, status, reply);
}

/// The fields of a `DeniedHttpResponse`.
fn put_reply(to: &mut Vec<u8>, status: u16, reply: &LocalReply) {
    put_message(to, 1, |to| put_number(to, 1, status));
    for (name, value) in settable_headers(&reply.headers) {
        put_header(to, name, value);
    }
    if !reply.body.is_empty() {
        put_bytes(to, 3, reply.body.as_bytes());
    }
}

/// The headers of an reply that Envoy may be given.
pub(super) fn settable_headers<'a>(
    headers: &'a [(&'static str, String)],
) -> impl Iterator<Item = (&'static str, &'a str)> {
    let headers = headers.iter().map(|(name, value)| (*name, &**value));
    headers.filter(|(name, value)| {
        let settable = is_settable(name, value);
        if !settable {
            tracing::error!(name, "a header of the reply cannot be sent");
        }
        settable
    })
}

/// A `HeaderValueOption` as field 2. `value` and not `raw_value`, which `ext_authz` ignores; the
/// action is what Envoy does anyway today, and what we need once it obeys.
fn put_header(to: &mut Vec<u8>, name: &str, value: &str) {
    put_message(to, 2, |to| {
        put_message(to, 1, |to| {
            put_bytes(to, 1, name.as_bytes());
            put_bytes(to, 2, value.as_bytes());
        });
        put_number(to, 3, OVERWRITE_IF_EXISTS_OR_ADD);
    });
}

/// Whether Envoy may be given a header: a name in lower case that frames no message, and a value
/// of visible ASCII (inner spaces allowed) that is not empty. Envoy itself would let CR and LF
/// through to the wire.
fn is_settable(name: &str, value: &str) -> bool {
    let is_of_value = |byte| matches!(byte, b' '..=b'~');
    let named = !name.is_empty() && ByteClass::NAME.matches(name);
    let valued = !value.is_empty()
        && byte_class::all(value.as_bytes(), b' ', is_of_value)
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

/// Facts about the decision, as the strings of a `google.protobuf.Struct`: a map whose values are
/// messages with a string.
fn facts(metadata: &[(Text, Text)], to: &mut Vec<u8>) {
    for (name, value) in metadata {
        put_message(to, 1, |to| {
            put_bytes(to, 1, name.as_bytes());
            put_message(to, 2, |to| put_bytes(to, 3, value.as_bytes()));
        });
    }
}

/// Of `HeaderValueOption.HeaderAppendAction`.
const OVERWRITE_IF_EXISTS_OR_ADD: u16 = 2;
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
