//! The ids of one request, and for how long they are kept.

use std::time::Duration;

use jiff::Timestamp;
use smallvec::SmallVec;

use crate::state::binding::Owner;
use crate::state::digest::{ShortDigest, digest_of};

/// How long an id is kept whose response is not seen to its end, since its request.
pub const IN_FLIGHT_MAX: Duration = Duration::from_mins(10);
/// How long it is kept once an error has come in the place of its response.
pub const AFTER_ERROR_MAX: Duration = Duration::from_secs(30);
/// How long an id is kept whose response is not looked at: at least once, and less than twice that.
pub const RECENT_MIN: Duration = Duration::from_secs(10);

/// An id of a session on a server, however it is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestKey(ShortDigest);

impl RequestKey {
    /// The id that is `folded`, of a session on a server, which is named as configured. Where the
    /// session is nobody's own, the id is that of this owner.
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
    /// Whose request it is.
    pub owner: Owner,
    /// How its response is looked at: only responses with the same number are looked at alike.
    pub look: u8,
    /// The ids whose responses are looked at, each once.
    pub awaited: SmallVec<[RequestKey; 1]>,
    /// The other ones.
    pub others: SmallVec<[RequestKey; 1]>,
}

/// An id of the request is that of another one, or may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdInUse;

pub(super) fn end(now: Timestamp, after: Duration) -> Timestamp {
    now.saturating_add(after).unwrap_or(Timestamp::MAX)
}

/// The first second, since 1970, that begins no sooner than this.
pub(super) fn second_from(time: Timestamp) -> i64 {
    let has_begun = time.subsec_nanosecond() > 0;
    time.as_second().saturating_add(i64::from(has_begun))
}
