//! Finds the claims for want of which no rule allows a request.

use std::sync::Arc;

use super::no_result::NoResult;
use super::parts::{RULES_MAX, who_parts};
use crate::authz::call::Call;
use crate::authz::matching::Match;
use crate::authz::path::{FoundValue, find_claim};
use crate::authz::policy::Policy;
use crate::authz::request::{AccessRequest, ActionKind};
use crate::authz::rule::{Effect, Mode, Rule};
use crate::authz::selectors::Who;
use crate::authz::subject::Subject;

/// The most claims that are named.
const CLAIMS_MAX: usize = 8;

/// The claims that the token lacks, where an allow rule would match the caller if it had them: each
/// by the path or the list of names in the rule.
#[must_use]
pub fn claims_absent(policy: &Policy, request: &AccessRequest<'_>) -> Vec<Arc<str>> {
    let call = policy.call(request);
    let mut absent: Vec<Arc<str>> = Vec::new();
    let allows = |rule: &&Rule| rule.effect == Effect::Allow && rule.mode == Mode::Enforce;
    let rules = policy.rules().iter().filter(allows);
    for rule in rules.take(RULES_MAX).filter(|rule| is_about(rule, &call)) {
        for name in rule.who.iter().flat_map(|who| wanting(who, request)) {
            if absent.len() >= CLAIMS_MAX {
                return absent;
            }
            if !absent.iter().any(|known| **known == *name) {
                absent.push(name.into());
            }
        }
    }
    absent
}

/// Whether a rule is about what is asked for.
fn is_about(rule: &Rule, call: &Call<'_>) -> bool {
    let request = call.target.request;
    let Some(what) = &rule.what else {
        return true;
    };
    if request.action.kind == ActionKind::Open {
        let servers = what.servers.as_deref();
        return servers.is_none_or(|servers| servers.iter().any(|name| **name == *request.server));
    }
    rule.fits_kind(request.resource) && what.matches(&call.target) == Match::Yes
}

/// The claims of a block that are absent, if nothing else of the block keeps the caller out.
fn wanting(who: &Who, request: &AccessRequest<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for (name, part) in who_parts(who) {
        if part.matches(request) == Match::Yes {
            continue;
        }
        if !is_absent(&part, request.subject) {
            return Vec::new();
        }
        let path = part.claims.first().map(|claim| claim.path.as_str());
        names.push(path.map_or(name, str::to_owned));
    }
    names
}

/// That a block of one selector does not match for want of a claim.
pub(super) fn of_who(part: &Who, request: &AccessRequest<'_>) -> Option<NoResult> {
    let is_wanting = part.matches(request) == Match::No && is_absent(part, request.subject);
    is_wanting.then_some(NoResult::ClaimAbsent)
}

/// Whether a block of one selector asks for something that the token does not have at all.
fn is_absent(part: &Who, subject: &Subject) -> bool {
    let Who {
        issuers: _,
        subjects: _,
        groups,
        roles,
        scopes,
        tenants,
        agents,
        peers: _,
        claims,
        not: _,
    } = part;
    let is_claim = claims
        .first()
        .is_some_and(|claim| find_claim(&subject.claims, &claim.path) == FoundValue::Absent);
    let unknown = subject.unknown;
    is_claim
        || (groups.is_some() && subject.groups.is_empty() && !unknown.groups)
        || (roles.is_some() && subject.roles.is_empty() && !unknown.roles)
        || (scopes.is_some() && subject.scopes.is_empty() && !unknown.scopes)
        || (tenants.is_some() && subject.tenant.is_none() && !unknown.tenant)
        || (agents.is_some() && subject.agent.is_none() && !unknown.agent)
}
