//! Metrics of mistakes noticed in the process's surroundings.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::common::set_total;

/// Metrics of notices.
#[derive(Debug, Clone, Default)]
pub struct NoticeMetrics {
    notices: Family<NoticeLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NoticeLabels {
    notice: &'static str,
}

impl NoticeMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register(
            "notices",
            "Mistakes noticed in this service's surroundings",
            self.notices.clone(),
        );
    }

    /// Sets how often something was noticed. `mcp_authz_notices_total`.
    pub fn set(&self, notice: &'static str, total: u64) {
        let labels = NoticeLabels { notice };
        set_total(&self.notices.get_or_create(&labels), total);
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::metrics::Metrics;

    #[test]
    fn names_and_labels_are_as_documented() {
        let metrics = Metrics::new();
        metrics.notices.set("server_by_host", 3);
        metrics.assert_has(&["mcp_authz_notices_total{notice=\"server_by_host\"} 3"]);
    }
}
