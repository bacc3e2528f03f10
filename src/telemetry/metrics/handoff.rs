//! What is counted of responses on their way back, and of the contexts that come with them.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::common::{ResultLabels, Success, set_total};

/// Metrics of responses on their way back.
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
            "Requests allowed whose response is to be shown to this service",
            self.expected.clone(),
        );
        to.register(
            "responses_begun",
            "Responses shown to this service to be looked at",
            self.begun.clone(),
        );
        to.register(
            "handoffs_refused",
            "Responses whose context is not believed",
            self.refused.clone(),
        );
        to.register(
            "handoff_key_reloads",
            "Attempts to take new keys for contexts",
            self.key_reloads.clone(),
        );
        to.register(
            "handoff_keys_failing",
            "Whether the keys for contexts in place cannot be used",
            self.keys_failing.clone(),
        );
    }

    /// Counts a request whose response is to be shown to this service, here or in another replica.
    /// `mcp_authz_responses_expected_total`.
    pub fn record_response_expected(&self) {
        self.expected.inc();
    }

    /// Counts a response that is shown to be looked at. `mcp_authz_responses_begun_total`.
    pub fn record_response_begun(&self) {
        self.begun.inc();
    }

    /// Counts a response whose context is not believed, by a stable reason code.
    /// `mcp_authz_handoffs_refused_total`.
    pub fn record_refusal(&self, reason: &'static str) {
        let labels = ReasonLabels { reason };
        self.refused.get_or_create(&labels).inc();
    }

    /// Sets what is known of the keys for contexts. `mcp_authz_handoff_key_reloads_total`,
    /// `mcp_authz_handoff_keys_failing`.
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
