//! Combines the rules of one target, as `evaluation.rs` does.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::diagram::Diagram;
use super::fact::{Answer, Fact, Facts, Unclear};
use super::outcomes::{Ask, Outcomes, SetValues, Setting, Status};
use crate::authz::request::ActionKind;
use crate::authz::rule::{Effect, Needs, Rule};

/// A rule, and where it matches.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed<'p> {
    pub(super) rule: &'p Rule,
    pub(super) found: Answer,
    /// For an allow rule, where it would grant if the token had one of its scopes.
    pub(super) lacking: Diagram,
    /// The number of its limit among the counters of the target.
    pub(super) counter: usize,
    /// By which policy's tables it has its class, if it sets something to it.
    pub(super) class: usize,
}

impl PartialEq for Placed<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.rule, other.rule)
            && self.found == other.found
            && self.lacking == other.lacking
            && self.counter == other.counter
            && self.class == other.class
    }
}

/// What some rules add up to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sums {
    denied: Diagram,
    unclear: Diagram,
    granted: Diagram,
    lacking: Diagram,
    unmet: Diagram,
    unprovable: Diagram,
}

impl Sums {
    pub(super) fn of<'a, 'p: 'a>(
        all: impl Iterator<Item = &'a Placed<'p>>,
        facts: &mut Facts,
    ) -> Self {
        let (mut stops, mut unclear) = (Vec::new(), Vec::new());
        let (mut grants, mut lacking) = (Vec::new(), Vec::new());
        let (mut unmet, mut unprovable) = (Vec::new(), Vec::new());
        for placed in all {
            let yes = placed.found.yes;
            match &placed.rule.effect {
                Effect::Allow => {
                    grants.push(yes);
                    lacking.push(placed.lacking);
                    continue;
                }
                Effect::Deny => stops.push(yes),
                Effect::Require(needs) => {
                    let missing = missing(needs, facts);
                    unmet.push(facts.diagrams.and(yes, missing));
                    if needs.sender_constrained {
                        unprovable.push(yes);
                    }
                }
                Effect::Limit(_) | Effect::Open(_) => {}
            }
            unclear.push(facts.unclear(placed.found));
        }
        let all = [stops, unclear, grants, lacking, unmet, unprovable];
        let [denied, unclear, granted, lacking, unmet, unprovable] =
            all.map(|all| facts.diagrams.any(all));
        Sums {
            denied,
            unclear,
            granted,
            lacking,
            unmet,
            unprovable,
        }
    }

    pub(super) fn joined(self, other: Self, facts: &mut Facts) -> Self {
        let mut or = |one, other| facts.diagrams.or(one, other);
        Sums {
            denied: or(self.denied, other.denied),
            unclear: or(self.unclear, other.unclear),
            granted: or(self.granted, other.granted),
            lacking: or(self.lacking, other.lacking),
            unmet: or(self.unmet, other.unmet),
            unprovable: or(self.unprovable, other.unprovable),
        }
    }

    pub(super) fn status(self, facts: &mut Facts) -> Status {
        let Sums {
            denied,
            unclear,
            granted,
            lacking,
            unmet,
            unprovable,
        } = self;
        let diagrams = &mut facts.diagrams;
        let refused = diagrams.or(denied, unclear);
        let passed = diagrams.minus(granted, refused);
        let allow = diagrams.minus(passed, unmet);
        let stopped = diagrams.and(granted, unmet);
        let asked = diagrams.minus(lacking, granted);
        let challenge = diagrams.or(stopped, asked);
        let challenge = diagrams.minus(challenge, refused);
        let challenge = diagrams.minus(challenge, unprovable);
        Status {
            allow,
            challenge,
            denied,
            unclear: diagrams.minus(unclear, denied),
            granted,
        }
    }
}

/// The class of a target by the tables of both policies, as far as it is known.
pub(super) type Classes = [Option<Arc<str>>; 2];

/// All that is decided about one target.
pub(super) fn outcomes(
    kind: ActionKind,
    placed: &[Placed<'_>],
    (status, classes): (Status, &Classes),
    facts: &mut Facts,
) -> Outcomes {
    Outcomes {
        status,
        limits: limits(placed, facts),
        set: set(placed, kind, classes, facts),
        asks: asks(placed, status.granted, facts),
    }
}

/// What is asked for, as far as it is missing.
fn asks(placed: &[Placed<'_>], granted: Diagram, facts: &mut Facts) -> Vec<(Ask, Diagram)> {
    let mut asks: Vec<(Ask, Diagram)> = Vec::new();
    let mut add = |ask: Ask, wanted: Diagram, facts: &mut Facts| {
        let lacks = lacks(&ask, facts);
        let wanted = facts.diagrams.and(wanted, lacks);
        match asks.iter_mut().find(|(known, _)| *known == ask) {
            Some((_, all)) => *all = facts.diagrams.or(*all, wanted),
            None => asks.push((ask, wanted)),
        }
    };
    for placed in placed {
        let Effect::Require(needs) = &placed.rule.effect else {
            continue;
        };
        let yes = placed.found.yes;
        for scope in &needs.scopes {
            add(Ask::Scope(Arc::clone(scope)), yes, facts);
        }
        if !needs.acr.is_empty() {
            // One of them is enough, whichever stands first.
            let mut values = needs.acr.to_vec();
            values.sort();
            values.dedup();
            add(Ask::Acr(values.into()), yes, facts);
        }
        if let Some(most) = needs.auth_age_max {
            add(Ask::LoginWithin(most), yes, facts);
        }
    }
    // Of the rules that lack only scopes, the one that names the fewest is the one to ask for.
    let mut lacking: Vec<&Placed<'_>> = placed
        .iter()
        .filter(|placed| placed.lacking != Diagram::NEVER)
        .collect();
    lacking.sort_by_key(|placed| placed.rule.scopes().len());
    let mut before = granted;
    for placed in lacking {
        let chosen = facts.diagrams.minus(placed.lacking, before);
        before = facts.diagrams.or(before, placed.lacking);
        for scope in placed.rule.scopes() {
            add(Ask::Scope(Arc::clone(scope)), chosen, facts);
        }
    }
    shortest_age(&mut asks, facts);
    asks
}

fn limits(placed: &[Placed<'_>], facts: &mut Facts) -> Vec<(usize, Diagram)> {
    let mut limits: Vec<(usize, Diagram)> = Vec::new();
    for placed in placed {
        if !matches!(placed.rule.effect, Effect::Limit(_) | Effect::Open(_)) {
            continue;
        }
        let yes = placed.found.yes;
        let mut known = limits.iter_mut();
        match known.find(|(known, _)| *known == placed.counter) {
            Some((_, all)) => *all = facts.diagrams.or(*all, yes),
            None => limits.push((placed.counter, yes)),
        }
    }
    limits
}

/// What is set: of several rules that set a name, by the last one.
fn set(placed: &[Placed<'_>], kind: ActionKind, classes: &Classes, facts: &mut Facts) -> SetValues {
    let mut set = SetValues::new();
    if kind == ActionKind::Open {
        return set;
    }
    let mut later: BTreeMap<(Setting, Arc<str>), Diagram> = BTreeMap::new();
    for placed in placed.iter().rev() {
        let Some(own) = &placed.rule.set else {
            continue;
        };
        if placed.rule.effect != Effect::Allow {
            continue;
        }
        for (setting, values) in [
            (Setting::Header, &own.headers),
            (Setting::Metadata, &own.metadata),
        ] {
            // A block has each name once.
            for (name, value) in values {
                let key = (setting, Arc::clone(name));
                let after = later.entry(key.clone()).or_insert(Diagram::NEVER);
                let here = facts.diagrams.minus(placed.found.yes, *after);
                *after = facts.diagrams.or(*after, placed.found.yes);
                let all = set.entry(key).or_default();
                let class = classes.get(placed.class).and_then(Option::as_ref);
                let value = class.map_or_else(|| value.clone(), |class| value.of_class(class));
                match all.iter_mut().find(|(known, _)| *known == value) {
                    Some((_, all)) => *all = facts.diagrams.or(*all, here),
                    None => all.push((value, here)),
                }
            }
        }
    }
    set
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
pub(super) fn missing(needs: &Needs, facts: &mut Facts) -> Diagram {
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
