//! Combines the rules of one target, as `evaluation.rs` does.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::authz::difference::diagram::Diagram;
use crate::authz::difference::fact::{Fact, Facts, Unclear};
use crate::authz::difference::outcomes::{Ask, Outcomes, Part, SetValues, Setting};
use crate::authz::policy::Policy;
use crate::authz::request::ActionKind;
use crate::authz::rule::{Effect, Needs, Rule};

/// The rules of one target by their effects.
pub(super) struct Combined<'p> {
    denied: Diagram,
    unclear: Diagram,
    granted: Diagram,
    grants: Vec<(&'p Rule, Diagram)>,
    lacking: Vec<(&'p Rule, Diagram)>,
    requires: Vec<(&'p Needs, Diagram)>,
    limited: Vec<(&'p Effect, Diagram)>,
}

impl<'p> Combined<'p> {
    pub(super) fn of(policy: &'p Policy, parts: &[Part], facts: &mut Facts) -> Self {
        let (mut denies, mut unclear) = (Vec::new(), Vec::new());
        let mut combined = Combined {
            denied: Diagram::NEVER,
            unclear: Diagram::NEVER,
            granted: Diagram::NEVER,
            grants: Vec::new(),
            lacking: Vec::new(),
            requires: Vec::new(),
            limited: Vec::new(),
        };
        for part in parts {
            let Some(rule) = policy.rules().get(part.rule) else {
                continue;
            };
            let yes = part.found.yes;
            match &rule.effect {
                Effect::Allow => {
                    combined.grants.push((rule, yes));
                    combined.lacking.push((rule, part.lacking));
                    continue;
                }
                Effect::Deny => denies.push(yes),
                Effect::Require(needs) => combined.requires.push((needs, yes)),
                Effect::Limit(_) | Effect::Open(_) => combined.limited.push((&rule.effect, yes)),
            }
            unclear.push(facts.unclear(part.found));
        }
        combined.denied = facts.diagrams.any(denies);
        let unclear = facts.diagrams.any(unclear);
        combined.unclear = facts.diagrams.minus(unclear, combined.denied);
        let grants = combined.grants.iter().map(|(_, yes)| *yes);
        combined.granted = facts.diagrams.any(grants);
        combined
    }

    pub(super) fn outcomes(&self, facts: &mut Facts) -> Outcomes {
        let refused = facts.diagrams.or(self.denied, self.unclear);
        let (mut unmet, mut unprovable) = (Vec::new(), Vec::new());
        for (needs, yes) in &self.requires {
            let missing = missing(needs, facts);
            unmet.push(facts.diagrams.and(*yes, missing));
            if needs.sender_constrained {
                unprovable.push(*yes);
            }
        }
        let unmet = facts.diagrams.any(unmet);
        let unprovable = facts.diagrams.any(unprovable);
        let lacking = facts.diagrams.any(self.lacking.iter().map(|(_, yes)| *yes));
        let passed = facts.diagrams.minus(self.granted, refused);
        let allow = facts.diagrams.minus(passed, unmet);
        let stopped = facts.diagrams.and(self.granted, unmet);
        let asked = facts.diagrams.minus(lacking, self.granted);
        let challenge = facts.diagrams.or(stopped, asked);
        let challenge = facts.diagrams.minus(challenge, refused);
        let challenge = facts.diagrams.minus(challenge, unprovable);
        Outcomes {
            allow: Some(allow),
            challenge: Some(challenge),
            denied: Some(self.denied),
            unclear: Some(self.unclear),
            granted: Some(self.granted),
            asks: self.asks(facts),
            ..Outcomes::default()
        }
    }

    /// What is asked for, as far as it is missing.
    fn asks(&self, facts: &mut Facts) -> Vec<(Ask, Diagram)> {
        let mut asks: Vec<(Ask, Diagram)> = Vec::new();
        let mut add = |ask: Ask, wanted: Diagram, facts: &mut Facts| {
            let lacks = lacks(&ask, facts);
            let wanted = facts.diagrams.and(wanted, lacks);
            match asks.iter_mut().find(|(known, _)| *known == ask) {
                Some((_, all)) => *all = facts.diagrams.or(*all, wanted),
                None => asks.push((ask, wanted)),
            }
        };
        for (needs, yes) in &self.requires {
            for scope in &needs.scopes {
                add(Ask::Scope(Arc::clone(scope)), *yes, facts);
            }
            if !needs.acr.is_empty() {
                add(Ask::Acr(needs.acr.clone()), *yes, facts);
            }
            if let Some(most) = needs.auth_age_max {
                add(Ask::LoginWithin(most), *yes, facts);
            }
        }
        // Of the rules that lack only scopes, the one that names the fewest is the one to ask for.
        let mut lacking: Vec<_> = self
            .lacking
            .iter()
            .filter(|(_, yes)| *yes != Diagram::NEVER)
            .collect();
        lacking.sort_by_key(|(rule, _)| rule.scopes().len());
        let mut before = self.granted;
        for (rule, yes) in lacking {
            let chosen = facts.diagrams.minus(*yes, before);
            before = facts.diagrams.or(before, *yes);
            for scope in rule.scopes() {
                add(Ask::Scope(Arc::clone(scope)), chosen, facts);
            }
        }
        shortest_age(&mut asks, facts);
        asks
    }

    pub(super) fn limits(&self, facts: &mut Facts) -> Vec<(Effect, Diagram)> {
        let mut limits: Vec<(Effect, Diagram)> = Vec::new();
        for (limit, yes) in &self.limited {
            match limits.iter_mut().find(|(known, _)| known == *limit) {
                Some((_, all)) => *all = facts.diagrams.or(*all, *yes),
                None => limits.push(((*limit).clone(), *yes)),
            }
        }
        limits
    }

    /// What is set: of several rules that set a name, by the last one.
    pub(super) fn set(&self, kind: ActionKind, facts: &mut Facts) -> SetValues {
        let mut set = SetValues::new();
        if kind == ActionKind::Open {
            return set;
        }
        let mut later: BTreeMap<(Setting, Arc<str>), Diagram> = BTreeMap::new();
        for (rule, yes) in self.grants.iter().rev() {
            let Some(own) = &rule.set else {
                continue;
            };
            for (setting, values) in [
                (Setting::Header, &own.headers),
                (Setting::Metadata, &own.metadata),
            ] {
                // A block has each name once.
                for (name, value) in values {
                    let key = (setting, Arc::clone(name));
                    let after = later.entry(key.clone()).or_insert(Diagram::NEVER);
                    let here = facts.diagrams.minus(*yes, *after);
                    *after = facts.diagrams.or(*after, *yes);
                    let all = set.entry(key).or_default();
                    match all.iter_mut().find(|(known, _)| known == value) {
                        Some((_, all)) => *all = facts.diagrams.or(*all, here),
                        None => all.push((value.clone(), here)),
                    }
                }
            }
        }
        set
    }
}

/// Of several ages, the shortest is asked for.
fn shortest_age(asks: &mut [(Ask, Diagram)], facts: &mut Facts) {
    let age = |ask: &Ask| match ask {
        Ask::LoginWithin(most) => Some(*most),
        Ask::Scope(_) | Ask::Acr(_) => None,
    };
    let mut ages: Vec<_> = asks
        .iter_mut()
        .filter_map(|(ask, wanted)| Some((age(ask)?, wanted)))
        .collect();
    ages.sort_by_key(|(age, _)| *age);
    let mut shorter = Diagram::NEVER;
    for (_, wanted) in ages {
        let own = *wanted;
        *wanted = facts.diagrams.minus(own, shorter);
        shorter = facts.diagrams.or(shorter, own);
    }
}

/// Where a caller does not meet what a rule requires.
pub(crate) fn missing(needs: &Needs, facts: &mut Facts) -> Diagram {
    let Needs {
        scopes,
        acr,
        auth_age_max,
        sender_constrained,
    } = needs;
    let mut missing = vec![Diagram::of(*sender_constrained)];
    for scope in scopes {
        missing.push(lacks(&Ask::Scope(Arc::clone(scope)), facts));
    }
    if !acr.is_empty() {
        missing.push(lacks(&Ask::Acr(acr.clone()), facts));
    }
    if let Some(most) = auth_age_max {
        missing.push(lacks(&Ask::LoginWithin(*most), facts));
    }
    facts.diagrams.any(missing)
}

/// Where a caller does not have what is asked for.
fn lacks(ask: &Ask, facts: &mut Facts) -> Diagram {
    let held = match ask {
        Ask::Scope(scope) => facts.holds(Fact::Scope(Arc::clone(scope))),
        Ask::Acr(values) => facts.knows_any(values.iter().cloned().map(Fact::Acr)).yes,
        Ask::LoginWithin(most) => facts.asks(Fact::LoginWithin(*most), Unclear::Login).yes,
    };
    facts.diagrams.not(held)
}
