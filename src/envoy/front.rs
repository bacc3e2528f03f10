//! Which service a call is for.

use std::convert::Infallible;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service};
use tonic::service::Routes;

use super::proto::envoy::service::auth::v3::authorization_server::{
    Authorization, AuthorizationServer,
};

/// Gives checks to their service at once. Routes find the others by their paths, and wrap each body
/// on its way in and out.
#[derive(Debug)]
pub(super) struct Front<A> {
    authorization: AuthorizationServer<A>,
    others: Routes,
}

impl<A> Front<A> {
    pub(super) fn new(authorization: AuthorizationServer<A>, others: Routes) -> Self {
        Self {
            authorization,
            others,
        }
    }
}

impl<A> Clone for Front<A> {
    fn clone(&self) -> Self {
        Self {
            authorization: self.authorization.clone(),
            others: self.others.clone(),
        }
    }
}

impl<A: Authorization> Service<Request<Body>> for Front<A> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Response<Body>, Infallible>;

    /// Both are always ready.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.uri().path() == CHECK {
            self.authorization.call(request)
        } else {
            Box::pin(self.others.call(request))
        }
    }
}

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";
