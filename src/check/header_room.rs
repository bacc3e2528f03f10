//! Checks that the headers that mcp-authz adds for the server fit into the request.
//!
//! Envoy adds them only after the decision, and replies with 500 if they are too many or too long:
//! the request would be allowed, counted and recorded, and never run. So it is rejected before.

use super::limits::RequestLimits;
use super::request::{Body, HttpRequest};
use super::server::Server;
use crate::authz::{Policy, Subject};
use crate::upstream::{OWN, SET_MAX};

/// Whether the headers of the request, ours and the policy's are few and short enough together. The
/// values of ours are not known yet, so each counts with its greatest length.
pub(super) fn has_room(
    request: &HttpRequest<'_>,
    server: &Server,
    subject: &Subject,
    policy: &Policy,
    limits: &RequestLimits,
) -> bool {
    let assigned = policy.set_headers();
    let count = SET_MAX.saturating_add(assigned.len());
    if request.headers.len().saturating_add(count) > limits.headers_max {
        return false;
    }
    let names = OWN.iter().map(|name| name.len());
    let names = names.chain(assigned.iter().map(|name| name.len())).sum();
    let told = told_bytes_max(request, server, subject, limits);
    // The policy's together are taken to say no more of the request than ours.
    let said = if assigned.is_empty() { 0 } else { told };
    let assigned = ASSIGNED_BYTES.saturating_mul(assigned.len());
    let own = told.saturating_add(said).saturating_add(assigned);
    let described = described_bytes(request);
    described.saturating_add(own).saturating_add(names) <= limits.header_bytes_max
}

/// What a header of the policy has of its own, besides what it says of the request.
const ASSIGNED_BYTES: usize = 256;
/// The names of the pseudo-headers and the value of `:scheme`.
const PSEUDO_BYTES: usize = 40;
/// The id of a decision.
const ID_BYTES: usize = 36;

/// What the request has already.
fn described_bytes(request: &HttpRequest<'_>) -> usize {
    let headers = request.headers.iter();
    let headers: usize = headers
        .map(|(name, value)| name.len().saturating_add(value.len()))
        .sum();
    let pseudo = [request.method, request.path, request.host].map(str::len);
    let pseudo: usize = pseudo.iter().sum();
    headers.saturating_add(pseudo).saturating_add(PSEUDO_BYTES)
}

/// The most bytes of what the server is told of the caller and of what is asked.
fn told_bytes_max(
    request: &HttpRequest<'_>,
    server: &Server,
    subject: &Subject,
    limits: &RequestLimits,
) -> usize {
    let body = match request.body {
        Body::Absent => 0,
        Body::Bytes(body) | Body::Lossy(body) => body.len(),
    };
    // A method and a name come out of the body, where they may be escaped, and no shorter.
    let name = limits.uri_bytes_max.max(limits.name_bytes_max).min(body);
    let method = limits.name_bytes_max.min(body);
    let optional = [subject.agent.as_deref(), subject.tenant.as_deref()];
    let optional = optional.map(|text| text.map_or(0, str::len));
    let texts = [
        subject.id.len(),
        subject.issuer.len(),
        server.name.len(),
        name,
        method,
    ];
    let texts = texts.into_iter().chain(optional);
    texts.map(encoded_len).fold(ID_BYTES, usize::saturating_add)
}

/// The length of a text that may have to be encoded by Base64.
fn encoded_len(length: usize) -> usize {
    length
        .div_ceil(3)
        .saturating_mul(4)
        .saturating_add("=?base64??=".len())
}
