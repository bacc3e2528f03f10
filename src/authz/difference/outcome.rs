//! What a policy decides about one target, as functions of facts. This combines rules as
//! `evaluation.rs` does.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use super::combined::{Placed, missing};
use super::condition;
use super::diagram::Diagram;
use super::fact::{Answer, Fact, Facts, Unclear};
use super::target::{Judged, Target};
use crate::authz::assignment::Assignments;
use crate::authz::matching::Match;
use crate::authz::policy::Policy;
use crate::authz::request::ActionKind;
use crate::authz::rule::{Effect, Mode, Rule};
use crate::authz::selectors::Scopes;

/// One policy of two, with the conditions of its rules as far as they are known.
pub(super) struct Side<'p> {
    pub(super) policy: &'p Policy,
    /// The enforced rules that may be about a server.
    on_servers: HashMap<Arc<str>, Arc<[usize]>>,
    /// The parts of each rule that are the same for all targets.
    common: HashMap<usize, Answer>,
    granted: HashMap<usize, Answer>,
}

impl<'p> Side<'p> {
    pub(super) fn new(policy: &'p Policy) -> Self {
        Side {
            policy,
            on_servers: HashMap::new(),
            common: HashMap::new(),
            granted: HashMap::new(),
        }
    }

    /// The enforced rules that may be about a server.
    pub(super) fn on_server(&mut self, server: &Arc<str>) -> Arc<[usize]> {
        if let Some(known) = self.on_servers.get(server) {
            return Arc::clone(known);
        }
        let rules = self.policy.rules().iter().enumerate();
        let rules = rules.filter(|(_, rule)| {
            let what = rule.what.as_ref();
            rule.mode == Mode::Enforce && what.is_none_or(|what| what.covers_server(server))
        });
        let found: Arc<[usize]> = rules.map(|(position, _)| position).collect();
        self.on_servers
            .insert(Arc::clone(server), Arc::clone(&found));
        found
    }

    pub(super) fn rule(&self, position: usize) -> Option<&'p Rule> {
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

    /// Where a rule matches a target.
    pub(super) fn placed(
        &mut self,
        position: usize,
        judged: &Judged<'_>,
        facts: &mut Facts,
    ) -> Option<Placed<'p>> {
        let rule = self.rule(position)?;
        let sets_class = rule.set.as_ref().is_some_and(Assignments::read_class);
        Some(Placed {
            rule,
            found: self.found(position, Scopes::Held, judged, facts),
            lacking: self.lacking(position, judged, facts),
            counter: 0,
            class: if sets_class && judged.other_class.is_some() {
                judged.tables
            } else {
                0
            },
        })
    }

    /// Each rule that may matter for a target, with its position.
    pub(super) fn decide(
        &mut self,
        target: &Target,
        judged: &Judged<'_>,
        facts: &mut Facts,
    ) -> Vec<(usize, Placed<'p>)> {
        let policy = self.policy;
        let mut all = Vec::new();
        for position in self.on_server(&target.server).iter() {
            let rule = self.rule(*position);
            if rule.is_some_and(|rule| may_matter(rule, judged, policy)) {
                let placed = self.placed(*position, judged, facts);
                all.extend(placed.map(|placed| (*position, placed)));
            }
        }
        all
    }

    /// Where the limit of a rule counts a target.
    pub(super) fn taken(
        &mut self,
        position: usize,
        judged: &Judged<'_>,
        tables: &Policy,
        facts: &mut Facts,
    ) -> Diagram {
        let rule = self.rule(position);
        if rule.is_some_and(|rule| may_matter(rule, judged, tables)) {
            self.found(position, Scopes::Held, judged, facts).yes
        } else {
            Diagram::NEVER
        }
    }
}

/// Whether a rule about the server may matter, by what it says of the call alone. `classes` has the
/// tables.
pub(super) fn may_matter(rule: &Rule, judged: &Judged<'_>, classes: &Policy) -> bool {
    let request = judged.asked.request;
    let what = rule.what.as_ref();
    match (&rule.effect, request.action.kind) {
        (Effect::Allow, ActionKind::Open) => classes.may_serve_on(rule, request),
        (Effect::Allow, ActionKind::Unknown) if !rule.names_method(request) => false,
        (
            Effect::Allow | Effect::Deny | Effect::Require(_) | Effect::Limit(_) | Effect::Open(_),
            _,
        ) => {
            rule.fits_kind(request.resource)
                && what.is_none_or(|what| what.matches_names(&judged.asked) != Match::No)
        }
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
        condition::asks_expression(expression, None, facts);
    }
    if let Effect::Require(needs) = &rule.effect {
        missing(needs, facts);
    }
}
