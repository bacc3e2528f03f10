//! What the service answers itself, without a token: the protected resource metadata (RFC 9728), and
//! the preflights of browsers (Fetch §3.3.2), which never carry one.

use super::conclude::{Conclusion, no_metadata, unparsed};
use super::evidence::Observation;
use super::pipeline::Pipeline;
use super::reason::Reason;
use super::reply::json_reply;
use super::request::HttpRequest;
use crate::authn::metadata;

/// Pages of any origin may read the document: it has no secret, and is asked for without credentials.
const HEADERS: [(&str, &str); 2] = [
    ("cache-control", "max-age=300"),
    ("access-control-allow-origin", "*"),
];

/// What its preflight needs besides.
const PREFLIGHT: [(&str, &str); 3] = [
    ("access-control-allow-methods", "GET, HEAD"),
    ("access-control-allow-headers", "*"),
    ("access-control-max-age", "600"),
];

/// Whether a request asks for a metadata document, whichever server it is of, or whether a page may
/// ask for one.
pub(super) fn is_metadata(request: &HttpRequest<'_>) -> bool {
    let is_read = matches!(request.method, "GET" | "HEAD") || is_preflight(request);
    is_read && metadata::is_metadata(request.path)
}

/// Whether a browser asks whether a page may send a request.
pub(super) fn is_preflight(request: &HttpRequest<'_>) -> bool {
    let has = |name| request.header(name).next().is_some();
    request.method == "OPTIONS" && has("origin") && has("access-control-request-method")
}

/// Denies a preflight for a server: one of an origin that may call it never comes this far, because
/// Envoy's CORS filter replies to it.
pub(super) fn preflight(observation: &Observation<'_>) -> Conclusion {
    unparsed(observation.decision_id(), Reason::OriginNotAllowed)
}

/// Replies to a request for a metadata document.
pub(super) fn metadata<'p>(
    pipeline: &'p Pipeline,
    request: &HttpRequest<'_>,
    observation: &mut Observation<'p>,
) -> Conclusion {
    let Ok(found) = pipeline.servers.find_metadata(request) else {
        observation.unknown_server(request);
        return no_metadata(observation.decision_id());
    };
    observation.server(found.server);
    let document = found.face.metadata.document().to_owned();
    let mut reply = json_reply(Reason::Metadata.status(), document);
    let preflight = if is_preflight(request) {
        PREFLIGHT.as_slice()
    } else {
        &[]
    };
    let headers = HEADERS.iter().chain(preflight);
    reply
        .headers
        .extend(headers.map(|(name, value)| (*name, (*value).to_owned())));
    Conclusion::reply(Reason::Metadata, reply)
}
