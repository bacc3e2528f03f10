//! Metrics of the audit.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::common::set_total;

/// Metrics of the audit.
#[derive(Debug, Clone, Default)]
pub struct AuditMetrics {
    lost: Counter,
}

impl AuditMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register("audit_lost", "Audit records lost", self.lost.clone());
    }

    /// Sets how many audit records were lost. `mcp_authz_audit_lost_total`.
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
        metrics.audit.set_lost(2);
        metrics.assert_has(&["mcp_authz_audit_lost_total 2"]);
    }
}
