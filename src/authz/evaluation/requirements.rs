//! Combines the needs of all matching require rules, and finds those that the caller does not meet.

use std::sync::Arc;

use crate::authz::decision::{Challenge, Decision, Denial, DenialReason};
use crate::authz::matching::Match;
use crate::authz::policy::Policy;
use crate::authz::request::AccessRequest;
use crate::authz::rule::{Effect, Needs, Rule};
use crate::authz::selectors::match_auth_age;

/// Combines the requirements, and returns those that are not met. `grant` is the allow rule that
/// would match if the token had one of its scopes, where none does: its scopes are missing too.
pub(super) fn unmet(
    policy: &Policy,
    request: &AccessRequest<'_>,
    gates: &[usize],
    grant: Option<usize>,
) -> Option<(Decision, Vec<usize>)> {
    let mut missing = Missing::default();
    let mut unmet = Vec::new();
    if let Some(rule) = grant.and_then(|position| policy.rules().get(position)) {
        for scope in rule.scopes() {
            missing.add_scope(scope, request);
        }
    }
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
        let denial = Denial::new(DenialReason::SenderConstraint, Some(rule));
        return Some((Decision::Deny(denial), unmet));
    }
    let first = grant.or(unmet.first().copied());
    let first = first.and_then(|position| policy.rules().get(position))?;
    unmet.extend(grant);
    let held = policy.scopes().iter();
    let held = held
        .filter(|scope| request.subject.scopes.contains(scope) && !missing.scopes.contains(scope));
    let challenge = Challenge {
        held: held.cloned().collect(),
        scopes: missing.scopes,
        missing: missing.lacking,
        is_for_grant: grant.is_some(),
        acr_values: missing.acr.unwrap_or_default(),
        max_age: missing.max_age,
        rule: Arc::clone(&first.id),
        message: first.message.clone(),
    };
    Some((Decision::Challenge(challenge), unmet))
}

/// Whether a caller lacks something that one rule requires.
pub(crate) fn is_unmet(needs: &Needs, rule: &Rule, request: &AccessRequest<'_>) -> bool {
    Missing::default().add(needs, rule, request)
}

/// The combined needs of several requirements, and what of them is missing.
#[derive(Default)]
struct Missing<'p> {
    scopes: Vec<Arc<str>>,
    lacking: Vec<Arc<str>>,
    acr: Option<Vec<Arc<str>>>,
    max_age: Option<std::time::Duration>,
    proof: Option<&'p Rule>,
}

impl<'p> Missing<'p> {
    /// Adds the needs of one rule, and returns whether some are not met. An `acr` or `auth_time`
    /// that is missing from the token counts as not met: a new login supplies it.
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
            is_unmet |= self.add_scope(scope, request);
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
        // Sender-constrained tokens are not accepted yet, so this is never met.
        if *sender_constrained {
            is_unmet = true;
            self.proof = self.proof.or(Some(rule));
        }
        is_unmet
    }

    /// Adds a scope, and returns whether the token lacks it.
    fn add_scope(&mut self, scope: &Arc<str>, request: &AccessRequest<'_>) -> bool {
        let lacks = !request.subject.scopes.contains(scope);
        if !self.scopes.contains(scope) {
            self.scopes.push(Arc::clone(scope));
        }
        if lacks && !self.lacking.contains(scope) {
            self.lacking.push(Arc::clone(scope));
        }
        lacks
    }

    /// One value should satisfy every rule; if none can, the values of the first rule are
    /// requested.
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
