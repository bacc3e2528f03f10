//! The `ExternalProcessor` service: one gRPC stream for each answer of an upstream.
//!
//! A message is read only once everything was taken that the one before it led to, so a client
//! that reads slowly slows the upstream down and nothing piles up here. Nothing is spawned: when
//! Envoy resets the stream, the replies are dropped, and with them the exchange.

mod message;
mod session;

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::ReusableBoxFuture;
use tonic::{Request, Response, Status, Streaming};

use crate::check::Process;
use crate::telemetry;

use super::proto::envoy::service::ext_proc::v3::external_processor_server::ExternalProcessor;
use super::proto::envoy::service::ext_proc::v3::{ProcessingRequest, ProcessingResponse};
use session::{Session, Told};

/// The service that Envoy's `ext_proc` filter asks.
#[derive(Debug)]
pub struct ExtProc<P> {
    process: Arc<P>,
}

impl<P: Process> ExtProc<P> {
    /// A service that shows answers to `process`.
    pub fn new(process: Arc<P>) -> Self {
        Self { process }
    }
}

#[tonic::async_trait]
impl<P: Process> ExternalProcessor for ExtProc<P> {
    type ProcessStream = Replies<P, Streaming<ProcessingRequest>>;

    async fn process(
        &self,
        request: Request<Streaming<ProcessingRequest>>,
    ) -> Result<Response<Self::ProcessStream>, Status> {
        let (metadata, _, messages) = request.into_parts();
        let scope = telemetry::Trace::of_call(metadata.as_ref()).answer_scope();
        let session = Session::new(Arc::clone(&self.process), scope);
        Ok(Response::new(Replies::new(session, messages)))
    }
}

/// What Envoy is told on one stream, as it takes it.
pub struct Replies<P: Process, S> {
    /// Reads a message and finds what to tell. Not polled again once the stream is to end.
    step: ReusableBoxFuture<'static, Step<P, S>>,
    told: VecDeque<ProcessingResponse>,
    end: Option<Result<(), Status>>,
}

/// What is needed for the next step, and what this one led to.
type Step<P, S> = (Option<(Session<P>, S)>, Told);

impl<P, S> Replies<P, S>
where
    P: Process,
    S: Stream<Item = Result<ProcessingRequest, Status>> + Send + Unpin + 'static,
{
    fn new(session: Session<P>, messages: S) -> Self {
        Self {
            step: ReusableBoxFuture::new(step(session, messages)),
            told: VecDeque::new(),
            end: None,
        }
    }
}

async fn step<P, S>(mut session: Session<P>, mut messages: S) -> Step<P, S>
where
    P: Process,
    S: Stream<Item = Result<ProcessingRequest, Status>> + Unpin,
{
    let told = match messages.next().await {
        Some(Ok(message)) => session.take(message).await,
        Some(Err(status)) => Told::end(Err(status)),
        None => Told::end(session.finish()),
    };
    if told.end.is_some() {
        return (None, told);
    }
    (Some((session, messages)), told)
}

impl<P, S> Stream for Replies<P, S>
where
    P: Process,
    S: Stream<Item = Result<ProcessingRequest, Status>> + Send + Unpin + 'static,
{
    type Item = Result<ProcessingResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(reply) = self.told.pop_front() {
                return Poll::Ready(Some(Ok(reply)));
            }
            if let Some(end) = &mut self.end {
                return Poll::Ready(std::mem::replace(end, Ok(())).err().map(Err));
            }
            let (next, told) = ready!(self.step.poll(cx));
            self.told = told.replies;
            self.end = told.end;
            if let Some((session, messages)) = next {
                self.step.set(step(session, messages));
            }
        }
    }
}

impl<P: Process, S> fmt::Debug for Replies<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies")
            .field("told", &self.told.len())
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
