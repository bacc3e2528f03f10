//! The ids of one request, and how long they are kept.

use std::time::Duration;

use jiff::Timestamp;
use smallvec::SmallVec;

use crate::state::binding::Owner;
use crate::state::digest::{ShortDigest, digest_of};

/// How long after its request an id is kept if the end of its inspected response is not seen.
pub const IN_FLIGHT_MAX: Duration = Duration::from_mins(10);
/// How long an id is kept once an error has arrived in place of its response.
pub const AFTER_ERROR_MAX: Duration = Duration::from_secs(30);
/// How long an id is kept whose response is not inspected: at least this, and less than twice this.
pub const RECENT_MIN: Duration = Duration::from_secs(10);

/// A JSON-RPC id of a session on a server, however it is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestKey(ShortDigest);

impl RequestKey {
    /// The id `folded` of a session on a server; `server` is the configured name. If the session
    /// belongs to nobody, `of` is the owner to whom the id belongs.
    #[must_use]
    pub fn new(server: &str, session: &str, of: Option<Owner>, folded: &str) -> Self {
        let owner = of.map(Owner::bytes);
        let parts = [
            b"id".as_slice(),
            server.as_bytes(),
            session.as_bytes(),
            owner.as_ref().map_or(&[], ShortDigest::as_slice),
            folded.as_bytes(),
        ];
        RequestKey(digest_of(parts))
    }
}

/// The ids of a request in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestIds {
    /// The owner of the request.
    pub owner: Owner,
    /// How its responses are inspected: responses with the same number are inspected alike.
    pub look: u8,
    /// The ids whose responses are inspected, without duplicates.
    pub awaited: SmallVec<[RequestKey; 1]>,
    /// The other ones.
    pub others: SmallVec<[RequestKey; 1]>,
}

/// An id of the request is, or may be, in use by another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdInUse;

pub(super) fn end(now: Timestamp, after: Duration) -> Timestamp {
    now.saturating_add(after).unwrap_or(Timestamp::MAX)
}

/// The first second since 1970 that does not begin before this time.
pub(super) fn second_from(time: Timestamp) -> i64 {
    let has_begun = time.subsec_nanosecond() > 0;
    time.as_second().saturating_add(i64::from(has_begun))
}
