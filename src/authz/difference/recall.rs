//! What a policy decides about a request of which only a record is left, rule by rule.
//!
//! What the record does not hold stays open: a decision that depends on it is one of several, and the
//! facts that it depends on are named.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::combined::{Placed, Sums, missing};
use super::diagram::{Diagram, FactId};
use super::fact::{Answer, Fact, Facts, Unclear};
use super::given::Given;
use super::outcome::may_matter;
use super::outcomes::Status;
use super::replay::RecordedOutcome;
use super::target::{Judged, Target};
use super::{Comparison, TooComplex, condition};
use crate::authz::classified::ClassifiedRequest;
use crate::authz::explain::parts::{
    needs_parts, what_parts, when_parts, where_parts, who_parts, why_parts,
};
use crate::authz::matching::Match;
use crate::authz::policy::Policy;
use crate::authz::request::{AccessRequest, ActionKind};
use crate::authz::rule::{Effect, Mode, Rule};
use crate::authz::selectors::{Scopes, What};
use crate::authz::uri::UriCell;

/// What a policy decides, as far as a record tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recalled {
    /// The class that the policy gives the tool.
    pub class: Option<Arc<str>>,
    /// Every way in which it may end.
    pub outcomes: Vec<RecordedOutcome>,
    /// What the decision depends on, if more than one is possible.
    pub depends_on: Vec<FactId>,
    /// The limits that must have room where it is allowed.
    pub limits: Vec<Arc<str>>,
    /// Whether the protocol does not have the method, and no allow rule names it.
    pub is_method_unknown: bool,
    /// The rules that certainly bring it about, if it can end in one way only.
    pub determining: Vec<Arc<str>>,
    /// Every rule, in file order.
    pub rules: Vec<RecalledRule>,
}

/// How one rule comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecalledRule {
    /// Its position in the policy.
    pub rule: usize,
    /// Whether it matches.
    pub found: RecalledFinding,
    /// Its selectors, each judged by itself; of a rule that matches, also what it requires.
    pub selectors: Vec<(String, RecalledFinding)>,
}

/// How a rule or a selector comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecalledFinding {
    /// Whether it holds; [`Match::Unknown`] if it depends on what is not known.
    pub found: Match,
    /// What it depends on.
    pub depends_on: Vec<FactId>,
}

/// How the names of what a rule requires begin.
const NEEDS: &str = "needs.";

/// How a request may end without a look at limits.
const OUTCOMES: [RecordedOutcome; 6] = [
    RecordedOutcome::Allowed,
    RecordedOutcome::Challenged,
    RecordedOutcome::DeniedByRule,
    RecordedOutcome::Indeterminate,
    RecordedOutcome::NoRule,
    RecordedOutcome::Unprovable,
];

/// The decision that an outcome is of: allowed, challenged or denied.
fn decision_of(outcome: RecordedOutcome) -> u8 {
    match outcome {
        RecordedOutcome::Allowed => 0,
        RecordedOutcome::Challenged => 1,
        RecordedOutcome::DeniedByRule
        | RecordedOutcome::Indeterminate
        | RecordedOutcome::NoRule
        | RecordedOutcome::Unprovable
        | RecordedOutcome::RateLimited => 2,
    }
}

impl Comparison<'_> {
    /// What the new policy decides about a request of which this is given.
    ///
    /// # Errors
    /// If the rules are too many and too different to be judged together.
    pub fn recall(&mut self, target: &Target, given: &Given) -> Result<Recalled, TooComplex> {
        let nobody = self.nobody.clone();
        let request = target.request(&nobody, 1);
        let policy = self.new.policy;
        let (requests, none) = ([request, request], BTreeSet::new());
        let [judged, _] = Judged::both([policy; 2], target, &requests, &none);
        let parts = self.new.decide(target, &judged, &mut self.facts);
        let parts: Vec<Placed<'_>> = parts.into_iter().map(|(_, placed)| placed).collect();
        let status = Sums::of(parts.iter(), &mut self.facts).status(&mut self.facts);
        let mut rules = self.each_rule(&judged);
        let known: HashMap<FactId, bool> = self
            .facts
            .iter()
            .filter_map(|(id, fact)| {
                let known = given
                    .fact(fact)
                    .or_else(|| of_arguments(given, fact, &judged));
                Some((id, known?))
            })
            .collect();
        let mut work = Work {
            facts: &mut self.facts,
            known: &known,
            cases: Diagram::ALWAYS,
        };
        let ends = OUTCOMES.map(|outcome| (outcome, work.ends(status, outcome)));
        for (found, selectors) in &mut rules {
            *found = work.narrowed(*found);
            for (_, own) in selectors {
                *own = work.narrowed(*own);
            }
        }
        let answers = rules.iter().flat_map(|(found, selectors)| {
            let selectors = selectors.iter().map(|(_, own)| *own);
            std::iter::once(*found).chain(selectors)
        });
        let answers = answers.flat_map(|answer| [answer.yes, answer.no]);
        let all: Vec<Diagram> = answers.chain(ends.iter().map(|(_, end)| *end)).collect();
        let support = self.facts.diagrams.support(all);
        let cases = self.possible_for(&support, false);
        let mut work = Work {
            facts: &mut self.facts,
            known: &known,
            cases,
        };
        let mut recalled = work.recalled(&parts, &ends);
        recalled.is_method_unknown = is_method_unknown(policy, &request);
        recalled.class = judged.asked.class.known().map(Arc::from);
        recalled.rules = rules
            .into_iter()
            .enumerate()
            .map(|(rule, (found, selectors))| {
                let found = work.settled(found);
                let is_shown = |name: &str| found.found == Match::Yes || !name.starts_with(NEEDS);
                let selectors = selectors.into_iter().filter(|(name, _)| is_shown(name));
                RecalledRule {
                    rule,
                    selectors: selectors
                        .map(|(name, own)| (name, work.settled(own)))
                        .collect(),
                    found,
                }
            })
            .collect();
        if self.facts.diagrams.is_full() {
            return Err(TooComplex);
        }
        Ok(recalled)
    }

    /// Where each rule of the new policy matches, and each of its selectors.
    fn each_rule(&mut self, judged: &Judged<'_>) -> Vec<(Answer, Vec<(String, Answer)>)> {
        let mut rules = Vec::new();
        let policy = self.new.policy;
        for (position, rule) in policy.rules().iter().enumerate() {
            let what = rule.what.as_ref();
            let is_on_server =
                what.is_none_or(|what| what.covers_server(judged.asked.request.server));
            let found = if is_on_server && may_matter(rule, judged, policy) {
                self.new
                    .found(position, Scopes::Held, judged, &mut self.facts)
            } else {
                Answer::NO
            };
            rules.push((found, selectors(rule, judged, &mut self.facts)));
        }
        rules
    }
}

/// Whether the protocol does not have the method, and no allow rule names it.
fn is_method_unknown(policy: &Policy, request: &AccessRequest<'_>) -> bool {
    let is_allow = |rule: &&Rule| rule.effect == Effect::Allow && rule.mode == Mode::Enforce;
    let mut allows = policy.rules().iter().filter(is_allow);
    request.action.kind == ActionKind::Unknown && !allows.any(|rule| rule.names_method(request))
}

/// What is known, and the cases that are left.
struct Work<'f> {
    facts: &'f mut Facts,
    known: &'f HashMap<FactId, bool>,
    cases: Diagram,
}

impl Work<'_> {
    fn narrow(&mut self, of: Diagram) -> Diagram {
        let known = self.known;
        let known = |fact: FactId| known.get(&fact).copied();
        self.facts.diagrams.given(of, &known)
    }

    fn narrowed(&mut self, answer: Answer) -> Answer {
        Answer {
            yes: self.narrow(answer.yes),
            no: self.narrow(answer.no),
        }
    }

    /// Where a request ends so.
    fn ends(&mut self, status: Status, outcome: RecordedOutcome) -> Diagram {
        let (denied, unclear) = (status.denied, status.unclear);
        let ends = match outcome {
            RecordedOutcome::Allowed => status.allow,
            RecordedOutcome::Challenged => status.challenge,
            RecordedOutcome::DeniedByRule => denied,
            RecordedOutcome::Indeterminate => unclear,
            RecordedOutcome::NoRule | RecordedOutcome::Unprovable => {
                let deny = status.deny(self.facts);
                let refused = self.facts.diagrams.or(denied, unclear);
                let rest = self.facts.diagrams.minus(deny, refused);
                if outcome == RecordedOutcome::Unprovable {
                    self.facts.diagrams.and(rest, status.granted)
                } else {
                    self.facts.diagrams.minus(rest, status.granted)
                }
            }
            // Whether there was room is not known to any policy.
            RecordedOutcome::RateLimited => Diagram::NEVER,
        };
        self.narrow(ends)
    }

    fn may(&mut self, of: Diagram) -> bool {
        self.facts.diagrams.and(self.cases, of) != Diagram::NEVER
    }

    fn is_sure(&mut self, of: Diagram) -> bool {
        self.facts.diagrams.minus(self.cases, of) == Diagram::NEVER
    }

    fn recalled(&mut self, parts: &[Placed<'_>], ends: &[(RecordedOutcome, Diagram)]) -> Recalled {
        let mut outcomes = Vec::new();
        let mut open = Vec::new();
        for (outcome, end) in ends {
            if self.may(*end) {
                outcomes.push(*outcome);
                open.push(*end);
            }
        }
        let decisions: BTreeSet<u8> = outcomes.iter().map(|one| decision_of(*one)).collect();
        if decisions.len() < 2 {
            open.clear();
        }
        let rules = match outcomes.as_slice() {
            [only] => self.determining(parts, *only),
            _ => Vec::new(),
        };
        let allowed = ends
            .iter()
            .find(|(outcome, _)| *outcome == RecordedOutcome::Allowed);
        let allowed = allowed.map_or(Diagram::NEVER, |(_, end)| *end);
        let mut limits = Vec::new();
        for part in parts {
            let rule = part.rule;
            if !matches!(rule.effect, Effect::Limit(_) | Effect::Open(_)) {
                continue;
            }
            let limited = self.narrow(part.found.yes);
            let limited = self.facts.diagrams.and(allowed, limited);
            if self.may(limited) {
                limits.push(Arc::clone(&rule.id));
            }
        }
        if !limits.is_empty() {
            outcomes.push(RecordedOutcome::RateLimited);
        }
        Recalled {
            class: None,
            outcomes,
            depends_on: self.facts.diagrams.support(open).into_iter().collect(),
            limits,
            is_method_unknown: false,
            determining: rules,
            rules: Vec::new(),
        }
    }

    /// The rules that certainly bring the one outcome about.
    fn determining(&mut self, parts: &[Placed<'_>], outcome: RecordedOutcome) -> Vec<Arc<str>> {
        let mut rules = Vec::new();
        for part in parts {
            let rule = part.rule;
            let found = self.narrowed(part.found);
            let matches = self.is_sure(found.yes);
            let brings = match outcome {
                RecordedOutcome::Allowed => matches && rule.effect != Effect::Deny,
                RecordedOutcome::DeniedByRule => matches && rule.effect == Effect::Deny,
                RecordedOutcome::Indeterminate => {
                    let clear = self.facts.diagrams.or(found.yes, found.no);
                    rule.effect != Effect::Allow && !self.may(clear)
                }
                RecordedOutcome::Challenged | RecordedOutcome::Unprovable => {
                    let unmet = match &rule.effect {
                        Effect::Require(needs) => {
                            let missing = missing(needs, self.facts);
                            self.facts.diagrams.and(part.found.yes, missing)
                        }
                        Effect::Allow | Effect::Deny | Effect::Limit(_) | Effect::Open(_) => {
                            part.lacking
                        }
                    };
                    let unmet = self.narrow(unmet);
                    self.is_sure(unmet)
                }
                RecordedOutcome::NoRule | RecordedOutcome::RateLimited => false,
            };
            if brings {
                rules.push(Arc::clone(&rule.id));
            }
        }
        rules
    }

    fn settled(&mut self, answer: Answer) -> RecalledFinding {
        let Answer { yes, no } = answer;
        let found = if self.is_sure(yes) {
            Match::Yes
        } else if self.is_sure(no) {
            Match::No
        } else {
            let clear = self.facts.diagrams.or(yes, no);
            if self.may(clear) {
                Match::Unknown
            } else {
                Match::Indeterminate
            }
        };
        let open = (found == Match::Unknown).then_some([yes, no]);
        let support = self.facts.diagrams.support(open.into_iter().flatten());
        RecalledFinding {
            found,
            depends_on: support.into_iter().collect(),
        }
    }
}

/// Whether a fact about the arguments holds, if they are known.
fn of_arguments(given: &Given, fact: &Fact, judged: &Judged<'_>) -> Option<bool> {
    let known = given.arguments.as_ref()?;
    let (selector, wanted) = if let Fact::Argument(selector) = fact {
        (selector, Match::Yes)
    } else if let Fact::Unclear(Unclear::Argument(selector)) = fact {
        (selector, Match::Indeterminate)
    } else {
        return None;
    };
    let mut request = *judged.asked.request;
    request.arguments = known.arguments.as_ref();
    request.context.defaults = known.defaults.as_ref();
    let asked = ClassifiedRequest {
        request: &request,
        class: judged.asked.class,
        arguments_open: false,
        uri: UriCell::default(),
    };
    let alone = What {
        arguments: Box::new([selector.clone()]),
        ..What::default()
    };
    Some(alone.matches(&asked) == wanted)
}

/// Each selector of a rule by itself, under the names that an explanation has for them.
fn selectors(rule: &Rule, judged: &Judged<'_>, facts: &mut Facts) -> Vec<(String, Answer)> {
    let mut all = Vec::new();
    for (name, part) in rule.who.iter().flat_map(who_parts) {
        let own = condition::who(&part, Scopes::Held, facts);
        all.push((format!("who.{name}"), own));
    }
    if !rule.fits_kind(judged.asked.request.resource) {
        let name = "what (another kind of resource)";
        all.push((name.to_owned(), Answer::NO));
    }
    for (name, part) in rule.what.iter().flat_map(what_parts) {
        let own = condition::what(&part, judged, facts);
        all.push((format!("what.{name}"), own));
    }
    for (name, part) in rule.when.iter().flat_map(when_parts) {
        all.push((format!("when.{name}"), condition::when(&part, facts)));
    }
    for (name, part) in rule.place.iter().flat_map(where_parts) {
        all.push((format!("where.{name}"), condition::place(&part, facts)));
    }
    for (name, part) in rule.why.iter().flat_map(why_parts) {
        all.push((format!("why.{name}"), condition::why(&part, judged, facts)));
    }
    if let Effect::Require(needs) = &rule.effect {
        for (name, part) in needs_parts(needs) {
            let lacks = missing(&part, facts);
            let own = Answer {
                yes: facts.diagrams.not(lacks),
                no: lacks,
            };
            all.push((format!("{NEEDS}{name}"), own));
        }
    }
    if let Effect::Limit(_) | Effect::Open(_) = rule.effect {
        all.push(("limit".to_owned(), condition::counts(rule, judged, facts)));
    }
    if let Some(expression) = &rule.expression {
        let own = condition::expression(expression, judged, facts);
        all.push(("if".to_owned(), own));
    }
    all
}
