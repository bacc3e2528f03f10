//! `Last-Event-ID`: whether a client may resume a stream, so that the server repeats what it
//! missed.
//!
//! Servers find the events to repeat by the id of one alone, whoever asks for them. So the header
//! is removed unless the server is configured to check the session too. The server then opens a new
//! stream, which clients accept; after a rejection they would stop listening.

use super::pipeline::Pipeline;
use super::request::HttpRequest;
use super::server::Server;
use crate::mcp::Era;
use crate::text::Text;
use crate::upstream::{self};

/// The header with the id of the last event that the client has got, in lower case.
pub(super) const HEADER: &str = "last-event-id";

/// Whether the server gets to know what to repeat: a GET of the revisions that have streams to
/// resume, to a server that is said to resume.
pub(super) fn resumes(request: &HttpRequest<'_>, server: &Server, era: Era) -> bool {
    may_resume(request, server, era) && request.header(HEADER).any(|id| !id.is_empty())
}

/// Whether a client asks for what it missed, and does not get it.
pub(super) fn is_ignored(request: &HttpRequest<'_>, server: &Server, era: Era) -> bool {
    request.method == "GET"
        && !may_resume(request, server, era)
        && request.header(HEADER).any(|id| !id.is_empty())
}

/// Counts such a request, and tells operators of the first one to each server: what the server sent
/// in the meantime is lost, also the response to a call that the client polls for.
pub(super) fn tell_ignored(pipeline: &Pipeline, server: &Server) {
    let sessions = &pipeline.metrics.sessions;
    sessions.record_resumption_ignored(&server.name);
    if !server.settings.resume && pipeline.notices.is_first_resumption(&server.name) {
        tracing::warn!(
            server = &*server.name,
            "a client asked to resume a stream, and got a new one: what the server sent meanwhile is \
             lost, also the response to a call whose stream broke off or is polled for. If the server \
             gives the events of a stream to its session alone, set `resume: on`"
        );
    }
}

/// Whether a request that may resume has two ids, of which servers take one or the other.
pub(super) fn is_repeated(request: &HttpRequest<'_>, server: &Server) -> bool {
    let is_asked = request.method == "GET" && server.settings.resume;
    is_asked && request.header(HEADER).nth(1).is_some()
}

/// The headers that must not reach the server: this one where nothing is resumed, and always the
/// names that CGI and WSGI cannot tell from it.
pub(super) fn unheeded_headers(request: &HttpRequest<'_>, server: &Server, era: Era) -> Vec<Text> {
    let resumes = resumes(request, server, era);
    let mut unheeded: Vec<&str> = request
        .header_names()
        .filter(|name| upstream::reads_as(name, HEADER) && !(resumes && *name == HEADER))
        .collect();
    unheeded.sort_unstable();
    unheeded.dedup();
    unheeded.into_iter().map(Text::copy).collect()
}

fn may_resume(request: &HttpRequest<'_>, server: &Server, era: Era) -> bool {
    server.settings.resume && request.method == "GET" && era == Era::Legacy
}
