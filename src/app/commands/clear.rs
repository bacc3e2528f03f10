//! `clear`: forgets what limits and windows have counted for one subject.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::admin::{CommandFault, CommandRequest};
use crate::app::clock::CLOCK;
use crate::app::parts::ServiceParts;
use crate::audit::{Audit, Event, Notice};
use crate::authz::{Effect, KeyPart, Policy, Why};
use crate::state::{Cleared, Clearing, CounterKind};

/// How long the audit may take to write that counts were cleared.
const AUDIT_TIME_MAX: Duration = Duration::from_secs(5);
/// The most characters of a reason, which the audit record has whole.
const REASON_CHARS_MAX: usize = 256;

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    subject: Arc<str>,
    issuer: Arc<str>,
    rule: Option<String>,
    reason: String,
}

/// Runs the command.
pub(super) async fn run(
    parts: Arc<ServiceParts>,
    request: CommandRequest,
) -> Result<Value, CommandFault> {
    let asked: Asked = request.read()?;
    let reason = reason(&asked.reason)?;
    let pipeline = parts.live.current();
    let now = CLOCK();
    let mut counting = Counting::default();
    counting.add(&pipeline.policy.snapshot());
    if let Some(candidate) = &pipeline.candidate {
        counting.add(&candidate.snapshot());
    }
    let only = asked.rule.as_deref().map(|rule| counting.of_rule(rule));
    let only = only.transpose()?;
    let clearing = Clearing {
        issuer: asked.issuer,
        subject: asked.subject,
        only,
    };
    let cleared = parts.state.clearing.clear(&clearing, now).await;
    let cleared = cleared.map_err(|error| CommandFault::Unavailable(error.to_string()))?;
    let rule = asked.rule.as_deref();
    let forgotten = cleared.counters.values().copied();
    let forgotten = forgotten.fold(0_usize, usize::saturating_add);
    let notice = Notice {
        time: now,
        event: Event::counts_cleared(
            request.peer,
            reason,
            rule,
            counting.rules_of(&cleared),
            u64::try_from(forgotten).unwrap_or(u64::MAX),
        ),
        decision_id: None,
        server: None,
        issuer: Some(Arc::clone(&clearing.issuer)),
        subject: Some(Arc::clone(&clearing.subject)),
    };
    tracing::warn!(
        peer = %request.peer,
        forgotten,
        "an operator cleared the counts of a subject; the audit says whose, and why"
    );
    let is_audited = is_audited(&pipeline.audit, &notice).await;
    Ok(json!({
        "subject": &*clearing.subject,
        "issuer": &*clearing.issuer,
        "forgotten": forgotten,
        "had_evictions": cleared.had_evictions,
        "counts": counting.told(&cleared),
        "kept": counting.kept(rule),
        "unknown_until": cleared.unknown_until.map(|until| until.to_string()),
        "audited": is_audited,
    }))
}

fn reason(text: &str) -> Result<&str, CommandFault> {
    let text = text.trim();
    let is_good = !text.is_empty() && text.chars().count() <= REASON_CHARS_MAX;
    is_good.then_some(text).ok_or_else(|| {
        CommandFault::Invalid(format!(
            "`reason` has to say why, in at most {REASON_CHARS_MAX} characters"
        ))
    })
}

async fn is_audited(audit: &Audit, notice: &Notice) -> bool {
    let written = tokio::time::timeout(AUDIT_TIME_MAX, audit.notice_durably(notice)).await;
    let fault = match written {
        Ok(Ok(())) => return true,
        Ok(Err(fault)) => fault.to_string(),
        Err(_) => "the audit does not answer".to_owned(),
    };
    tracing::error!(fault, "the audit may not say that counts were cleared");
    false
}

/// Which rules count what, in the policy in force and in the candidate.
#[derive(Debug, Default)]
struct Counting {
    /// The rules whose counts are a subject's own.
    own: HashMap<CounterKind, Vec<Arc<str>>>,
    /// The rules that count by something wider, or what is open now, and why that stays.
    kept: BTreeMap<Arc<str>, KeptCount>,
    rules: HashSet<Arc<str>>,
}

/// Why the counts of a rule stay.
#[derive(Debug, Clone, PartialEq, Eq)]
struct KeptCount {
    by: Vec<&'static str>,
    why: &'static str,
}

const SHARED: &str = "several subjects share these counts";
const OPEN: &str = "these requests are open now, and hold their places until they end";

impl Counting {
    fn add(&mut self, policy: &Policy) {
        for rule in policy.rules() {
            self.rules.insert(Arc::clone(&rule.id));
            match &rule.effect {
                Effect::Limit(limit) => {
                    self.add_count(CounterKind::limit(&rule.id), &rule.id, &limit.by);
                }
                Effect::Open(open) if is_own(&open.by) => self.keep(&rule.id, &open.by, OPEN),
                Effect::Open(open) => self.keep(&rule.id, &open.by, SHARED),
                Effect::Allow | Effect::Deny | Effect::Require(_) => {}
            }
            for counted in rule.why.iter().flat_map(Why::windows) {
                let window = &counted.window;
                self.add_count(CounterKind::window(window), &rule.id, &window.by);
            }
        }
    }

    fn add_count(&mut self, kind: CounterKind, rule: &Arc<str>, by: &[KeyPart]) {
        if !is_own(by) {
            self.keep(rule, by, SHARED);
            return;
        }
        let rules = self.own.entry(kind).or_default();
        if !rules.contains(rule) {
            rules.push(Arc::clone(rule));
        }
    }

    fn keep(&mut self, rule: &Arc<str>, by: &[KeyPart], why: &'static str) {
        let by = by.iter().map(|part| part.name()).collect();
        self.kept.insert(Arc::clone(rule), KeptCount { by, why });
    }

    /// What one rule counts.
    fn of_rule(&self, rule: &str) -> Result<HashSet<CounterKind>, CommandFault> {
        let shown = rule.escape_debug();
        if !self.rules.contains(rule) {
            return Err(CommandFault::Invalid(format!(
                "there is no rule `{shown}`; for a team's rule, its name stands before: `team/rule`"
            )));
        }
        let own = self.own.iter();
        let own = own.filter(|(_, rules)| rules.iter().any(|known| **known == *rule));
        let own: HashSet<CounterKind> = own.map(|(kind, _)| *kind).collect();
        if own.is_empty() && !self.kept.contains_key(rule) {
            let message = format!("the rule `{shown}` counts nothing");
            return Err(CommandFault::Invalid(message));
        }
        Ok(own)
    }

    /// The rules whose counts were forgotten.
    fn rules_of(&self, cleared: &Cleared) -> Vec<&str> {
        let mut rules: Vec<&str> = cleared
            .counters
            .keys()
            .filter_map(|kind| self.own.get(kind))
            .flatten()
            .map(|rule| &**rule)
            .collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    /// How many counts of which rules were forgotten. Rules that share a window share its counts.
    fn told(&self, cleared: &Cleared) -> Value {
        let mut by_rules: BTreeMap<&[Arc<str>], usize> = BTreeMap::new();
        for (kind, count) in &cleared.counters {
            let rules = self.own.get(kind).map_or(&[][..], Vec::as_slice);
            let sum = by_rules.entry(rules).or_default();
            *sum = sum.saturating_add(*count);
        }
        let told = by_rules
            .into_iter()
            .map(|(rules, count)| json!({"rules": rules, "forgotten": count}));
        Value::Array(told.collect())
    }

    /// The rules whose counts were not touched: of one, or of all.
    fn kept(&self, rule: Option<&str>) -> Value {
        let kept = self.kept.iter();
        let kept = kept.filter(|(id, _)| rule.is_none_or(|rule| ***id == *rule));
        let kept = kept.map(|(id, kept)| json!({"rule": id, "by": kept.by, "why": kept.why}));
        Value::Array(kept.collect())
    }
}

/// Whether counts by these parts are of one subject alone.
fn is_own(by: &[KeyPart]) -> bool {
    by.contains(&KeyPart::Subject) || by.contains(&KeyPart::Session)
}
