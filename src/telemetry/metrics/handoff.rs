//! What is counted of answers on their way back and of what is noticed.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Metrics, ResultLabels, Success, set_total};

#[derive(Debug, Clone, Default)]
pub(super) struct Handoff {
    expected: Counter,
    begun: Counter,
    refused: Family<ReasonLabels, Counter>,
    key_reloads: Family<ResultLabels, Counter>,
    keys_failing: Gauge,
    notices: Family<NoticeLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NoticeLabels {
    notice: &'static str,
}

impl Handoff {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register(
            "answers_expected",
            "Requests allowed whose answer is to be shown to this service",
            self.expected.clone(),
        );
        to.register(
            "answers_begun",
            "Answers shown to this service to be looked at",
            self.begun.clone(),
        );
        to.register(
            "handoffs_refused",
            "Answers whose context is not believed",
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
        to.register(
            "notices",
            "Mistakes noticed in what stands around this service",
            self.notices.clone(),
        );
    }
}

impl Metrics {
    /// Counts a request whose answer is to be shown to this service, here or in another replica.
    /// `mcp_authz_answers_expected_total`.
    pub fn record_answer_expected(&self) {
        self.handoff.expected.inc();
    }

    /// Counts an answer that is shown to be looked at. `mcp_authz_answers_begun_total`.
    pub fn record_answer_begun(&self) {
        self.handoff.begun.inc();
    }

    /// Counts an answer whose context is not believed, by a stable reason code.
    /// `mcp_authz_handoffs_refused_total`.
    pub fn record_handoff_refusal(&self, reason: &'static str) {
        let labels = ReasonLabels { reason };
        self.handoff.refused.get_or_create(&labels).inc();
    }

    /// Sets what is known of the keys for contexts. `mcp_authz_handoff_key_reloads_total`,
    /// `mcp_authz_handoff_keys_failing`.
    pub fn set_handoff_keys(&self, successes: u64, failures: u64, failing: bool) {
        for (result, total) in [(Success::Ok, successes), (Success::Error, failures)] {
            let labels = ResultLabels { result };
            set_total(&self.handoff.key_reloads.get_or_create(&labels), total);
        }
        self.handoff.keys_failing.set(i64::from(failing));
    }

    /// Sets how often something was noticed. `mcp_authz_notices_total`.
    pub fn set_notice(&self, notice: &'static str, total: u64) {
        let labels = NoticeLabels { notice };
        set_total(&self.handoff.notices.get_or_create(&labels), total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_are_as_documented() {
        let metrics = Metrics::new();
        metrics.record_answer_expected();
        metrics.record_answer_begun();
        metrics.record_handoff_refusal("forged");
        metrics.set_handoff_keys(2, 1, true);
        metrics.set_notice("server_by_host", 3);
        let text = metrics.text();
        for line in [
            "mcp_authz_answers_expected_total 1",
            "mcp_authz_answers_begun_total 1",
            "mcp_authz_handoffs_refused_total{reason=\"forged\"} 1",
            "mcp_authz_handoff_key_reloads_total{result=\"ok\"} 2",
            "mcp_authz_handoff_key_reloads_total{result=\"error\"} 1",
            "mcp_authz_handoff_keys_failing 1",
            "mcp_authz_notices_total{notice=\"server_by_host\"} 3",
        ] {
            assert!(
                text.lines().any(|l| l == line),
                "no line `{line}` in\n{text}"
            );
        }
    }
}
