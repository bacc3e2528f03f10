//! Metrics of connections.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::common::set_total;

/// Metrics of connections.
#[derive(Debug, Clone, Default)]
pub struct ConnectionMetrics {
    handshakes_failed: Family<ReasonLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

impl ConnectionMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register(
            "handshakes_failed",
            "Connections that failed before their first message",
            self.handshakes_failed.clone(),
        );
    }

    /// Sets how many connections failed before their first message, for one reason.
    /// `mcp_authz_handshakes_failed_total`.
    pub fn set_handshakes_failed(&self, reason: &'static str, total: u64) {
        let labels = ReasonLabels { reason };
        set_total(&self.handshakes_failed.get_or_create(&labels), total);
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::metrics::Metrics;

    #[test]
    fn names_and_labels_are_as_documented() {
        let metrics = Metrics::new();
        metrics.connections.set_handshakes_failed("not_tls", 2);
        metrics.assert_has(&["mcp_authz_handshakes_failed_total{reason=\"not_tls\"} 2"]);
    }
}
