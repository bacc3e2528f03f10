//! What a policy decides about one target, as functions of facts. This combines rules as
//! `evaluation.rs` does.

mod combined;

use foldhash::{HashMap, HashMapExt};

use combined::Combined;
pub(super) use combined::missing;

use super::condition;
use super::diagram::Diagram;
use super::fact::{Answer, Fact, Facts, Unclear};
use super::outcomes::{Outcomes, Part};
use super::target::{Judged, Target};
use crate::authz::matching::Match;
use crate::authz::policy::Policy;
use crate::authz::request::{AccessRequest, ActionKind};
use crate::authz::rule::{Effect, Mode, Rule};
use crate::authz::selectors::Scopes;

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

    pub(super) fn may_matter(&self, rule: &Rule, judged: &Judged<'_>) -> bool {
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
            ) => {
                rule.fits_kind(request.resource)
                    && what.is_none_or(|what| what.matches_names(&judged.asked) != Match::No)
            }
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
    pub(super) fn found(
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
            let mut who = who.map_or(Answer::NO, |who| condition::who(who, scopes, facts));
            if let Some(when) = &rule.when {
                let is_over = condition::is_over(when, facts);
                who = facts.and(who, is_over.negate());
            }
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
        let rule = self
            .rule(position)
            .filter(|rule| rule.effect == Effect::Allow);
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
