//! Answers of upstreams: lists show what the caller may use, and what an answer opens is bound to
//! the caller it is for (SPEC §9).
//!
//! An answer is never repaired. What cannot be read is refused with a reason of its own, and what
//! nobody said the caller of comes out empty.

mod attended;
mod evidence;
mod framing;
mod unfit;
mod wanted;

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;

use super::answer::{Data, json_answer};
use super::exchange::{AnswerHead, Attendance, BodyMode, Carried, Exchange, Output, Process};
use super::handoff::{CONTEXT_FACT, Expected, FILTER_FACT, Handoff};
use super::{Fact, Pipeline, Server, session};
use crate::audit::Event;
use crate::authz::{self, Policy};
use crate::mcp::{
    self, Framing, ListItem, ListKind, Listing, ListingSettings, SESSION_BYTES_MAX, answer as rpc,
};
use crate::state::{BindingKey, Owner};
use crate::telemetry::metrics::Listed;
use crate::telemetry::notices::Noticed;
use evidence::{About, Tally};
use framing::framing;
use unfit::Unfit;
use wanted::{Wanted, wanted};

/// One answer.
#[derive(Debug)]
pub struct AnswerExchange {
    pipeline: Arc<Pipeline>,
    about: About,
    /// The status of the answer, if that is an error.
    error_status: Option<StatusCode>,
    /// Nobody's answer shows nothing.
    handoff: Option<Handoff>,
    /// Whether an exchange with this context has begun before. Then nothing new comes of it.
    is_repeated: bool,
    phase: Phase,
}

/// How far an answer has come.
#[derive(Debug)]
enum Phase {
    /// It goes on as it comes.
    Passing,
    /// Its body is read.
    Reading(Box<Reading>),
    /// The rest of it is dropped: the client got an answer of ours at its end.
    Dropping,
    /// Nothing more is to come.
    Ended,
}

#[derive(Debug)]
struct Reading {
    listing: Listing,
    framing: Framing,
    /// The policy that items are judged by, and the time.
    policy: Arc<Policy>,
    now: Timestamp,
    /// How many tools were told of in the audit, at most.
    told: usize,
    tally: Tally,
    /// What was read while the head is held back; none once the head was sent.
    held: Option<Vec<u8>>,
    /// Whether the ids of the request are free again.
    is_answered: bool,
    /// Whether they are so soon, since errors have come in the place of lists.
    is_refused: bool,
}

/// How much of a JSON answer is read before its head is sent: as long as it was not, an answer
/// that turns out to be unreadable can be replaced as a whole.
const HELD_BYTES_MAX: usize = 64 * 1024;
/// How many tools of an answer the audit is told of one by one; further ones are only counted.
const TOLD_MAX: usize = 1000;
/// What no longer holds for an answer whose body was read.
const BODY_HEADERS: &[&str] = &[
    "content-length",
    "etag",
    "content-md5",
    "digest",
    "content-digest",
    "repr-digest",
];

impl Process for Pipeline {
    type Exchange = AnswerExchange;

    fn attend(self: &Arc<Self>, carried: &Carried) -> Attendance {
        attended::attend(self, carried)
    }

    async fn begin(
        self: &Arc<Self>,
        carried: Carried,
        head: AnswerHead,
    ) -> (AnswerExchange, Vec<Output>) {
        let mut exchange = AnswerExchange {
            pipeline: Arc::clone(self),
            about: About::new(self, None),
            error_status: head.error_status(),
            handoff: None,
            is_repeated: false,
            phase: Phase::Passing,
        };
        let wanted = wanted(self, carried, (self.clock)());
        if let Wanted::Nothing = wanted {
            return (exchange, vec![Output::Head { remove: &[] }]);
        }
        self.metrics.record_answer_begun();
        self.notices.answer_begun();
        let expected = match wanted {
            Wanted::Nothing | Wanted::ForNobody => Expected::ANYTHING,
            Wanted::For {
                handoff,
                is_repeated,
            } => {
                let expected = handoff.expected();
                exchange.about = About::new(self, Some(&handoff));
                exchange.handoff = Some(*handoff);
                exchange.is_repeated = is_repeated;
                expected
            }
        };
        let outputs = exchange.open(expected, &head).await;
        (exchange, outputs)
    }

    fn notice(&self, noticed: Noticed) {
        self.notices.raise(noticed, (self.clock)());
    }
}

impl AnswerExchange {
    /// What becomes of the head.
    async fn open(&mut self, expected: Expected, head: &AnswerHead) -> Vec<Output> {
        if self
            .error_status
            .is_some_and(|status| status.is_client_error())
        {
            // The server has not taken the request, so there is no answer to come elsewhere.
            self.answered();
        }
        if expected.session
            && let Err(unfit) = self.bind_session(head).await
        {
            return self.replace(unfit);
        }
        if head.status == Some(202) && !expected.lists.is_empty() {
            tracing::warn!(
                server = self.about.server_name(),
                "a list was asked for and is answered elsewhere; a server of revision 2024-11-05 \
                 needs `answers_on_get: true`"
            );
        }
        if !expected.reads_body() || head.is_all {
            return vec![Output::Head { remove: &[] }];
        }
        let framing = match framing(head) {
            Ok(Some(framing)) => framing,
            Ok(None) => return vec![Output::Head { remove: &[] }],
            Err(unfit) => return self.replace(unfit),
        };
        if head.body != BodyMode::Streamed {
            if self.handoff.is_none() {
                return self.replace(Unfit::Context);
            }
            let now = (self.pipeline.clock)();
            self.pipeline.notices.raise(Noticed::BodyNotStreamed, now);
            return self.replace(Unfit::NotStreamed);
        }
        let handoff = self.handoff.as_ref();
        let settings = ListingSettings {
            lists: expected.lists,
            framing,
            make_private: handoff.is_some_and(Handoff::is_modern),
            new_tasks: expected.task,
            item_bytes_max: self.pipeline.limits.list_item_bytes_max,
            task_id_bytes_max: self.pipeline.limits.name_bytes_max,
            depth_max: self.pipeline.limits.json_depth_max,
        };
        let mut outputs = Vec::new();
        let mut waiting = Some(Vec::new());
        if framing == Framing::EventStream {
            outputs.push(Output::Head {
                remove: BODY_HEADERS,
            });
            waiting = None;
        }
        self.phase = Phase::Reading(Box::new(Reading {
            listing: Listing::new(settings),
            framing,
            policy: self.pipeline.policy.snapshot(),
            now: (self.pipeline.clock)(),
            told: 0,
            tally: Tally::new(&self.about),
            held: waiting,
            is_answered: false,
            is_refused: false,
        }));
        outputs
    }

    /// Sets the ids of the request free.
    fn answered(&self) {
        if let Some(handoff) = &self.handoff {
            self.pipeline.in_flight.leave(handoff.decision_id());
        }
    }

    /// Notes whether the answer has come, and not its stream alone. An error may be that of a
    /// request that used the same id before, so the ids are kept for a while after one. A result
    /// without a list is not the answer, and a stream that ends without one may go on elsewhere:
    /// then the list may yet come as the answer to another request, and the ids are kept.
    fn note(&self, reading: &mut Reading, end: bool) {
        let awaited = self.handoff.as_ref().map_or(0, Handoff::lists_awaited);
        let awaited = u64::try_from(awaited).unwrap_or(u64::MAX);
        let counts = reading.listing.counts();
        let has_come = if awaited == 0 {
            end
        } else {
            counts.lists >= awaited
        };
        if has_come && !std::mem::replace(&mut reading.is_answered, true) {
            self.answered();
        }
        // Of a batch nobody knows whose error it is, and what a gateway says with a status of its
        // own is not the server's last word.
        let single = self.handoff.as_ref().filter(|it| it.id().is_some());
        let is_last = counts.errors > 0 && self.error_status.is_none();
        if let Some(handoff) = single.filter(|_| !has_come && is_last && !reading.is_refused) {
            reading.is_refused = true;
            let now = (self.pipeline.clock)();
            let in_flight = &self.pipeline.in_flight;
            in_flight.expire_soon(handoff.decision_id(), now);
        }
    }

    /// Binds the session that an answer opens to the caller, before the client can know of it.
    async fn bind_session(&self, head: &AnswerHead) -> Result<(), Unfit> {
        let mut issued = head.header("mcp-session-id");
        let (Some(id), another) = (issued.next(), issued.next()) else {
            return Ok(());
        };
        let is_id = !id.is_empty() && id.bytes().all(|byte| matches!(byte, 0x21..=0x7e));
        let is_long = id.len() > SESSION_BYTES_MAX;
        if another.is_some() || !is_id || is_long || id.contains(',') {
            return Err(Unfit::SessionId);
        }
        let now = (self.pipeline.clock)();
        self.bind(BindingKey::session, Event::session_bound, id, now)
            .await
    }

    /// The context of the request and its server, if both are known.
    fn guarded(&self) -> Option<(&Handoff, &Arc<Server>)> {
        let handoff = self.handoff.as_ref()?;
        Some((handoff, self.pipeline.servers.by_name(handoff.server())?))
    }

    /// Reads a chunk. What may be sent of it is then the listing's output.
    async fn read(&self, reading: &mut Reading, chunk: &[u8]) -> Result<(), Unfit> {
        if reading.framing == Framing::EventStream {
            // A stream may outlive a policy.
            reading.policy = self.pipeline.policy.snapshot();
            reading.now = (self.pipeline.clock)();
        }
        let (policy, now) = (Arc::clone(&reading.policy), reading.now);
        let mut rest = chunk;
        loop {
            // A chunk may have tens of thousands of items; others are to have their turn.
            tokio::task::consume_budget().await;
            match reading.listing.read(&mut rest)? {
                mcp::Reading::More => return Ok(()),
                mcp::Reading::Item(item) => {
                    let kind = item.kind;
                    let is_shown = self
                        .is_shown(&policy, &item, &mut reading.told, now)
                        .await?;
                    reading.listing.settle(is_shown);
                    let result = if is_shown {
                        Listed::Visible
                    } else {
                        Listed::Hidden
                    };
                    reading.tally.count(kind, result);
                }
                mcp::Reading::Unjudged(kind, why) => {
                    // An upstream must not be able to flood the log.
                    if reading.tally.count(kind, Listed::Unjudged) == 1 {
                        tracing::warn!(%why, list = kind.member(), "hidden from a list");
                    }
                }
                mcp::Reading::NewTask(id) => {
                    self.bind(BindingKey::task, Event::task_bound, &id, now)
                        .await?;
                }
            }
        }
    }

    /// Binds what an answer issues to the caller, before its id is let out whole.
    async fn bind(
        &self,
        key: fn(&str, &str) -> BindingKey,
        event: fn(&str) -> Event,
        id: &str,
        now: Timestamp,
    ) -> Result<(), Unfit> {
        let Some((handoff, server)) = self.guarded() else {
            return Ok(());
        };
        let Pipeline { state, metrics, .. } = &*self.pipeline;
        let (owner, key) = (Owner::of(handoff.subject()), key(&server.name, id));
        if self.is_repeated {
            let is_bound = session::is_bound(&**state, server, owner, key, now).await?;
            return is_bound.then_some(()).ok_or(Unfit::Context);
        }
        session::bind_issued(&**state, metrics, server, owner, key, now).await?;
        self.about.tell(event(id));
        Ok(())
    }

    /// Whether a listed thing is for the caller to see.
    async fn is_shown(
        &self,
        policy: &Policy,
        item: &ListItem<'_>,
        told: &mut usize,
        now: Timestamp,
    ) -> Result<bool, Unfit> {
        let Some((handoff, server)) = self.guarded() else {
            return Ok(false);
        };
        let name = &*item.name;
        let Some(mut request) = handoff.access_request(item.kind, name, now) else {
            let (state, owner) = (&*self.pipeline.state, Owner::of(handoff.subject()));
            let visible = session::visible_tasks(state, server, owner, &[name], now).await?;
            return Ok(visible == [true]);
        };
        request.context.uris = server.settings.uris;
        if item.kind == ListKind::Tools && self.is_repeated {
            let standing = self
                .pipeline
                .catalog
                .compare(&server.name, name, &item.value);
            if standing.is_refused {
                return Ok(false);
            }
            request.context.hints = standing.hints;
        } else if item.kind == ListKind::Tools {
            let reader = self.about.reader(now, *told >= TOLD_MAX);
            let observed = self
                .pipeline
                .observe_tool(server, policy, name, &item.value, &reader);
            *told += usize::from(observed.is_new) + usize::from(observed.change.is_some());
            if observed.is_refused {
                return Ok(false);
            }
            request.context.hints = observed.hints;
        }
        let readings;
        let demands = authz::demands(policy, &request);
        if !demands.is_empty() {
            readings = self.pipeline.state.read(&demands, now).await?;
            request.context.readings = Some(&readings);
        }
        Ok(authz::is_visible(policy, &request))
    }

    /// Ends an answer that cannot be let through, as well as is still possible.
    fn fail(&mut self, mut reading: Box<Reading>, unfit: Unfit) -> Vec<Output> {
        if reading.held.is_some() {
            return self.replace(unfit);
        }
        self.about.tell_refusal(unfit);
        match reading.framing {
            Framing::Json => {
                self.phase = Phase::Ended;
                vec![Output::Abort]
            }
            Framing::EventStream => {
                // The client waits for its answer, and gets one.
                reading.listing.abandon(&self.error(unfit));
                self.phase = Phase::Dropping;
                chunk(reading.listing.take_output())
            }
        }
    }

    /// Puts an error of ours in the place of the answer.
    fn replace(&mut self, unfit: Unfit) -> Vec<Output> {
        self.about.tell_refusal(unfit);
        self.phase = Phase::Ended;
        let id = self.handoff.as_ref().and_then(Handoff::id);
        // An error for nobody in a good answer would leave clients waiting.
        let good = if id.is_some() {
            StatusCode::OK
        } else {
            StatusCode::BAD_GATEWAY
        };
        let status = self.error_status.unwrap_or(good);
        vec![Output::Answer(json_answer(status, self.error(unfit)))]
    }

    fn error(&self, unfit: Unfit) -> String {
        let handoff = self.handoff.as_ref();
        let data = Data {
            decision_id: handoff.map(Handoff::decision_id),
            reason: Some(unfit.code()),
            ..Data::default()
        };
        let code = i32::from(StatusCode::BAD_GATEWAY.as_u16());
        let id = handoff.and_then(Handoff::id);
        rpc::error(id, code, unfit.text(), Some(&data))
    }
}

impl Exchange for AnswerExchange {
    async fn body(&mut self, chunk: Bytes, end: bool) -> Vec<Output> {
        let mut reading = match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Reading(reading) => reading,
            Phase::Passing => {
                self.phase = Phase::Passing;
                let end = end.then_some(Output::End);
                return std::iter::once(Output::Chunk(chunk)).chain(end).collect();
            }
            Phase::Dropping => {
                self.phase = Phase::Dropping;
                return end.then_some(Output::End).into_iter().collect();
            }
            Phase::Ended => return Vec::new(),
        };
        let mut read = self.read(&mut reading, &chunk).await;
        if end && read.is_ok() {
            read = reading.listing.finish().map_err(Unfit::from);
        }
        if let Err(unfit) = read {
            return self.fail(reading, unfit);
        }
        let mut outputs = reading.outputs(end);
        self.note(&mut reading, end);
        if end {
            outputs.push(Output::End);
        } else {
            self.phase = Phase::Reading(reading);
        }
        outputs
    }

    async fn trailers(&mut self) -> Vec<Output> {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Reading(mut reading) => match reading.listing.finish() {
                Ok(()) => {
                    self.note(&mut reading, true);
                    reading.outputs(true)
                }
                Err(fault) => self.fail(reading, fault.into()),
            },
            Phase::Passing | Phase::Dropping | Phase::Ended => Vec::new(),
        }
    }
}

impl Reading {
    /// What may be sent now; all of it, if nothing more is to come.
    fn outputs(&mut self, end: bool) -> Vec<Output> {
        let read = self.listing.take_output();
        let Some(mut held) = self.held.take() else {
            return chunk(read);
        };
        held.extend_from_slice(&read);
        if held.len() < HELD_BYTES_MAX && !end {
            self.held = Some(held);
            return Vec::new();
        }
        let mut outputs = vec![Output::Head {
            remove: BODY_HEADERS,
        }];
        outputs.extend(chunk(held));
        outputs
    }
}

fn chunk(bytes: Vec<u8>) -> Vec<Output> {
    if bytes.is_empty() {
        return Vec::new();
    }
    vec![Output::Chunk(Bytes::from(bytes))]
}
