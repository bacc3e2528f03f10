//! From a policy and a request to a decision (`src/policy/README.md`, "Combining").

mod look;

use std::borrow::Cow;
use std::sync::Arc;

use super::assignment::Assigned;
use super::condition::{Match, match_auth_age};
use super::counting::{Count, LimitDemand, OpenDemand, Takings, WindowDemand, is_counted};
use super::decision::{
    Allow, Challenge, Decision, Denial, DenialReason, Evaluation, Pending, Rehearsal,
};
use super::index::Index;
use super::policy::{Call, Effect, Needs, Policy, Rule, Rules};
use super::request::{AccessRequest, ActionKind};
use look::{Findings, Look};

/// Decides one request. The order of the rules never changes the decision, only which of several
/// rules with the same effect is named first.
///
/// 1. A deny rule that matches denies. Otherwise a deny, require or limit rule that cannot be
///    evaluated denies.
/// 2. Without an allow rule the request is denied. What grants depends on the action:
///    - *use*: an allow rule that matches;
///    - *open*: an allow rule that could let the subject do something on the server: its `who`
///      matches, its `what` can be about the server, and its arguments, place and expression are
///      taken as possible;
///    - *unknown*: an allow rule that matches and names the method; if none so much as names it,
///      the reason is [`DenialReason::UnknownMethod`].
/// 3. Require rules that match and are not met challenge, all of them at once; where one needs what
///    no challenge could bring, that denies.
/// 4. Limit rules that match have to have room: [`Decision::Limit`]. They count what reaches
///    something, and what else they name by method.
///
/// Deny and require rules are matched alike for every kind of action: one without selectors for
/// tools, prompts or resources and without `methods` is also about `initialize` and the lists.
/// The same goes for one whose expression reads the arguments: `initialize` has none, so it cannot
/// be evaluated there and denies; `methods: [tools/call]` keeps it to calls.
/// A scope required for a whole server is asked for at the first request, which is MCP's way
/// of stepping up, and one with tool selectors does not disturb connecting.
pub fn evaluate(policy: &Policy, request: &AccessRequest<'_>) -> Evaluation {
    Look::new(policy, request).evaluate(Rules::Enforced)
}

/// Decides one request as [`evaluate`] does, and as [`rehearse`] would with the shadow rules, if
/// there are any. No rule is judged twice for it.
pub fn evaluate_beside_shadow(
    policy: &Policy,
    request: &AccessRequest<'_>,
) -> (Evaluation, Option<Rehearsal>) {
    let look = Look::new(policy, request);
    let rehearsal = policy.has_shadow().then(|| look.rehearse(Rules::All));
    (look.evaluate(Rules::Enforced), rehearsal)
}

/// Evaluates a request as if other rules were in force: the policy's own, or its shadow rules too.
/// Nothing that is decided here can let a request pass.
#[must_use]
pub fn rehearse(policy: &Policy, request: &AccessRequest<'_>, rules: Rules) -> Rehearsal {
    Look::new(policy, request).rehearse(rules)
}

/// The windows that may matter for a request, to be read before it is evaluated: those of rules,
/// shadow rules included, that nothing else keeps from matching.
#[must_use]
pub fn demands(policy: &Policy, request: &AccessRequest<'_>) -> Vec<WindowDemand> {
    let mut demands: Vec<WindowDemand> = Vec::new();
    if policy.windows().is_empty() {
        return demands;
    }
    let call = Call::new(policy, request);
    let found = policy.indexes(Rules::All).flat_map(|index| {
        let gates = index.gates(request, call.target.class);
        gates
            .into_iter()
            .chain(index.grants(request, call.target.class))
    });
    for rule in found.filter_map(|position| policy.rules().get(position)) {
        let Some(why) = rule
            .why
            .as_ref()
            .filter(|_| rule.matches(&call) != Match::No)
        else {
            continue;
        };
        for demand in why
            .windows()
            .filter_map(|window| window.demand(request).ok())
        {
            if !demands.contains(&demand) {
                demands.push(demand);
            }
        }
    }
    demands
}

/// The windows in which a request is to be recorded once it is decided.
#[must_use]
pub fn events(policy: &Policy, request: &AccessRequest<'_>, denied: bool) -> Vec<WindowDemand> {
    if !is_counted(request) {
        return Vec::new();
    }
    let windows = policy.windows().iter();
    windows
        .filter(|window| denied || window.count != Count::Denials)
        .filter_map(|window| window.demand(request).ok())
        .collect()
}

impl Look<'_> {
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
        Evaluation {
            decision,
            class: self.class.cloned(),
            rules: ids(policy, rules),
            assigned,
            indeterminate: ids(policy, indeterminate),
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

fn refuse(policy: &Policy, gates: &Findings) -> Option<(Denial, Vec<usize>)> {
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
    Some((denial(reason, Some(first)), rules))
}

fn grant<'l>(
    look: &'l Look<'_>,
    rules: Rules,
    gates: &Findings,
) -> (Decision, Vec<usize>, Cow<'l, Findings>) {
    let (policy, request) = (look.policy, look.call.target.request);
    let mut grants = match request.action.kind {
        ActionKind::Open => Cow::Owned(serving(look, rules)),
        ActionKind::Use | ActionKind::Unknown => look.grants(rules),
    };
    if request.action.kind == ActionKind::Unknown {
        let named = |position: &usize| names_method(policy, *position, request);
        let grants = grants.to_mut();
        grants.matched.retain(named);
        grants.indeterminate.retain(named);
    }
    if grants.matched.is_empty() {
        let denial = denial(missing_grant(look, rules), None);
        return (Decision::Deny(denial), Vec::new(), grants);
    }
    if let Some((decision, unmet)) = unmet(policy, request, &gates.matched) {
        return (decision, unmet, grants);
    }
    let determining = [&*grants.matched, &*gates.matched].concat();
    let takings = takings(policy, request, &gates.matched);
    let allow = Allow::grant();
    let decision = if takings.is_empty() {
        Decision::Allow(allow)
    } else {
        Decision::Limit(Pending::new(takings, allow))
    };
    (decision, determining, grants)
}

/// The limits among the rules that match. Their counters are known, as they would not match.
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

/// The first rule that could serve stands for all: an open action needs no more than one.
fn serving(look: &Look<'_>, rules: Rules) -> Findings {
    let (policy, request) = (look.policy, look.call.target.request);
    let could = |position: &usize| {
        let rule = policy.rules().get(*position);
        rule.is_some_and(|rule| rule.could_serve(policy, request))
    };
    let first = policy
        .indexes(rules)
        .filter_map(|index| index.serving(request).find(could))
        .min();
    let matched = first.into_iter().collect();
    Findings {
        matched,
        indeterminate: Vec::new(),
    }
}

pub(super) fn names_method(policy: &Policy, position: usize, request: &AccessRequest<'_>) -> bool {
    let what = policy
        .rules()
        .get(position)
        .and_then(|rule| rule.what.as_ref());
    what.is_some_and(|what| {
        what.names_method(request.action.method) && what.covers_server(request.server)
    })
}

fn missing_grant(look: &Look<'_>, rules: Rules) -> DenialReason {
    let (policy, request) = (look.policy, look.call.target.request);
    let mut naming = policy.indexes(rules).flat_map(Index::naming_methods);
    match request.action.kind {
        ActionKind::Unknown if !naming.any(|rule| names_method(policy, rule, request)) => {
            DenialReason::UnknownMethod
        }
        ActionKind::Unknown | ActionKind::Open | ActionKind::Use => DenialReason::NoMatchingRule,
    }
}

fn denial(reason: DenialReason, rule: Option<&Rule>) -> Denial {
    Denial {
        reason,
        rule: rule.map(|rule| Arc::clone(&rule.id)),
        message: rule.and_then(|rule| rule.message.clone()),
        retry_after: None,
    }
}

/// What the requirements come to together, and those that are not met.
fn unmet(
    policy: &Policy,
    request: &AccessRequest<'_>,
    gates: &[usize],
) -> Option<(Decision, Vec<usize>)> {
    let mut missing = Missing::default();
    let mut unmet = Vec::new();
    for &position in gates {
        let Some(rule) = policy.rules().get(position) else {
            continue;
        };
        if let Effect::Require(needs) = &rule.effect
            && missing.add(needs, rule, request)
        {
            unmet.push(position);
        }
    }
    if let Some(rule) = missing.proof {
        let denial = denial(DenialReason::SenderConstraint, Some(rule));
        return Some((Decision::Deny(denial), unmet));
    }
    let first = unmet
        .first()
        .and_then(|position| policy.rules().get(*position))?;
    let challenge = Challenge {
        scopes: missing.scopes,
        missing: missing.lacking,
        acr_values: missing.acr.unwrap_or_default(),
        max_age: missing.max_age,
        rule: Arc::clone(&first.id),
        message: first.message.clone(),
    };
    Some((Decision::Challenge(challenge), unmet))
}

/// Whether a caller lacks something that one requirement asks for.
pub(super) fn is_unmet(needs: &Needs, rule: &Rule, request: &AccessRequest<'_>) -> bool {
    Missing::default().add(needs, rule, request)
}

/// What several requirements need together, and what of it is missing.
#[derive(Default)]
struct Missing<'p> {
    scopes: Vec<Arc<str>>,
    lacking: Vec<Arc<str>>,
    acr: Option<Vec<Arc<str>>>,
    max_age: Option<std::time::Duration>,
    proof: Option<&'p Rule>,
}

impl<'p> Missing<'p> {
    /// Adds the needs of one rule, and tells whether some are not met. An `acr` or `auth_time`
    /// that is not in the token is not met: a new login brings it.
    fn add(&mut self, needs: &'p Needs, rule: &'p Rule, request: &AccessRequest<'_>) -> bool {
        let Needs {
            scopes,
            acr: accepted,
            auth_age_max,
            sender_constrained,
        } = needs;
        let subject = request.subject;
        let mut is_unmet = false;
        for scope in scopes {
            let lacks = !subject.scopes.contains(scope);
            is_unmet |= lacks;
            if !self.scopes.contains(scope) {
                self.scopes.push(Arc::clone(scope));
            }
            if lacks && !self.lacking.contains(scope) {
                self.lacking.push(Arc::clone(scope));
            }
        }
        let acr = subject.claims.member("acr").and_then(|acr| acr.as_str());
        if !accepted.is_empty() && !accepted.iter().any(|value| Some(&**value) == acr) {
            is_unmet = true;
            self.narrow_acr(accepted);
        }
        if let Some(most) = *auth_age_max
            && match_auth_age(request, most) != Match::Yes
        {
            is_unmet = true;
            self.max_age = Some(self.max_age.map_or(most, |age| age.min(most)));
        }
        // Tokens that are bound to their sender are not accepted yet, so this is never met.
        if *sender_constrained {
            is_unmet = true;
            self.proof = self.proof.or(Some(rule));
        }
        is_unmet
    }

    /// One value is to serve every rule; where none can, those of the first are asked for.
    fn narrow_acr(&mut self, values: &[Arc<str>]) {
        let Some(known) = &mut self.acr else {
            self.acr = Some(values.to_vec());
            return;
        };
        if known.iter().any(|value| values.contains(value)) {
            known.retain(|value| values.contains(value));
        }
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
