//! One recorded decision, judged again by a policy at its own moment, rule by rule and in words.
//!
//! What the record does not hold is listed, and neither absent nor a yes: a decision that depends
//! on it is one of several.

mod unrecorded;

use std::sync::Arc;

pub use unrecorded::Unrecorded;

use super::facts::{self, SaidFact};
use super::record::{AuditRecord, RecordedCall};
use super::universe::Surroundings;
use crate::authz::{
    About, ActionKind, Comparison, Effect, Fact, FactId, Given, Match, Mode, Policy, Recalled,
    RecalledFinding, RecordedOutcome, Target, TargetResource, Unclear,
};
use crate::mcp::{ListKind, METHODS};

/// What a policy says of a recorded decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Hindsight {
    /// The revision of the policy that judges.
    pub revision: Arc<str>,
    /// Whether the record is of this revision; `None` if it does not say.
    pub is_same_revision: Option<bool>,
    /// The call, and the calls inside it.
    pub calls: Vec<HindsightCall>,
    /// How the whole request may end: of `allow`, `challenge` and `deny` those that are possible.
    /// None, if nothing can be said.
    pub decisions: Vec<&'static str>,
    /// By which reasons.
    pub reasons: Vec<&'static str>,
    /// What the decision depends on.
    pub depends_on: Vec<SaidFact>,
    /// Why nothing can be said.
    pub because: Option<&'static str>,
    /// What the record does not hold.
    pub unrecorded: Vec<Unrecorded>,
    /// Rules that the record names and the policy does not have.
    pub rules_gone: Vec<String>,
}

/// One call of the request.
#[derive(Debug, Clone, PartialEq)]
pub struct HindsightCall {
    /// The method.
    pub method: Arc<str>,
    /// The name of what it is about.
    pub name: Option<Arc<str>>,
    /// The class that the policy gives it.
    pub class: Option<Arc<str>>,
    /// The class that it had.
    pub class_recorded: Option<String>,
    /// The rules that decide, if there is only one way to end.
    pub determining: Vec<Arc<str>>,
    /// Every rule, in file order.
    pub rules: Vec<HindsightRule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct HindsightRule {
    /// Its id.
    pub id: Arc<str>,
    /// Its effect.
    pub effect: Effect,
    /// Whether it is enforced.
    pub mode: Mode,
    /// What its authors say of it.
    pub about: About,
    /// Whether it matches.
    pub found: HindsightFinding,
    /// Its selectors.
    pub selectors: Vec<(String, HindsightFinding)>,
}

/// How a rule or a selector comes out.
#[derive(Debug, Clone, PartialEq)]
pub struct HindsightFinding {
    /// Whether it holds; [`Match::Unknown`] if it depends on what the record does not hold.
    pub found: Match,
    /// What it depends on.
    pub depends_on: Vec<SaidFact>,
}

/// The decisions, the weightiest last.
const DECISIONS: [&str; 3] = ["allow", "challenge", "deny"];

/// How one call may end.
#[derive(Default)]
struct Ends {
    decisions: [bool; 3],
    reasons: Vec<&'static str>,
    depends_on: Vec<SaidFact>,
}

impl Hindsight {
    /// Judges a recorded decision at its own moment.
    #[must_use]
    pub fn of(policy: &Policy, around: &Surroundings, record: &AuditRecord) -> Self {
        let recorded = record.text("policy_revision");
        let rules = record.list("rules").unwrap_or_default().into_iter();
        let is_gone = |id: &String| policy.rules().iter().all(|rule| *rule.id != **id);
        let mut hindsight = Hindsight {
            revision: Arc::clone(policy.revision()),
            is_same_revision: recorded.map(|recorded| *recorded == **policy.revision()),
            calls: Vec::new(),
            decisions: Vec::new(),
            reasons: Vec::new(),
            depends_on: Vec::new(),
            because: None,
            unrecorded: unrecorded::of(record),
            rules_gone: rules.filter(is_gone).collect(),
        };
        if let Err(because) = hindsight.judge(policy, around, record) {
            hindsight.calls.clear();
            hindsight.because = Some(because);
        }
        hindsight
    }

    /// Whether the policy decides as recorded; `None` if that depends on what is not known.
    #[must_use]
    pub fn agrees(&self, decision: &str) -> Option<bool> {
        match self.decisions.as_slice() {
            [] => None,
            [only] => Some(*only == decision),
            several if !several.contains(&decision) => Some(false),
            _ => None,
        }
    }

    fn judge(
        &mut self,
        policy: &Policy,
        around: &Surroundings,
        record: &AuditRecord,
    ) -> Result<(), &'static str> {
        let calls = record
            .calls(around)
            .ok_or("the record does not name what was asked for")?;
        let given = record
            .given()
            .ok_or("the record does not name the caller")?;
        let mut whole: Option<Ends> = None;
        for call in &calls {
            let mut comparison = Comparison::new(policy, policy, jiff::Timestamp::UNIX_EPOCH);
            let (told, ends) = judge(policy, &mut comparison, call, &given)?;
            self.calls.push(told);
            whole = Some(match whole {
                None => ends,
                Some(before) => before.joined(ends),
            });
        }
        let mut whole = whole.unwrap_or_default();
        for open in unrecorded::parts(record, around, &calls) {
            whole = whole.joined(Ends {
                decisions: [true; 3],
                reasons: Vec::new(),
                depends_on: vec![open],
            });
        }
        let may = DECISIONS.iter().zip(whole.decisions);
        self.decisions = may.filter_map(|(word, may)| may.then_some(*word)).collect();
        self.reasons = whole.reasons;
        if self.decisions.len() > 1 {
            self.depends_on = whole.depends_on;
        }
        Ok(())
    }
}

impl Ends {
    /// A denial of any part outweighs a challenge, and that an allow.
    fn joined(mut self, more: Ends) -> Self {
        let mut decisions = [false; 3];
        for (at, _) in self.decisions.iter().enumerate().filter(|(_, may)| **may) {
            for (other, _) in more.decisions.iter().enumerate().filter(|(_, may)| **may) {
                if let Some(may) = decisions.get_mut(at.max(other)) {
                    *may = true;
                }
            }
        }
        self.decisions = decisions;
        add_new(&mut self.reasons, more.reasons);
        add_new(&mut self.depends_on, more.depends_on);
        self
    }

    fn add(&mut self, outcome: RecordedOutcome, recalled: &Recalled) {
        let (weight, reasons): (usize, &[&'static str]) = match outcome {
            RecordedOutcome::Allowed => (0, &["allowed"]),
            RecordedOutcome::Challenged => (1, &["insufficient_scope", "step_up_required"]),
            RecordedOutcome::DeniedByRule => (2, &["denied_by_rule"]),
            RecordedOutcome::Indeterminate => (2, &["indeterminate"]),
            RecordedOutcome::NoRule if recalled.is_method_unknown => (2, &["unknown_method"]),
            RecordedOutcome::NoRule => (2, &["no_matching_rule"]),
            RecordedOutcome::Unprovable => (2, &["sender_constraint_required"]),
            RecordedOutcome::RateLimited => (2, &["rate_limited"]),
        };
        if let Some(may) = self.decisions.get_mut(weight) {
            *may = true;
        }
        add_new(&mut self.reasons, reasons.to_vec());
    }
}

fn add_new<T: PartialEq>(all: &mut Vec<T>, more: Vec<T>) {
    for one in more {
        if !all.contains(&one) {
            all.push(one);
        }
    }
}

fn judge(
    policy: &Policy,
    comparison: &mut Comparison<'_>,
    call: &RecordedCall,
    given: &Given,
) -> Result<(HindsightCall, Ends), &'static str> {
    let given = Given {
        arguments: call.arguments.clone(),
        ..given.clone()
    };
    let recalled = comparison
        .recall(&call.target, &given)
        .map_err(|_| "the rules are too many and too different to be judged together")?;
    let mut ends = Ends {
        depends_on: said(comparison, &recalled.depends_on),
        ..Ends::default()
    };
    for outcome in &recalled.outcomes {
        ends.add(*outcome, &recalled);
    }
    for limit in &recalled.limits {
        ends.depends_on.push(SaidFact {
            is_caller: false,
            kind: "limit",
            value: limit.to_string(),
            phrase: format!("whether limit {limit} had room"),
        });
    }
    let may_grant = ends.decisions.first() == Some(&true);
    if let Some(entailed) = entailed(&call.target).filter(|_| !may_grant) {
        ends.add(RecordedOutcome::Allowed, &recalled);
        ends.depends_on.push(entailed);
    }
    let rules = policy.rules().iter().zip(&recalled.rules);
    let rules = rules.map(|(rule, found)| HindsightRule {
        id: Arc::clone(&rule.id),
        effect: rule.effect.clone(),
        mode: rule.mode,
        about: rule.about.clone(),
        found: finding(comparison, &found.found),
        selectors: found
            .selectors
            .iter()
            .map(|(name, own)| (name.clone(), finding(comparison, own)))
            .collect(),
    });
    let told = HindsightCall {
        method: Arc::clone(&call.target.method),
        name: match &call.target.resource {
            TargetResource::Tool(name)
            | TargetResource::Prompt(name)
            | TargetResource::Uri(name) => Some(Arc::clone(name)),
            TargetResource::Server | TargetResource::AnyUri | TargetResource::Task => None,
        },
        class: recalled.class.clone(),
        class_recorded: call.class.clone(),
        rules: rules.collect(),
        determining: recalled.determining,
    };
    Ok((told, ends))
}

/// What needs no rule of its own if it belongs to something that the caller was allowed.
fn entailed(target: &Target) -> Option<SaidFact> {
    if target.kind != ActionKind::Use {
        return None;
    }
    let entry = METHODS.iter().find(|entry| *entry.name == *target.method)?;
    let phrase = match &target.resource {
        TargetResource::Task if entry.is_creators => "whether the caller created the task",
        TargetResource::Server if entry.is_creators && entry.lists == Some(ListKind::Tasks) => {
            "whether the server binds tasks to their creators"
        }
        TargetResource::Uri(uri) if entry.name == "resources/read" && uri.starts_with("ui://") => {
            "whether it is the page of a tool that the caller may call"
        }
        TargetResource::Server
        | TargetResource::Tool(_)
        | TargetResource::Prompt(_)
        | TargetResource::Uri(_)
        | TargetResource::AnyUri
        | TargetResource::Task => return None,
    };
    Some(SaidFact {
        is_caller: false,
        kind: "entailed",
        value: String::new(),
        phrase: phrase.to_owned(),
    })
}

fn finding(comparison: &Comparison<'_>, found: &RecalledFinding) -> HindsightFinding {
    HindsightFinding {
        found: found.found,
        depends_on: said(comparison, &found.depends_on),
    }
}

/// Facts in words. That one cannot be told goes without saying where the fact itself is named.
fn said(comparison: &Comparison<'_>, ids: &[FactId]) -> Vec<SaidFact> {
    let all = ids.iter().filter_map(|id| comparison.fact(*id));
    let all: Vec<&Fact> = all.collect();
    let is_named = |unclear: &Unclear| all.iter().any(|fact| facts::is_about(fact, unclear));
    let named = all.iter().filter(|fact| {
        let goes_without = matches!(fact, Fact::Unclear(unclear) if is_named(unclear));
        !goes_without
    });
    let mut said: Vec<SaidFact> = Vec::new();
    for fact in named {
        add_new(&mut said, vec![facts::fact(fact)]);
    }
    said
}
