//! A sample caller, for previews of a policy.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use super::request::{SampleAsk, SampleRequest, Situation};
use crate::authz::{PeerNames, PreviewTime, Stands, Subject, TrustedHints};
use crate::mcp::ListKind;

/// When a test takes place that does not say: a Monday at noon, the same for ever.
const DEFAULT_AT: &str = "2026-01-05T12:00:00Z";

/// The time of a request that does not say when it is.
pub(super) fn default_time() -> Option<Timestamp> {
    DEFAULT_AT.parse().ok()
}

/// Somebody who might call, for previews.
#[derive(Debug, Clone)]
pub struct SampleCaller {
    /// What a reader calls them.
    pub name: String,
    /// Who they are, taken as proved.
    pub subject: Subject,
    /// When they call.
    pub at: Timestamp,
    /// Whether they call then, or at any time from then on.
    pub time: PreviewTime,
    /// Where they call from; none: anywhere.
    pub from: Option<IpAddr>,
    /// The TLS peer.
    pub peer: Option<PeerNames>,
    /// Whether they are one caller or all of a kind.
    pub stands: Stands,
}

impl SampleCaller {
    /// One caller, from anywhere, at any time from then on.
    #[must_use]
    pub fn new(name: String, subject: Subject, at: Timestamp) -> Self {
        SampleCaller {
            name,
            subject,
            at,
            time: PreviewTime::FromThen,
            from: None,
            peer: None,
            stands: Stands::ForOneCaller,
        }
    }

    /// Their call of one tool, where trusted annotations say this.
    #[must_use]
    pub fn calling(&self, server: &str, tool: &str, hints: &Arc<TrustedHints>) -> SampleRequest {
        let blank = SampleRequest {
            server: server.to_owned(),
            subject: self.subject.clone(),
            ask: SampleAsk::List(ListKind::Tools),
            at: self.at,
            from: self.from,
            peer: self.peer.clone(),
            session: None,
            protocol_version: None,
            host: "localhost".to_owned(),
            path: "/".to_owned(),
            situation: Situation {
                hints: Arc::clone(hints),
                ..Situation::default()
            },
            headers: Vec::new(),
        };
        blank.calling(ListKind::Tools, tool)
    }
}
