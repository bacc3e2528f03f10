//! Metrics of the policy.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::common::{ResultLabels, Success, set_total};

/// The state of the policy, with totals since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyTotals {
    /// Policies put into force.
    pub successes: u64,
    /// Policies refused.
    pub failures: u64,
    /// When the one in force was applied, in Unix seconds.
    pub applied_unix_seconds: i64,
    /// How many rules it has.
    pub rules: usize,
    /// Whether the current files cannot be used.
    pub failing: bool,
}

/// Metrics of the policy.
#[derive(Debug, Clone, Default)]
pub struct PolicyMetrics {
    reloads: Family<ResultLabels, Counter>,
    loaded: Gauge,
    rules: Gauge,
    failing: Gauge,
}

impl PolicyMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register(
            "policy_reloads",
            "Attempts to load the policy",
            self.reloads.clone(),
        );
        to.register_with_unit(
            "policy_loaded_timestamp",
            "When the policy in force was loaded, in Unix time",
            Unit::Seconds,
            self.loaded.clone(),
        );
        to.register(
            "policy_rules",
            "Rules of the policy in force",
            self.rules.clone(),
        );
        to.register(
            "policy_failing",
            "Whether the current policy files cannot be used",
            self.failing.clone(),
        );
    }

    /// Sets the state of the policy. `mcp_authz_policy_reloads_total`,
    /// `mcp_authz_policy_loaded_timestamp_seconds`, `mcp_authz_policy_rules`,
    /// `mcp_authz_policy_failing`.
    pub fn set(&self, policy: &PolicyTotals) {
        for (result, total) in [
            (Success::Ok, policy.successes),
            (Success::Error, policy.failures),
        ] {
            set_total(&self.reloads.get_or_create(&ResultLabels { result }), total);
        }
        self.loaded.set(policy.applied_unix_seconds);
        self.rules
            .set(i64::try_from(policy.rules).unwrap_or(i64::MAX));
        self.failing.set(i64::from(policy.failing));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Metrics;

    #[test]
    fn names_and_labels_are_as_documented() {
        let metrics = Metrics::new();
        metrics.policy.set(&PolicyTotals {
            successes: 4,
            failures: 1,
            applied_unix_seconds: 1_795_000_000,
            rules: 7,
            failing: true,
        });
        metrics.assert_has(&[
            "mcp_authz_policy_reloads_total{result=\"ok\"} 4",
            "mcp_authz_policy_reloads_total{result=\"error\"} 1",
            "mcp_authz_policy_loaded_timestamp_seconds 1795000000",
            "mcp_authz_policy_rules 7",
            "mcp_authz_policy_failing 1",
        ]);
    }
}
