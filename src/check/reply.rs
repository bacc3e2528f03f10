//! Local replies: what mcp-authz answers itself, in a form that keeps MCP clients alive and tells
//! them why.
//!
//! What a client makes of a status, a challenge and a body differs by SDK; the forms here are the
//! ones that all of them survive. They repeat no text of the client but the id.

mod addressee;
mod body;
mod challenge;
mod denial;
mod rejection;
mod scopes;

pub(crate) use body::{ReplyData, json_reply};

pub(super) use addressee::Addressee;
pub(super) use challenge::{Challenged, challenged, unauthenticated};
pub(super) use denial::{Denied, denied, not_owned};
pub(super) use rejection::{failed, no_metadata, refused, rejected};
