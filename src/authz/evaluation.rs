//! From a policy and a request to a decision (SPEC §3.3, §3.4).

use std::sync::Arc;

use super::condition::Match;
use super::decision::{Allow, Challenge, Decision, Denial, DenialReason, Evaluation};
use super::policy::{Call, Effect, Policy, Rule};
use super::request::{AccessRequest, ActionKind};

/// Decides one request. The order of the rules never changes the decision, only which of several
/// rules with the same effect is named first.
///
/// 1. A deny rule that matches denies. Otherwise a deny or require rule that cannot be evaluated
///    denies.
/// 2. Without an allow rule the request is denied. What grants depends on the action:
///    - *use*: an allow rule that matches;
///    - *open*: an allow rule that could let the subject do something on the server: its `who`
///      matches, its `what` can be about the server, and its arguments, place and expression are
///      taken as possible;
///    - *unknown*: an allow rule that matches and names the method; if none so much as names it,
///      the reason is [`DenialReason::UnknownMethod`].
/// 3. Require rules that match and are not met challenge, all of them at once.
///
/// Deny and require rules are matched alike for every kind of action: one without selectors for
/// tools, prompts or resources and without `methods` is also about `initialize` and the lists.
/// The same goes for one whose expression reads the arguments: `initialize` has none, so it cannot
/// be evaluated there and denies; `methods: [tools/call]` keeps it to calls.
/// A scope required for a whole server is asked for at the first request, which is MCP's way
/// of stepping up, and one with tool selectors does not disturb connecting.
pub fn evaluate(policy: &Policy, request: &AccessRequest<'_>) -> Evaluation {
    let call = Call::new(policy, request);
    let gates = Findings::collect(
        policy,
        &call,
        policy.index().gates(request, call.target.class),
    );
    let (decision, rules, grants) = match refuse(policy, &gates) {
        Some((denial, rules)) => (Decision::Deny(denial), rules, Findings::default()),
        None => grant(policy, &call, &gates),
    };
    let mut indeterminate = gates.indeterminate;
    indeterminate.extend(grants.indeterminate);
    Evaluation {
        decision,
        class: policy.class_of(request).cloned(),
        rules: ids(policy, rules),
        indeterminate: ids(policy, indeterminate),
    }
}

/// The rules of one look at the policy, by what became of them.
#[derive(Default)]
struct Findings {
    matched: Vec<usize>,
    indeterminate: Vec<usize>,
}

impl Findings {
    fn collect(policy: &Policy, call: &Call<'_>, mut candidates: Vec<usize>) -> Self {
        candidates.sort_unstable();
        candidates.dedup();
        let mut findings = Findings::default();
        for position in candidates {
            let Some(rule) = policy.rules().get(position) else {
                continue;
            };
            match rule.matches(call) {
                Match::Yes => findings.matched.push(position),
                Match::Indeterminate | Match::Unknown => findings.indeterminate.push(position),
                Match::No => {}
            }
        }
        findings
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

fn grant(
    policy: &Policy,
    call: &Call<'_>,
    requires: &Findings,
) -> (Decision, Vec<usize>, Findings) {
    let request = call.target.request;
    let mut grants = match request.action.kind {
        ActionKind::Open => serving(policy, request),
        ActionKind::Use | ActionKind::Unknown => Findings::collect(
            policy,
            call,
            policy.index().grants(request, call.target.class),
        ),
    };
    if request.action.kind == ActionKind::Unknown {
        let named = |position: &usize| names_method(policy, *position, request);
        grants.matched.retain(named);
        grants.indeterminate.retain(named);
    }
    if grants.matched.is_empty() {
        let denial = denial(missing_grant(policy, request), None);
        return (Decision::Deny(denial), Vec::new(), grants);
    }
    if let Some((challenge, unmet)) = challenge(policy, request, &requires.matched) {
        return (Decision::Challenge(challenge), unmet, grants);
    }
    let mut rules = grants.matched.clone();
    rules.extend(&requires.matched);
    (Decision::Allow(Allow::grant()), rules, grants)
}

/// The first rule that could serve stands for all: an open action needs no more than one.
fn serving(policy: &Policy, request: &AccessRequest<'_>) -> Findings {
    let could = |position: &usize| {
        let rule = policy.rules().get(*position);
        rule.is_some_and(|rule| rule.could_serve(policy, request))
    };
    let matched = policy
        .index()
        .serving(request)
        .find(could)
        .into_iter()
        .collect();
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

fn missing_grant(policy: &Policy, request: &AccessRequest<'_>) -> DenialReason {
    let mut naming = policy.index().naming_methods();
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
    }
}

/// What the requirements come to together, and those that are not met.
fn challenge(
    policy: &Policy,
    request: &AccessRequest<'_>,
    requires: &[usize],
) -> Option<(Challenge, Vec<usize>)> {
    let held = &request.subject.scopes;
    let mut scopes: Vec<Arc<str>> = Vec::new();
    let mut unmet = Vec::new();
    for &position in requires {
        let Some(Rule {
            effect: Effect::Require(needs),
            ..
        }) = policy.rules().get(position)
        else {
            continue;
        };
        if needs.scopes.iter().any(|scope| !held.contains(scope)) {
            unmet.push(position);
        }
        for scope in &needs.scopes {
            if !scopes.contains(scope) {
                scopes.push(Arc::clone(scope));
            }
        }
    }
    let first = unmet
        .first()
        .and_then(|position| policy.rules().get(*position))?;
    let missing = scopes
        .iter()
        .filter(|scope| !held.contains(scope))
        .cloned()
        .collect();
    let (rule, message) = (Arc::clone(&first.id), first.message.clone());
    Some((
        Challenge {
            scopes,
            missing,
            rule,
            message,
        },
        unmet,
    ))
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
