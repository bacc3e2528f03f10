//! The metrics of the process, each name beside the method that moves it.
//!
//! Labels are closed sets and names from the configuration, never what a client sent.

mod files;
mod handoff;
mod lists;
mod state;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text};
pub use prometheus_client::metrics::counter::Counter;
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
    differences: Family<DifferenceLabels, Counter>,
    shadow_rules: Family<RuleLabels, Counter>,
    bindings: Family<BindingLabels, Counter>,
    resumptions_ignored: Family<ServerLabels, Counter>,
    ids_forgotten: Counter,
    durations: Family<StageLabels, Histogram, fn() -> Histogram>,
    /// Those of each stage, in the order of [`Stage`], so that nobody has to look for them.
    stages: [Histogram; 5],
    policy_reloads: Family<ResultLabels, Counter>,
    policy_loaded: Gauge,
    policy_rules: Gauge,
    policy_failing: Gauge,
    key_refreshes: Family<IssuerResultLabels, Counter>,
    keys_age: Family<IssuerLabels, Gauge<f64, AtomicU64>>,
    keys_usable: Family<IssuerLabels, Gauge>,
    audit_lost: Counter,
    tokens_cached: Gauge,
    lists: lists::Lists,
    files: files::Files,
    state: state::State,
    handoff: handoff::Handoff,
}

pub use lists::{Listed, ToolEvent};

/// The kind of a decision about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DecisionKind {
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
            Self::Answer => "answer",
        }
    }
}

/// A part of a check that is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Credentials to a subject.
    Authenticate,
    /// A long body until its turn to be read. Other bodies do not wait.
    Wait,
    /// The body to a message; where the caller is refused, a look at its beginning.
    Parse,
    /// The decision proper.
    Evaluate,
    /// The whole check.
    Total,
}

/// What is evaluated beside the rules in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rehearsed {
    /// The same policy with its shadow rules.
    Shadow,
    /// The candidate policy.
    Candidate,
}

/// What bound an id to a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bound {
    /// The server issued it.
    Issued,
    /// Its first use.
    FirstUse,
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
        let stages = [
            Stage::Authenticate,
            Stage::Wait,
            Stage::Parse,
            Stage::Evaluate,
            Stage::Total,
        ];
        let stages = stages.map(|stage| durations.get_or_create_owned(&StageLabels { stage }));
        let mut metrics = Self {
            registry: Arc::default(),
            decisions: Family::default(),
            differences: Family::default(),
            shadow_rules: Family::default(),
            bindings: Family::default(),
            resumptions_ignored: Family::default(),
            ids_forgotten: Counter::default(),
            durations,
            stages,
            policy_reloads: Family::default(),
            policy_loaded: Gauge::default(),
            policy_rules: Gauge::default(),
            policy_failing: Gauge::default(),
            key_refreshes: Family::default(),
            keys_age: Family::default(),
            keys_usable: Family::default(),
            audit_lost: Counter::default(),
            tokens_cached: Gauge::default(),
            lists: lists::Lists::default(),
            files: files::Files::default(),
            state: state::State::default(),
            handoff: handoff::Handoff::default(),
        };
        metrics.register(&mut registry);
        metrics.registry = Arc::new(registry);
        metrics
    }

    fn register_streams(&self, to: &mut Registry) {
        to.register(
            "resumptions_ignored",
            "Streams that clients would have resumed and that were opened anew",
            self.resumptions_ignored.clone(),
        );
        to.register(
            "ids_forgotten",
            "JSON-RPC ids forgotten before their answers came, for want of room",
            self.ids_forgotten.clone(),
        );
    }

    fn register(&self, to: &mut Registry) {
        self.lists.register(to);
        self.files.register(to);
        self.state.register(to);
        self.handoff.register(to);
        to.register("decisions", "Decisions", self.decisions.clone());
        to.register(
            "decisions_different",
            "Decisions that shadow rules or the candidate policy would make otherwise",
            self.differences.clone(),
        );
        to.register(
            "shadow_rule_matches",
            "Requests that a shadow rule matches or cannot be evaluated for",
            self.shadow_rules.clone(),
        );
        to.register(
            "bindings",
            "Sessions and tasks bound to a subject",
            self.bindings.clone(),
        );
        self.register_streams(to);
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
        to.register(
            "policy_failing",
            "Whether the policy files in place cannot be used",
            self.policy_failing.clone(),
        );
        to.register_with_unit(
            "keys_age",
            "Time since an issuer's keys were fetched",
            Unit::Seconds,
            self.keys_age.clone(),
        );
        to.register(
            "keys_usable",
            "Whether an issuer's keys are there and not too old",
            self.keys_usable.clone(),
        );
        to.register("audit_lost", "Audit records lost", self.audit_lost.clone());
        to.register(
            "tokens_cached",
            "Verified tokens remembered",
            self.tokens_cached.clone(),
        );
    }

    /// Counts a decision. `server` is the configured name, empty if none was found; `reason` the
    /// stable reason code. `mcp_authz_decisions_total`.
    pub fn record_decision(&self, server: &str, decision: DecisionKind, reason: &'static str) {
        self.decision_counter(server, decision, reason).inc();
    }

    /// What [`Metrics::record_decision`] counts in, for whoever counts there often.
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

    /// Counts a decision that would have been another one; both are reason codes.
    /// `mcp_authz_decisions_different_total`.
    pub fn record_difference(
        &self,
        by: Rehearsed,
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

    /// Counts a request that a shadow rule, named by its id, matches.
    /// `mcp_authz_shadow_rule_matches_total`.
    pub fn record_shadow_rule(&self, rule: &str) {
        let rule = rule.to_owned();
        self.shadow_rules.get_or_create(&RuleLabels { rule }).inc();
    }

    /// Counts a `session` or `task` that was bound to a subject. `mcp_authz_bindings_total`.
    pub fn record_binding(&self, server: &str, kind: &'static str, how: Bound) {
        let server = server.to_owned();
        let labels = BindingLabels { server, kind, how };
        self.bindings.get_or_create(&labels).inc();
    }

    /// Counts a stream that a client would have resumed and that was opened anew.
    /// `mcp_authz_resumptions_ignored_total`.
    pub fn record_resumption_ignored(&self, server: &str) {
        let server = server.to_owned();
        let labels = ServerLabels { server };
        self.resumptions_ignored.get_or_create(&labels).inc();
    }

    /// Counts JSON-RPC ids that were forgotten before their answers came.
    /// `mcp_authz_ids_forgotten_total`.
    pub fn record_ids_forgotten(&self, ids: u64) {
        self.ids_forgotten.inc_by(ids);
    }

    /// Observes how long a stage of a check took. `mcp_authz_check_duration_seconds`.
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

    /// Sets what is known of the policy. `mcp_authz_policy_reloads_total`,
    /// `mcp_authz_policy_loaded_timestamp_seconds`, `mcp_authz_policy_rules`,
    /// `mcp_authz_policy_failing`.
    pub fn set_policy(&self, policy: &PolicyTotals) {
        for (result, total) in [
            (Success::Ok, policy.successes),
            (Success::Error, policy.failures),
        ] {
            set_total(
                &self.policy_reloads.get_or_create(&ResultLabels { result }),
                total,
            );
        }
        self.policy_loaded.set(policy.applied_unix_seconds);
        self.policy_rules
            .set(i64::try_from(policy.rules).unwrap_or(i64::MAX));
        self.policy_failing.set(i64::from(policy.failing));
    }

    /// Sets what is known of a configured issuer's keys. `mcp_authz_key_refreshes_total`,
    /// `mcp_authz_keys_age_seconds`, `mcp_authz_keys_usable`.
    pub fn set_keys(&self, issuer: &str, keys: &KeyTotals) {
        for (result, total) in [
            (Success::Ok, keys.successes),
            (Success::Error, keys.failures),
        ] {
            let labels = IssuerResultLabels {
                issuer: issuer.to_owned(),
                result,
            };
            set_total(&self.key_refreshes.get_or_create(&labels), total);
        }
        let labels = IssuerLabels {
            issuer: issuer.to_owned(),
        };
        if let Some(age) = keys.age {
            self.keys_age.get_or_create(&labels).set(age.as_secs_f64());
        }
        self.keys_usable
            .get_or_create(&labels)
            .set(i64::from(keys.usable));
    }

    /// Sets how many audit records were lost. `mcp_authz_audit_lost_total`.
    pub fn set_audit_lost(&self, total: u64) {
        set_total(&self.audit_lost, total);
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

/// What is known of the policy since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyTotals {
    /// Policies taken into force.
    pub successes: u64,
    /// Policies refused.
    pub failures: u64,
    /// When the one in force was, in Unix seconds.
    pub applied_unix_seconds: i64,
    /// How many rules it has.
    pub rules: usize,
    /// Whether the files in place cannot be used.
    pub failing: bool,
}

/// What is known of an issuer's keys since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyTotals {
    /// Fetches that brought keys.
    pub successes: u64,
    /// Fetches that did not.
    pub failures: u64,
    /// Since when the keys are those that were fetched; none if they never were.
    pub age: Option<Duration>,
    /// Whether tokens can be verified with them.
    pub usable: bool,
}

/// Totals that other parts of the process count are copied when metrics are read.
fn set_total(counter: &Counter, total: u64) {
    counter.inner().store(total, Ordering::Relaxed);
}

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabels {
    server: String,
    decision: DecisionKind,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DifferenceLabels {
    by: Rehearsed,
    server: String,
    reason: &'static str,
    would_be: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RuleLabels {
    rule: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BindingLabels {
    server: String,
    kind: &'static str,
    how: Bound,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServerLabels {
    server: String,
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

impl EncodeLabelValue for DecisionKind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        self.name().encode(encoder)
    }
}

impl EncodeLabelValue for Rehearsed {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Shadow => "shadow",
            Self::Candidate => "candidate",
        };
        name.encode(encoder)
    }
}

impl EncodeLabelValue for Bound {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Issued => "issued",
            Self::FirstUse => "first_use",
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
        metrics.record_decision("github", DecisionKind::Deny, "denied_by_rule");
        metrics.record_difference(Rehearsed::Candidate, "github", "allowed", "rate_limited");
        metrics.record_shadow_rule("r1");
        metrics.record_binding("github", "session", Bound::FirstUse);
        metrics.record_binding("github", "task", Bound::Issued);
        metrics.record_resumption_ignored("github");
        metrics.record_ids_forgotten(3);
        metrics.record_stage(Stage::Total, Duration::from_micros(30));
        metrics.set_policy(&PolicyTotals {
            successes: 4,
            failures: 1,
            applied_unix_seconds: 1_795_000_000,
            rules: 7,
            failing: true,
        });
        metrics.set_keys(
            "https://idp.test",
            &KeyTotals {
                successes: 3,
                failures: 2,
                age: Some(Duration::from_millis(1500)),
                usable: true,
            },
        );
        metrics.set_audit_lost(2);
        metrics.set_tokens_cached(3);
        let text = metrics.text();
        for line in [
            "mcp_authz_decisions_total{server=\"github\",decision=\"deny\",reason=\"denied_by_rule\"} 1",
            "mcp_authz_decisions_different_total{by=\"candidate\",server=\"github\",reason=\"allowed\",would_be=\"rate_limited\"} 1",
            "mcp_authz_shadow_rule_matches_total{rule=\"r1\"} 1",
            "mcp_authz_bindings_total{server=\"github\",kind=\"session\",how=\"first_use\"} 1",
            "mcp_authz_bindings_total{server=\"github\",kind=\"task\",how=\"issued\"} 1",
            "mcp_authz_resumptions_ignored_total{server=\"github\"} 1",
            "mcp_authz_ids_forgotten_total 3",
            "mcp_authz_check_duration_seconds_bucket{le=\"0.00005\",stage=\"total\"} 1",
            "mcp_authz_check_duration_seconds_count{stage=\"total\"} 1",
            "mcp_authz_policy_reloads_total{result=\"ok\"} 4",
            "mcp_authz_policy_reloads_total{result=\"error\"} 1",
            "mcp_authz_policy_loaded_timestamp_seconds 1795000000",
            "mcp_authz_policy_rules 7",
            "mcp_authz_policy_failing 1",
            "mcp_authz_keys_usable{issuer=\"https://idp.test\"} 1",
            "mcp_authz_key_refreshes_total{issuer=\"https://idp.test\",result=\"ok\"} 3",
            "mcp_authz_key_refreshes_total{issuer=\"https://idp.test\",result=\"error\"} 2",
            "mcp_authz_keys_age_seconds{issuer=\"https://idp.test\"} 1.5",
            "mcp_authz_audit_lost_total 2",
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
