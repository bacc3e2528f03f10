//! The metrics of the process, each name beside the method that moves it.
//!
//! Labels are closed sets and names from the configuration, never what a client sent.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// Every metric of the process. Clones count into the same.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    decisions: Family<DecisionLabels, Counter>,
    durations: Family<StageLabels, Histogram, fn() -> Histogram>,
    policy_reloads: Family<ResultLabels, Counter>,
    policy_loaded: Gauge,
    policy_rules: Gauge,
    key_refreshes: Family<IssuerResultLabels, Counter>,
    keys_fetched: Family<IssuerLabels, Gauge>,
    audit_dropped: Counter,
    tokens_cached: Gauge,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Forwarded.
    Allow,
    /// Authentication or policy said no.
    Deny,
    /// More authority was asked for: a scope, or a fresher login.
    Challenge,
    /// The input was not acceptable.
    Reject,
    /// No decision could be made.
    Fail,
    /// Answered by the service itself: metadata documents.
    Answer,
}

impl Effect {
    /// The word in metrics and audit.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Challenge => "challenge",
            Self::Reject => "reject",
            Self::Fail => "fail",
            Self::Answer => "answer",
        }
    }
}

/// A part of a check that is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The body to a message.
    Parse,
    /// Credentials to a subject.
    Authenticate,
    /// The decision proper.
    Evaluate,
    /// The whole check.
    Total,
}

/// Whether something worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Success {
    /// It did.
    Ok,
    /// It did not.
    Error,
}

impl Metrics {
    /// Every metric at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("mcp_authz");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running version", build);
        let durations = Family::new_with_constructor(histogram as fn() -> Histogram);
        let mut metrics = Self {
            registry: Arc::default(),
            decisions: Family::default(),
            durations,
            policy_reloads: Family::default(),
            policy_loaded: Gauge::default(),
            policy_rules: Gauge::default(),
            key_refreshes: Family::default(),
            keys_fetched: Family::default(),
            audit_dropped: Counter::default(),
            tokens_cached: Gauge::default(),
        };
        metrics.register(&mut registry);
        metrics.registry = Arc::new(registry);
        metrics
    }

    fn register(&self, to: &mut Registry) {
        to.register("decisions", "Decisions", self.decisions.clone());
        to.register_with_unit(
            "check_duration",
            "Time that checks take, by stage",
            Unit::Seconds,
            self.durations.clone(),
        );
        to.register(
            "policy_reloads",
            "Attempts to load the policy",
            self.policy_reloads.clone(),
        );
        to.register_with_unit(
            "policy_loaded_timestamp",
            "When the policy in force was loaded, in Unix time",
            Unit::Seconds,
            self.policy_loaded.clone(),
        );
        to.register(
            "policy_rules",
            "Rules of the policy in force",
            self.policy_rules.clone(),
        );
        to.register(
            "key_refreshes",
            "Attempts to fetch an issuer's keys",
            self.key_refreshes.clone(),
        );
        to.register_with_unit(
            "keys_fetched_timestamp",
            "When an issuer's keys were last fetched, in Unix time",
            Unit::Seconds,
            self.keys_fetched.clone(),
        );
        to.register(
            "audit_dropped",
            "Audit records lost",
            self.audit_dropped.clone(),
        );
        to.register(
            "tokens_cached",
            "Verified tokens remembered",
            self.tokens_cached.clone(),
        );
    }

    /// Counts a decision. `server` is the configured name, empty if none was found; `reason` the
    /// stable reason code. `mcp_authz_decisions_total`.
    pub fn record_decision(&self, server: &str, effect: Effect, reason: &'static str) {
        let labels = DecisionLabels {
            server: server.to_owned(),
            effect,
            reason,
        };
        self.decisions.get_or_create(&labels).inc();
    }

    /// Observes how long a stage of a check took. `mcp_authz_check_duration_seconds`.
    pub fn record_stage(&self, stage: Stage, took: Duration) {
        self.durations
            .get_or_create(&StageLabels { stage })
            .observe(took.as_secs_f64());
    }

    /// Counts a policy put in force, with its size and the time in Unix seconds.
    /// `mcp_authz_policy_reloads_total`, `mcp_authz_policy_loaded_timestamp_seconds`,
    /// `mcp_authz_policy_rules`.
    pub fn record_policy_loaded(&self, rules: usize, unix_seconds: i64) {
        self.policy_reloads
            .get_or_create(&ResultLabels {
                result: Success::Ok,
            })
            .inc();
        self.policy_loaded.set(unix_seconds);
        self.policy_rules
            .set(i64::try_from(rules).unwrap_or(i64::MAX));
    }

    /// Counts a policy that could not be loaded. `mcp_authz_policy_reloads_total`.
    pub fn record_policy_refused(&self) {
        self.policy_reloads
            .get_or_create(&ResultLabels {
                result: Success::Error,
            })
            .inc();
    }

    /// Counts keys fetched from a configured issuer, at a time in Unix seconds.
    /// `mcp_authz_key_refreshes_total`, `mcp_authz_keys_fetched_timestamp_seconds`.
    pub fn record_keys_fetched(&self, issuer: &str, unix_seconds: i64) {
        let labels = IssuerResultLabels {
            issuer: issuer.to_owned(),
            result: Success::Ok,
        };
        self.key_refreshes.get_or_create(&labels).inc();
        let labels = IssuerLabels {
            issuer: issuer.to_owned(),
        };
        self.keys_fetched.get_or_create(&labels).set(unix_seconds);
    }

    /// Counts keys that could not be fetched. `mcp_authz_key_refreshes_total`.
    pub fn record_keys_missed(&self, issuer: &str) {
        let labels = IssuerResultLabels {
            issuer: issuer.to_owned(),
            result: Success::Error,
        };
        self.key_refreshes.get_or_create(&labels).inc();
    }

    /// Counts audit records that were lost. `mcp_authz_audit_dropped_total`.
    pub fn record_audit_dropped(&self, records: u64) {
        self.audit_dropped.inc_by(records);
    }

    /// Sets how many verified tokens are remembered. `mcp_authz_tokens_cached`.
    pub fn set_tokens_cached(&self, tokens: u64) {
        self.tokens_cached
            .set(i64::try_from(tokens).unwrap_or(i64::MAX));
    }

    /// Everything as [`CONTENT_TYPE`].
    #[must_use]
    pub fn text(&self) -> String {
        let mut encoded = String::new();
        if let Err(error) = text::encode(&mut encoded, &self.registry) {
            tracing::error!(%error, "metrics cannot be encoded");
        }
        encoded
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabels {
    server: String,
    effect: Effect,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    stage: Stage,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: Success,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IssuerLabels {
    issuer: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IssuerResultLabels {
    issuer: String,
    result: Success,
}

impl EncodeLabelValue for Effect {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        self.name().encode(encoder)
    }
}

impl EncodeLabelValue for Stage {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Parse => "parse",
            Self::Authenticate => "authenticate",
            Self::Evaluate => "evaluate",
            Self::Total => "total",
        };
        name.encode(encoder)
    }
}

impl EncodeLabelValue for Success {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Ok => "ok",
            Self::Error => "error",
        };
        name.encode(encoder)
    }
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS_SECONDS)
}

/// From a cached decision to Envoy's usual deadline and a fetch of keys.
const BUCKETS_SECONDS: [f64; 14] = [
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05,
    0.2, 1.0, 5.0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_are_as_documented() {
        let metrics = Metrics::new();
        metrics.record_decision("github", Effect::Deny, "denied_by_rule");
        metrics.record_stage(Stage::Total, Duration::from_micros(30));
        metrics.record_policy_loaded(7, 1_795_000_000);
        metrics.record_policy_refused();
        metrics.record_keys_fetched("https://idp.test", 1_795_000_001);
        metrics.record_keys_missed("https://idp.test");
        metrics.record_audit_dropped(2);
        metrics.set_tokens_cached(3);
        let text = metrics.text();
        for line in [
            "mcp_authz_decisions_total{server=\"github\",effect=\"deny\",reason=\"denied_by_rule\"} 1",
            "mcp_authz_check_duration_seconds_bucket{le=\"0.00005\",stage=\"total\"} 1",
            "mcp_authz_check_duration_seconds_count{stage=\"total\"} 1",
            "mcp_authz_policy_reloads_total{result=\"ok\"} 1",
            "mcp_authz_policy_reloads_total{result=\"error\"} 1",
            "mcp_authz_policy_loaded_timestamp_seconds 1795000000",
            "mcp_authz_policy_rules 7",
            "mcp_authz_key_refreshes_total{issuer=\"https://idp.test\",result=\"ok\"} 1",
            "mcp_authz_key_refreshes_total{issuer=\"https://idp.test\",result=\"error\"} 1",
            "mcp_authz_keys_fetched_timestamp_seconds{issuer=\"https://idp.test\"} 1795000001",
            "mcp_authz_audit_dropped_total 2",
            "mcp_authz_tokens_cached 3",
            concat!(
                "mcp_authz_build_info{version=\"",
                env!("CARGO_PKG_VERSION"),
                "\"} 1"
            ),
        ] {
            assert!(
                text.lines().any(|l| l == line),
                "no line `{line}` in\n{text}"
            );
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
