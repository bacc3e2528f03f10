//! Metrics of sessions, tasks and the JSON-RPC ids in them.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::common::ServerLabels;

/// What bound an id to a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BoundBy {
    /// The server issued it.
    Issued,
    /// Its first use.
    FirstUse,
}

/// Metrics of sessions and tasks.
#[derive(Debug, Clone, Default)]
pub struct SessionMetrics {
    bindings: Family<BindingLabels, Counter>,
    resumptions_ignored: Family<ServerLabels, Counter>,
    ids_forgotten: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BindingLabels {
    server: String,
    kind: &'static str,
    how: BoundBy,
}

impl SessionMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register(
            "bindings",
            "Sessions and tasks bound to a subject",
            self.bindings.clone(),
        );
        to.register(
            "resumptions_ignored",
            "Streams that clients asked to resume and that were opened afresh instead",
            self.resumptions_ignored.clone(),
        );
        to.register(
            "ids_forgotten",
            "JSON-RPC ids evicted before their responses arrived, because memory was full",
            self.ids_forgotten.clone(),
        );
    }

    /// Counts a `session` or `task` that is bound to a subject. `mcp_authz_bindings_total`.
    pub fn record_binding(&self, server: &str, kind: &'static str, how: BoundBy) {
        let server = server.to_owned();
        let labels = BindingLabels { server, kind, how };
        self.bindings.get_or_create(&labels).inc();
    }

    /// Counts a stream that a client asked to resume and that was opened afresh instead.
    /// `mcp_authz_resumptions_ignored_total`.
    pub fn record_resumption_ignored(&self, server: &str) {
        let labels = ServerLabels::of(server);
        self.resumptions_ignored.get_or_create(&labels).inc();
    }

    /// Counts JSON-RPC ids that were evicted before their responses arrived.
    /// `mcp_authz_ids_forgotten_total`.
    pub fn record_ids_forgotten(&self, ids: u64) {
        self.ids_forgotten.inc_by(ids);
    }
}

impl EncodeLabelValue for BoundBy {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Issued => "issued",
            Self::FirstUse => "first_use",
        };
        name.encode(encoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Metrics;

    #[test]
    fn names_and_labels_are_as_documented() {
        let metrics = Metrics::new();
        metrics
            .sessions
            .record_binding("github", "session", BoundBy::FirstUse);
        metrics
            .sessions
            .record_binding("github", "task", BoundBy::Issued);
        metrics.sessions.record_resumption_ignored("github");
        metrics.sessions.record_ids_forgotten(3);
        metrics.assert_has(&[
            "mcp_authz_bindings_total{server=\"github\",kind=\"session\",how=\"first_use\"} 1",
            "mcp_authz_bindings_total{server=\"github\",kind=\"task\",how=\"issued\"} 1",
            "mcp_authz_resumptions_ignored_total{server=\"github\"} 1",
            "mcp_authz_ids_forgotten_total 3",
        ]);
    }
}
