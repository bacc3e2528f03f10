//! The `ExternalProcessor` service: one gRPC stream for each response of an upstream.
//!
//! The next message is read only after Envoy has taken every reply to the one before, so a slow
//! client slows the upstream down and nothing piles up here. Nothing is spawned: when Envoy resets
//! the stream, the replies are dropped, and with them the filter.
//!
//! When the process ends, it waits for responses that are under way, and not for those that last as
//! long as their clients want them: such a stream is left once nothing has come on it for a moment.

mod message;
mod stream;

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::watch;
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
    ending: Ending,
}

impl<P: FilterResponses> ExtProc<P> {
    /// A service that gives responses to `filters`.
    pub fn new(filters: Arc<P>) -> Self {
        Self {
            filters,
            ending: Ending::default(),
        }
    }

    /// The same, of a process that ends as this says.
    #[must_use]
    pub fn until(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }
}

/// Whether the process is ending. Clones are handles to the same fact; by default it never is.
#[derive(Debug, Clone, Default)]
pub struct Ending(Arc<watch::Sender<bool>>);

impl Ending {
    /// Tells every stream that it is.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Resolves once the process is ending and a moment has passed.
    async fn quiet(&self) {
        let mut ending = self.0.subscribe();
        // INVARIANT: the sender is here, so this does not fail.
        if ending.wait_for(|is_ending| *is_ending).await.is_ok() {
            tokio::time::sleep(QUIET).await;
        }
    }
}

/// How long nothing must have come on a stream that is left: responses to calls may come on it.
const QUIET: Duration = Duration::from_secs(1);

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
        let ending = self.ending.clone();
        Ok(Response::new(Replies::new(stream, messages, ending)))
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
type StreamStep<P, S> = (Option<(ProcessingStream<P>, S, Ending)>, StreamReplies);

impl<P, S> Replies<P, S>
where
    P: FilterResponses,
    S: Stream<Item = Result<ProcessingRequest, Status>> + Send + Unpin + 'static,
{
    fn new(stream: ProcessingStream<P>, messages: S, ending: Ending) -> Self {
        Self {
            step: ReusableBoxFuture::new(step(stream, messages, ending)),
            told: VecDeque::new(),
            end: None,
        }
    }
}

async fn step<P, S>(
    mut stream: ProcessingStream<P>,
    mut messages: S,
    ending: Ending,
) -> StreamStep<P, S>
where
    P: FilterResponses,
    S: Stream<Item = Result<ProcessingRequest, Status>> + Unpin,
{
    let message = if stream.is_standing() {
        tokio::select! {
            biased;
            message = messages.next() => message,
            () = ending.quiet() => return (None, StreamReplies::end(stream.leave())),
        }
    } else {
        messages.next().await
    };
    let told = match message {
        Some(Ok(message)) => stream.take(message).await,
        Some(Err(status)) => StreamReplies::end(Err(status)),
        None => StreamReplies::end(stream.finish()),
    };
    if told.end.is_some() {
        return (None, told);
    }
    (Some((stream, messages, ending)), told)
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
            if let Some((stream, messages, ending)) = next {
                self.step.set(step(stream, messages, ending));
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
