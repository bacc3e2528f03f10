//! What can be said of a request: of a caller's, its messages and why it is rejected; of one whose
//! caller is refused, whom the refusal is addressed to.

use std::borrow::Cow;

use http::StatusCode;
use uuid::Uuid;

use super::answer::{self, Addressee};
use super::{Body, Ending, HttpRequest, Pipeline, Reason, Server, resume};
use crate::mcp::{
    DecodeOptions, Era, Headers, Id, Message, Payload, Refusal, RefusedBody, Routing, decode,
    glance,
};

impl Pipeline {
    /// What is answered and recorded of a request whatever it asks for: the headers that say where
    /// it belongs, and of its body no more than the beginning. Nothing is judged.
    pub(super) fn glimpse<'r>(&self, request: &'r HttpRequest<'_>, server: &Server) -> Read<'r> {
        let headers = headers(request);
        let mut read = Read::unread(&headers, None);
        read.routing = Some(headers.claimed_routing());
        if request.method == "POST"
            && let Ok(body) = self.body(request, server)
        {
            let glance = glance(body, self.limits.name_bytes_max);
            read.refused_id = glance.id;
            read.refused_method = glance.method;
        }
        read
    }

    /// The body and what else there is to reject.
    pub(super) fn read<'r>(&self, request: &'r HttpRequest<'_>, server: &Server) -> Read<'r> {
        let headers = headers(request);
        let fault = shape_fault(request);
        if request.method != "POST" {
            let fault = fault.or_else(|| resume::fault(request, server));
            return Read::bodiless(request, &headers, fault);
        }
        let body = match self.body(request, server) {
            Ok(body) => body,
            Err(body_fault) => return Read::unread(&headers, fault.or(Some(body_fault))),
        };
        let settings = &server.settings;
        let options = DecodeOptions {
            json_depth_max: self.limits.json_depth_max,
            json_values_max: self.limits.json_values_max,
            name_bytes_max: self.limits.name_bytes_max,
            uri_bytes_max: self.limits.uri_bytes_max,
            batch_max: settings.batch_max,
            subscriptions_max: self.limits.subscriptions_max,
            accept_folded_arguments: settings.fold_arguments,
            lossy: matches!(request.body, Body::Lossy(_)),
        };
        let content = headers.check_content(body.len()).err();
        Read::decoded(decode(body, &options), &headers, fault, content)
    }

    fn body<'r>(&self, request: &'r HttpRequest<'_>, server: &Server) -> Result<&'r [u8], Fault> {
        let too_large = StatusCode::PAYLOAD_TOO_LARGE;
        if request.truncated {
            return Err(Fault::Shape(too_large, Reason::BodyTruncated));
        }
        let body = match request.body {
            Body::Bytes(body) if !body.is_empty() => body,
            Body::Lossy(body) if !body.is_empty() => {
                if !server.settings.string_body {
                    return Err(Fault::Shape(StatusCode::BAD_REQUEST, Reason::BodyNotBytes));
                }
                body
            }
            Body::Absent | Body::Bytes(_) | Body::Lossy(_) => {
                return Err(Fault::Shape(StatusCode::BAD_REQUEST, Reason::BodyMissing));
            }
        };
        if body.len() > self.limits.body_bytes_max {
            return Err(Fault::Shape(too_large, Reason::BodyTooLarge));
        }
        Ok(body)
    }
}

fn headers<'r>(request: &'r HttpRequest<'_>) -> Headers<'r> {
    let pairs = request
        .headers
        .iter()
        .map(|(name, value)| (&**name, &**value));
    Headers::collect(pairs, request.repeats_kept_apart)
}

/// What is wrong with a request whatever its body says.
fn shape_fault(request: &HttpRequest<'_>) -> Option<Fault> {
    let bad = StatusCode::BAD_REQUEST;
    let upgrades = request.header("upgrade").next().is_some()
        || request.header("connection").any(|value| {
            value
                .split(',')
                .any(|option| option.trim().eq_ignore_ascii_case("upgrade"))
        });
    if upgrades || request.method == "CONNECT" {
        return Some(Fault::Shape(bad, Reason::UpgradeRefused));
    }
    if !matches!(request.method, "POST" | "GET" | "DELETE" | "OPTIONS") {
        return Some(Fault::Shape(
            StatusCode::METHOD_NOT_ALLOWED,
            Reason::MethodNotAllowed,
        ));
    }
    None
}

/// What was read of a request.
pub(super) struct Read<'r> {
    pub(super) payload: Option<Payload<'r>>,
    pub(super) refused_id: Option<Id<'r>>,
    pub(super) refused_method: Option<Cow<'r, str>>,
    pub(super) routing: Option<Routing<'r>>,
    pub(super) era: Era,
    pub(super) fault: Option<Fault>,
}

/// Why a request is rejected, which its caller alone is told.
pub(super) enum Fault {
    Shape(StatusCode, Reason),
    Message(Refusal),
}

impl Fault {
    pub(super) fn ending(&self, to: &Addressee<'_>) -> Ending {
        match self {
            Fault::Shape(status, reason) => {
                let mut answer = answer::rejected(to, *status, *reason);
                if *status == StatusCode::METHOD_NOT_ALLOWED {
                    answer
                        .headers
                        .push(("allow", "POST, GET, DELETE, OPTIONS".to_owned()));
                }
                Ending::answer(*reason, answer)
            }
            Fault::Message(refusal) => {
                Ending::answer(Reason::from(refusal), answer::refused(to, refusal))
            }
        }
    }
}

impl<'r> Read<'r> {
    fn unread(headers: &Headers<'r>, fault: Option<Fault>) -> Self {
        Read {
            payload: None,
            refused_id: None,
            refused_method: None,
            routing: None,
            era: headers.era(None),
            fault,
        }
    }

    fn bodiless(request: &HttpRequest<'_>, headers: &Headers<'r>, fault: Option<Fault>) -> Self {
        let has_body = request.truncated
            || match request.body {
                Body::Absent => false,
                Body::Bytes(body) | Body::Lossy(body) => !body.is_empty(),
            }
            || request
                .header("content-length")
                .any(|length| length.trim() != "0")
            // In chunks, with a length that only who reads on would know.
            || request.header("transfer-encoding").next().is_some();
        let unexpected = has_body.then_some(Fault::Shape(
            StatusCode::BAD_REQUEST,
            Reason::BodyUnexpected,
        ));
        let mut read = Read::unread(headers, fault.or(unexpected));
        match headers.check_routing(None) {
            Ok(routing) => read.routing = Some(routing),
            Err(refusal) => read.fault = read.fault.or(Some(Fault::Message(refusal))),
        }
        read
    }

    pub(super) fn decoded(
        decoded: Result<Payload<'r>, RefusedBody<'r>>,
        headers: &Headers<'r>,
        fault: Option<Fault>,
        content: Option<Refusal>,
    ) -> Self {
        let fault = fault.or(content.map(Fault::Message));
        match decoded {
            Ok(payload) => {
                let routing = headers.check_routing(Some(&payload));
                let era = headers.era(Some(&payload));
                let (routing, refusal) = match routing {
                    Ok(routing) => (Some(routing), None),
                    Err(refusal) => (None, Some(Fault::Message(refusal))),
                };
                Read {
                    payload: Some(payload),
                    refused_id: None,
                    refused_method: None,
                    routing,
                    era,
                    fault: fault.or(refusal),
                }
            }
            Err(refused) => Read {
                payload: None,
                refused_id: refused.id,
                refused_method: refused.method,
                routing: None,
                era: headers.era(None),
                fault: fault.or(Some(Fault::Message(refused.refusal))),
            },
        }
    }

    pub(super) fn addressee(&self, decision_id: Uuid) -> Addressee<'_> {
        Addressee {
            payload: self.payload.as_ref(),
            refused_id: self.refused_id,
            era: self.era,
            decision_id,
        }
    }

    pub(super) fn messages(&self) -> &[Message<'r>] {
        self.payload.as_ref().map_or(&[], Payload::messages)
    }
}
