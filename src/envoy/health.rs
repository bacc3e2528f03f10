//! The service `grpc.health.v1.Health`, which Envoy's active health checks ask.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status};

use crate::health::{Readiness, ReadinessState};

use super::proto::grpc::health::v1::health_check_response::ServingStatus;
use super::proto::grpc::health::v1::health_server::Health;
use super::proto::grpc::health::v1::{HealthCheckRequest, HealthCheckResponse};

/// Tells the readiness of the process as the health of the services it has.
#[derive(Debug)]
pub struct HealthService {
    readiness: Readiness,
    services: &'static [&'static str],
}

impl HealthService {
    /// The health of `services`, which are full names of gRPC services, and of the process (`""`).
    #[must_use]
    pub fn new(readiness: Readiness, services: &'static [&'static str]) -> Self {
        Self {
            readiness,
            services,
        }
    }

    fn knows(&self, service: &str) -> bool {
        service.is_empty() || self.services.contains(&service)
    }
}

type Answers = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Health for HealthService {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if self.knows(&request.get_ref().service) {
            Ok(Response::new(answer(status_of(self.readiness.state()))))
        } else {
            Err(Status::not_found("unknown service"))
        }
    }

    type WatchStream = Answers;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let answers: Answers = if self.knows(&request.get_ref().service) {
            Box::pin(Changes::new(self.readiness.subscribe()))
        } else {
            // The call stays open: the set of services is fixed, so this is all there is to say,
            // and clients would come again at once if it ended.
            let unknown = tokio_stream::once(Ok(answer(ServingStatus::ServiceUnknown)));
            Box::pin(unknown.chain(until_drain(self.readiness.subscribe())))
        };
        Ok(Response::new(answers))
    }
}

/// The health now and at each change. It ends with the drain: nothing changes after it, and an
/// open stream would hold the drain up.
struct Changes {
    states: WatchStream<ReadinessState>,
    drained: bool,
}

impl Changes {
    fn new(states: watch::Receiver<ReadinessState>) -> Self {
        Self {
            states: WatchStream::new(states),
            drained: false,
        }
    }
}

impl Stream for Changes {
    type Item = Result<HealthCheckResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.drained {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.states).poll_next(cx).map(|state| {
            state.map(|state| {
                self.drained = state.is_final();
                Ok(answer(status_of(state)))
            })
        })
    }
}

/// Nothing, until the drain.
fn until_drain(
    states: watch::Receiver<ReadinessState>,
) -> impl Stream<Item = Result<HealthCheckResponse, Status>> {
    WatchStream::new(states)
        .take_while(|state| !state.is_final())
        .filter_map(|_| None)
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status as i32,
    }
}

fn status_of(state: ReadinessState) -> ServingStatus {
    match state {
        ReadinessState::Starting | ReadinessState::Draining => ServingStatus::NotServing,
        ReadinessState::Ready | ReadinessState::HandingOver => ServingStatus::Serving,
    }
}
