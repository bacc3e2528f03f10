//! Metrics of the policy.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
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
    team_failing: Family<TeamLabels, Gauge>,
    team_denied: Family<TeamLabels, Gauge>,
    /// The teams that have series.
    teams: Arc<Mutex<BTreeSet<String>>>,
    last_good: Family<LastGoodLabels, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TeamLabels {
    team: String,
}

/// Whether the last good policy is in force, or cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LastGoodLabels {
    state: &'static str,
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
        to.register(
            "policy_team_failing",
            "Whether the current policy files of a team cannot be used",
            self.team_failing.clone(),
        );
        to.register(
            "policy_team_denied",
            "Whether the servers of a team deny everything because it has no usable files",
            self.team_denied.clone(),
        );
        to.register(
            "policy_last_good",
            "Whether the last good policy from `state_dir` is in force, or cannot be kept there",
            self.last_good.clone(),
        );
    }

    /// Sets the state of a team. `mcp_authz_policy_team_failing`, `mcp_authz_policy_team_denied`.
    pub fn set_team(&self, team: &str, is_failing: bool, is_denied: bool) {
        let labels = TeamLabels {
            team: team.to_owned(),
        };
        for (family, value) in [
            (&self.team_failing, is_failing),
            (&self.team_denied, is_denied),
        ] {
            family.get_or_create(&labels).set(i64::from(value));
        }
        self.teams().insert(labels.team);
    }

    /// Forgets the teams that are configured no more.
    pub fn keep_teams(&self, is_configured: impl Fn(&str) -> bool) {
        self.teams().retain(|team| {
            let is_kept = is_configured(team);
            if !is_kept {
                let labels = TeamLabels { team: team.clone() };
                self.team_failing.remove(&labels);
                self.team_denied.remove(&labels);
            }
            is_kept
        });
    }

    fn teams(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.teams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the state of the policy on disk. `mcp_authz_policy_last_good`.
    pub fn set_last_good(&self, is_in_force: bool, is_unkept: bool) {
        for (state, value) in [("in_force", is_in_force), ("not_kept", is_unkept)] {
            let gauge = self.last_good.get_or_create(&LastGoodLabels { state });
            gauge.set(i64::from(value));
        }
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
        metrics.policy.set_team("team07", true, false);
        metrics.policy.set_team("gone", true, true);
        metrics.policy.keep_teams(|team| team != "gone");
        metrics.policy.set_last_good(true, false);
        assert!(!metrics.text().contains("gone"));
        metrics.assert_has(&[
            "mcp_authz_policy_reloads_total{result=\"ok\"} 4",
            "mcp_authz_policy_reloads_total{result=\"error\"} 1",
            "mcp_authz_policy_loaded_timestamp_seconds 1795000000",
            "mcp_authz_policy_rules 7",
            "mcp_authz_policy_failing 1",
            "mcp_authz_policy_team_failing{team=\"team07\"} 1",
            "mcp_authz_policy_team_denied{team=\"team07\"} 0",
            "mcp_authz_policy_last_good{state=\"in_force\"} 1",
            "mcp_authz_policy_last_good{state=\"not_kept\"} 0",
        ]);
    }
}
