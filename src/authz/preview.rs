//! Previews the decision about every call of one tool, before the arguments are known.

use std::sync::Arc;

use super::call::Call;
use super::evaluation::is_unmet;
use super::matching::Match;
use super::policy::Policy;
use super::request::AccessRequest;
use super::rule::{Effect, Rule, Rules};

/// The decision about any call of one tool, as far as it does not depend on the arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The outcome.
    pub outcome: PreviewOutcome,
    /// The rules that determine it; empty for a denial because no rule allows.
    pub rules: Vec<Arc<str>>,
}

/// The outcome of calls whose arguments are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PreviewOutcome {
    /// Allowed.
    Allow,
    /// Allowed once the caller obtains what is missing.
    Challenge,
    /// It depends on the arguments.
    Depends,
    /// Denied.
    Deny,
}

/// Previews the calls that a subject could make. The request is one of them; its arguments are
/// ignored. A request without a source address stands for calls from any address.
#[must_use]
pub fn preview(policy: &Policy, request: &AccessRequest<'_>) -> Preview {
    let mut call = policy.call(request);
    call.target.arguments_open = true;
    let class = call.target.class;
    let judged = |mut positions: Vec<usize>| {
        positions.sort_unstable();
        positions.dedup();
        let rules = positions
            .into_iter()
            .filter_map(|position| policy.rules().get(position));
        let judged = rules.map(|rule| (rule, judge(rule, &call)));
        judged
            .filter(|(_, found)| *found != Match::No)
            .collect::<Vec<_>>()
    };
    let indexes = || policy.indexes(Rules::Enforced);
    let gates = indexes().flat_map(|index| index.gates(request, class));
    let grants = indexes().flat_map(|index| index.grants(request, class));
    let (gates, grants) = (judged(gates.collect()), judged(grants.collect()));
    weigh(request, &gates, &grants)
}

/// Whether a rule matches, as far as that is known without arguments, place and the caller's
/// earlier behaviour.
fn judge(rule: &Rule, call: &Call<'_>) -> Match {
    let request = call.target.request;
    let is_placed = rule.place.is_none() || request.source.is_some();
    let is_watched = rule.why.is_none() || request.context.readings.is_some();
    if is_placed && is_watched {
        return rule.matches(call);
    }
    let mut anywhere = rule.clone();
    if !is_placed {
        anywhere.place = None;
    }
    if !is_watched {
        anywhere.why = None;
    }
    anywhere.matches(call).and(Match::Unknown)
}

type JudgedRules<'p> = [(&'p Rule, Match)];

fn weigh(
    request: &AccessRequest<'_>,
    gates: &JudgedRules<'_>,
    grants: &JudgedRules<'_>,
) -> Preview {
    let pick = |all: &JudgedRules<'_>, test: &dyn Fn(&Rule, Match) -> bool| -> Vec<Arc<str>> {
        let picked = all.iter().filter(|(rule, found)| test(rule, *found));
        picked.map(|(rule, _)| Arc::clone(&rule.id)).collect()
    };
    let is_deny = |rule: &Rule| rule.effect == Effect::Deny;
    let denying = pick(gates, &|rule, found| is_deny(rule) && found == Match::Yes);
    // A rule that cannot be evaluated may still not match once the arguments are known.
    let stuck = pick(gates, &|rule, found| {
        found == Match::Indeterminate && !rule.reads_arguments()
    });
    let open = pick(gates, &|rule, found| match found {
        // A requirement that is met may still become unevaluable, which denies.
        Match::Unknown => true,
        Match::Indeterminate => rule.reads_arguments(),
        Match::Yes | Match::No => false,
    });
    let unmet = pick(gates, &|rule, found| {
        found == Match::Yes && lacks(request, rule)
    });
    let granting = pick(grants, &|_, found| found == Match::Yes);
    let perhaps = pick(grants, &|rule, found| {
        found == Match::Unknown || (found == Match::Indeterminate && rule.reads_arguments())
    });
    let preview = |outcome, rules| Preview { outcome, rules };
    if !denying.is_empty() {
        return preview(PreviewOutcome::Deny, denying);
    }
    if !stuck.is_empty() {
        return preview(PreviewOutcome::Deny, stuck);
    }
    if granting.is_empty() {
        if perhaps.is_empty() {
            return preview(PreviewOutcome::Deny, Vec::new());
        }
        return preview(PreviewOutcome::Depends, [perhaps, open, unmet].concat());
    }
    if !open.is_empty() {
        return preview(PreviewOutcome::Depends, [open, unmet].concat());
    }
    let unprovable = pick(gates, &|rule, found| {
        found == Match::Yes
            && matches!(&rule.effect, Effect::Require(needs) if needs.sender_constrained)
    });
    if !unprovable.is_empty() {
        return preview(PreviewOutcome::Deny, unprovable);
    }
    if !unmet.is_empty() {
        return preview(PreviewOutcome::Challenge, unmet);
    }
    preview(PreviewOutcome::Allow, granting)
}

/// Whether the rule requires something that the caller lacks.
fn lacks(request: &AccessRequest<'_>, rule: &Rule) -> bool {
    match &rule.effect {
        Effect::Require(needs) => is_unmet(needs, rule, request),
        // Whether there is room changes from moment to moment; it does not depend on the caller and
        // the tool.
        Effect::Allow | Effect::Deny | Effect::Limit(_) | Effect::Open(_) => false,
    }
}
