//! What is known of the configuration.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::common::{ResultLabels, Success, set_total};

/// What is known of the configuration since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfigTotals {
    /// Configurations put in force.
    pub successes: u64,
    /// Configurations refused.
    pub failures: u64,
    /// When the one in force was, in Unix seconds.
    pub applied_unix_seconds: i64,
    /// Whether the file in place cannot be used.
    pub failing: bool,
    /// How many keys wait for a restart.
    pub restart_required: usize,
}

/// Metrics of the configuration.
#[derive(Debug, Clone, Default)]
pub struct ConfigMetrics {
    reloads: Family<ResultLabels, Counter>,
    loaded: Gauge,
    failing: Gauge,
    restart_required: Gauge,
}

impl ConfigMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register(
            "config_reloads",
            "Attempts to load the configuration",
            self.reloads.clone(),
        );
        to.register_with_unit(
            "config_loaded_timestamp",
            "When the configuration in force was loaded, in Unix time",
            Unit::Seconds,
            self.loaded.clone(),
        );
        to.register(
            "config_failing",
            "Whether the configuration file in place cannot be used",
            self.failing.clone(),
        );
        to.register(
            "config_restart_required",
            "Keys of the configuration whose change waits for a restart",
            self.restart_required.clone(),
        );
    }

    /// Sets what is known of the configuration. `mcp_authz_config_reloads_total`,
    /// `mcp_authz_config_loaded_timestamp_seconds`, `mcp_authz_config_failing`,
    /// `mcp_authz_config_restart_required`.
    pub fn set(&self, config: &ConfigTotals) {
        for (result, total) in [
            (Success::Ok, config.successes),
            (Success::Error, config.failures),
        ] {
            set_total(&self.reloads.get_or_create(&ResultLabels { result }), total);
        }
        self.loaded.set(config.applied_unix_seconds);
        self.failing.set(i64::from(config.failing));
        let keys = i64::try_from(config.restart_required).unwrap_or(i64::MAX);
        self.restart_required.set(keys);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Metrics;

    #[test]
    fn names_and_labels_are_as_documented() {
        let metrics = Metrics::new();
        metrics.config.set(&ConfigTotals {
            successes: 4,
            failures: 1,
            applied_unix_seconds: 1_795_000_000,
            failing: true,
            restart_required: 2,
        });
        metrics.assert_has(&[
            "mcp_authz_config_reloads_total{result=\"ok\"} 4",
            "mcp_authz_config_reloads_total{result=\"error\"} 1",
            "mcp_authz_config_loaded_timestamp_seconds 1795000000",
            "mcp_authz_config_failing 1",
            "mcp_authz_config_restart_required 2",
        ]);
    }
}
