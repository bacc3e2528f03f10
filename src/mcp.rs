//! MCP messages: decodes the body of a request to a [`Message`], or to the reason why it is
//! refused, and filters the lists in a response.
//!
//! The message that is judged must be the message that runs, and Envoy cannot rewrite a body. So
//! ambiguous input is refused and never repaired. All code here is synchronous, without I/O and
//! without a clock. This room does not decide whether a target is allowed.
//!
//! # One message
//!
//! ```
//! use mcp_authz::authz::{ActionKind, Resource};
//! use mcp_authz::mcp::{DecodeOptions, MessageHeaders, Payload, Refusal, decode};
//!
//! let body = br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search"}}"#;
//! let payload = decode(body, &DecodeOptions::default()).unwrap();
//!
//! // The table of methods says what the message reaches and which authority that needs.
//! let [target] = &payload.messages()[0].targets()[..] else { panic!() };
//! assert_eq!(target.action.kind, ActionKind::Use);
//! assert_eq!(target.resource, Resource::Tool("search"));
//!
//! // A header that disagrees with the body is refused, since servers may believe either.
//! let headers = MessageHeaders::collect([("mcp-method", "tools/list")], true);
//! assert!(matches!(
//!     headers.check_routing(Some(&payload)),
//!     Err(Refusal::HeaderMismatch(_))
//! ));
//!
//! // A body that can be read in two ways is refused too.
//! let twice = br#"{"jsonrpc":"2.0","id":7,"method":"ping","Method":"tools/call"}"#;
//! let refused = decode(twice, &DecodeOptions::default()).unwrap_err();
//! assert_eq!(refused.refusal, Refusal::FoldedMember);
//! ```
//!
//! 1. `reader.rs` reads the JSON of the body in one pass, with the rules of `key_rules.rs` for the
//!    keys of each object. `place.rs` says which members belong to the protocol and are kept.
//! 2. `envelope.rs` gathers the members of the message, and `decode.rs` judges them.
//! 3. `selection.rs` reads from the parameters what the method reaches, using its row in
//!    `method.rs`.
//! 4. `headers.rs` compares the headers with the message.
//! 5. `target.rs` turns the message into one [`Target`] or several. `inner_calls.rs` finds the calls that
//!    a tool is asked to make of other tools, which are targets of their own.
//!
//! If the sender is refused anyway, [`glance`] finds in the body only what the refusal needs: the
//! id and the method. [`reply`] writes JSON-RPC replies.
//!
//! # Responses
//!
//! A [`Listing`] reads a response as it streams and removes the items that its reader may not see.
//! The result of a tool that searches tools is read as a whole, by `found_tools.rs`.
//! `list_kind.rs` has a row for each kind of list. A new list method needs a row there and one in
//! `method.rs`.

mod decode;
mod envelope;
mod found_tools;
mod glance;
mod header;
mod headers;
mod id;
mod indirect;
mod inner_calls;
mod key_rules;
mod list_kind;
mod listing;
mod media_type;
mod message;
mod method;
mod options;
mod params;
mod place;
mod reader;
mod refusal;
pub mod reply;
mod selection;
mod target;
mod template;
#[cfg(test)]
mod tests;

pub use decode::{RESERVED_METHODS, RefusedBody, decode};
pub use found_tools::{FoundTool, FoundTools, UnclearResult};
pub use glance::{Glance, glance};
pub use header::Header;
pub use headers::{
    Corrections, LEGACY_REVISIONS, MODERN_REVISION, MessageHeaders, Routing, SESSION_BYTES_MAX,
    check_param,
};
pub use id::Id;
pub use indirect::{IndirectTool, InnerForm, InnerPaths};
pub use inner_calls::InnerFault;
pub use list_kind::{ListKind, ListKinds, ListedCall};
pub use listing::{
    Framing, ListItem, Listing, ListingCounts, ListingSettings, ListingStep, Unjudged, Unreadable,
};
pub use media_type::media_type;
pub use message::{Message, MessageKind, Payload};
pub use method::{METHODS, Method, MethodForm, Selector};
pub use options::DecodeOptions;
pub use refusal::{Era, Refusal};
pub use target::{Nesting, Target};
