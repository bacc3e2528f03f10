//! The windows of behaviour that are read before a request is evaluated, and written after it.

use crate::authz::counting::{WindowDemand, is_counted};
use crate::authz::matching::Match;
use crate::authz::policy::Policy;
use crate::authz::request::AccessRequest;
use crate::authz::rule::{Effect, Rules};
use crate::authz::selectors::Scopes;
use crate::authz::window::Count;

/// The windows to be read before a request is evaluated: those of rules, including shadow rules,
/// that could otherwise match, an allow rule also if the token had its scopes.
#[must_use]
pub fn demands(policy: &Policy, request: &AccessRequest<'_>) -> Vec<WindowDemand> {
    let mut demands: Vec<WindowDemand> = Vec::new();
    if policy.windows().is_empty() {
        return demands;
    }
    let call = policy.call(request);
    let found = policy.indexes(Rules::All).flat_map(|index| {
        let gates = index.gates(request, call.target.class);
        gates
            .into_iter()
            .chain(index.grants(request, call.target.class))
    });
    for rule in found.filter_map(|position| policy.rules().get(position)) {
        let scopes = match rule.effect {
            Effect::Allow => Scopes::Granted,
            Effect::Deny | Effect::Require(_) | Effect::Limit(_) | Effect::Open(_) => Scopes::Held,
        };
        let Some(why) = rule
            .why
            .as_ref()
            .filter(|_| rule.matches_with(scopes, &call) != Match::No)
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

/// The windows in which to record a request once it is decided.
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
