//! What another policy would have decided about a request of which only a record is left.

use std::collections::HashMap;
use std::sync::Arc;

use super::combined::{self, Placed, Sums};
use super::counters::Counters;
use super::diagram::{Diagram, FactId};
use super::fact::Facts;
use super::given::Given;
use super::outcomes::Outcomes;
use super::target::{Judged, Target};
use super::{Comparison, TooComplex};

/// How a recorded request ended, by the reason of its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordedOutcome {
    /// `allowed`.
    Allowed,
    /// `denied_by_rule`.
    DeniedByRule,
    /// `indeterminate`.
    Indeterminate,
    /// `no_matching_rule` or `unknown_method`.
    NoRule,
    /// `sender_constraint_required`.
    Unprovable,
    /// `rate_limited`.
    RateLimited,
    /// `insufficient_scope` or `step_up_required`.
    Challenged,
}

/// What becomes of a recorded request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Replayed {
    /// It ends alike: allowed, challenged or denied.
    Same,
    /// It is allowed, if its limits have room.
    Allowed,
    /// It is challenged.
    Challenged,
    /// It is denied.
    Denied,
    /// It is denied or challenged.
    Stopped,
    /// The record does not tell enough.
    Unknown,
}

impl Comparison<'_> {
    /// What the new policy decides about a request that is recorded as ended so. If the record is of
    /// the old policy, the rules that it names (`rules`) tell more of the caller.
    ///
    /// # Errors
    /// If the rules are too many and too different to be compared.
    pub fn replay(
        &mut self,
        target: &Target,
        given: &Given,
        (outcome, rules): (RecordedOutcome, &[String]),
        is_of_old: bool,
    ) -> Result<Replayed, TooComplex> {
        let nobody = self.nobody.clone();
        let requests = [0, 1].map(|side| target.request(&nobody, side));
        let among = Arc::clone(&self.among);
        let policies = [self.old.policy, self.new.policy];
        let [was, is] = Judged::both(policies, target, &requests, &among.recounted);
        let mut counters = Counters::new(target, Arc::clone(&among));
        let mut parts = self.old.decide(target, &was, &mut self.facts);
        for (position, placed) in &mut parts {
            self.number(placed, [0, *position], 0, &mut counters);
        }
        let mut new_parts = self.new.decide(target, &is, &mut self.facts);
        for (position, placed) in &mut new_parts {
            self.number(placed, [1, *position], 1, &mut counters);
        }
        let classes = [&was, &is].map(|judged| judged.asked.class.known().map(Arc::from));
        let [old, new] = [&parts, &new_parts].map(|parts| {
            let placed: Vec<Placed<'_>> = parts.iter().map(|(_, placed)| *placed).collect();
            let status = Sums::of(placed.iter(), &mut self.facts).status(&mut self.facts);
            combined::outcomes(target.kind, &placed, (status, &classes), &mut self.facts)
        });
        let of_parts = parts.iter().chain(&new_parts);
        let of_parts = of_parts.flat_map(|(_, part)| [part.found.yes, part.found.no, part.lacking]);
        let all = old.diagrams().chain(new.diagrams()).chain(of_parts);
        let mut cases = self.possible(all.collect(), false);
        let facts = &mut self.facts;
        let known: HashMap<FactId, bool> = facts
            .iter()
            .filter_map(|(id, fact)| Some((id, given.fact(fact)?)))
            .collect();
        if is_of_old {
            let told = told(&old, outcome, facts);
            cases = facts.diagrams.and(cases, told);
            let matched = matched(&parts, outcome, rules, facts);
            cases = facts.diagrams.and(cases, matched);
        }
        let cases = facts
            .diagrams
            .given(cases, &|fact| known.get(&fact).copied());
        let narrow = |of: Diagram, facts: &mut Facts| {
            facts.diagrams.given(of, &|fact| known.get(&fact).copied())
        };
        let (allow, challenge) = (new.status.allow, new.status.challenge);
        let is_allowed = narrow(allow, facts);
        let is_challenged = narrow(challenge, facts);
        let is_limited = if is_of_old {
            old.limited_differently(&new, &counters, facts)
        } else {
            let limits: Vec<Diagram> = new.limits.iter().map(|(_, holds)| *holds).collect();
            facts.diagrams.any(limits)
        };
        let is_limited = narrow(is_limited, facts);
        let found = Cases {
            may_allow: facts.diagrams.and(cases, is_allowed) != Diagram::NEVER,
            may_challenge: facts.diagrams.and(cases, is_challenged) != Diagram::NEVER,
            may_deny: {
                let passes = facts.diagrams.or(is_allowed, is_challenged);
                facts.diagrams.minus(cases, passes) != Diagram::NEVER
            },
            may_limit: facts.diagrams.and(cases, is_limited) != Diagram::NEVER,
        };
        if facts.diagrams.is_full() {
            return Err(TooComplex);
        }
        Ok(found.judge(outcome, is_of_old))
    }
}

/// What the new policy may decide about the cases that fit a record.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent possibility"
)]
struct Cases {
    may_allow: bool,
    may_challenge: bool,
    may_deny: bool,
    /// Whether a limit applies that did not let this request pass or stop.
    may_limit: bool,
}

impl Cases {
    fn judge(&self, outcome: RecordedOutcome, is_of_old: bool) -> Replayed {
        let is = match (self.may_allow, self.may_challenge, self.may_deny) {
            (true, false, false) => Replayed::Allowed,
            (false, true, false) => Replayed::Challenged,
            (false, false, true) => Replayed::Denied,
            (false, true, true) => Replayed::Stopped,
            // Nothing fits a record of which this does not know everything.
            (true, _, _) | (false, false, false) => Replayed::Unknown,
        };
        match (outcome, is) {
            (_, Replayed::Unknown | Replayed::Same)
            // It may be what it was.
            | (
                RecordedOutcome::DeniedByRule
                | RecordedOutcome::Indeterminate
                | RecordedOutcome::NoRule
                | RecordedOutcome::Unprovable
                | RecordedOutcome::RateLimited
                | RecordedOutcome::Challenged,
                Replayed::Stopped,
            ) => Replayed::Unknown,
            (RecordedOutcome::Allowed | RecordedOutcome::RateLimited, Replayed::Allowed)
                if self.may_limit =>
            {
                Replayed::Unknown
            }
            // No limit is left that could stop it.
            (RecordedOutcome::RateLimited, Replayed::Allowed) if !is_of_old => Replayed::Allowed,
            (RecordedOutcome::Allowed | RecordedOutcome::RateLimited, Replayed::Allowed)
            | (RecordedOutcome::Challenged, Replayed::Challenged)
            | (
                RecordedOutcome::DeniedByRule
                | RecordedOutcome::Indeterminate
                | RecordedOutcome::NoRule
                | RecordedOutcome::Unprovable
                | RecordedOutcome::RateLimited,
                Replayed::Denied,
            ) => Replayed::Same,
            (_, is) => is,
        }
    }
}

/// Where the old policy decides as recorded.
fn told(old: &Outcomes, outcome: RecordedOutcome, facts: &mut Facts) -> Diagram {
    let status = old.status;
    match outcome {
        RecordedOutcome::Allowed => status.allow,
        RecordedOutcome::DeniedByRule => status.denied,
        RecordedOutcome::Indeterminate => status.unclear,
        RecordedOutcome::Challenged => status.challenge,
        RecordedOutcome::NoRule => {
            let deny = status.deny(facts);
            let some = facts.diagrams.or(status.denied, status.unclear);
            let some = facts.diagrams.or(some, status.granted);
            facts.diagrams.minus(deny, some)
        }
        RecordedOutcome::Unprovable => {
            let deny = status.deny(facts);
            facts.diagrams.and(deny, status.granted)
        }
        RecordedOutcome::RateLimited => {
            let limits: Vec<Diagram> = old.limits.iter().map(|(_, holds)| *holds).collect();
            let limited = facts.diagrams.any(limits);
            facts.diagrams.and(status.allow, limited)
        }
    }
}

/// Where the rules match that the record says did.
fn matched(
    parts: &[(usize, Placed<'_>)],
    outcome: RecordedOutcome,
    rules: &[String],
    facts: &mut Facts,
) -> Diagram {
    let matched = match outcome {
        RecordedOutcome::Allowed | RecordedOutcome::DeniedByRule => rules,
        RecordedOutcome::Indeterminate
        | RecordedOutcome::NoRule
        | RecordedOutcome::Unprovable
        | RecordedOutcome::RateLimited
        | RecordedOutcome::Challenged => &[],
    };
    let mut all = Diagram::ALWAYS;
    for (_, part) in parts {
        if matched.iter().any(|name| **name == *part.rule.id) {
            all = facts.diagrams.and(all, part.found.yes);
        }
    }
    all
}
