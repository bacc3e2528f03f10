//! Dispatches each call to its service, and ends it when its client waits no longer.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use tonic::codegen::{BoxFuture, Service};
use tonic::service::Routes;
use tonic::{Status, body};

use super::unary::CallBody;
use crate::check::Decide;
use crate::envoy::ext_authz::ExtAuthz;

/// Dispatches `Check` calls directly, and everything else through tonic's router, which boxes each
/// body on its way in and out.
#[derive(Debug)]
pub(in crate::envoy) struct Dispatch<D> {
    checks: ExtAuthz<D>,
    check_bytes_max: usize,
    others: Routes,
}

impl<D: Decide> Dispatch<D> {
    pub(in crate::envoy) fn new(
        checks: ExtAuthz<D>,
        check_bytes_max: usize,
        others: Routes,
    ) -> Self {
        Self {
            checks,
            check_bytes_max,
            others,
        }
    }

    /// Replies to a call, as far as its client waits for it.
    pub(in crate::envoy) async fn reply(
        self: Arc<Self>,
        call: Request<Incoming>,
    ) -> Result<Response<CallBody>, Infallible> {
        let timeout = timeout(call.headers());
        // Both are large, and whoever holds them would move them about.
        let reply: BoxFuture<_, _> = if call.uri().path() == CHECK {
            Box::pin(async move { Ok(self.checks.serve(call, self.check_bytes_max).await) })
        } else {
            Box::pin(async move { Ok(self.pass_on(call).await) })
        };
        within(timeout, reply).await
    }

    async fn pass_on(&self, call: Request<Incoming>) -> Response<CallBody> {
        // Always ready, and never fails.
        let Ok(response) = self.others.clone().call(call.map(body::Body::new)).await;
        response.map(CallBody::Other)
    }
}

/// A reply, or that it took longer than this. Most calls are replied to at once, and no clock is
/// read for them.
async fn within(
    timeout: Option<Duration>,
    mut reply: BoxFuture<Response<CallBody>, Infallible>,
) -> Result<Response<CallBody>, Infallible> {
    let at_once = poll_fn(|cx| Poll::Ready(reply.as_mut().poll(cx))).await;
    match (at_once, timeout) {
        (Poll::Ready(reply), _) => reply,
        (Poll::Pending, None) => reply.await,
        (Poll::Pending, Some(timeout)) => {
            let late = |_| {
                let status = Status::deadline_exceeded("the client waits no longer");
                Ok(CallBody::status(status))
            };
            let reply = tokio::time::timeout(timeout, reply).await;
            reply.unwrap_or_else(late)
        }
    }
}

/// How long the client waits: up to eight digits and a unit (gRPC over HTTP/2, Timeout). What is no
/// such thing says nothing.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|_| is_number)?;
    match unit {
        "H" => Some(Duration::from_hours(number)),
        "M" => Some(Duration::from_mins(number)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn timeouts_are_read() {
        let hour = Duration::from_hours(1);
        for (text, expected) in [
            ("1H", Some(hour)),
            ("60M", Some(hour)),
            ("3600S", Some(hour)),
            ("500m", Some(Duration::from_millis(500))),
            ("500u", Some(Duration::from_micros(500))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("99999999H", Some(hour * 99_999_999)),
            ("0S", Some(Duration::ZERO)),
            ("", None),
            ("S", None),
            ("1", None),
            ("1s", None),
            ("+1S", None),
            ("-1S", None),
            ("1.5S", None),
            ("100000000S", None),
            ("1 S", None),
        ] {
            let headers = [("grpc-timeout", text)].map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            });
            assert_eq!(timeout(&headers.into_iter().collect()), expected, "{text}");
        }
        assert_eq!(timeout(&HeaderMap::new()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_lasts_no_longer_than_its_client_waits() {
        let soon = || -> BoxFuture<_, _> {
            Box::pin(async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok(CallBody::status(Status::ok("")))
            })
        };
        let code = |Ok(response): Result<Response<CallBody>, Infallible>| {
            response.headers()["grpc-status"].clone()
        };
        let limit = |milliseconds| Some(Duration::from_millis(milliseconds));
        assert_eq!(code(within(None, soon()).await), "0");
        assert_eq!(code(within(limit(21), soon()).await), "0");
        assert_eq!(code(within(limit(19), soon()).await), "4");
        let at_once = Box::pin(async { Ok(CallBody::status(Status::ok(""))) });
        assert_eq!(code(within(limit(0), at_once).await), "0");
    }
}
