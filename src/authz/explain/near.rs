//! Finds the allow rules that a denied request misses by one selector.

use std::sync::Arc;

use super::parts::{RULES_MAX, what_parts, when_parts, where_parts, who_parts, why_parts};
use crate::authz::call::Call;
use crate::authz::matching::Match;
use crate::authz::policy::Policy;
use crate::authz::request::{AccessRequest, ActionKind};
use crate::authz::rule::{Effect, Mode, Rule};

/// The most rules that are named.
const NAMED_MAX: usize = 8;

/// The selectors of `what` that tell what a call is about. A rule about something else is no near
/// miss.
const SUBJECT_MATTER: [&str; 5] = ["servers", "methods", "tools", "prompts", "resources"];

/// An allow rule that would match but for one selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// The rule.
    pub rule: Arc<str>,
    /// The selector, such as `who.groups`.
    pub selector: String,
}

/// The allow rules in force that would match a request but for one selector, which does not match or
/// cannot be evaluated; none for requests that no rule has to match. Only the first rules of a long
/// policy are looked at.
#[must_use]
pub fn near_misses(policy: &Policy, request: &AccessRequest<'_>) -> Vec<NearMiss> {
    if request.action.kind == ActionKind::Open {
        return Vec::new();
    }
    let call = policy.call(request);
    let allows = |rule: &&Rule| rule.effect == Effect::Allow && rule.mode == Mode::Enforce;
    let rules = policy.rules().iter().filter(allows).take(RULES_MAX);
    let misses = rules.filter_map(|rule| {
        Some(NearMiss {
            rule: Arc::clone(&rule.id),
            selector: only_failing(rule, &call)?,
        })
    });
    misses.take(NAMED_MAX).collect()
}

/// The one selector of a rule that does not hold. Blocks are judged whole, so that few are taken
/// apart.
fn only_failing(rule: &Rule, call: &Call<'_>) -> Option<String> {
    let (request, target) = (call.target.request, &call.target);
    if !rule.fits_kind(request.resource) {
        return None;
    }
    let fails = |found: Match| found != Match::Yes;
    let who = rule.who.as_ref().filter(|who| fails(who.matches(request)));
    let what = rule
        .what
        .as_ref()
        .filter(|what| fails(what.matches(target)));
    let when = rule
        .when
        .as_ref()
        .filter(|when| fails(when.matches(request)));
    let place = rule
        .place
        .as_ref()
        .filter(|place| fails(place.matches(request)));
    let why = rule.why.as_ref().filter(|why| fails(call.judge_why(why)));
    let expression = rule.expression.as_ref();
    let blocks = [
        who.is_some(),
        what.is_some(),
        when.is_some(),
        place.is_some(),
        why.is_some(),
    ];
    let failing = blocks.iter().filter(|is_failing| **is_failing).count();
    if failing > 1 {
        return None;
    }
    let is_condition = expression.is_some_and(|expression| fails(call.judge(expression)));
    if failing == 0 {
        return is_condition.then(|| "if".to_owned());
    }
    let mut parts: Vec<String> = Vec::new();
    let mut add = |block: &str, name: String, found: Match| {
        if fails(found) {
            parts.push(format!("{block}.{name}"));
        }
    };
    for (name, part) in who.into_iter().flat_map(who_parts) {
        add("who", name, part.matches(request));
    }
    for (name, part) in what.into_iter().flat_map(what_parts) {
        let found = part.matches(target);
        if fails(found) && SUBJECT_MATTER.contains(&name.as_str()) {
            return None;
        }
        add("what", name, found);
    }
    for (name, part) in when.into_iter().flat_map(when_parts) {
        add("when", name.to_owned(), part.matches(request));
    }
    for (name, part) in place.into_iter().flat_map(where_parts) {
        add("where", name, part.matches(request));
    }
    for (name, part) in why.into_iter().flat_map(why_parts) {
        add("why", name, call.judge_why(&part));
    }
    match <[String; 1]>::try_from(parts) {
        Ok([one]) if !is_condition => Some(one),
        Ok(_) | Err(_) => None,
    }
}
