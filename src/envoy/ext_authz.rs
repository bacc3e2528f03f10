//! The Authorization service: gRPC in and out, one span for each check.
//!
//! A denial is never a gRPC error, which Envoy may be configured to let pass, and neither is the
//! refusal of a check that cannot be decoded. The deadline that Envoy sends (`grpc-timeout`) is
//! kept by the dispatch around this; when it passes or the client leaves, the future of
//! [`Decide::decide`] is dropped.

use std::pin::pin;
use std::sync::Arc;

use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;

use crate::check::{Decide, Verdict};
use crate::telemetry;

use super::check_request::{DescriptionSettings, http_request};
use super::check_response::put_check_response;
use super::grpc::{self, CallBody};

/// The service that Envoy's `ext_authz` filter asks.
#[derive(Debug)]
pub struct ExtAuthz<D> {
    decide: Arc<D>,
    settings: DescriptionSettings,
}

impl<D: Decide> ExtAuthz<D> {
    /// A service that asks `decide` about each request.
    pub fn new(decide: Arc<D>, settings: DescriptionSettings) -> Self {
        Self { decide, settings }
    }

    /// Replies to a `CheckRequest`, which came with these gRPC headers, by a `CheckResponse`.
    pub async fn check(&self, message: &[u8], headers: &HeaderMap) -> Vec<u8> {
        let verdict = self.verdict(message, headers).await;
        let mut reply = Vec::with_capacity(grpc::REPLY_BYTES_USUAL);
        put_check_response(&verdict, &mut reply);
        reply
    }

    /// Serves a call of `Check` whose message has at most so many bytes.
    pub(super) async fn serve(
        &self,
        call: Request<Incoming>,
        bytes_max: usize,
    ) -> Response<CallBody> {
        let (head, body) = call.into_parts();
        let message = match grpc::message(body, bytes_max).await {
            Ok(message) => message,
            Err(status) => return CallBody::status(status),
        };
        let verdict = self.verdict(&message, &head.headers).await;
        grpc::reply(|to| put_check_response(&verdict, to))
    }

    async fn verdict(&self, message: &[u8], headers: &HeaderMap) -> Verdict {
        let trace = telemetry::Trace::of_call(headers);
        match http_request(message, self.settings) {
            Ok(request) => {
                let scope = trace.check_scope(&request.headers);
                // What is pinned is not moved, and it is large.
                scope.run(pin!(self.decide.decide(&request))).await
            }
            Err(fault) => {
                let scope = trace.check_scope(&[]);
                scope.run(pin!(self.decide.refuse(fault))).await
            }
        }
    }
}
