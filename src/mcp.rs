//! Body bytes to a message, or the reason it is refused.
//!
//! What is judged must be what runs, and the PEP cannot rewrite a body, so ambiguous input is
//! refused and never repaired. Everything here is synchronous, without I/O and without a clock:
//! [`decode`] reads the body in one pass, [`MessageHeaders`] compares the headers with it, the table
//! [`METHODS`] turns a [`Message`] into [`Target`]s, and [`reply`] writes JSON-RPC replies.
//! Of a body whose sender is refused anyway, [`glance`] finds what the refusal is addressed to.
//! Whether a target is allowed is not decided here. The other direction is [`Listing`]: it reads a
//! server's answer as it streams, and takes out of its lists what is not to be seen.

mod decode;
mod envelope;
mod glance;
mod header;
mod headers;
mod id;
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

pub use decode::{RefusedBody, decode};
pub use glance::{Glance, glance};
pub use header::Header;
pub use headers::{LEGACY_REVISIONS, MODERN_REVISION, MessageHeaders, Routing, SESSION_BYTES_MAX};
pub use id::Id;
pub use list_kind::{ListKind, ListKinds, ListedCall};
pub use listing::{
    Framing, ListItem, Listing, ListingCounts, ListingSettings, ListingStep, Unjudged, Unreadable,
};
pub use media_type::media_type;
pub use message::{Message, MessageKind, Payload};
pub use method::{METHODS, Method, MethodForm, Selector};
pub use options::DecodeOptions;
pub use refusal::{Era, Refusal};
pub use target::Target;
