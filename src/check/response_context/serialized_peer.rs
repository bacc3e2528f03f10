//! The TLS peer of a request in the form in which a context carries it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::authn::FoundPeer;
use crate::authz::PeerNames;

/// The TLS peer, as it was found. Of a list that is judged by a later policy it is unknown if no
/// rule asked when the request was judged.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SerializedPeer(pub(super) FoundPeer);

/// The form in which it is carried: what is left out is unknown.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PeerText {
    is_absent: bool,
    is_known: bool,
    uris: Vec<Arc<str>>,
    dns: Vec<Arc<str>>,
    subject: Option<Arc<str>>,
}

impl SerializedPeer {
    pub(super) fn of(found: &FoundPeer) -> Self {
        SerializedPeer(found.clone())
    }
}

impl Serialize for SerializedPeer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = match &self.0 {
            FoundPeer::Absent => PeerText {
                is_absent: true,
                ..PeerText::default()
            },
            FoundPeer::Unknown => PeerText::default(),
            FoundPeer::Known(known) => PeerText {
                is_known: true,
                uris: known.uris.clone(),
                dns: known.dns.clone(),
                subject: known.subject.clone(),
                ..PeerText::default()
            },
        };
        text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SerializedPeer {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = PeerText::deserialize(deserializer)?;
        let PeerText {
            is_absent,
            is_known,
            uris,
            dns,
            subject,
        } = text;
        Ok(SerializedPeer(match (is_known, is_absent) {
            (true, _) => FoundPeer::Known(Arc::new(PeerNames { uris, dns, subject })),
            (false, true) => FoundPeer::Absent,
            (false, false) => FoundPeer::Unknown,
        }))
    }
}
