//! Metrics of traces.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::common::set_total;

/// Metrics of traces.
#[derive(Debug, Clone, Default)]
pub struct TraceMetrics {
    lost: Counter,
}

impl TraceMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register(
            "spans_lost",
            "Spans that the collector did not take",
            self.lost.clone(),
        );
    }

    /// Sets how many spans the collector did not take. `mcp_authz_spans_lost_total`.
    pub fn set_lost(&self, total: u64) {
        set_total(&self.lost, total);
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::metrics::Metrics;

    #[test]
    fn names_and_labels_are_as_documented() {
        let metrics = Metrics::new();
        metrics.traces.set_lost(2);
        metrics.assert_has(&["mcp_authz_spans_lost_total 2"]);
    }
}
