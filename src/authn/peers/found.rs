//! Who the peer of one request was found to be.

use std::borrow::Cow;
use std::sync::Arc;

use crate::authz::{Peer, PeerNames};

/// The peer of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundPeer {
    /// No certificate was shown.
    Absent,
    /// Its identity is unknown.
    Unknown,
    /// Who it is.
    Known(Arc<PeerNames>),
}

impl FoundPeer {
    /// As a policy sees it.
    #[must_use]
    pub fn as_peer(&self) -> Peer<'_> {
        match self {
            FoundPeer::Absent => Peer::Absent,
            FoundPeer::Unknown => Peer::Unknown,
            FoundPeer::Known(names) => Peer::Known(names),
        }
    }

    /// Who it is, for evidence: the name that stands for it, else its URIs with a space between, which
    /// no URI has. Nothing unless that is known.
    #[must_use]
    pub fn name(&self) -> Option<Cow<'_, str>> {
        let FoundPeer::Known(names) = self else {
            return None;
        };
        let is_plain = |uri: &Arc<str>| !uri.contains(char::is_whitespace);
        let uris = || {
            let is_told = names.uris.len() > 1 && names.uris.iter().all(is_plain);
            is_told.then(|| Cow::Owned(names.uris.join(" ")))
        };
        names.principal().map(Cow::Borrowed).or_else(uris)
    }
}
