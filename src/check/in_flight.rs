//! Ids of requests whose answers are looked at: no other request of the session may have one.
//!
//! Where a server routes answers by id alone, as bridges to other transports do, a list whose id
//! another request of the session uses too comes as the answer to that one, which nobody filters.
//! MCP forbids to use an id twice in a session, so nothing is lost by a refusal.

use super::handoff::Expected;
use super::judgement::{Context, Judgement};
use super::{Pipeline, Read, Reason, Server, SessionBinding};
use crate::mcp::{Id, Message};
use crate::state::{IdInUse, Owner, RequestKey};

/// The id under which the Python SDK's servers keep the GET stream among the requests of a session:
/// what is asked for with it is answered there, if the stream is opened in time.
const GET_STREAM_ID: &str = "\"_GET_stream\"";

impl Pipeline {
    /// Refuses an allowed request after all if one of its ids is in use.
    pub(super) fn keep_ids(
        &self,
        context: &Context<'_>,
        read: &Read<'_>,
        judgement: &mut Judgement,
    ) {
        if judgement.is_allowed() && self.enter(context, read).is_err() {
            judgement.give_back(&*self.state, context.decision_id);
            judgement.refuse(Reason::IdInUse, 0);
        }
    }

    /// Checks the ids of a request, and keeps those of it whose answers are looked at
    /// until these have come. Without a session there is no stream that another request shares.
    fn enter(&self, context: &Context<'_>, read: &Read<'_>) -> Result<(), IdInUse> {
        let server = context.server;
        let routing = read.routing.as_ref();
        let Some(session) = routing.and_then(|routing| routing.session) else {
            return Ok(());
        };
        let is_awaited = |message: &Message<'_>| is_awaited(message, server);
        let messages = read.messages();
        if self.in_flight.is_empty() && !messages.iter().any(is_awaited) {
            return Ok(());
        }
        let key_of = |id: Id<'_>| RequestKey::new(&server.name, session, &id.folded());
        let key = |message: &Message<'_>| message.kind.answer_id().map(key_of);
        let mut ids: Vec<RequestKey> = messages.iter().filter_map(key).collect();
        if context.request.method == "GET" {
            ids.extend(Id::new(GET_STREAM_ID).map(key_of));
        }
        if ids.is_empty() {
            return Ok(());
        }
        let mut awaited: Vec<RequestKey> = Vec::new();
        for id in messages.iter().filter(|it| is_awaited(it)).filter_map(key) {
            // Two ids of a batch may be one to some server.
            if awaited.contains(&id) {
                return Err(IdInUse);
            }
            awaited.push(id);
        }
        if ids.iter().filter(|id| awaited.contains(id)).count() > awaited.len() {
            return Err(IdInUse);
        }
        let (owner, request) = (Owner::of(context.subject), context.decision_id);
        let forgotten = self
            .in_flight
            .enter(request, owner, &ids, &awaited, context.now)?;
        if forgotten > 0 {
            tracing::warn!(forgotten, "ids in flight are forgotten; there are too many");
            let forgotten = u64::try_from(forgotten).unwrap_or(u64::MAX);
            self.metrics.record_ids_forgotten(forgotten);
        }
        Ok(())
    }
}

/// Whether the answer to a message is looked at for its id.
fn is_awaited(message: &Message<'_>, server: &Server) -> bool {
    let binds = server.settings.session_binding != SessionBinding::Off;
    message.kind.answer_id().is_some() && Expected::of_message(message, binds).reads_body()
}

/// How many lists the answer to a request has, if everything that it asks for is answered.
pub(super) fn lists_awaited(read: &Read<'_>, server: &Server) -> usize {
    let binds = server.settings.session_binding != SessionBinding::Off;
    let has_list = |message: &&Message<'_>| {
        message.kind.answer_id().is_some() && !Expected::of_message(message, binds).lists.is_empty()
    };
    read.messages().iter().filter(has_list).count()
}
