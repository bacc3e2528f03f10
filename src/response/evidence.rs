//! Records what became of a response: counts in metrics, and audit lines.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::refusal::ResponseRefusal;
use super::tool_watch::ListReader;
use crate::audit::Event;
use crate::authz::Subject;
use crate::check::Pipeline;
use crate::check::response_context::ResponseContext;
use crate::mcp::{ListKind, Unjudged};
use crate::telemetry::metrics::ItemFate;

/// Where the evidence of a response goes, and whom it is about as far as that is known.
#[derive(Debug, Clone)]
pub(super) struct ResponseEvidence {
    pipeline: Arc<Pipeline>,
    server: Option<Arc<str>>,
    subject: Option<Arc<Subject>>,
    decision_id: Option<Uuid>,
}

impl ResponseEvidence {
    pub(super) fn new(pipeline: &Arc<Pipeline>, context: Option<&ResponseContext>) -> Self {
        ResponseEvidence {
            pipeline: Arc::clone(pipeline),
            server: context.map(|context| Arc::clone(context.server())),
            subject: context.map(|context| Arc::clone(context.subject())),
            decision_id: context.map(ResponseContext::decision_id),
        }
    }

    /// To whom the tools of a list are shown.
    pub(super) fn reader(&self, now: Timestamp, is_told_enough: bool) -> ListReader<'_> {
        ListReader {
            now,
            decision_id: self.decision_id,
            subject: self.subject.as_deref(),
            is_told_enough,
        }
    }

    /// Writes an audit line.
    pub(super) fn record(&self, event: Event) {
        let reader = self.reader((self.pipeline.clock)(), false);
        let notice = reader.notice(self.server.as_ref(), event);
        self.pipeline.audit.notice(&notice);
    }

    /// Records a response that is not let through.
    pub(super) fn record_refusal(&self, refusal: ResponseRefusal) {
        let (server, reason) = (self.server_name(), refusal.code());
        tracing::warn!(server, reason, "a response is not let through");
        self.pipeline.metrics.lists.record_refusal(server, reason);
        self.record(Event::ResponseRefused { reason });
    }

    pub(super) fn server_name(&self) -> &str {
        self.server.as_deref().unwrap_or_default()
    }
}

/// What was shown and hidden of the lists of a response. Recorded when it is dropped, so that a
/// response that breaks off leaves evidence too.
#[derive(Debug)]
pub(super) struct ListTally {
    evidence: ResponseEvidence,
    counts: BTreeMap<ListKind, Counts>,
}

#[derive(Debug, Clone, Default)]
struct Counts {
    visible: u64,
    hidden: u64,
    /// By the reason.
    unjudged: BTreeMap<&'static str, u64>,
}

impl ListTally {
    pub(super) fn new(evidence: &ResponseEvidence) -> Self {
        ListTally {
            evidence: evidence.clone(),
            counts: BTreeMap::new(),
        }
    }

    /// Counts an item that was judged.
    pub(super) fn count(&mut self, kind: ListKind, is_shown: bool) {
        let counts = self.counts.entry(kind).or_default();
        let count = if is_shown {
            &mut counts.visible
        } else {
            &mut counts.hidden
        };
        *count = count.saturating_add(1);
    }

    /// Counts an item that could not be judged.
    pub(super) fn count_unjudged(&mut self, kind: ListKind, why: Unjudged) {
        let counts = self.counts.entry(kind).or_default();
        let count = counts.unjudged.entry(why.code()).or_default();
        *count = count.saturating_add(1);
    }
}

impl Drop for ListTally {
    fn drop(&mut self) {
        for (kind, counts) in std::mem::take(&mut self.counts) {
            let list = kind.label();
            let Counts {
                visible,
                hidden,
                unjudged: reasons,
            } = counts;
            let unjudged = reasons.values().copied().fold(0, u64::saturating_add);
            for (result, items) in [
                (ItemFate::Visible, visible),
                (ItemFate::Hidden, hidden),
                (ItemFate::Unjudged, unjudged),
            ] {
                let metrics = &self.evidence.pipeline.metrics;
                metrics
                    .lists
                    .record_items(self.evidence.server_name(), list, result, items);
            }
            self.evidence.record(Event::ListFiltered {
                list,
                visible,
                hidden,
                unjudged,
                reasons,
            });
        }
    }
}
