//! What is left of an answer: counts in metrics, and audit lines.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::{Handoff, Pipeline, Unfit};
use crate::audit::Event;
use crate::authz::Subject;
use crate::check::tools::Reader;
use crate::mcp::ListKind;
use crate::telemetry::metrics::Listed;

/// Whom and what an answer is about, as far as that is known.
#[derive(Debug, Clone)]
pub(super) struct About {
    pipeline: Arc<Pipeline>,
    server: Option<Arc<str>>,
    subject: Option<Arc<Subject>>,
    decision_id: Option<Uuid>,
}

impl About {
    pub(super) fn new(pipeline: &Arc<Pipeline>, handoff: Option<&Handoff>) -> Self {
        About {
            pipeline: Arc::clone(pipeline),
            server: handoff.map(|handoff| Arc::clone(handoff.server())),
            subject: handoff.map(|handoff| Arc::clone(handoff.subject())),
            decision_id: handoff.map(Handoff::decision_id),
        }
    }

    /// To whom the tools of a list are shown.
    pub(super) fn reader(&self, now: Timestamp, is_told_enough: bool) -> Reader<'_> {
        Reader {
            now,
            decision_id: self.decision_id,
            subject: self.subject.as_deref(),
            is_told_enough,
        }
    }

    /// Writes an audit line.
    pub(super) fn tell(&self, event: Event) {
        let reader = self.reader((self.pipeline.clock)(), false);
        let notice = reader.notice(self.server.as_ref(), event);
        self.pipeline.audit.notice(&notice);
    }

    /// Tells of an answer that is not let through.
    pub(super) fn tell_refusal(&self, unfit: Unfit) {
        let (server, reason) = (self.server_name(), unfit.code());
        tracing::warn!(server, reason, "an answer is not let through");
        self.pipeline.metrics.record_answer_refusal(server, reason);
        self.tell(Event::AnswerRefused { reason });
    }

    pub(super) fn server_name(&self) -> &str {
        self.server.as_deref().unwrap_or_default()
    }
}

/// What was shown and hidden of the lists of an answer. Told when it is dropped, so that an answer
/// that breaks off leaves evidence too.
#[derive(Debug)]
pub(super) struct Tally {
    about: About,
    counts: BTreeMap<ListKind, Counts>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    visible: u64,
    hidden: u64,
    unjudged: u64,
}

impl Tally {
    pub(super) fn new(about: &About) -> Self {
        Tally {
            about: about.clone(),
            counts: BTreeMap::new(),
        }
    }

    /// Counts an item, and says how many with the same result there are by now.
    pub(super) fn count(&mut self, kind: ListKind, result: Listed) -> u64 {
        let counts = self.counts.entry(kind).or_default();
        let count = match result {
            Listed::Visible => &mut counts.visible,
            Listed::Hidden => &mut counts.hidden,
            Listed::Unjudged => &mut counts.unjudged,
        };
        *count = count.saturating_add(1);
        *count
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        for (kind, counts) in &self.counts {
            let list = name(*kind);
            let Counts {
                visible,
                hidden,
                unjudged,
            } = *counts;
            for (result, items) in [
                (Listed::Visible, visible),
                (Listed::Hidden, hidden),
                (Listed::Unjudged, unjudged),
            ] {
                let metrics = &self.about.pipeline.metrics;
                metrics.record_list_items(self.about.server_name(), list, result, items);
            }
            self.about.tell(Event::ListFiltered {
                list,
                visible,
                hidden,
                unjudged,
            });
        }
    }
}

/// The name of a list in metrics and audit.
fn name(kind: ListKind) -> &'static str {
    match kind {
        ListKind::Tools => "tools",
        ListKind::Prompts => "prompts",
        ListKind::Resources => "resources",
        ListKind::Templates => "resource_templates",
        ListKind::Tasks => "tasks",
    }
}
