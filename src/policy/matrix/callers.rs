//! Derives sample callers from the rules, for a matrix whose reader names none.

use std::sync::Arc;

use jiff::Timestamp;

use crate::authz::{Effect, Names, PeerNames, Policy, Rule, Subject, Who};
use crate::policy::testing::{SampleCaller, sample_subject};

/// For each allow rule a caller that its `who` selects, one for each group it names, and one that has
/// a group of its `not` besides; for each group that only other rules name a caller with that group
/// alone; and a stranger.
#[must_use]
pub fn named_in_rules(policy: &Policy, issuer: &str, at: Timestamp) -> Vec<SampleCaller> {
    let mut callers: Vec<SampleCaller> = Vec::new();
    let mut add = |caller: Option<SampleCaller>| {
        let caller = caller.filter(|new| callers.iter().all(|one| one.name != new.name));
        callers.extend(caller);
    };
    let of = |rule: &Rule| rule.effect == Effect::Allow;
    let rules = policy.rules().iter();
    let (allows, others): (Vec<&Rule>, Vec<&Rule>) = rules.partition(|rule| of(rule));
    for who in allows.iter().filter_map(|rule| rule.who.as_ref()) {
        let excluded: Vec<Arc<str>> = excluded_groups(who).cloned().collect();
        for group in each_group(who) {
            add(caller(who, group.iter().cloned().collect(), issuer, at));
            for other in &excluded {
                let both = group.iter().chain([other]).cloned().collect();
                add(caller(who, both, issuer, at));
            }
        }
    }
    for who in others.iter().filter_map(|rule| rule.who.as_ref()) {
        let named = who.groups.iter().flatten().chain(excluded_groups(who));
        for group in named {
            add(caller(&Who::default(), vec![Arc::clone(group)], issuer, at));
        }
    }
    callers.sort_by(|one, other| one.name.cmp(&other.name));
    let subject = sample_subject("anyone", issuer);
    callers.push(SampleCaller::new("anyone else".to_owned(), subject, at));
    callers
}

/// Each group that a block names, or none once.
fn each_group(who: &Who) -> Vec<Option<Arc<str>>> {
    who.groups.as_ref().map_or(vec![None], |groups| {
        groups.iter().map(|group| Some(Arc::clone(group))).collect()
    })
}

fn excluded_groups(who: &Who) -> impl Iterator<Item = &Arc<str>> {
    let not = who.not.iter().filter_map(|not| not.groups.as_ref());
    not.flatten()
}

/// `None` if the rule selects everybody.
fn caller(who: &Who, groups: Vec<Arc<str>>, issuer: &str, at: Timestamp) -> Option<SampleCaller> {
    let Who {
        issuers,
        subjects,
        // Each group has a caller of its own, who has `groups`.
        groups: _,
        roles,
        scopes,
        tenants,
        agents,
        peers,
        // A rule does not say enough about these to derive a sample.
        claims: _,
        not: _,
    } = who;
    let first = |names: &Option<Names>| names.as_ref().and_then(|names| names.first().cloned());
    let subject = Subject {
        groups,
        roles: first(roles).into_iter().collect(),
        scopes: first(scopes).into_iter().collect(),
        tenant: first(tenants),
        agent: first(agents),
        ..sample_subject(first(subjects).as_deref().unwrap_or("anyone"), issuer)
    };
    let subject = match first(issuers) {
        Some(issuer) => Subject { issuer, ..subject },
        None => subject,
    };
    let peer = first(peers);
    let mut parts: Vec<String> = Vec::new();
    parts.extend(first(subjects).map(|id| id.to_string()));
    parts.extend(subject.groups.iter().map(ToString::to_string));
    parts.extend(subject.roles.iter().map(|role| format!("role {role}")));
    parts.extend(
        subject
            .tenant
            .iter()
            .map(|tenant| format!("tenant {tenant}")),
    );
    parts.extend(subject.agent.iter().map(|agent| format!("agent {agent}")));
    parts.extend(peer.iter().map(|peer| format!("peer {peer}")));
    parts.extend(subject.scopes.iter().map(|scope| format!("scope {scope}")));
    if parts.is_empty() {
        return None;
    }
    let caller = SampleCaller::new(parts.join(" + "), subject, at);
    let peer = peer.map(|name| PeerNames::called(&name));
    Some(SampleCaller { peer, ..caller })
}
