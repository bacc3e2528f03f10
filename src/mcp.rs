//! Body bytes to a message, or the reason it is refused.
//!
//! What is judged must be what runs, and the PEP cannot rewrite a body, so ambiguous input is
//! refused and never repaired. Everything here is synchronous, without I/O and without a clock:
//! [`decode`] reads the body in one pass, [`Headers`] compares the headers with it, the table
//! [`METHODS`] turns a [`Message`] into [`Target`]s, and [`answer`] writes JSON-RPC answers.
//! Of a body whose sender is refused anyway, [`glance`] finds what the refusal is addressed to.
//! Whether a target is allowed is not decided here. The other direction is [`Listing`]: it reads a
//! server's answer as it streams, and takes out of its lists what is not to be seen.

pub mod answer;
mod envelope;
mod glance;
mod headers;
mod json;
mod jsonrpc;
mod keys;
mod listing;
mod refusal;
mod target;
mod template;
#[cfg(test)]
mod tests;

pub use glance::{Glance, glance};
pub use headers::{
    Header, Headers, LEGACY_REVISIONS, MODERN_REVISION, Routing, SESSION_BYTES_MAX, media_type,
};
pub use jsonrpc::{DecodeOptions, Id, Kind, Message, Payload, decode};
pub use listing::{
    Framing, ListItem, ListKind, Listing, ListingCounts, ListingSettings, Lists, Reading, Unjudged,
    Unreadable,
};
pub use refusal::{Era, Refusal, RefusedBody};
pub use target::{Form, METHODS, Method, Selector, Target};
