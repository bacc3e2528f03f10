//! The path of a request: one described HTTP request in, one verdict out.
//!
//! # An example
//!
//! Alice's client sends `POST /mcp` with a bearer token and
//! `{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "create_issue", …}}`.
//!
//! 1. The edge describes that as a [`HttpRequest`] and calls [`Decide::decide`]. The steps follow each
//!    other in `steps.rs`. Time and policy are read once, and an observation begins
//!    (`evidence.rs`), which leaves a record even if the client goes away.
//! 2. [`Servers::find`] (`server.rs`): the server `github` is meant. A request for a metadata
//!    document would end here (`endpoints.rs`).
//! 3. [`Authenticator`](crate::authn::Authenticator): the token is Alice's. Without a valid one the
//!    check would end with 401.
//! 4. `parse.rs`: a message, or a rejection with 400, 413 or 415. A long body waits before that
//!    (`turn.rs`).
//! 5. `targets.rs`: one target, the tool `create_issue`. `context.rs` has everything else that the
//!    decision depends on: headers, country, device, purpose.
//! 6. `session.rs`: the session belongs to Alice, and not to somebody else.
//! 7. `decide.rs`: [`authz::evaluate`](crate::authz::evaluate) allows the call by the rule
//!    `maintainers`. `takings.rs` takes it from the limits that apply, and `rehearsal.rs` says what the
//!    shadow rules or a candidate policy would have decided.
//! 8. `prepare.rs`: what the upstream gets, headers that tell it who calls. This step may wait for the
//!    network.
//! 9. `conclude.rs`: the verdict is to forward. A denial would be a [`LocalReply`] here (`reply.rs`), in
//!    the form that the server is configured for. Had the request been `tools/list`,
//!    `response_context.rs` would hand its context on to the response.
//! 10. `evidence.rs`: audit record, metrics and span, once; `dynamic_metadata.rs`: the facts for Envoy.
//!
//! Every end has a [`Reason`], with its status and what a client may read, in one table
//! (`reason.rs`). The steps import `request.rs`, `verdict.rs` and each other, never this face.

mod conclude;
mod context;
mod decide;
mod decision;
mod described;
mod dynamic_metadata;
mod endpoints;
mod entailed;
mod evidence;
mod header_room;
mod in_flight;
mod invalid_check;
mod limits;
mod live;
mod merge;
mod objection;
mod param_headers;
mod parse;
mod pipeline;
mod policies;
mod prepare;
mod purpose;
mod reason;
mod refusal_log;
mod rehearsal;
pub(crate) mod reply;
mod request;
pub(crate) mod response_context;
mod resume;
mod server;
pub(crate) mod session;
mod steps;
mod takings;
mod targets;
mod turn;
mod verdict;

pub use crate::text::Text;
pub use crate::upstream::Obligations;
pub use dynamic_metadata::Fact;
pub use invalid_check::{InvalidCheck, StatedFact};
pub use limits::RequestLimits;
pub use live::LivePipeline;
pub use pipeline::Pipeline;
pub use prepare::{CORRECTED, REMOVED};
pub use purpose::PurposeSettings;
pub use reason::{DecisionKind, Reason};
pub use request::{Body, HttpRequest, path_is_plain};
pub use response_context::{
    HandoffSettings, HandoffStatus, Handoffs, InvalidHandoffKeys, KeyFault, OPEN_FILTERS,
    RESPONSE_FILTERS, filtered_method,
};
pub use server::{
    ChallengeScopes, DenySettings, DenyShape, Disclose, Face, FoundPaths, FoundServer,
    IndirectTool, InnerForm, InnerPaths, InvalidServer, SCOPE_VARIABLE, ScopeNames, ScopeResults,
    Server, ServerSettings, Servers, SessionBinding, UnknownServer, UriForm, ValuePath, has_legacy,
    is_host_of, is_valid_host, is_valid_wildcard, is_wildcard,
};
pub use turn::LongBodies;
pub use verdict::{Decide, LocalReply, Outcome, Verdict};
