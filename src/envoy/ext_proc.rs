//! The `ExternalProcessor` service: one gRPC stream for each response of an upstream.
//!
//! The next message is read only after Envoy has taken every reply to the one before, so a slow
//! client slows the upstream down and nothing piles up here. Nothing is spawned: when Envoy resets
//! the stream, the replies are dropped, and with them the filter.

mod message;
mod stream;

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::ReusableBoxFuture;
use tonic::{Request, Response, Status, Streaming};

use crate::response::FilterResponses;
use crate::telemetry;

use super::proto::envoy::service::ext_proc::v3::external_processor_server::ExternalProcessor;
use super::proto::envoy::service::ext_proc::v3::{ProcessingRequest, ProcessingResponse};
use stream::{ProcessingStream, StreamReplies};

/// The service that Envoy's `ext_proc` filter asks.
#[derive(Debug)]
pub struct ExtProc<P> {
    filters: Arc<P>,
}

impl<P: FilterResponses> ExtProc<P> {
    /// A service that gives responses to `filters`.
    pub fn new(filters: Arc<P>) -> Self {
        Self { filters }
    }
}

#[tonic::async_trait]
impl<P: FilterResponses> ExternalProcessor for ExtProc<P> {
    type ProcessStream = Replies<P, Streaming<ProcessingRequest>>;

    async fn process(
        &self,
        request: Request<Streaming<ProcessingRequest>>,
    ) -> Result<Response<Self::ProcessStream>, Status> {
        let (metadata, _, messages) = request.into_parts();
        let scope = telemetry::Trace::of_call(metadata.as_ref()).response_scope();
        let stream = ProcessingStream::new(Arc::clone(&self.filters), scope);
        Ok(Response::new(Replies::new(stream, messages)))
    }
}

/// What Envoy is told on one stream, as it takes it.
pub struct Replies<P: FilterResponses, S> {
    /// Reads a message and finds what to tell. Not polled again once the stream is to end.
    step: ReusableBoxFuture<'static, StreamStep<P, S>>,
    told: VecDeque<ProcessingResponse>,
    end: Option<Result<(), Status>>,
}

/// What is needed for the next step, and what this one led to.
type StreamStep<P, S> = (Option<(ProcessingStream<P>, S)>, StreamReplies);

impl<P, S> Replies<P, S>
where
    P: FilterResponses,
    S: Stream<Item = Result<ProcessingRequest, Status>> + Send + Unpin + 'static,
{
    fn new(stream: ProcessingStream<P>, messages: S) -> Self {
        Self {
            step: ReusableBoxFuture::new(step(stream, messages)),
            told: VecDeque::new(),
            end: None,
        }
    }
}

async fn step<P, S>(mut stream: ProcessingStream<P>, mut messages: S) -> StreamStep<P, S>
where
    P: FilterResponses,
    S: Stream<Item = Result<ProcessingRequest, Status>> + Unpin,
{
    let told = match messages.next().await {
        Some(Ok(message)) => stream.take(message).await,
        Some(Err(status)) => StreamReplies::end(Err(status)),
        None => StreamReplies::end(stream.finish()),
    };
    if told.end.is_some() {
        return (None, told);
    }
    (Some((stream, messages)), told)
}

impl<P, S> Stream for Replies<P, S>
where
    P: FilterResponses,
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
            if let Some((stream, messages)) = next {
                self.step.set(step(stream, messages));
            }
        }
    }
}

impl<P: FilterResponses, S> fmt::Debug for Replies<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies")
            .field("told", &self.told.len())
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
