//! Keeps the ids of requests whose responses are filtered from other requests of the session.
//!
//! Some servers route responses by id alone, as bridges to other transports do. If another request
//! of the session had the id of one that asks for a list, the list could come as the response to
//! that other request, which nobody filters. MCP forbids using an id twice in a session, so
//! rejecting the second request costs honest clients nothing.

use smallvec::SmallVec;

use super::context::RequestContext;
use super::decision::RequestDecision;
use super::parse::ParsedRequest;
use super::pipeline::Pipeline;
use super::reason::Reason;
use super::response_context::ResponseContents;
use super::server::{Server, SessionBinding};
use crate::mcp::{Id, Message};
use crate::state::{IdInUse, Owner, RequestIds, RequestKey};

/// The id under which the Python SDK's servers keep the GET stream among the requests of a session:
/// what is asked for with it is answered there, if the stream is opened in time.
const GET_STREAM_ID: &str = "\"_GET_stream\"";

/// Refuses an allowed request after all if one of its ids has come into use meanwhile.
pub(super) fn keep_ids(
    pipeline: &Pipeline,
    ids: Option<&RequestIds>,
    context: &RequestContext<'_>,
    decided: &mut RequestDecision,
) {
    let Some(ids) = ids.filter(|_| decided.is_allowed()) else {
        return;
    };
    match pipeline
        .in_flight
        .enter(context.decision_id, ids, context.now)
    {
        Ok(0) => {}
        Ok(forgotten) => {
            tracing::warn!(forgotten, "ids in flight are forgotten; there are too many");
            let forgotten = u64::try_from(forgotten).unwrap_or(u64::MAX);
            pipeline.metrics.sessions.record_ids_forgotten(forgotten);
        }
        Err(IdInUse) => {
            decided.give_back(&*pipeline.state, context.decision_id);
            decided.refuse(Reason::IdInUse, 0);
        }
    }
}

impl RequestContext<'_> {
    /// The ids of a request, if it has any in a session. Without one there is no stream that
    /// another request shares.
    ///
    /// # Errors
    /// Two ids of a batch may be one to some server, and the response to one of them is filtered.
    pub(super) fn request_ids(
        &self,
        parsed: &ParsedRequest<'_>,
    ) -> Result<Option<RequestIds>, IdInUse> {
        let server = self.server;
        let routing = parsed.routing.as_ref();
        let Some(session) = routing.and_then(|routing| routing.session) else {
            return Ok(None);
        };
        let owner = Owner::of(self.subject);
        // A session that subjects share is nobody's to lock.
        let is_shared = server.settings.session_binding == SessionBinding::Off;
        let of = is_shared.then_some(owner);
        let key_of = |id: Id<'_>| RequestKey::new(&server.name, session, of, &id.folded());
        let (mut awaited, mut others) = (SmallVec::new(), SmallVec::new());
        for message in parsed.messages() {
            let Some(key) = message.kind.reply_id().map(key_of) else {
                continue;
            };
            if is_awaited(message, server) {
                awaited.push(key);
            } else {
                others.push(key);
            }
        }
        if self.request.method == "GET" {
            others.extend(Id::new(GET_STREAM_ID).map(key_of));
        }
        if awaited.is_empty() && others.is_empty() {
            return Ok(None);
        }
        let mut look = 0;
        if !awaited.is_empty() {
            look = ResponseContents::of(self.request, server, parsed).number();
            awaited.sort_unstable();
            let is_twice = awaited
                .windows(2)
                .any(|two| matches!(two, [a, b] if a == b));
            let is_other = |key: &RequestKey| awaited.binary_search(key).is_ok();
            if is_twice || others.iter().any(is_other) {
                return Err(IdInUse);
            }
        }
        Ok(Some(RequestIds {
            owner,
            look,
            awaited,
            others,
        }))
    }
}

/// Whether the response to a message is filtered by its id.
fn is_awaited(message: &Message<'_>, server: &Server) -> bool {
    let binds = server.settings.session_binding != SessionBinding::Off;
    message.kind.reply_id().is_some() && ResponseContents::of_message(message, binds).reads_body()
}
