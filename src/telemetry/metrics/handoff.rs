//! Metrics of responses that Envoy sends for inspection, and of the contexts attached to them.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::common::{ResultLabels, Success, set_total};

/// Metrics of responses that Envoy sends for inspection.
#[derive(Debug, Clone, Default)]
pub struct HandoffMetrics {
    expected: Counter,
    begun: Counter,
    refused: Family<ReasonLabels, Counter>,
    key_reloads: Family<ResultLabels, Counter>,
    keys_failing: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

impl HandoffMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register(
            "responses_expected",
            "Allowed requests whose response Envoy is to send for inspection",
            self.expected.clone(),
        );
        to.register(
            "responses_begun",
            "Responses that Envoy sent for inspection",
            self.begun.clone(),
        );
        to.register(
            "handoffs_refused",
            "Responses whose context was rejected",
            self.refused.clone(),
        );
        to.register(
            "handoff_key_reloads",
            "Attempts to load new keys for contexts",
            self.key_reloads.clone(),
        );
        to.register(
            "handoff_keys_failing",
            "Whether the current key file for contexts cannot be used",
            self.keys_failing.clone(),
        );
    }

    /// Counts an allowed request whose response Envoy is to send for inspection, to this replica or
    /// another. `mcp_authz_responses_expected_total`.
    pub fn record_response_expected(&self) {
        self.expected.inc();
    }

    /// Counts a response that Envoy sends for inspection. `mcp_authz_responses_begun_total`.
    pub fn record_response_begun(&self) {
        self.begun.inc();
    }

    /// Counts a response whose context is rejected, by a stable reason code.
    /// `mcp_authz_handoffs_refused_total`.
    pub fn record_refusal(&self, reason: &'static str) {
        let labels = ReasonLabels { reason };
        self.refused.get_or_create(&labels).inc();
    }

    /// Sets the reloads and the state of the keys for contexts.
    /// `mcp_authz_handoff_key_reloads_total`, `mcp_authz_handoff_keys_failing`.
    pub fn set_keys(&self, successes: u64, failures: u64, failing: bool) {
        for (result, total) in [(Success::Ok, successes), (Success::Error, failures)] {
            let labels = ResultLabels { result };
            set_total(&self.key_reloads.get_or_create(&labels), total);
        }
        self.keys_failing.set(i64::from(failing));
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::metrics::Metrics;

    #[test]
    fn names_and_labels_are_as_documented() {
        let metrics = Metrics::new();
        metrics.handoff.record_response_expected();
        metrics.handoff.record_response_begun();
        metrics.handoff.record_refusal("forged");
        metrics.handoff.set_keys(2, 1, true);
        metrics.assert_has(&[
            "mcp_authz_responses_expected_total 1",
            "mcp_authz_responses_begun_total 1",
            "mcp_authz_handoffs_refused_total{reason=\"forged\"} 1",
            "mcp_authz_handoff_key_reloads_total{result=\"ok\"} 2",
            "mcp_authz_handoff_key_reloads_total{result=\"error\"} 1",
            "mcp_authz_handoff_keys_failing 1",
        ]);
    }
}
