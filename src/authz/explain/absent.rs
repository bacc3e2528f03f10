//! Finds the claims that a token lacks or leaves out, and for want of which no rule allows a request.

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

/// The claims for want of which no allow rule matches the caller: each by the path or the list of
/// names in the rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WantedClaims {
    /// The token does not have them.
    pub absent: Vec<Arc<str>>,
    /// The token has them, and they name nothing.
    pub empty: Vec<Arc<str>>,
    /// The issuer left them out of the token, or their form says nothing for certain.
    pub unknown: Vec<Arc<str>>,
}

impl WantedClaims {
    fn len(&self) -> usize {
        let lists = [&self.absent, &self.empty, &self.unknown];
        lists.into_iter().map(Vec::len).sum()
    }

    fn add(&mut self, claim: WantedClaim) {
        let (list, name) = match claim {
            WantedClaim::Absent(name) => (&mut self.absent, name),
            WantedClaim::Empty(name) => (&mut self.empty, name),
            WantedClaim::Unknown(name) => (&mut self.unknown, name),
        };
        if !list.iter().any(|known| **known == *name) {
            list.push(name.into());
        }
    }
}

/// One of them.
enum WantedClaim {
    Absent(String),
    Empty(String),
    Unknown(String),
}

/// The claims that the token lacks, where an allow rule would match the caller if it had them.
#[must_use]
pub fn claims_wanted(policy: &Policy, request: &AccessRequest<'_>) -> WantedClaims {
    let call = policy.call(request);
    let mut wanted = WantedClaims::default();
    let allows = |rule: &&Rule| rule.effect == Effect::Allow && rule.mode == Mode::Enforce;
    let rules = policy.rules().iter().filter(allows);
    for rule in rules.take(RULES_MAX).filter(|rule| is_about(rule, &call)) {
        for claim in rule.who.iter().flat_map(|who| wanting(who, request)) {
            if wanted.len() >= CLAIMS_MAX {
                return wanted;
            }
            wanted.add(claim);
        }
    }
    wanted
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

/// The claims of a block that are absent or unknown, if nothing else of the block keeps the caller
/// out.
fn wanting(who: &Who, request: &AccessRequest<'_>) -> Vec<WantedClaim> {
    let mut claims = Vec::new();
    for (name, part) in who_parts(who) {
        let found = part.matches(request);
        if found == Match::Yes {
            continue;
        }
        if found == Match::No && is_absent(&part, request.subject) {
            let is_empty = is_empty(&part, request.subject);
            let name = claim_name(&part, name);
            claims.push(if is_empty {
                WantedClaim::Empty(name)
            } else {
                WantedClaim::Absent(name)
            });
            continue;
        }
        let unknown = unknown_claims(&part, name, request);
        if found != Match::Indeterminate || unknown.is_empty() {
            return Vec::new();
        }
        claims.extend(unknown.into_iter().map(WantedClaim::Unknown));
    }
    claims
}

/// The claims because of which a block of one selector cannot be evaluated. A peer is none.
fn unknown_claims(part: &Who, name: String, request: &AccessRequest<'_>) -> Vec<String> {
    if part.matches(request) != Match::Indeterminate || part.peers.is_some() {
        return Vec::new();
    }
    match &part.not {
        None => vec![claim_name(part, name)],
        Some(not) => {
            let parts = who_parts(not).into_iter();
            let unknown = parts.flat_map(|(name, part)| unknown_claims(&part, name, request));
            unknown.collect()
        }
    }
}

/// What a block of one selector calls its claim.
fn claim_name(part: &Who, list: String) -> String {
    let path = part.claims.first().map(|claim| claim.path.as_str());
    path.map_or(list, str::to_owned)
}

/// That a block of one selector does not match for want of a claim.
pub(super) fn of_who(part: &Who, request: &AccessRequest<'_>) -> Option<NoResult> {
    let is_wanting = part.matches(request) == Match::No && is_absent(part, request.subject);
    is_wanting.then(|| {
        if is_empty(part, request.subject) {
            NoResult::ClaimEmpty
        } else {
            NoResult::ClaimAbsent
        }
    })
}

/// Whether the list that a block of one selector asks for is there and empty.
fn is_empty(part: &Who, subject: &Subject) -> bool {
    let empty = subject.unknown.empty;
    (part.groups.is_some() && empty.groups)
        || (part.roles.is_some() && empty.roles)
        || (part.scopes.is_some() && empty.scopes)
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
