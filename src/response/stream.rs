//! The filter of one response, from its head to its end.
//!
//! A response is never repaired. One that cannot be read is replaced by an error with a reason of
//! its own, and lists whose recipient is unknown come out empty.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;

use super::attendance;
use super::body_reading::{BODY_HEADERS, BodyReading, chunk};
use super::edge::{Attendance, Carried, FilterOutput, FilterResponses, ResponseFilter};
use super::evidence::ListTally;
use super::framing::framing;
use super::head::{BodyMode, ResponseHead};
use super::judge::Judge;
use super::recipient::{Recipient, recipient};
use super::refusal::ResponseRefusal;
use crate::audit::Event;
use crate::check::Pipeline;
use crate::check::reply::{ReplyData, json_reply};
use crate::check::response_context::{ResponseContents, ResponseContext};
use crate::mcp::{self, Framing, Listing, ListingSettings, reply as rpc};
use crate::state::BindingKey;
use crate::telemetry::notices::Noticed;

/// The filter of one response.
#[derive(Debug)]
pub struct ResponseStream {
    judge: Judge,
    /// The status of the response, if that is an error.
    error_status: Option<StatusCode>,
    phase: Phase,
}

/// How far a response has come.
#[derive(Debug)]
enum Phase {
    /// It goes on as it comes.
    Passing,
    /// Its body is read.
    Reading(Box<BodyReading>),
    /// The rest of it is dropped: the client got a reply of ours at its end.
    Dropping,
    /// Nothing more is to come.
    Ended,
}

impl FilterResponses for Pipeline {
    type Filter = ResponseStream;

    fn attend(self: &Arc<Self>, carried: &Carried) -> Attendance {
        attendance::attend(self, carried)
    }

    async fn begin(
        self: &Arc<Self>,
        carried: Carried,
        head: ResponseHead,
    ) -> (ResponseStream, Vec<FilterOutput>) {
        let mut stream = ResponseStream {
            judge: Judge::new(self),
            error_status: head.error_status(),
            phase: Phase::Passing,
        };
        let recipient = recipient(self, carried, (self.clock)());
        if let Recipient::Anybody = recipient {
            return (stream, vec![FilterOutput::Head { remove: &[] }]);
        }
        self.metrics.handoff.record_response_begun();
        self.notices.response_begun();
        let contents = match recipient {
            Recipient::Anybody | Recipient::Nobody => ResponseContents::ANYTHING,
            Recipient::Caller {
                context,
                is_repeated,
            } => {
                let contents = context.contents();
                stream.judge.set_context(*context, is_repeated);
                contents
            }
        };
        let outputs = stream.open(contents, &head).await;
        (stream, outputs)
    }

    fn notice(&self, noticed: Noticed) {
        self.notices.raise(noticed, (self.clock)());
    }
}

impl ResponseStream {
    /// Decides what becomes of the head, and whether the body is read.
    async fn open(&mut self, contents: ResponseContents, head: &ResponseHead) -> Vec<FilterOutput> {
        if self
            .error_status
            .is_some_and(|status| status.is_client_error())
        {
            // The server has not taken the request, so no response will come elsewhere.
            self.release_ids();
        }
        if contents.session
            && let Err(refusal) = self.judge.bind_session(head).await
        {
            return self.replace(refusal);
        }
        if head.status == Some(202) && contents.has_lists() && !self.judge.responds_on_get() {
            tracing::warn!(
                server = self.judge.evidence.server_name(),
                "a list was asked for and is answered elsewhere; a server of revision 2024-11-05 \
                 needs `responses_on_get: true`"
            );
        }
        if !contents.reads_body() || head.is_all {
            return vec![FilterOutput::Head { remove: &[] }];
        }
        let framing = match framing(head) {
            Ok(Some(framing)) => framing,
            Ok(None) => return vec![FilterOutput::Head { remove: &[] }],
            Err(refusal) => return self.replace(refusal),
        };
        if head.body != BodyMode::Streamed {
            if self.judge.context.is_none() {
                return self.replace(ResponseRefusal::Context);
            }
            let now = (self.judge.pipeline.clock)();
            self.judge
                .pipeline
                .notices
                .raise(Noticed::BodyNotStreamed, now);
            return self.replace(ResponseRefusal::NotStreamed);
        }
        let context = self.judge.context.as_ref();
        let settings = ListingSettings {
            lists: contents.lists,
            framing,
            make_private: context.is_some_and(ResponseContext::is_modern),
            new_tasks: contents.task,
            whole_results: contents.results,
            item_bytes_max: self.judge.pipeline.limits.list_item_bytes_max,
            task_id_bytes_max: self.judge.pipeline.limits.name_bytes_max,
            depth_max: self.judge.pipeline.limits.json_depth_max,
        };
        let mut outputs = Vec::new();
        let mut waiting = Some(Vec::new());
        if framing == Framing::EventStream {
            outputs.push(FilterOutput::Head {
                remove: BODY_HEADERS,
            });
            waiting = None;
        }
        self.phase = Phase::Reading(Box::new(BodyReading {
            listing: Listing::new(settings),
            framing,
            policy: self.judge.pipeline.policy.snapshot(),
            now: (self.judge.pipeline.clock)(),
            told: 0,
            tally: ListTally::new(&self.judge.evidence),
            held: waiting,
            are_ids_free: false,
            is_refused: false,
        }));
        outputs
    }

    /// Reads a chunk. What may be sent of it is then the listing's output.
    async fn read(&self, reading: &mut BodyReading, chunk: &[u8]) -> Result<(), ResponseRefusal> {
        if reading.framing == Framing::EventStream {
            // A stream may outlive a policy.
            reading.policy = self.judge.pipeline.policy.snapshot();
            reading.now = (self.judge.pipeline.clock)();
        }
        let (policy, now) = (Arc::clone(&reading.policy), reading.now);
        let mut rest = chunk;
        loop {
            // A chunk may have tens of thousands of items; others are to have their turn.
            tokio::task::consume_budget().await;
            match reading.listing.read(&mut rest)? {
                mcp::ListingStep::More => return Ok(()),
                mcp::ListingStep::Item(item) => {
                    let kind = item.kind;
                    let is_shown = self
                        .judge
                        .is_shown(&policy, &item, &mut reading.told, now)
                        .await?;
                    reading.listing.settle(is_shown);
                    reading.tally.count(kind, is_shown);
                }
                mcp::ListingStep::Result(result) => {
                    let tally = &mut reading.tally;
                    let shown = self.judge.found_tools(&policy, result, tally, now).await?;
                    reading.listing.replace(shown.as_deref());
                }
                mcp::ListingStep::Unjudged(kind, why, name) => {
                    reading.tally.count_unjudged(kind, why);
                    self.judge.tell_unjudged(kind, why, name.as_deref());
                }
                mcp::ListingStep::NewTask(id) => {
                    self.judge
                        .bind(BindingKey::task, Event::task_bound, &id, now)
                        .await?;
                }
            }
        }
    }

    /// Notes whether the whole response has come, and not only its stream. An error may be that of
    /// a request that used the same id before, so the ids are kept for a while after one. A result
    /// without a list is not the response, and a stream that ends without one may go on elsewhere:
    /// then the list may yet come as the response to another request, and the ids are kept.
    fn note(&self, reading: &mut BodyReading, end: bool) {
        let awaited = self
            .judge
            .context
            .as_ref()
            .map_or(0, ResponseContext::lists_awaited);
        let awaited = u64::try_from(awaited).unwrap_or(u64::MAX);
        let counts = reading.listing.counts();
        let has_come = if awaited == 0 {
            end
        } else {
            counts.lists >= awaited
        };
        if has_come && !std::mem::replace(&mut reading.are_ids_free, true) {
            self.release_ids();
        }
        // Of a batch nobody knows whose error it is, and what a gateway says with a status of its
        // own is not the server's last word.
        let single = self.judge.context.as_ref().filter(|it| it.id().is_some());
        let is_last = counts.errors > 0 && self.error_status.is_none();
        if let Some(context) = single.filter(|_| !has_come && is_last && !reading.is_refused) {
            reading.is_refused = true;
            let now = (self.judge.pipeline.clock)();
            let in_flight = &self.judge.pipeline.in_flight;
            in_flight.expire_soon(context.decision_id(), now);
        }
    }

    /// Sets the ids of the request free.
    fn release_ids(&self) {
        if let Some(context) = &self.judge.context {
            self.judge.pipeline.in_flight.leave(context.decision_id());
        }
    }

    /// Ends a response that cannot be let through, as well as is still possible.
    fn fail(
        &mut self,
        mut reading: Box<BodyReading>,
        refusal: ResponseRefusal,
    ) -> Vec<FilterOutput> {
        if reading.held.is_some() {
            return self.replace(refusal);
        }
        self.judge.evidence.record_refusal(refusal);
        match reading.framing {
            Framing::Json => {
                self.phase = Phase::Ended;
                vec![FilterOutput::Abort]
            }
            Framing::EventStream => {
                // The client waits for a response, and gets one.
                reading.listing.abandon(&self.error(refusal));
                self.phase = Phase::Dropping;
                chunk(reading.listing.take_output())
            }
        }
    }

    /// Puts a reply of ours in the place of the response.
    fn replace(&mut self, refusal: ResponseRefusal) -> Vec<FilterOutput> {
        self.judge.evidence.record_refusal(refusal);
        self.phase = Phase::Ended;
        let id = self.judge.context.as_ref().and_then(ResponseContext::id);
        // An error for nobody in a good response would leave clients waiting.
        let good = if id.is_some() {
            StatusCode::OK
        } else {
            StatusCode::BAD_GATEWAY
        };
        let status = self.error_status.unwrap_or(good);
        vec![FilterOutput::Reply(json_reply(status, self.error(refusal)))]
    }

    fn error(&self, refusal: ResponseRefusal) -> String {
        let context = self.judge.context.as_ref();
        let data = ReplyData {
            decision_id: context.map(ResponseContext::decision_id),
            reason: Some(refusal.code()),
            ..ReplyData::default()
        };
        let code = i32::from(StatusCode::BAD_GATEWAY.as_u16());
        let id = context.and_then(ResponseContext::id);
        rpc::error(id, code, refusal.text(), Some(&data))
    }
}

impl ResponseFilter for ResponseStream {
    async fn body(&mut self, chunk: Bytes, end: bool) -> Vec<FilterOutput> {
        let mut reading = match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Reading(reading) => reading,
            Phase::Passing => {
                self.phase = Phase::Passing;
                let end = end.then_some(FilterOutput::End);
                return std::iter::once(FilterOutput::Chunk(chunk))
                    .chain(end)
                    .collect();
            }
            Phase::Dropping => {
                self.phase = Phase::Dropping;
                return end.then_some(FilterOutput::End).into_iter().collect();
            }
            Phase::Ended => return Vec::new(),
        };
        let mut read = self.read(&mut reading, &chunk).await;
        if end && read.is_ok() {
            read = reading.listing.finish().map_err(ResponseRefusal::from);
        }
        if let Err(refusal) = read {
            return self.fail(reading, refusal);
        }
        let mut outputs = reading.outputs(end);
        self.note(&mut reading, end);
        if end {
            outputs.push(FilterOutput::End);
        } else {
            self.phase = Phase::Reading(reading);
        }
        outputs
    }

    fn is_standing(&self) -> bool {
        let context = self.judge.context.as_ref();
        context.is_some_and(ResponseContext::is_standing)
    }

    async fn trailers(&mut self) -> Vec<FilterOutput> {
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
