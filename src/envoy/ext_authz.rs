//! The Authorization service: gRPC in and out, one span for each check.
//!
//! A denial is never a gRPC error, which Envoy may be configured to let pass. The deadline that
//! Envoy sends (`grpc-timeout`) is kept by the server around this; when it passes or the client
//! leaves, the future of [`Decide::decide`] is dropped.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::check::Decide;
use crate::telemetry;

use super::proto::envoy::service::auth::v3::authorization_server::Authorization;
use super::proto::envoy::service::auth::v3::{CheckRequest, CheckResponse};
use super::request;
use super::response::check_response;

/// The service that Envoy's `ext_authz` filter asks.
#[derive(Debug)]
pub struct ExtAuthz<D> {
    decide: Arc<D>,
    settings: request::Settings,
}

impl<D: Decide> ExtAuthz<D> {
    /// A service that asks `decide` about each request.
    pub fn new(decide: Arc<D>, settings: request::Settings) -> Self {
        Self { decide, settings }
    }

    async fn answer(&self, check: CheckRequest, trace: telemetry::Trace) -> CheckResponse {
        let verdict = match request::http_request(check, self.settings) {
            Ok(request) => {
                let scope = trace.check_scope(&request.headers);
                scope.run(self.decide.decide(request)).await
            }
            Err(fault) => trace.check_scope(&[]).run(self.decide.refuse(fault)).await,
        };
        check_response(verdict)
    }
}

#[tonic::async_trait]
impl<D: Decide> Authorization for ExtAuthz<D> {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        let (metadata, _, check) = request.into_parts();
        let trace = telemetry::Trace::of_call(metadata.as_ref());
        Ok(Response::new(self.answer(check, trace).await))
    }
}
