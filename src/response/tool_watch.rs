//! Watches the tools of lists as they pass: records them, compares them with what was accepted, and
//! reports changes.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::audit::{Event, Notice};
use crate::authz::{Policy, Subject, UNCLASSIFIED, Value};
use crate::catalog::{Observed, ToolRefusal};
use crate::check::{Pipeline, Server};
use crate::telemetry::metrics::ToolEvent;

/// To whom a list is shown, for evidence.
#[derive(Debug, Clone, Copy)]
pub struct ListReader<'r> {
    /// The time.
    pub now: Timestamp,
    /// The decision that let the list be asked for.
    pub decision_id: Option<Uuid>,
    /// The caller, if that is known.
    pub subject: Option<&'r Subject>,
    /// Whether so much of the list was told of that the rest is only counted: a server must not
    /// drive decisions out of the audit's queue.
    pub is_told_enough: bool,
}

impl ListReader<'_> {
    /// Evidence of something that happened to a list of theirs.
    #[must_use]
    pub fn notice(&self, server: Option<&Arc<str>>, event: Event) -> Notice {
        Notice {
            time: self.now,
            event,
            decision_id: self.decision_id,
            server: server.cloned(),
            issuer: self.subject.map(|subject| Arc::clone(&subject.issuer)),
            subject: self.subject.map(|subject| Arc::clone(&subject.id)),
        }
    }
}

/// Records one tool of a list: an object with this `name`. To be called for every tool
/// of every list, those that the reader does not get to see too. What comes back says whether
/// the tool is to be hidden, and with which hints its visibility is to be judged.
#[must_use]
pub fn observe_tool(
    pipeline: &Pipeline,
    server: &Server,
    policy: &Policy,
    name: &str,
    tool: &Value<'_>,
    reader: &ListReader<'_>,
) -> Observed {
    let observed = pipeline
        .catalog
        .observe(&server.name, name, tool, reader.now);
    if !observed.is_tracked {
        pipeline
            .metrics
            .lists
            .record_tool(&server.name, ToolEvent::Untracked);
    }
    if let Some(change) = &observed.change {
        pipeline
            .metrics
            .lists
            .record_tool(&server.name, ToolEvent::Changed);
        let (digest, accepted) = (Arc::clone(&change.digest), Arc::clone(&change.accepted));
        tell(
            pipeline,
            server,
            Event::tool_changed(name, digest, accepted),
            reader,
        );
    }
    if observed.is_new && observed.refusal == Some(ToolRefusal::Unknown) {
        pipeline
            .metrics
            .lists
            .record_tool(&server.name, ToolEvent::Unknown);
        tell(pipeline, server, Event::tool_unknown(name), reader);
    }
    let class = policy.class(&server.name, name, observed.hints);
    if observed.is_new && class.is_some_and(|class| **class == *UNCLASSIFIED) {
        pipeline
            .metrics
            .lists
            .record_tool(&server.name, ToolEvent::Unclassified);
        tell(pipeline, server, Event::tool_unclassified(name), reader);
    }
    observed
}

fn tell(pipeline: &Pipeline, server: &Server, event: Event, reader: &ListReader<'_>) {
    if !reader.is_told_enough {
        pipeline
            .audit
            .notice(&reader.notice(Some(&server.name), event));
    }
}
