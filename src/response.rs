//! The path of an upstream's response, back to the client.
//!
//! A check decides about a request; this room sees that what comes back shows the caller no more
//! than it may use, and that the sessions and tasks that a server issues belong to the caller they
//! were issued to.
//!
//! # An example
//!
//! Alice's client has asked for `tools/list`. The check allowed it and put two facts into its
//! verdict: `response_filter: list/tools`, and a sealed `response_context` with Alice's subject.
//! Envoy matches on the first and opens an `ext_proc` stream for the response, to this replica or
//! another.
//!
//! 1. [`FilterResponses::attend`] (`attendance.rs`): the places that the request has under limits on
//!    how many are open at once stay taken as long as the stream lasts.
//! 2. [`FilterResponses::begin`] with the head. `recipient.rs` opens the context: a check of this
//!    service made it, not too long ago, and for one stream. `framing.rs` tells from the head that the
//!    body is JSON. Were there an `mcp-session-id`, `judge.rs` would bind it to Alice in the state.
//! 3. [`ResponseFilter::body`] (`stream.rs`) feeds each chunk to [`Listing`](crate::mcp::Listing), which
//!    stops at each tool. `tool_watch.rs` compares it with the accepted definition, and `judge.rs` asks
//!    [`is_visible`](crate::authz::is_visible) whether a rule would let Alice call it.
//! 4. A [`FilterOutput`] for each step says what goes on: the head without `content-length`, then the
//!    body without the tools that are not Alice's to use.
//! 5. `evidence.rs` counts what was shown and hidden, and writes an audit event when the stream ends.
//!
//! Had the body been compressed, `refusal.rs` would name the reason, and the client would get a
//! JSON-RPC error in the place of the response.

mod attendance;
mod body_reading;
mod edge;
mod evidence;
mod framing;
mod head;
mod judge;
mod live;
mod recipient;
mod refusal;
mod stream;
mod tool_watch;

pub use edge::{Attendance, Carried, FilterOutput, FilterResponses, ResponseFilter};
pub use head::{BodyMode, ResponseHead};
pub use stream::ResponseStream;
pub use tool_watch::{ListReader, observe_tool};
