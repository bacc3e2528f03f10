//! Derives sample callers from the rules, for a matrix whose reader names none.

use std::sync::Arc;

use crate::authz::{Effect, Names, PeerNames, Policy, Subject, Who};
use crate::policy::testing::{SampleCaller, sample_subject};

/// For each allow rule a caller that its `who` selects, one for each group it names; and a
/// stranger.
#[must_use]
pub fn named_in_rules(policy: &Policy, issuer: &str) -> Vec<SampleCaller> {
    let mut callers: Vec<SampleCaller> = Vec::new();
    let allows = policy
        .rules()
        .iter()
        .filter(|rule| rule.effect == Effect::Allow);
    for who in allows.filter_map(|rule| rule.who.as_ref()) {
        let groups = who.groups.as_ref().map_or(vec![None], |groups| {
            groups.iter().map(|group| Some(Arc::clone(group))).collect()
        });
        for group in groups {
            let caller = caller(who, group, issuer);
            callers.extend(caller.filter(|new| callers.iter().all(|one| one.name != new.name)));
        }
    }
    callers.sort_by(|one, other| one.name.cmp(&other.name));
    let stranger = SampleCaller::new("anyone else".to_owned(), sample_subject("anyone", issuer));
    callers.extend(stranger);
    callers
}

/// `None` if the rule selects everybody.
fn caller(who: &Who, group: Option<Arc<str>>, issuer: &str) -> Option<SampleCaller> {
    let Who {
        issuers,
        subjects,
        // Each group has a caller of its own, `group`.
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
        groups: group.into_iter().collect(),
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
    let caller = SampleCaller::new(parts.join(" + "), subject)?;
    let peer = peer.map(|name| PeerNames::called(&name));
    Some(SampleCaller { peer, ..caller })
}
