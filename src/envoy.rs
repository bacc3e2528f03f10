//! The Envoy edge: the only room that knows Envoy's messages. It decides nothing.
//!
//! # An example
//!
//! Envoy's `ext_authz` filter holds `POST /mcp` back and calls `Check`:
//!
//! 1. `grpc/dispatch.rs` takes the call, with the deadline in its `grpc-timeout`, and `grpc/unary.rs`
//!    the bytes of its message.
//! 2. [`check_request`] reads the `CheckRequest` where it lies into a
//!    [`HttpRequest`](crate::check::HttpRequest). Envoy states method, path and host several times; a
//!    message that contradicts itself is an [`InvalidCheck`](crate::check::InvalidCheck).
//! 3. [`ExtAuthz`] opens the span of the check and asks [`Decide`](crate::check::Decide), which is the
//!    pipeline in `check`.
//! 4. [`check_response`] writes the [`Verdict`](crate::check::Verdict) as a `CheckResponse`: code 0 and
//!    header changes for an allow, another code and a reply for everything else.
//!
//! If the verdict's metadata asks for it, Envoy opens an `ext_proc` stream for the response.
//! [`ExtProc`] turns its messages into calls of a
//! [`ResponseFilter`](crate::response::ResponseFilter), and the outputs back into messages
//! (`ext_proc/stream.rs`).
//!
//! [`bootstrap`] stands apart: it reads Envoy's own configuration and says what is wrong with it.

pub mod bootstrap;
pub mod check_request;
pub mod check_response;
mod ext_authz;
mod ext_proc;
mod grpc;
mod health;
pub mod proto;
mod protobuf;
mod server;

pub use ext_authz::ExtAuthz;
pub use ext_proc::{Ending, ExtProc, Replies};
pub use health::HealthService;
pub use server::{AUTHORIZATION, PROCESSOR, ServeError, ServeSettings, serve};
