//! gRPC as Envoy speaks it: which service a call is for, and calls of one message each way.

mod dispatch;
mod unary;

pub(super) use dispatch::Dispatch;
pub(super) use unary::{CallBody, REPLY_BYTES_USUAL, message, reply};
