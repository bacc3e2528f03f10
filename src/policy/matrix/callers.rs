//! Derives sample callers from the rules, for a matrix whose reader names none.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::authz::{Effect, Names, PeerNames, Policy, Rule, Stands, Subject, What, Who};
use crate::policy::testing::{SampleCaller, sample_subject};

/// For each allow rule callers that its `who` selects: one for each name that it lists, and one for
/// each group with which another rule may decide otherwise; for each group that only other rules name
/// a caller with that group alone; and a stranger. Each stands for everybody of whom that is true.
#[must_use]
pub fn named_in_rules(policy: &Policy, issuer: &str, at: Timestamp) -> Vec<SampleCaller> {
    let mut kinds: BTreeSet<Kind> = BTreeSet::new();
    let (allows, others): (Vec<&Rule>, Vec<&Rule>) = policy
        .rules()
        .iter()
        .partition(|rule| rule.effect == Effect::Allow);
    for rule in &allows {
        let selected = Kind::selected_by(rule, issuer);
        let gates = others.iter().filter(|gate| may_meet(rule, gate));
        let deciding: BTreeSet<Arc<str>> = excluded_groups(rule)
            .chain(gates.flat_map(|gate| excluded_groups(gate)))
            .collect();
        for kind in selected {
            for group in &deciding {
                kinds.insert(kind.clone().in_group(group));
            }
            kinds.insert(kind);
        }
    }
    for rule in &others {
        let who = rule.who.iter().flat_map(|who| who.groups.iter().flatten());
        for group in who.cloned().chain(excluded_groups(rule)) {
            kinds.insert(Kind::default().in_group(&group));
        }
    }
    kinds.remove(&Kind::default());
    let mut callers: Vec<SampleCaller> = kinds.iter().map(|kind| kind.caller(issuer, at)).collect();
    callers.sort_by(|one, other| one.name.cmp(&other.name));
    callers.push(Kind::default().caller(issuer, at));
    callers
}

/// The groups whose members a rule treats otherwise than those that its `who` lists.
fn excluded_groups(rule: &Rule) -> impl Iterator<Item = Arc<str>> {
    let not = rule.who.as_ref().and_then(|who| who.not.as_deref());
    let not = not
        .and_then(|not| not.groups.as_ref())
        .into_iter()
        .flatten();
    let tested = rule.expression.iter().flat_map(|one| &one.asked().groups);
    not.cloned().chain(tested.map(|name| name.as_str().into()))
}

/// Whether some call may be one that both rules are about. May be true even if there is none.
fn may_meet(one: &Rule, other: &Rule) -> bool {
    let meet = |one: Option<&Names>, other: Option<&Names>| match (one, other) {
        (Some(one), Some(other)) => one.iter().any(|name| other.contains(name)),
        (None, _) | (_, None) => true,
    };
    let whole = What::default();
    let [one, other] = [one, other].map(|rule| rule.what.as_ref().unwrap_or(&whole));
    meet(one.servers.as_ref(), other.servers.as_ref())
        && meet(one.classes.as_ref(), other.classes.as_ref())
}

/// What is true of callers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Kind {
    subject: Option<Arc<str>>,
    groups: BTreeSet<Arc<str>>,
    role: Option<Arc<str>>,
    tenant: Option<Arc<str>>,
    agent: Option<Arc<str>>,
    peer: Option<Arc<str>>,
    scope: Option<Arc<str>>,
    /// Unless it is the usual one.
    issuer: Option<Arc<str>>,
}

impl Kind {
    /// Callers that the `who` of a rule selects, so that each name in it selects some.
    fn selected_by(rule: &Rule, usual_issuer: &str) -> Vec<Kind> {
        let Some(who) = &rule.who else {
            return Vec::new();
        };
        let Who {
            issuers,
            subjects,
            groups,
            roles,
            scopes,
            tenants,
            agents,
            peers,
            // A rule does not say enough about these to derive a sample; they are left open.
            claims: _,
            not: _,
        } = who;
        let mut kinds = vec![Kind::default()];
        each(&mut kinds, issuers.as_ref(), |kind, name| {
            kind.issuer = (*name != *usual_issuer).then_some(name);
        });
        each(&mut kinds, subjects.as_ref(), |kind, name| {
            kind.subject = Some(name);
        });
        each(&mut kinds, groups.as_ref(), |kind, name| {
            kind.groups = BTreeSet::from([name]);
        });
        each(&mut kinds, roles.as_ref(), |kind, name| {
            kind.role = Some(name);
        });
        each(&mut kinds, scopes.as_ref(), |kind, name| {
            kind.scope = Some(name);
        });
        each(&mut kinds, tenants.as_ref(), |kind, name| {
            kind.tenant = Some(name);
        });
        each(&mut kinds, agents.as_ref(), |kind, name| {
            kind.agent = Some(name);
        });
        each(&mut kinds, peers.as_ref(), |kind, name| {
            kind.peer = Some(name);
        });
        kinds
    }

    fn in_group(mut self, group: &Arc<str>) -> Self {
        self.groups.insert(Arc::clone(group));
        self
    }

    fn caller(&self, issuer: &str, at: Timestamp) -> SampleCaller {
        let Kind {
            subject: id,
            groups,
            role,
            tenant,
            agent,
            peer,
            scope,
            issuer: other,
        } = self;
        let subject = Subject {
            groups: groups.iter().cloned().collect(),
            roles: role.iter().cloned().collect(),
            scopes: scope.iter().cloned().collect(),
            tenant: tenant.clone(),
            agent: agent.clone(),
            ..sample_subject(
                id.as_deref().unwrap_or("anyone"),
                other.as_deref().unwrap_or(issuer),
            )
        };
        let mut parts: Vec<String> = Vec::new();
        parts.extend(id.iter().map(ToString::to_string));
        parts.extend(groups.iter().map(ToString::to_string));
        let kinds = [
            ("role", role),
            ("tenant", tenant),
            ("agent", agent),
            ("peer", peer),
            ("scope", scope),
            ("issuer", other),
        ];
        for (word, name) in kinds {
            parts.extend(name.iter().map(|name| format!("{word} {name}")));
        }
        let name = if parts.is_empty() {
            "anyone else".to_owned()
        } else {
            parts.join(" + ")
        };
        SampleCaller {
            peer: peer.as_ref().map(|name| PeerNames::called(name)),
            stands: Stands::ForCallers,
            ..SampleCaller::new(name, subject, at)
        }
    }
}

/// Gives every kind the first name of a list, and adds one kind for each other name.
fn each(kinds: &mut Vec<Kind>, names: Option<&Names>, set: impl Fn(&mut Kind, Arc<str>)) {
    let Some(names) = names else { return };
    let first = kinds.first().cloned().unwrap_or_default();
    let mut names = names.iter();
    let Some(name) = names.next() else { return };
    for kind in kinds.iter_mut() {
        set(kind, Arc::clone(name));
    }
    for name in names {
        let mut kind = first.clone();
        set(&mut kind, Arc::clone(name));
        kinds.push(kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{CompileContext, compile};
    use crate::yaml::Source;

    fn columns(rules: &str) -> Vec<String> {
        let source = Source {
            name: "policy.yaml".to_owned(),
            text: format!("tools: {{s: {{read: [get], write: [put]}}}}\nrules:\n{rules}"),
        };
        let policy = compile(&[source], &CompileContext::default()).unwrap();
        let callers = named_in_rules(&policy, "https://idp.example", Timestamp::UNIX_EPOCH);
        callers.into_iter().map(|caller| caller.name).collect()
    }

    #[test]
    fn each_name_of_a_rule_has_a_column() {
        let rules = "
- {id: a, effect: allow, who: {groups: [g, h], roles: [r], subjects: [bob, eve]}, what: {classes: [read]}}
- {id: b, effect: allow, who: {issuers: [https://idp.example, https://other.example]}, what: {classes: [read]}}
";
        let expected = [
            "bob + g + role r",
            "bob + h + role r",
            "eve + g + role r",
            "issuer https://other.example",
            "anyone else",
        ];
        assert_eq!(columns(rules), expected);
    }

    #[test]
    fn a_group_that_another_rule_excludes_or_tests_has_a_column_beside_those_it_may_meet() {
        let rules = "
- {id: writes, effect: allow, who: {groups: [editors]}, what: {classes: [write]}}
- {id: reads, effect: allow, who: {groups: [readers]}, what: {classes: [read]}}
- {id: no, effect: deny, who: {not: {groups: [admins]}}, what: {classes: [write]}}
- {id: tested, effect: deny, what: {classes: [read]}, if: '!(\"sre\" in subject.groups)'}
";
        let expected = [
            "admins",
            "admins + editors",
            "editors",
            "readers",
            "readers + sre",
            "sre",
            "anyone else",
        ];
        assert_eq!(columns(rules), expected);
    }
}
