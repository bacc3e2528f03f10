//! One stream, message by message: what comes when, and what is told for it.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use tonic::Status;

use crate::check::{Answer, Attendance, BodyMode, Carried, Exchange, Output, Process};
use crate::telemetry::Scope;
use crate::telemetry::notices::Noticed;

use super::super::proto::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use super::super::proto::envoy::service::ext_proc::v3::processing_request::Request;
use super::super::proto::envoy::service::ext_proc::v3::processing_response::Response;
use super::super::proto::envoy::service::ext_proc::v3::{
    HttpBody, HttpHeaders, ProcessingRequest, ProcessingResponse, ProtocolConfiguration,
};
use super::message;

/// What a message led to.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The replies, in order.
    pub(super) replies: VecDeque<ProcessingResponse>,
    /// How the stream ends after them, if it does.
    pub(super) end: Option<Result<(), Status>>,
}

impl Told {
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
pub(super) struct Session<P: Process> {
    process: Arc<P>,
    scope: Scope,
    /// How Envoy gives bodies, once the first message has come.
    modes: Option<Modes>,
    stage: Stage<P::Exchange>,
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

/// How much of the answer has come.
#[derive(Debug)]
enum Stage<E> {
    /// Nothing.
    Expected,
    /// Its head.
    Begun(E),
    /// Its body to the end; trailers may follow.
    Whole(E),
    /// All of it.
    Over,
}

/// How much of the answer was let go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Nothing,
    Head,
    Body,
}

impl<P: Process> Session<P> {
    pub(super) fn new(process: Arc<P>, scope: Scope) -> Self {
        Self {
            process,
            scope,
            modes: None,
            stage: Stage::Expected,
            sent: Sent::Nothing,
            attendance: None,
        }
    }

    /// Takes a message of Envoy's. Is not called again once it has ended the stream.
    pub(super) async fn take(&mut self, message: ProcessingRequest) -> Told {
        let taken = self.scope.clone().run(self.take_in_scope(message)).await;
        taken.unwrap_or_else(|status| {
            tracing::error!(
                reason = status.message(),
                "an ext_proc stream makes no sense"
            );
            Told::end(Err(status))
        })
    }

    /// The end of a stream that Envoy has nothing more to say on. Envoy takes a good end for leave
    /// to go on without us, so there is none in the middle of a body.
    pub(super) fn finish(&self) -> Result<(), Status> {
        let is_midway = matches!(self.stage, Stage::Begun(_))
            && self.modes.map(Modes::response_body) != Some(BodyMode::Withheld);
        if is_midway {
            return Err(Status::aborted("the answer has not ended"));
        }
        Ok(())
    }

    async fn take_in_scope(&mut self, message: ProcessingRequest) -> Result<Told, Status> {
        let ProcessingRequest {
            metadata_context,
            observability_mode,
            protocol_config,
            request,
        } = message;
        if observability_mode {
            self.process.notice(Noticed::AnswersOnlyObserved);
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
        let process = &self.process;
        self.attendance
            .get_or_insert_with(|| process.attend(carried));
    }

    async fn head(
        &mut self,
        headers: HttpHeaders,
        carried: Carried,
        modes: Modes,
    ) -> Result<Told, Status> {
        let Stage::Expected = self.stage else {
            return Err(Status::failed_precondition("an answer begins twice"));
        };
        let head = message::head(headers, modes.response_body())?;
        let is_all = head.is_all;
        let (exchange, outputs) = self.process.begin(carried, head).await;
        self.stage = if is_all {
            Stage::Over
        } else {
            Stage::Begun(exchange)
        };
        Ok(self.tell(outputs))
    }

    async fn body(&mut self, body: HttpBody, modes: Modes) -> Result<Told, Status> {
        let HttpBody {
            body: chunk,
            end_of_stream,
        } = body;
        let Stage::Begun(exchange) = &mut self.stage else {
            return Err(Status::failed_precondition("a body comes out of turn"));
        };
        let told = match modes.response_body() {
            BodyMode::Streamed => {
                let outputs = exchange.body(chunk, end_of_stream).await;
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
        if end_of_stream && let Stage::Begun(exchange) = mem::replace(&mut self.stage, Stage::Over)
        {
            self.stage = Stage::Whole(exchange);
        }
        Ok(told)
    }

    async fn trailers(&mut self) -> Result<Told, Status> {
        if matches!(self.stage, Stage::Expected) && self.attendance.is_some() {
            // Nothing of the answer was shown but its end.
            self.stage = Stage::Over;
            return Ok(unchanged(Response::ResponseTrailers(
                message::trailers_go_on(),
            )));
        }
        let (Stage::Begun(mut exchange) | Stage::Whole(mut exchange)) =
            mem::replace(&mut self.stage, Stage::Over)
        else {
            return Err(Status::failed_precondition("trailers come out of turn"));
        };
        let outputs = exchange.trailers().await;
        let mut told = self.tell(outputs);
        if told.end.is_none() {
            told.reply(Response::ResponseTrailers(message::trailers_go_on()));
        }
        Ok(told)
    }

    /// Puts outputs into Envoy's words, up to the one that ends the stream.
    fn tell(&mut self, outputs: Vec<Output>) -> Told {
        let mut told = Told::default();
        let mut outputs = outputs.into_iter().peekable();
        while let Some(output) = outputs.next() {
            match (output, self.sent) {
                (Output::Head { remove }, Sent::Nothing) => {
                    self.sent = Sent::Head;
                    told.reply(Response::ResponseHeaders(message::head_goes_on(remove)));
                }
                (Output::Chunk(chunk), Sent::Head) => {
                    let is_last = outputs.next_if_eq(&Output::End).is_some();
                    self.chunk(&mut told, chunk, is_last);
                }
                (Output::End, Sent::Head) => self.chunk(&mut told, Bytes::new(), true),
                (Output::Answer(answer), Sent::Nothing) => return answered(told, answer),
                (Output::Abort, _) => {
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
    fn chunk(&mut self, told: &mut Told, mut chunk: Bytes, is_last: bool) {
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

fn unchanged(response: Response) -> Told {
    let mut told = Told::default();
    told.reply(response);
    told
}

fn answered(mut told: Told, answer: Answer) -> Told {
    told.reply(Response::ImmediateResponse(message::answer(answer)));
    told.end = Some(Ok(()));
    told
}

/// Makes Envoy break the answer off. Of all the codes this is one that Envoy does not take for a
/// sign of bad health, or an upstream could take us out of service with broken answers.
fn broken_off() -> Status {
    Status::aborted("the answer is broken off")
}

/// The most bytes of a body in one message to Envoy, whose `max_receive_message_length` has to be
/// higher.
const PIECE_BYTES_MAX: usize = 64 * 1024;
