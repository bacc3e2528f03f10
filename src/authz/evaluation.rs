//! Combines the matching rules of a policy into the decision about a request.

mod requirements;
mod rule_matches;
mod windows;

use std::borrow::Cow;
use std::sync::Arc;

pub(super) use requirements::is_unmet;
pub use windows::{demands, events, may_have_counted, uncounted};

use super::assignment::Assigned;
use super::counting::{LimitDemand, OpenDemand, Takings};
use super::decision::{Allow, Decision, Denial, DenialReason, Evaluation, Pending, Rehearsal};
use super::index::Index;
use super::policy::Policy;
use super::request::{AccessRequest, ActionKind};
use super::rule::{Effect, Rule, Rules};
use requirements::unmet;
use rule_matches::{Matched, RuleMatches};

/// Decides one request. The order of the rules never changes the decision, only which of several
/// rules with the same effect is named first.
///
/// 1. A deny rule that matches denies. Otherwise a deny, require or limit rule that cannot be
///    evaluated denies.
/// 2. Without an allow rule the request is denied, or challenged if only a scope of `who` is
///    missing: some allow rule would grant if the token had one of the scopes that it names, and
///    nothing of that rule is unknown. Which rules grant depends on the action:
///    - *use*: an allow rule that matches;
///    - *open*: an allow rule that could let the subject do something on the server: its `who`
///      matches, its `what` can apply to the server, and its arguments, place and expression are
///      assumed to be possible;
///    - *unknown*: an allow rule that matches and names the method; if no allow rule names it, the
///      reason is [`DenialReason::UnknownMethod`].
///
///    A use of what the caller was allowed already
///    ([`Context::is_entailed`](super::request::Context::is_entailed)) passes as an open action does
///    where no allow rule grants it; then no rule assigns anything.
/// 3. Require rules that match and are not met challenge, all of them at once; if one needs
///    something that no challenge could obtain, the request is denied.
/// 4. Limit rules that match must have room: [`Decision::Limit`]. They count requests that reach
///    something, and others if they name the method.
///
/// Deny and require rules are matched alike for every kind of action: one without selectors for
/// tools, prompts or resources and without `methods` also applies to `initialize` and the lists.
/// The same goes for one whose expression reads the arguments: `initialize` has none, so the rule
/// cannot be evaluated there and denies; `methods: [tools/call]` restricts it to calls. A scope
/// required for a whole server is requested at the first request, which is how MCP steps up. A
/// requirement with tool selectors does not affect connecting.
pub fn evaluate(policy: &Policy, request: &AccessRequest<'_>) -> Evaluation {
    RuleMatches::new(policy, request).evaluate(Rules::Enforced)
}

/// Decides one request as [`evaluate`] does, and also as [`rehearse`] would with the shadow rules,
/// if there are any. No rule is judged twice.
pub fn evaluate_beside_shadow(
    policy: &Policy,
    request: &AccessRequest<'_>,
) -> (Evaluation, Option<Rehearsal>) {
    let matches = RuleMatches::new(policy, request);
    let rehearsal = policy.has_shadow().then(|| matches.rehearse(Rules::All));
    (matches.evaluate(Rules::Enforced), rehearsal)
}

/// Evaluates a request as if other rules were in force: the policy's own, or its shadow rules too.
/// The result can never let a request pass.
#[must_use]
pub fn rehearse(policy: &Policy, request: &AccessRequest<'_>, rules: Rules) -> Rehearsal {
    RuleMatches::new(policy, request).rehearse(rules)
}

impl RuleMatches<'_> {
    fn evaluate(&self, rules: Rules) -> Evaluation {
        let (policy, request) = (self.policy, self.call.target.request);
        let gates = self.gates(rules);
        let (decision, rules, grants) = match refuse(policy, &gates) {
            Some((denial, rules)) => (Decision::Deny(denial), rules, Cow::default()),
            None => grant(self, rules, &gates),
        };
        let mut assigned = Assigned::default();
        let is_use = request.action.kind != ActionKind::Open;
        if is_use && matches!(decision, Decision::Allow(_) | Decision::Limit(_)) {
            let rules = grants
                .matched
                .iter()
                .filter_map(|at| policy.rules().get(*at));
            for set in rules.filter_map(|rule| rule.set.as_ref()) {
                assigned.add(set, &self.call.target);
            }
        }
        let indeterminate = [&*gates.indeterminate, &*grants.indeterminate].concat();
        let may_pass = matches!(decision, Decision::Allow(_) | Decision::Limit(_));
        Evaluation {
            decision,
            class: self.class.cloned(),
            rules: ids(policy, rules),
            assigned,
            indeterminate: ids(policy, indeterminate),
            is_entailed: may_pass && grants.matched.is_empty(),
        }
    }

    fn rehearse(&self, rules: Rules) -> Rehearsal {
        let evaluation = self.evaluate(rules);
        let shadow = match (rules, self.policy.shadow_index()) {
            (Rules::All, Some(index)) => {
                let (gates, grants) = (self.shadow_gates(index), self.shadow_grants(index));
                let all = [
                    &*gates.matched,
                    &*gates.indeterminate,
                    &*grants.matched,
                    &*grants.indeterminate,
                ];
                ids(self.policy, all.concat())
            }
            (Rules::All | Rules::Enforced, _) => Vec::new(),
        };
        Rehearsal {
            outcome: evaluation.decision.into(),
            rules: evaluation.rules,
            shadow,
        }
    }
}

fn refuse(policy: &Policy, gates: &Matched) -> Option<(Denial, Vec<usize>)> {
    let deny = |position: &usize| {
        let rule = policy.rules().get(*position);
        rule.is_some_and(|rule| rule.effect == Effect::Deny)
    };
    let denying: Vec<usize> = gates.matched.iter().copied().filter(deny).collect();
    let (reason, rules) = if denying.is_empty() {
        (DenialReason::Indeterminate, gates.indeterminate.clone())
    } else {
        (DenialReason::DeniedByRule, denying)
    };
    let first = rules
        .first()
        .and_then(|position| policy.rules().get(*position))?;
    Some((Denial::new(reason, Some(first)), rules))
}

fn grant<'l>(
    matches: &'l RuleMatches<'_>,
    rules: Rules,
    gates: &Matched,
) -> (Decision, Vec<usize>, Cow<'l, Matched>) {
    let (policy, request) = (matches.policy, matches.call.target.request);
    let mut grants = match request.action.kind {
        ActionKind::Open => Cow::Owned(serving(matches, rules)),
        ActionKind::Use | ActionKind::Unknown => matches.grants(rules),
    };
    if request.action.kind == ActionKind::Unknown {
        let named = |position: &usize| {
            let rule = policy.rules().get(*position);
            rule.is_some_and(|rule| rule.names_method(request))
        };
        let grants = grants.to_mut();
        grants.matched.retain(named);
        grants.indeterminate.retain(named);
    }
    let is_entailed = request.action.kind == ActionKind::Use && request.context.is_entailed;
    let entailing = if grants.matched.is_empty() && is_entailed {
        serving(matches, rules).matched
    } else {
        Vec::new()
    };
    if grants.matched.is_empty() && entailing.is_empty() {
        let grant = lacking_scopes(matches, rules);
        let unmet = grant.and_then(|_| unmet(policy, request, &gates.matched, grant));
        if let Some((decision @ Decision::Challenge(_), unmet)) = unmet {
            return (decision, unmet, grants);
        }
        let denial = Denial::new(missing_grant(matches, rules), None);
        return (Decision::Deny(denial), Vec::new(), grants);
    }
    if let Some((decision, unmet)) = unmet(policy, request, &gates.matched, None) {
        return (decision, unmet, grants);
    }
    let determining = [&*grants.matched, &*entailing, &*gates.matched].concat();
    let takings = takings(policy, request, &gates.matched);
    let allow = Allow::grant();
    let decision = if takings.is_empty() {
        Decision::Allow(allow)
    } else {
        Decision::Limit(Pending::new(takings, allow))
    };
    (decision, determining, grants)
}

/// The limits of the matching rules. Their counters exist; otherwise the rules would not match.
fn takings(policy: &Policy, request: &AccessRequest<'_>, gates: &[usize]) -> Takings {
    let mut takings = Takings::default();
    let rules = gates
        .iter()
        .filter_map(|position| policy.rules().get(*position));
    for rule in rules {
        match &rule.effect {
            Effect::Limit(limit) => {
                let key = limit.key(&rule.id, request).ok();
                takings.calls.extend(key.map(|key| LimitDemand {
                    rule: Arc::clone(&rule.id),
                    message: rule.message.clone(),
                    limit: limit.clone(),
                    key,
                }));
            }
            Effect::Open(limit) => {
                let key = limit.key(&rule.id, request).ok();
                takings.places.extend(key.map(|key| OpenDemand {
                    rule: Arc::clone(&rule.id),
                    message: rule.message.clone(),
                    most: limit.most,
                    key,
                }));
            }
            Effect::Allow | Effect::Deny | Effect::Require(_) => {}
        }
    }
    takings
}

/// The first rule that could serve is enough: an open action needs only one.
fn serving(matches: &RuleMatches<'_>, rules: Rules) -> Matched {
    let (policy, request) = (matches.policy, matches.call.target.request);
    let could = |position: &usize| {
        let rule = policy.rules().get(*position);
        rule.is_some_and(|rule| policy.could_serve(rule, request))
    };
    let first = policy
        .indexes(rules)
        .filter_map(|index| index.serving(request).find(could))
        .min();
    Matched {
        matched: first.into_iter().collect(),
        indeterminate: Vec::new(),
    }
}

/// The allow rule that would grant if the token had one of its scopes: of several, the one that
/// names the fewest, and of those the first in file order.
fn lacking_scopes(matches: &RuleMatches<'_>, rules: Rules) -> Option<usize> {
    let (policy, request) = (matches.policy, matches.call.target.request);
    let class = matches.call.target.class;
    let lacks = |rule: &Rule| match request.action.kind {
        ActionKind::Open => policy.could_serve_but_for_scopes(rule, request),
        ActionKind::Use => rule.lacks_only_scopes(&matches.call),
        ActionKind::Unknown => rule.names_method(request) && rule.lacks_only_scopes(&matches.call),
    };
    let candidates = policy
        .indexes(rules)
        .flat_map(|index| match request.action.kind {
            ActionKind::Open => index.serving(request).collect(),
            ActionKind::Use | ActionKind::Unknown => index.grants(request, class),
        });
    candidates
        .filter_map(|position| {
            let rule = policy.rules().get(position)?;
            lacks(rule).then_some((rule.scopes().len(), position))
        })
        .min()
        .map(|(_, position)| position)
}

fn missing_grant(matches: &RuleMatches<'_>, rules: Rules) -> DenialReason {
    let (policy, request) = (matches.policy, matches.call.target.request);
    let named = |position: usize| {
        let rule = policy.rules().get(position);
        rule.is_some_and(|rule| rule.names_method(request))
    };
    let mut naming = policy.indexes(rules).flat_map(Index::naming_methods);
    match request.action.kind {
        ActionKind::Unknown if !naming.any(named) => DenialReason::UnknownMethod,
        ActionKind::Unknown | ActionKind::Open | ActionKind::Use => DenialReason::NoMatchingRule,
    }
}

fn ids(policy: &Policy, mut positions: Vec<usize>) -> Vec<Arc<str>> {
    positions.sort_unstable();
    positions
        .into_iter()
        .filter_map(|position| policy.rules().get(position))
        .map(|rule| Arc::clone(&rule.id))
        .collect()
}

#[cfg(test)]
mod tests;
