//! One stream, message by message: which message may come when, and the replies to it.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use tonic::Status;

use crate::check::LocalReply;
use crate::response::{
    Attendance, BodyMode, Carried, FilterOutput, FilterResponses, ResponseFilter,
};
use crate::telemetry::TraceScope;
use crate::telemetry::notices::Noticed;

use super::super::proto::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use super::super::proto::envoy::service::ext_proc::v3::processing_request::Request;
use super::super::proto::envoy::service::ext_proc::v3::processing_response::Response;
use super::super::proto::envoy::service::ext_proc::v3::{
    HttpBody, HttpHeaders, ProcessingRequest, ProcessingResponse, ProtocolConfiguration,
};
use super::message;

/// The replies to one message.
#[derive(Debug, Default)]
pub(super) struct StreamReplies {
    /// The replies, in order.
    pub(super) replies: VecDeque<ProcessingResponse>,
    /// How the stream ends after them, if it does.
    pub(super) end: Option<Result<(), Status>>,
}

impl StreamReplies {
    /// Nothing, and the stream ends.
    pub(super) fn end(end: Result<(), Status>) -> Self {
        Self {
            replies: VecDeque::new(),
            end: Some(end),
        }
    }

    fn reply(&mut self, response: Response) {
        self.replies.push_back(message::reply(response));
    }
}

/// The state of one stream.
#[derive(Debug)]
pub(super) struct ProcessingStream<P: FilterResponses> {
    filters: Arc<P>,
    scope: TraceScope,
    /// How Envoy gives bodies, once the first message has come.
    modes: Option<Modes>,
    stage: Progress<P::Filter>,
    sent: Sent,
    /// What the request has while this stream lasts, once the first message has come.
    attendance: Option<Attendance>,
}

/// How Envoy gives bodies; none if it does not say.
#[derive(Debug, Clone, Copy)]
struct Modes {
    request: Option<BodySendMode>,
    response: Option<BodySendMode>,
}

/// How much of the response has come.
#[derive(Debug)]
enum Progress<E> {
    /// Nothing.
    Expected,
    /// Its head.
    Begun(E),
    /// Its body to the end; trailers may follow.
    Whole(E),
    /// All of it.
    Over,
}

/// How much of the response was let go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Nothing,
    Head,
    Body,
}

impl<P: FilterResponses> ProcessingStream<P> {
    pub(super) fn new(filters: Arc<P>, scope: TraceScope) -> Self {
        Self {
            filters,
            scope,
            modes: None,
            stage: Progress::Expected,
            sent: Sent::Nothing,
            attendance: None,
        }
    }

    /// Takes a message of Envoy's. Is not called again once it has ended the stream.
    pub(super) async fn take(&mut self, message: ProcessingRequest) -> StreamReplies {
        let taken = self.scope.clone().run(self.take_in_scope(message)).await;
        taken.unwrap_or_else(|status| {
            tracing::error!(
                reason = status.message(),
                "an ext_proc stream makes no sense"
            );
            StreamReplies::end(Err(status))
        })
    }

    /// The end of a stream that Envoy has nothing more to say on. Envoy takes a good end for leave
    /// to go on without us, so there is none in the middle of a body.
    pub(super) fn finish(&self) -> Result<(), Status> {
        let is_midway = matches!(self.stage, Progress::Begun(_))
            && self.modes.map(Modes::response_body) != Some(BodyMode::Withheld);
        if is_midway {
            return Err(Status::aborted("the response has not ended"));
        }
        Ok(())
    }

    /// Whether the response lasts as long as its client wants it.
    pub(super) fn is_standing(&self) -> bool {
        match &self.stage {
            Progress::Begun(filter) => filter.is_standing(),
            Progress::Expected | Progress::Whole(_) | Progress::Over => false,
        }
    }

    /// The end of a stream that is not waited for. Where the body is not shown, Envoy goes on without
    /// us; elsewhere it breaks the response off, and the client opens another one.
    pub(super) fn leave(&self) -> Result<(), Status> {
        let left = |_| Status::unavailable("the process ends");
        self.finish().map_err(left)
    }

    async fn take_in_scope(&mut self, message: ProcessingRequest) -> Result<StreamReplies, Status> {
        let ProcessingRequest {
            metadata_context,
            observability_mode,
            protocol_config,
            request,
        } = message;
        if observability_mode {
            self.filters.notice(Noticed::ResponsesOnlyObserved);
        }
        let modes = *self
            .modes
            .get_or_insert_with(|| Modes::new(protocol_config.as_ref()));
        match request.ok_or_else(|| Status::invalid_argument("a message says nothing"))? {
            Request::ResponseHeaders(headers) => {
                let carried = message::carried(metadata_context);
                self.attend(&carried);
                self.head(headers, carried, modes).await
            }
            Request::ResponseBody(body) => self.body(body, modes).await,
            Request::ResponseTrailers(_) => self.trailers().await,
            Request::RequestHeaders(_) => {
                self.attend(&message::carried(metadata_context));
                Ok(unchanged(Response::RequestHeaders(message::head_goes_on(
                    &[],
                ))))
            }
            Request::RequestBody(body) => Ok(unchanged(Response::RequestBody(
                message::passed(body, modes.request)
                    .ok_or_else(|| Status::failed_precondition("request bodies are not framed"))?,
            ))),
            Request::RequestTrailers(_) => Ok(unchanged(Response::RequestTrailers(
                message::trailers_go_on(),
            ))),
        }
    }

    fn attend(&mut self, carried: &Carried) {
        let filters = &self.filters;
        self.attendance
            .get_or_insert_with(|| filters.attend(carried));
    }

    async fn head(
        &mut self,
        headers: HttpHeaders,
        carried: Carried,
        modes: Modes,
    ) -> Result<StreamReplies, Status> {
        let Progress::Expected = self.stage else {
            return Err(Status::failed_precondition("a response begins twice"));
        };
        let head = message::head(headers, modes.response_body())?;
        let is_all = head.is_all;
        let (filter, outputs) = self.filters.begin(carried, head).await;
        self.stage = if is_all {
            Progress::Over
        } else {
            Progress::Begun(filter)
        };
        Ok(self.tell(outputs))
    }

    async fn body(&mut self, body: HttpBody, modes: Modes) -> Result<StreamReplies, Status> {
        let HttpBody {
            body: chunk,
            end_of_stream,
        } = body;
        let Progress::Begun(filter) = &mut self.stage else {
            return Err(Status::failed_precondition("a body comes out of turn"));
        };
        let told = match modes.response_body() {
            BodyMode::Streamed => {
                let outputs = filter.body(chunk, end_of_stream).await;
                self.tell(outputs)
            }
            // Whoever let the head go on knew that its body would.
            BodyMode::Other if self.sent == Sent::Head => {
                unchanged(Response::ResponseBody(message::body_goes_on()))
            }
            BodyMode::Other | BodyMode::Withheld => {
                return Err(Status::failed_precondition("a body comes unasked for"));
            }
        };
        if end_of_stream
            && let Progress::Begun(filter) = mem::replace(&mut self.stage, Progress::Over)
        {
            self.stage = Progress::Whole(filter);
        }
        Ok(told)
    }

    async fn trailers(&mut self) -> Result<StreamReplies, Status> {
        if matches!(self.stage, Progress::Expected) && self.attendance.is_some() {
            // Nothing of the response was shown but its end.
            self.stage = Progress::Over;
            return Ok(unchanged(Response::ResponseTrailers(
                message::trailers_go_on(),
            )));
        }
        let (Progress::Begun(mut filter) | Progress::Whole(mut filter)) =
            mem::replace(&mut self.stage, Progress::Over)
        else {
            return Err(Status::failed_precondition("trailers come out of turn"));
        };
        let outputs = filter.trailers().await;
        let mut told = self.tell(outputs);
        if told.end.is_none() {
            told.reply(Response::ResponseTrailers(message::trailers_go_on()));
        }
        Ok(told)
    }

    /// Puts outputs into Envoy's words, up to the one that ends the stream.
    fn tell(&mut self, outputs: Vec<FilterOutput>) -> StreamReplies {
        let mut told = StreamReplies::default();
        let mut outputs = outputs.into_iter().peekable();
        while let Some(output) = outputs.next() {
            match (output, self.sent) {
                (FilterOutput::Head { remove }, Sent::Nothing) => {
                    self.sent = Sent::Head;
                    told.reply(Response::ResponseHeaders(message::head_goes_on(remove)));
                }
                (FilterOutput::Chunk(chunk), Sent::Head) => {
                    let is_last = outputs.next_if_eq(&FilterOutput::End).is_some();
                    self.chunk(&mut told, chunk, is_last);
                }
                (FilterOutput::End, Sent::Head) => self.chunk(&mut told, Bytes::new(), true),
                (FilterOutput::Reply(reply), Sent::Nothing) => return replied(told, reply),
                (FilterOutput::Abort, _) => {
                    told.end = Some(Err(broken_off()));
                    return told;
                }
                (output, sent) => {
                    tracing::error!(?sent, output = output.name(), "an output is out of turn");
                    told.end = Some(Err(broken_off()));
                    return told;
                }
            }
        }
        told
    }

    /// Tells a chunk in pieces, so that none is more than Envoy takes in one message.
    fn chunk(&mut self, told: &mut StreamReplies, mut chunk: Bytes, is_last: bool) {
        while chunk.len() > PIECE_BYTES_MAX {
            let piece = chunk.split_to(PIECE_BYTES_MAX);
            told.reply(Response::ResponseBody(message::piece(piece, false)));
        }
        if is_last {
            self.sent = Sent::Body;
        }
        if is_last || !chunk.is_empty() {
            told.reply(Response::ResponseBody(message::piece(chunk, is_last)));
        }
    }
}

impl Modes {
    fn new(config: Option<&ProtocolConfiguration>) -> Self {
        let mode = |number: i32| BodySendMode::try_from(number).ok();
        Self {
            request: config.and_then(|config| mode(config.request_body_mode)),
            response: config.and_then(|config| mode(config.response_body_mode)),
        }
    }

    fn response_body(self) -> BodyMode {
        match self.response {
            Some(BodySendMode::FullDuplexStreamed) => BodyMode::Streamed,
            Some(BodySendMode::None) => BodyMode::Withheld,
            Some(
                BodySendMode::Streamed
                | BodySendMode::Buffered
                | BodySendMode::BufferedPartial
                | BodySendMode::Grpc,
            )
            | None => BodyMode::Other,
        }
    }
}

fn unchanged(response: Response) -> StreamReplies {
    let mut told = StreamReplies::default();
    told.reply(response);
    told
}

fn replied(mut told: StreamReplies, reply: LocalReply) -> StreamReplies {
    told.reply(Response::ImmediateResponse(message::immediate(reply)));
    told.end = Some(Ok(()));
    told
}

/// Makes Envoy break the response off. Of all the codes this is one that Envoy does not take for a
/// sign of bad health, or an upstream could take us out of service with broken responses.
fn broken_off() -> Status {
    Status::aborted("the response is broken off")
}

/// The most bytes of a body in one message to Envoy, whose `max_receive_message_length` has to be
/// higher.
const PIECE_BYTES_MAX: usize = 64 * 1024;
