//! What the service answers itself: the protected resource metadata (RFC 9728).

use super::conclude::{Conclusion, no_metadata};
use super::evidence::Observation;
use super::pipeline::Pipeline;
use super::reason::Reason;
use super::reply::json_reply;
use super::request::HttpRequest;
use crate::authn::metadata;

/// Whether a request asks for a metadata document, whichever server it is of.
pub(super) fn is_metadata(request: &HttpRequest<'_>) -> bool {
    matches!(request.method, "GET" | "HEAD") && metadata::is_metadata(request.path)
}

/// Replies to a request for a metadata document.
pub(super) fn metadata<'p>(
    pipeline: &'p Pipeline,
    request: &HttpRequest<'_>,
    observation: &mut Observation<'p>,
) -> Conclusion {
    let Ok(server) = pipeline.servers.find_metadata(request) else {
        return no_metadata(observation.decision_id());
    };
    observation.server(server);
    let document = server.metadata.document().to_owned();
    let mut reply = json_reply(Reason::Metadata.status(), document);
    reply
        .headers
        .push(("cache-control", "max-age=300".to_owned()));
    Conclusion::reply(Reason::Metadata, reply)
}
