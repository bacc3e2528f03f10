//! Counters and timings of checks.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DecisionKind {
    /// Forwarded.
    Allow,
    /// Refused by authentication or policy.
    Deny,
    /// More authority is required: a scope, or a fresher login.
    Challenge,
    /// The input was unacceptable.
    Reject,
    /// No decision could be made.
    Fail,
    /// Answered by the service itself: metadata documents.
    Reply,
}

impl DecisionKind {
    /// The word in metrics and audit.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Challenge => "challenge",
            Self::Reject => "reject",
            Self::Fail => "fail",
            Self::Reply => "reply",
        }
    }
}

/// A timed part of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Verifies the credentials and finds the subject.
    Authenticate,
    /// Waits for the turn of a long body to be parsed. Other bodies do not wait.
    Wait,
    /// Parses the body; for a refused caller, only its beginning.
    Parse,
    /// Makes the decision.
    Evaluate,
    /// The whole check.
    Total,
}

/// What is evaluated in addition to the rules in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RehearsalKind {
    /// The same policy with its shadow rules.
    Shadow,
    /// The candidate policy.
    Candidate,
}

/// Metrics of checks.
#[derive(Debug, Clone)]
pub struct CheckMetrics {
    decisions: Family<DecisionLabels, Counter>,
    differences: Family<DifferenceLabels, Counter>,
    shadow_rules: Family<RuleLabels, Counter>,
    durations: Family<StageLabels, Histogram, fn() -> Histogram>,
    /// One histogram for each stage, in the order of [`Stage`], to save each check the lookup.
    stages: [Histogram; 5],
}

impl Default for CheckMetrics {
    fn default() -> Self {
        let durations = Family::new_with_constructor(histogram as fn() -> Histogram);
        let stages = [
            Stage::Authenticate,
            Stage::Wait,
            Stage::Parse,
            Stage::Evaluate,
            Stage::Total,
        ];
        let stages = stages.map(|stage| durations.get_or_create_owned(&StageLabels { stage }));
        CheckMetrics {
            decisions: Family::default(),
            differences: Family::default(),
            shadow_rules: Family::default(),
            durations,
            stages,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabels {
    server: String,
    decision: DecisionKind,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DifferenceLabels {
    by: RehearsalKind,
    server: String,
    reason: &'static str,
    would_be: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RuleLabels {
    rule: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    stage: Stage,
}

impl CheckMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register("decisions", "Decisions", self.decisions.clone());
        to.register(
            "decisions_different",
            "Decisions that shadow rules or the candidate policy would make differently",
            self.differences.clone(),
        );
        to.register(
            "shadow_rule_matches",
            "Requests that a shadow rule matches, or for which it cannot be evaluated",
            self.shadow_rules.clone(),
        );
        to.register_with_unit(
            "check_duration",
            "Time that checks take, by stage",
            Unit::Seconds,
            self.durations.clone(),
        );
    }

    /// Counts a decision. `server` is the configured name, empty if no server was found; `reason`
    /// is the stable reason code. `mcp_authz_decisions_total`.
    pub fn record_decision(&self, server: &str, decision: DecisionKind, reason: &'static str) {
        self.decision_counter(server, decision, reason).inc();
    }

    /// The counter of [`CheckMetrics::record_decision`], for callers that cache it.
    #[must_use]
    pub fn decision_counter(
        &self,
        server: &str,
        decision: DecisionKind,
        reason: &'static str,
    ) -> Counter {
        let labels = DecisionLabels {
            server: server.to_owned(),
            decision,
            reason,
        };
        self.decisions.get_or_create_owned(&labels)
    }

    /// Counts a decision that the shadow rules or the candidate would make differently. Both
    /// arguments are reason codes. `mcp_authz_decisions_different_total`.
    pub fn record_difference(
        &self,
        by: RehearsalKind,
        server: &str,
        reason: &'static str,
        would_be: &'static str,
    ) {
        let labels = DifferenceLabels {
            by,
            server: server.to_owned(),
            reason,
            would_be,
        };
        self.differences.get_or_create(&labels).inc();
    }

    /// Counts a request that the shadow rule with this id matches.
    /// `mcp_authz_shadow_rule_matches_total`.
    pub fn record_shadow_rule(&self, rule: &str) {
        let rule = rule.to_owned();
        self.shadow_rules.get_or_create(&RuleLabels { rule }).inc();
    }

    /// Records how long a stage of a check took. `mcp_authz_check_duration_seconds`.
    pub fn record_stage(&self, stage: Stage, took: Duration) {
        let [authenticate, wait, parse, evaluate, total] = &self.stages;
        let histogram = match stage {
            Stage::Authenticate => authenticate,
            Stage::Wait => wait,
            Stage::Parse => parse,
            Stage::Evaluate => evaluate,
            Stage::Total => total,
        };
        histogram.observe(took.as_secs_f64());
    }
}

impl EncodeLabelValue for DecisionKind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        self.name().encode(encoder)
    }
}

impl EncodeLabelValue for RehearsalKind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Shadow => "shadow",
            Self::Candidate => "candidate",
        };
        name.encode(encoder)
    }
}

impl EncodeLabelValue for Stage {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Parse => "parse",
            Self::Authenticate => "authenticate",
            Self::Wait => "wait",
            Self::Evaluate => "evaluate",
            Self::Total => "total",
        };
        name.encode(encoder)
    }
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS_SECONDS)
}

/// From a cached decision up to Envoy's usual deadline and a fetch of keys.
const BUCKETS_SECONDS: [f64; 14] = [
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05,
    0.2, 1.0, 5.0,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Metrics;

    #[test]
    fn names_and_labels_are_as_documented() {
        let metrics = Metrics::new();
        metrics
            .checks
            .record_decision("github", DecisionKind::Deny, "denied_by_rule");
        metrics.checks.record_difference(
            RehearsalKind::Candidate,
            "github",
            "allowed",
            "rate_limited",
        );
        metrics.checks.record_shadow_rule("r1");
        metrics
            .checks
            .record_stage(Stage::Total, Duration::from_micros(30));
        metrics.assert_has(&[
            "mcp_authz_decisions_total{server=\"github\",decision=\"deny\",reason=\"denied_by_rule\"} 1",
            "mcp_authz_decisions_different_total{by=\"candidate\",server=\"github\",reason=\"allowed\",would_be=\"rate_limited\"} 1",
            "mcp_authz_shadow_rule_matches_total{rule=\"r1\"} 1",
            "mcp_authz_check_duration_seconds_bucket{le=\"0.00005\",stage=\"total\"} 1",
            "mcp_authz_check_duration_seconds_count{stage=\"total\"} 1",
        ]);
    }
}
