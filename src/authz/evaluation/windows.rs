//! The windows of behaviour that are read before a request is evaluated, and written after it.

use super::evaluate;
use crate::authz::counting::{WindowDemand, is_counted};
use crate::authz::decision::Decision;
use crate::authz::matching::Match;
use crate::authz::policy::Policy;
use crate::authz::request::AccessRequest;
use crate::authz::rule::{Effect, Mode, Rules};
use crate::authz::selectors::{CountedWindow, Scopes};
use crate::authz::window::{Count, KeyPart, Window};

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
            .filter_map(|window| window.reading_demand(&call.target).ok())
        {
            if !demands.contains(&demand) {
                demands.push(demand);
            }
        }
    }
    demands
}

/// Whether a window may have counted an earlier request under the key of this one: by server, or by
/// a session on it, only what happened on the server counts, and by tool only calls of the tool.
#[must_use]
pub fn may_have_counted(policy: &Policy, request: &AccessRequest<'_>, one: &CountedWindow) -> bool {
    let Some(of) = one.of.as_deref() else {
        return true;
    };
    let is_by = |parts: &[KeyPart]| one.window.by.iter().any(|part| parts.contains(part));
    let is_of_server = is_by(&[KeyPart::Server, KeyPart::Session, KeyPart::Tool]);
    if is_of_server && !of.covers_server(request.server) {
        return false;
    }
    !is_by(&[KeyPart::Tool]) || of.matches_names(&policy.call(request).target) != Match::No
}

/// The windows in which to record a request once it is decided.
#[must_use]
pub fn events(policy: &Policy, request: &AccessRequest<'_>, denied: bool) -> Vec<WindowDemand> {
    if !is_counted(request) {
        return Vec::new();
    }
    let call = policy.call(request);
    let windows = policy.windows().iter();
    windows
        .filter(|one| denied || one.window.count != Count::Denials)
        .filter(|one| one.counts(&call.target))
        .filter_map(|one| one.demand(&call.target).ok())
        .collect()
}

/// The windows over denials that do not count the denial of a request, because it is their own: the
/// policy would let the request pass if they had counted nothing. Otherwise a caller who keeps
/// trying would stay denied for ever. None if the request is denied for any other reason too.
#[must_use]
pub fn uncounted(policy: &Policy, request: &AccessRequest<'_>) -> Vec<Window> {
    let Some(readings) = request.context.readings else {
        return Vec::new();
    };
    let without = readings.without(Count::Denials);
    if without == *readings {
        return Vec::new();
    }
    let mut quiet = *request;
    quiet.context.readings = Some(&without);
    if let Decision::Deny(_) | Decision::Challenge(_) = evaluate(policy, &quiet).decision {
        return Vec::new();
    }
    let enforced = policy.rules().iter();
    enforced
        .filter(|rule| rule.mode == Mode::Enforce)
        .filter_map(|rule| rule.why.as_ref())
        .flat_map(|why| why.exceeded(Count::Denials, readings))
        .cloned()
        .collect()
}
