//! Which service a call is for.

use std::convert::Infallible;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service};
use tonic::service::Routes;

use super::ExtAuthz;
use crate::check::Decide;

/// Gives checks to their service at once. Routes find the others by their paths, and wrap each body
/// on its way in and out.
#[derive(Debug)]
pub(super) struct Front<D> {
    checks: ExtAuthz<D>,
    check_bytes_max: usize,
    others: Routes,
}

impl<D> Front<D> {
    pub(super) fn new(checks: ExtAuthz<D>, check_bytes_max: usize, others: Routes) -> Self {
        Self {
            checks,
            check_bytes_max,
            others,
        }
    }
}

impl<D> Clone for Front<D> {
    fn clone(&self) -> Self {
        Self {
            checks: self.checks.clone(),
            check_bytes_max: self.check_bytes_max,
            others: self.others.clone(),
        }
    }
}

impl<D: Decide> Service<Request<Body>> for Front<D> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Response<Body>, Infallible>;

    /// Both are always ready.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.uri().path() == CHECK {
            let (checks, bytes_max) = (self.checks.clone(), self.check_bytes_max);
            Box::pin(async move { Ok(checks.serve(request, bytes_max).await) })
        } else {
            Box::pin(self.others.call(request))
        }
    }
}

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";
