//! Evidence that is not a decision, such as a tool that changed.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::SessionHash;
use super::cut::{Kept, KeptList, limited};

/// An event and its place. Absent fields are left out of the line, and the member `event` tells the
/// line from a decision.
#[derive(Debug, Clone, Serialize)]
pub struct Notice {
    /// The time of the event.
    pub time: Timestamp,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
    /// The decision that allowed the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_id: Option<Uuid>,
    /// The configured name of the MCP server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Arc<str>>,
    /// `iss` of the caller's verified token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Arc<str>>,
    /// `sub` of the caller's verified token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Arc<str>>,
}

impl Notice {
    /// The serialized notice: an object of less than [`super::LINE_BYTES_MAX`], with `cut` where some
    /// text is shortened.
    pub(super) fn line(&self) -> serde_json::Result<Vec<u8>> {
        let mut is_cut = self.event.is_cut();
        let mut whole = self.clone();
        for text in [&mut whole.server, &mut whole.issuer, &mut whole.subject] {
            if let Some(text) = text
                && let (kept, true) = limited(text)
            {
                is_cut = true;
                *text = kept.into();
            }
        }
        serde_json::to_vec(&NoticeLine {
            notice: &whole,
            cut: is_cut.then_some(true),
        })
    }
}

/// A notice in its serialized form.
#[derive(Serialize)]
struct NoticeLine<'n> {
    #[serde(flatten)]
    notice: &'n Notice,
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<bool>,
}

/// An event. The functions here cut text of clients and servers as [`super::Record::text`] does; use
/// them for events that carry such text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A tool's description differs from the accepted one. It is sent once for each description.
    ToolChanged {
        /// The tool.
        name: Kept,
        /// The digest of the description seen.
        digest: Arc<str>,
        /// The digest of the accepted description.
        digest_accepted: Arc<str>,
    },
    /// A tool of no class was seen for the first time.
    ToolUnclassified {
        /// The tool.
        name: Kept,
    },
    /// A tool that is not recorded was seen for the first time, where such tools are refused.
    ToolUnknown {
        /// The tool.
        name: Kept,
    },
    /// A list was filtered for its reader.
    ListFiltered {
        /// `tools`, `prompts`, `resources`, `resource_templates` or `tasks`.
        list: &'static str,
        /// How many items were kept.
        visible: u64,
        /// How many items the policy hides.
        hidden: u64,
        /// How many items were removed because they could not be judged.
        unjudged: u64,
        /// How many of those for which reason, by stable codes.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        reasons: BTreeMap<&'static str, u64>,
    },
    /// A response was refused.
    ResponseRefused {
        /// The stable reason code.
        reason: &'static str,
    },
    /// A session was bound to its subject.
    SessionBound {
        /// The session, hashed.
        #[serde(rename = "mcp.session.id")]
        session: SessionHash,
    },
    /// A task was bound to its creator.
    TaskBound {
        /// The task's id.
        task: Kept,
    },
    /// An operator had forgotten what was counted for a subject.
    CountsCleared {
        /// The address from which that was asked. Who asked cannot be known.
        #[serde(rename = "client.address")]
        address: IpAddr,
        /// Its port.
        #[serde(rename = "client.port")]
        port: u16,
        /// Why, in the operator's words.
        reason: Kept,
        /// The only rule whose counts were meant, if not those of all.
        #[serde(skip_serializing_if = "Option::is_none")]
        rule: Option<Kept>,
        /// The rules whose counts were forgotten.
        rules: KeptList,
        /// How many counts were forgotten.
        forgotten: u64,
    },
}

impl Event {
    fn is_cut(&self) -> bool {
        match self {
            Event::ToolChanged { name: text, .. }
            | Event::ToolUnclassified { name: text }
            | Event::ToolUnknown { name: text }
            | Event::TaskBound { task: text } => text.is_cut,
            Event::CountsCleared {
                reason,
                rule,
                rules,
                ..
            } => reason.is_cut || rules.is_cut || rule.as_ref().is_some_and(|rule| rule.is_cut),
            Event::ListFiltered { .. }
            | Event::ResponseRefused { .. }
            | Event::SessionBound { .. } => false,
        }
    }

    /// [`Event::ToolChanged`].
    #[must_use]
    pub fn tool_changed(name: &str, digest: Arc<str>, digest_accepted: Arc<str>) -> Self {
        Event::ToolChanged {
            name: Kept::of(name),
            digest,
            digest_accepted,
        }
    }

    /// [`Event::CountsCleared`].
    #[must_use]
    pub fn counts_cleared<'r>(
        peer: SocketAddr,
        reason: &str,
        rule: Option<&str>,
        rules: impl IntoIterator<Item = &'r str>,
        forgotten: u64,
    ) -> Self {
        Event::CountsCleared {
            address: peer.ip().to_canonical(),
            port: peer.port(),
            reason: Kept::of(reason),
            rule: rule.map(Kept::of),
            rules: KeptList::of(rules),
            forgotten,
        }
    }

    /// [`Event::ToolUnclassified`].
    #[must_use]
    pub fn tool_unclassified(name: &str) -> Self {
        Event::ToolUnclassified {
            name: Kept::of(name),
        }
    }

    /// [`Event::ToolUnknown`].
    #[must_use]
    pub fn tool_unknown(name: &str) -> Self {
        Event::ToolUnknown {
            name: Kept::of(name),
        }
    }

    /// [`Event::SessionBound`] for an id in its form on the wire.
    #[must_use]
    pub fn session_bound(session: &str) -> Self {
        Event::SessionBound {
            session: SessionHash::of(session),
        }
    }

    /// [`Event::TaskBound`].
    #[must_use]
    pub fn task_bound(task: &str) -> Self {
        Event::TaskBound {
            task: Kept::of(task),
        }
    }
}
