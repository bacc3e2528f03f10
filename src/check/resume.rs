//! `Last-Event-ID`: whether a client may resume a stream, so that the server repeats what it
//! missed.
//!
//! Servers find the events to repeat by the id of one alone, whoever asks for them. So the header
//! is removed unless the server is configured to check the session too. The server then opens a new
//! stream, which clients accept; after a rejection they would stop listening.

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
