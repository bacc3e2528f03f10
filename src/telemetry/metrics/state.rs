//! Metrics of the store: what is remembered between requests, and what was forgotten.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::common::set_total;

/// Metrics of the store.
#[derive(Debug, Clone, Default)]
pub struct StateMetrics {
    keys: Family<KindLabels, Gauge>,
    forgotten: Family<KindLabels, Counter>,
    first_use_ended: Family<KindLabels, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

impl StateMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register(
            "state_keys",
            "Limits and windows, sessions and tasks remembered",
            self.keys.clone(),
        );
        to.register(
            "state_forgotten",
            "Limits, windows, sessions and tasks forgotten for want of room though they mattered",
            self.forgotten.clone(),
        );
        to.register(
            "state_first_use_ended",
            "Whether what is not bound is unknown to the subjects of some issuer, as too much was forgotten",
            self.first_use_ended.clone(),
        );
    }

    /// Sets how much is remembered: `counter`, `session`, `task`. `mcp_authz_state_keys`.
    pub fn set_keys(&self, kind: &'static str, keys: usize) {
        let gauge = self.keys.get_or_create(&KindLabels { kind });
        gauge.set(i64::try_from(keys).unwrap_or(i64::MAX));
    }

    /// Sets how much was forgotten: `limit`, `window`, `session`, `task`.
    /// `mcp_authz_state_forgotten_total`.
    pub fn set_forgotten(&self, kind: &'static str, total: u64) {
        set_total(&self.forgotten.get_or_create(&KindLabels { kind }), total);
    }

    /// Sets whether nothing of a kind, `session` or `task`, is bound by its first use any more.
    /// `mcp_authz_state_first_use_ended`.
    pub fn set_first_use_ended(&self, kind: &'static str, ended: bool) {
        let gauge = self.first_use_ended.get_or_create(&KindLabels { kind });
        gauge.set(i64::from(ended));
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::metrics::Metrics;

    #[test]
    fn names_and_labels_are_as_documented() {
        let metrics = Metrics::new();
        metrics.state.set_keys("counter", 5);
        metrics.state.set_forgotten("window", 7);
        metrics.state.set_first_use_ended("session", true);
        metrics.state.set_first_use_ended("task", false);
        metrics.assert_has(&[
            "mcp_authz_state_keys{kind=\"counter\"} 5",
            "mcp_authz_state_forgotten_total{kind=\"window\"} 7",
            "mcp_authz_state_first_use_ended{kind=\"session\"} 1",
            "mcp_authz_state_first_use_ended{kind=\"task\"} 0",
        ]);
    }
}
