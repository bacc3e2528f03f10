//! Metrics of watched files that have no metrics of their own.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Metrics of watched files.
#[derive(Debug, Clone, Default)]
pub struct FileMetrics {
    failing: Family<FileLabels, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FileLabels {
    file: &'static str,
}

impl FileMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register(
            "file_failing",
            "Whether the files that a configuration key names cannot be used",
            self.failing.clone(),
        );
    }

    /// Sets whether files cannot be used; `file` is the configuration key that names them.
    /// `mcp_authz_file_failing`.
    pub fn set_failing(&self, file: &'static str, failing: bool) {
        let gauge = self.failing.get_or_create(&FileLabels { file });
        gauge.set(i64::from(failing));
    }

    /// Forgets the files of a key that is configured no more.
    pub fn forget(&self, file: &'static str) {
        self.failing.remove(&FileLabels { file });
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::metrics::Metrics;

    #[test]
    fn files_are_labelled_with_their_key() {
        let metrics = Metrics::new();
        metrics.files.set_failing("tls", true);
        metrics.files.set_failing("geoip", false);
        metrics.assert_has(&[
            "mcp_authz_file_failing{file=\"tls\"} 1",
            "mcp_authz_file_failing{file=\"geoip\"} 0",
        ]);
        metrics.files.forget("geoip");
        assert!(!metrics.text().contains("geoip"));
    }
}
