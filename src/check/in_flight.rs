//! Ids of requests whose answers are looked at: no other request of the session may have one.
//!
//! Where a server routes answers by id alone, as bridges to other transports do, a list whose id
//! another request of the session uses too comes as the answer to that one, which nobody filters.
//! MCP forbids to use an id twice in a session, so nothing is lost by a refusal.

use smallvec::SmallVec;

use super::handoff::Expected;
use super::judgement::{Context, Judgement};
use super::{Pipeline, Read, Reason, Server, SessionBinding};
use crate::mcp::{Id, Message};
use crate::state::{IdInUse, Owner, RequestIds, RequestKey};

/// The id under which the Python SDK's servers keep the GET stream among the requests of a session:
/// what is asked for with it is answered there, if the stream is opened in time.
const GET_STREAM_ID: &str = "\"_GET_stream\"";

impl Pipeline {
    /// Refuses an allowed request after all if one of its ids has come into use meanwhile.
    pub(super) fn keep_ids(
        &self,
        ids: Option<&RequestIds>,
        context: &Context<'_>,
        judgement: &mut Judgement,
    ) {
        let Some(ids) = ids.filter(|_| judgement.is_allowed()) else {
            return;
        };
        match self.in_flight.enter(context.decision_id, ids, context.now) {
            Ok(0) => {}
            Ok(forgotten) => {
                tracing::warn!(forgotten, "ids in flight are forgotten; there are too many");
                let forgotten = u64::try_from(forgotten).unwrap_or(u64::MAX);
                self.metrics.sessions.record_ids_forgotten(forgotten);
            }
            Err(IdInUse) => {
                judgement.give_back(&*self.state, context.decision_id);
                judgement.refuse(Reason::IdInUse, 0);
            }
        }
    }
}

impl Context<'_> {
    /// The ids of a request, if it has any in a session. Without one there is no stream that
    /// another request shares.
    ///
    /// # Errors
    /// Two ids of a batch may be one to some server, and the answer to one of them is looked at.
    pub(super) fn request_ids(&self, read: &Read<'_>) -> Result<Option<RequestIds>, IdInUse> {
        let server = self.server;
        let routing = read.routing.as_ref();
        let Some(session) = routing.and_then(|routing| routing.session) else {
            return Ok(None);
        };
        let owner = Owner::of(self.subject);
        // A session that subjects share is nobody's to lock.
        let is_shared = server.settings.session_binding == SessionBinding::Off;
        let of = is_shared.then_some(owner);
        let key_of = |id: Id<'_>| RequestKey::new(&server.name, session, of, &id.folded());
        let (mut awaited, mut others) = (SmallVec::new(), SmallVec::new());
        for message in read.messages() {
            let Some(key) = message.kind.answer_id().map(key_of) else {
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
            look = Expected::of(self.request, server, read).number();
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
