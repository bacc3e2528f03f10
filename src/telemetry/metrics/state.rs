//! Metrics of the store: what it remembers between requests, and what it has evicted.

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
            "Limits, windows, sessions and tasks in memory",
            self.keys.clone(),
        );
        to.register(
            "state_forgotten",
            "Limits, windows, sessions and tasks evicted while still relevant, because memory was full",
            self.forgotten.clone(),
        );
        to.register(
            "state_first_use_ended",
            "Whether unbound ids are refused for some issuer's subjects, because too much was evicted",
            self.first_use_ended.clone(),
        );
    }

    /// Sets how many entries of a kind (`counter`, `session`, `task`) are in memory.
    /// `mcp_authz_state_keys`.
    pub fn set_keys(&self, kind: &'static str, keys: usize) {
        let gauge = self.keys.get_or_create(&KindLabels { kind });
        gauge.set(i64::try_from(keys).unwrap_or(i64::MAX));
    }

    /// Sets how many entries of a kind (`limit`, `window`, `session`, `task`) were evicted.
    /// `mcp_authz_state_forgotten_total`.
    pub fn set_forgotten(&self, kind: &'static str, total: u64) {
        set_total(&self.forgotten.get_or_create(&KindLabels { kind }), total);
    }

    /// Sets whether first use no longer binds a kind of id, `session` or `task`.
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
