//! What a policy decides about one target, as functions of facts. This combines rules as
//! `evaluation.rs` does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::{HashMap, HashMapExt};

use super::condition;
use super::diagram::Diagram;
use super::fact::{Answer, Fact, Facts, Unclear};
use super::target::{Judged, Target};
use crate::authz::assignment::Template;
use crate::authz::matching::Match;
use crate::authz::policy::Policy;
use crate::authz::request::{AccessRequest, ActionKind};
use crate::authz::rule::{Effect, Mode, Needs, Rule};
use crate::authz::selectors::Scopes;

/// What is decided where.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Outcomes {
    pub(super) parts: Vec<Part>,
    pub(super) allow: Option<Diagram>,
    pub(super) challenge: Option<Diagram>,
    /// Where a deny matches, and where something cannot be evaluated and none does.
    pub(super) denied: Option<Diagram>,
    pub(super) unclear: Option<Diagram>,
    /// Where some rule grants, whatever others say.
    pub(super) granted: Option<Diagram>,
    /// Each limit that has to have room, and where.
    pub(super) limits: Vec<(Effect, Diagram)>,
    /// Each value that a name is set to, and where.
    pub(super) set: BTreeMap<(Setting, Arc<str>), Vec<(Template, Diagram)>>,
    /// What a challenge asks for, and where.
    pub(super) asks: Vec<(Ask, Diagram)>,
}

/// Where a value is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Setting {
    Header,
    Metadata,
}

/// What a caller is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    Scope(Arc<str>),
    Acr(Box<[Arc<str>]>),
    LoginWithin(Duration),
}

/// What one rule contributes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    /// Its position in the policy.
    pub(super) rule: usize,
    pub(super) found: Answer,
    /// For an allow rule, where it would grant if the token had one of its scopes.
    pub(super) lacking: Diagram,
}

/// One policy of two, with the conditions of its rules as far as they are known.
pub(super) struct Side<'p> {
    pub(super) policy: &'p Policy,
    /// The parts of each rule that are the same for all targets.
    common: HashMap<usize, Answer>,
    granted: HashMap<usize, Answer>,
}

impl<'p> Side<'p> {
    pub(super) fn new(policy: &'p Policy) -> Self {
        Side {
            policy,
            common: HashMap::new(),
            granted: HashMap::new(),
        }
    }

    /// The rules that may matter for a target, by what they say of the call alone.
    pub(super) fn relevant(&self, target: &Target, request: &AccessRequest<'_>) -> Vec<usize> {
        let judged = Judged::new(self.policy, target, request);
        let rules = self.policy.rules().iter().enumerate();
        let rules = rules.filter(|(_, rule)| rule.mode == Mode::Enforce);
        let rules = rules.filter(|(_, rule)| self.may_matter(rule, &judged));
        rules.map(|(position, _)| position).collect()
    }

    fn may_matter(&self, rule: &Rule, judged: &Judged<'_>) -> bool {
        let request = judged.asked.request;
        let what = rule.what.as_ref();
        if !what.is_none_or(|what| what.covers_server(request.server)) {
            return false;
        }
        match (&rule.effect, request.action.kind) {
            (Effect::Allow, ActionKind::Open) => self.policy.may_serve_on(rule, request),
            (Effect::Allow, ActionKind::Unknown) if !rule.names_method(request) => false,
            (
                Effect::Allow
                | Effect::Deny
                | Effect::Require(_)
                | Effect::Limit(_)
                | Effect::Open(_),
                _,
            ) => rule.fits_kind(request.resource) && what.is_none_or(|what| what.matches_names(&judged.asked) != Match::No),
        }
    }

    fn rule(&self, position: usize) -> Option<&'p Rule> {
        self.policy.rules().get(position)
    }

    /// Who, when and where.
    fn common(&mut self, position: usize, scopes: Scopes, facts: &mut Facts) -> Answer {
        let known = match scopes {
            Scopes::Held => &self.common,
            Scopes::Granted => &self.granted,
        };
        if let Some(known) = known.get(&position) {
            return *known;
        }
        let Some(rule) = self.rule(position) else {
            return Answer::NO;
        };
        let mut found = Answer::YES;
        if let Some(who) = &rule.who {
            found = condition::who(who, scopes, facts);
        }
        if let Some(place) = &rule.place {
            let own = condition::place(place, facts);
            found = facts.and(found, own);
        }
        if let Some(when) = &rule.when {
            let own = condition::when(when, facts);
            found = facts.and(found, own);
        }
        let known = match scopes {
            Scopes::Held => &mut self.common,
            Scopes::Granted => &mut self.granted,
        };
        known.insert(position, found);
        found
    }

    /// Where a rule matches a target.
    fn found(
        &mut self,
        position: usize,
        scopes: Scopes,
        judged: &Judged<'_>,
        facts: &mut Facts,
    ) -> Answer {
        let Some(rule) = self.rule(position) else {
            return Answer::NO;
        };
        if rule.effect == Effect::Allow && judged.asked.request.action.kind == ActionKind::Open {
            let who = rule.who.as_ref();
            let who = who.map_or(Answer::NO, |who| condition::who(who, scopes, facts));
            // What cannot be told does not serve.
            return Answer {
                yes: who.yes,
                no: facts.diagrams.not(who.yes),
            };
        }
        let mut found = self.common(position, scopes, facts);
        if let Some(what) = &rule.what {
            let own = condition::what(what, judged, facts);
            found = facts.and(found, own);
        }
        let counts = condition::counts(rule, judged, facts);
        found = facts.and(found, counts);
        if let Some(why) = &rule.why {
            let own = condition::why(why, judged, facts);
            found = facts.and(found, own);
        }
        if let Some(expression) = &rule.expression {
            let own = condition::expression(expression, judged, facts);
            found = facts.and(found, own);
        }
        found
    }

    /// Where an allow rule would match if the token had one of its scopes, and does not.
    fn lacking(&mut self, position: usize, judged: &Judged<'_>, facts: &mut Facts) -> Diagram {
        let rule = self.rule(position).filter(|rule| rule.effect == Effect::Allow);
        let Some(rule) = rule.filter(|rule| !rule.scopes().is_empty()) else {
            return Diagram::NEVER;
        };
        let found = self.found(position, Scopes::Granted, judged, facts).yes;
        let scopes = rule.scopes().iter().cloned().map(Fact::Scope);
        let held = facts.asks_any(scopes, Unclear::Scopes);
        facts.diagrams.and(found, held.no)
    }

    /// What the policy decides about a target, of these rules.
    pub(super) fn decide(
        &mut self,
        target: &Target,
        request: &AccessRequest<'_>,
        relevant: &[usize],
        facts: &mut Facts,
    ) -> Outcomes {
        let policy = self.policy;
        let judged = Judged::new(policy, target, request);
        let parts = relevant.iter().map(|position| Part {
            rule: *position,
            found: self.found(*position, Scopes::Held, &judged, facts),
            lacking: self.lacking(*position, &judged, facts),
        });
        let parts: Vec<Part> = parts.collect();
        let combined = Combined::of(policy, &parts, facts);
        let mut outcomes = combined.outcomes(facts);
        outcomes.limits = combined.limits(facts);
        outcomes.set = combined.set(target.kind, facts);
        outcomes.parts = parts;
        outcomes
    }
}

/// The rules of one target by their effects.
struct Combined<'p> {
    denied: Diagram,
    unclear: Diagram,
    granted: Diagram,
    grants: Vec<(&'p Rule, Diagram)>,
    lacking: Vec<(&'p Rule, Diagram)>,
    requires: Vec<(&'p Needs, Diagram)>,
    limited: Vec<(&'p Effect, Diagram)>,
}

impl<'p> Combined<'p> {
    fn of(policy: &'p Policy, parts: &[Part], facts: &mut Facts) -> Self {
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

    fn outcomes(&self, facts: &mut Facts) -> Outcomes {
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

    fn limits(&self, facts: &mut Facts) -> Vec<(Effect, Diagram)> {
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
    fn set(
        &self,
        kind: ActionKind,
        facts: &mut Facts,
    ) -> BTreeMap<(Setting, Arc<str>), Vec<(Template, Diagram)>> {
        let mut set: BTreeMap<(Setting, Arc<str>), Vec<(Template, Diagram)>> = BTreeMap::new();
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
fn missing(needs: &Needs, facts: &mut Facts) -> Diagram {
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

/// Gives the facts of a rule their numbers, whatever the target.
pub(super) fn register(rule: &Rule, facts: &mut Facts) {
    if let Some(place) = &rule.place {
        condition::place(place, facts);
    }
    if let Some(when) = &rule.when {
        condition::when(when, facts);
    }
    if let Some(who) = &rule.who {
        condition::who(who, Scopes::Held, facts);
    }
    if let Some(what) = &rule.what {
        condition::register_what(what, facts);
    }
    if let Some(expression) = &rule.expression {
        condition::asks_expression(expression, facts);
    }
    if let Effect::Require(needs) = &rule.effect {
        missing(needs, facts);
    }
}
