//! Parses a request: its messages, where it belongs, and why it is rejected if it is.
//!
//! Nothing is acted on here. Of a request whose caller is not authenticated only the beginning is
//! read, for the id that the reply is addressed to.

use std::borrow::Cow;

use uuid::Uuid;

use super::limits::RequestLimits;
use super::reason::Reason;
use super::reply::Addressee;
use super::request::{Body, HttpRequest};
use super::resume;
use super::server::{Server, ServerSettings};
use crate::mcp::{
    Corrections, DecodeOptions, Era, Id, LEGACY_REVISIONS, MODERN_REVISION, Message,
    MessageHeaders, Payload, Refusal, RefusedBody, Routing, decode, glance,
};

/// What a reply and a record need of any request: the headers that say where it belongs, and of
/// its body no more than the beginning. Nothing is judged.
pub(super) fn glimpse<'r>(
    request: &'r HttpRequest<'_>,
    server: &Server,
    limits: &RequestLimits,
) -> ParsedRequest<'r> {
    let headers = headers(request);
    let mut parsed = ParsedRequest::unread(&headers, None);
    parsed.routing = Some(headers.claimed_routing());
    if request.method == "POST"
        && let Ok(body) = body(request, server, limits)
    {
        let glance = glance(body, limits.name_bytes_max);
        parsed.refused_id = glance.id;
        parsed.refused_method = glance.method;
    }
    parsed
}

/// Parses the body, and finds what there is to reject.
pub(super) fn parse<'r>(
    request: &'r HttpRequest<'_>,
    server: &Server,
    limits: &RequestLimits,
) -> ParsedRequest<'r> {
    let headers = headers(request);
    let rejection = shape_rejection(request);
    if request.method != "POST" {
        let rejection = rejection.or_else(|| {
            let repeated = resume::is_repeated(request, server);
            repeated.then_some(Rejection::Shape(Reason::HeaderRepeated))
        });
        let mut parsed = ParsedRequest::bodiless(request, &headers, rejection);
        parsed.check_version(&server.settings, request.method);
        return parsed;
    }
    let body = match body(request, server, limits) {
        Ok(body) => body,
        Err(of_body) => return ParsedRequest::unread(&headers, rejection.or(Some(of_body))),
    };
    let settings = &server.settings;
    let options = DecodeOptions {
        json_depth_max: limits.json_depth_max,
        json_values_max: limits.json_values_max,
        name_bytes_max: limits.name_bytes_max,
        uri_bytes_max: limits.uri_bytes_max,
        batch_max: settings.batch_max,
        subscriptions_max: limits.subscriptions_max,
        accept_folded_arguments: settings.fold_arguments,
        lossy: matches!(request.body, Body::Lossy(_)),
        indirect: settings.indirect.clone(),
    };
    let content = headers.check_content(body.len()).err();
    let mut parsed = ParsedRequest::decoded(decode(body, &options), &headers, rejection, content);
    parsed.check_version(settings, request.method);
    parsed
}

fn body<'r>(
    request: &'r HttpRequest<'_>,
    server: &Server,
    limits: &RequestLimits,
) -> Result<&'r [u8], Rejection> {
    if request.truncated {
        return Err(Rejection::Shape(Reason::BodyTruncated));
    }
    let body = match request.body {
        Body::Bytes(body) if !body.is_empty() => body,
        Body::Lossy(body) if !body.is_empty() => {
            if !server.settings.string_body {
                return Err(Rejection::Shape(Reason::BodyNotBytes));
            }
            body
        }
        Body::Absent | Body::Bytes(_) | Body::Lossy(_) => {
            return Err(Rejection::Shape(Reason::BodyMissing));
        }
    };
    if body.len() > limits.body_bytes_max {
        return Err(Rejection::Shape(Reason::BodyTooLarge));
    }
    Ok(body)
}

fn headers<'r>(request: &'r HttpRequest<'_>) -> MessageHeaders<'r> {
    let pairs = request
        .headers
        .iter()
        .map(|(name, value)| (&**name, &**value));
    MessageHeaders::collect(pairs, request.repeats_kept_apart)
}

/// What is wrong with a request whatever its body says.
fn shape_rejection(request: &HttpRequest<'_>) -> Option<Rejection> {
    let upgrades = request.header("upgrade").next().is_some()
        || request.header("connection").any(|value| {
            value
                .split(',')
                .any(|option| option.trim().eq_ignore_ascii_case("upgrade"))
        });
    if upgrades || request.method == "CONNECT" {
        return Some(Rejection::Shape(Reason::UpgradeRefused));
    }
    if !matches!(request.method, "POST" | "GET" | "DELETE" | "OPTIONS") {
        return Some(Rejection::Shape(Reason::MethodNotAllowed));
    }
    None
}

/// A request after parsing, whether it is acceptable or not.
pub(super) struct ParsedRequest<'r> {
    pub(super) payload: Option<Payload<'r>>,
    pub(super) refused_id: Option<Id<'r>>,
    pub(super) refused_method: Option<Cow<'r, str>>,
    pub(super) routing: Option<Routing<'r>>,
    pub(super) era: Era,
    /// Headers of an acceptable request that count otherwise than they were sent.
    pub(super) corrections: Corrections<'r>,
    pub(super) rejection: Option<Rejection>,
    /// The revisions that a sender of another one is told of.
    supported: Vec<&'static str>,
}

/// Why a request is rejected. Only a caller who is authenticated is told.
pub(super) enum Rejection {
    /// Something about the request but its messages.
    Shape(Reason),
    /// A message, or a header that belongs to it.
    Message(Refusal),
}

impl<'r> ParsedRequest<'r> {
    fn unread(headers: &MessageHeaders<'r>, rejection: Option<Rejection>) -> Self {
        ParsedRequest {
            payload: None,
            refused_id: None,
            refused_method: None,
            routing: None,
            era: headers.era(None),
            corrections: Corrections::new(),
            rejection,
            supported: Vec::new(),
        }
    }

    fn bodiless(
        request: &HttpRequest<'_>,
        headers: &MessageHeaders<'r>,
        rejection: Option<Rejection>,
    ) -> Self {
        let has_body = request.truncated
            || match request.body {
                Body::Absent => false,
                Body::Bytes(body) | Body::Lossy(body) => !body.is_empty(),
            }
            || request
                .header("content-length")
                .any(|length| length.trim() != "0")
            // In chunks, with a length that only the last chunk tells.
            || request.header("transfer-encoding").next().is_some();
        let unexpected = has_body.then_some(Rejection::Shape(Reason::BodyUnexpected));
        let mut parsed = ParsedRequest::unread(headers, rejection.or(unexpected));
        match headers.check_routing(None) {
            Ok(routing) => {
                parsed.routing = Some(routing);
                parsed.corrections = headers.corrections(None);
            }
            Err(refusal) => {
                parsed.rejection = parsed.rejection.or(Some(Rejection::Message(refusal)));
            }
        }
        parsed
    }

    pub(super) fn decoded(
        decoded: Result<Payload<'r>, RefusedBody<'r>>,
        headers: &MessageHeaders<'r>,
        rejection: Option<Rejection>,
        content: Option<Refusal>,
    ) -> Self {
        let rejection = rejection.or(content.map(Rejection::Message));
        match decoded {
            Ok(payload) => {
                let routing = headers.check_routing(Some(&payload));
                let era = headers.era(Some(&payload));
                let (routing, refusal) = match routing {
                    Ok(routing) => (Some(routing), None),
                    Err(refusal) => (None, Some(Rejection::Message(refusal))),
                };
                ParsedRequest {
                    corrections: headers.corrections(Some(&payload)),
                    payload: Some(payload),
                    refused_id: None,
                    refused_method: None,
                    routing,
                    era,
                    rejection: rejection.or(refusal),
                    supported: Vec::new(),
                }
            }
            Err(refused) => ParsedRequest {
                payload: None,
                refused_id: refused.id,
                refused_method: refused.method,
                routing: None,
                era: headers.era(None),
                corrections: Corrections::new(),
                rejection: rejection.or(Some(Rejection::Message(refused.refusal))),
                supported: Vec::new(),
            },
        }
    }

    /// Rejects a request of a revision that its server does not speak. A client of both eras that
    /// probes a server without the modern one gets what such servers answer: 400 with an error that
    /// is none of the modern era, on which it initializes a session (2026-07-28, Versioning and
    /// Compatibility, Backward Compatibility).
    fn check_version(&mut self, settings: &ServerSettings, http_method: &str) {
        let era = self.era;
        if !settings.protocol_versions.is_empty() {
            self.restrict_version(settings, http_method);
        }
        // The modern revision is not told of to a client of the legacy era whom nobody has told.
        self.supported = match (era, &*settings.protocol_versions) {
            (Era::Legacy, []) => LEGACY_REVISIONS.to_vec(),
            (Era::Modern, []) => vec![MODERN_REVISION],
            // A client of both eras must take the answer for that of a legacy server.
            (Era::Modern, _) if !settings.speaks(MODERN_REVISION) => Vec::new(),
            (Era::Legacy | Era::Modern, spoken) => spoken.to_vec(),
        };
    }

    fn restrict_version(&mut self, settings: &ServerSettings, http_method: &str) {
        let speaks_modern = settings.speaks(MODERN_REVISION);
        let is_handshake = self.messages().first().is_some_and(Message::is_handshake);
        let (asks, is_spoken) = match (&self.routing, self.era) {
            (None, Era::Legacy | Era::Modern) => (None, true),
            (Some(_), Era::Modern) => (Some(MODERN_REVISION), speaks_modern),
            // The server answers with a revision that it speaks, whichever is proposed.
            (Some(_), Era::Legacy) if is_handshake => (self.proposed(), settings.speaks_legacy()),
            (Some(routing), Era::Legacy) => match routing.protocol_version {
                Some(version) => (Some(version), settings.speaks(version)),
                None if self.serves(http_method) => (
                    Some(UNNAMED_REVISION),
                    UNNAMED_REVISIONS
                        .iter()
                        .any(|version| settings.speaks(version)),
                ),
                None => (None, self.payload.is_none() || settings.speaks_legacy()),
            },
        };
        if !is_spoken {
            let requested = asks.map(Into::into);
            let refusal = Refusal::ProtocolVersionUnsupported { requested };
            self.rejection.get_or_insert(Rejection::Message(refusal));
        }
        if !speaks_modern {
            self.era = Era::Legacy;
        } else if !is_spoken && !settings.speaks_legacy() {
            self.era = Era::Modern;
        }
    }

    /// Whether the server answers the request with anything: a notification or response is only
    /// taken note of, and clients end at its rejection.
    fn serves(&self, http_method: &str) -> bool {
        let is_request = |message: &Message<'_>| message.kind.reply_id().is_some();
        http_method == "GET" || self.messages().iter().any(is_request)
    }

    /// The version that an `initialize` proposes, if it is a plain one.
    fn proposed(&self) -> Option<&str> {
        let message = self.messages().first()?;
        let version = message.proposed_version.as_deref()?;
        LEGACY_REVISIONS.contains(&version).then_some(version)
    }

    pub(super) fn addressee(&self, decision_id: Uuid) -> Addressee<'_> {
        Addressee {
            payload: self.payload.as_ref(),
            refused_id: self.refused_id,
            era: self.era,
            supported: &self.supported,
            decision_id,
        }
    }

    pub(super) fn messages(&self) -> &[Message<'r>] {
        self.payload.as_ref().map_or(&[], Payload::messages)
    }
}

/// The revision of a request that names none (2025-06-18, Transports, Protocol Version Header).
const UNNAMED_REVISION: &str = "2025-03-26";

/// The revisions whose requests name none.
const UNNAMED_REVISIONS: [&str; 3] = ["2024-10-07", "2024-11-05", UNNAMED_REVISION];
