//! How a store replies.

use std::fmt::{Debug, Formatter};
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The reply of a store: immediate or asynchronous.
pub enum Reply<'a, T> {
    /// The result is already available.
    Now(Ready<Result<T, StateUnavailable>>),
    /// The caller has to await the result.
    Later(Pin<Box<dyn Future<Output = Result<T, StateUnavailable>> + Send + 'a>>),
}

impl<T> Reply<'_, T> {
    /// A reply that is already available.
    pub fn now(reply: T) -> Self {
        Reply::Now(ready(Ok(reply)))
    }
}

impl<T> Future for Reply<'_, T> {
    type Output = Result<T, StateUnavailable>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Reply::Now(reply) => Pin::new(reply).poll(cx),
            Reply::Later(reply) => reply.as_mut().poll(cx),
        }
    }
}

impl<T> Debug for Reply<'_, T> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Reply::Now(_) => "Now",
            Reply::Later(_) => "Later",
        })
    }
}

/// The store cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the state store is unavailable")]
pub struct StateUnavailable;
