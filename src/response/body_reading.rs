//! The body of a response while it is read, and what may be sent of it.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::edge::FilterOutput;
use super::evidence::ListTally;
use crate::authz::Policy;
use crate::mcp::{Framing, Listing};

/// The body of a response, as it is read.
#[derive(Debug)]
pub(super) struct BodyReading {
    pub(super) listing: Listing,
    pub(super) framing: Framing,
    /// The policy that items are judged by, and the time.
    pub(super) policy: Arc<Policy>,
    pub(super) now: Timestamp,
    /// How many tools were told of in the audit, at most.
    pub(super) told: usize,
    pub(super) tally: ListTally,
    /// What was read while the head is held back; none once the head was sent.
    pub(super) held: Option<Vec<u8>>,
    /// Whether the ids of the request are free again.
    pub(super) are_ids_free: bool,
    /// Whether they are so soon, since errors have come in the place of lists.
    pub(super) is_refused: bool,
}

/// How much of a JSON response is read before its head is sent: as long as it was not, a
/// response that turns out to be unreadable can be replaced as a whole.
const HELD_BYTES_MAX: usize = 64 * 1024;
/// What no longer holds for a response whose body was read.
pub(super) const BODY_HEADERS: &[&str] = &[
    "content-length",
    "etag",
    "content-md5",
    "digest",
    "content-digest",
    "repr-digest",
];

impl BodyReading {
    /// What may be sent now; all of it, if nothing more is to come.
    pub(super) fn outputs(&mut self, end: bool) -> Vec<FilterOutput> {
        let read = self.listing.take_output();
        let Some(mut held) = self.held.take() else {
            return chunk(read);
        };
        held.extend_from_slice(&read);
        if held.len() < HELD_BYTES_MAX && !end {
            self.held = Some(held);
            return Vec::new();
        }
        let mut outputs = vec![FilterOutput::Head {
            remove: BODY_HEADERS,
        }];
        outputs.extend(chunk(held));
        outputs
    }
}

/// A chunk to send, if it has any bytes.
pub(super) fn chunk(bytes: Vec<u8>) -> Vec<FilterOutput> {
    if bytes.is_empty() {
        return Vec::new();
    }
    vec![FilterOutput::Chunk(Bytes::from(bytes))]
}
