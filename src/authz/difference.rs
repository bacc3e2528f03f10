//! Whose access changes between two policies: computed from the rules, not by trying requests.
//!
//! For each [`Target`] (a method on a server, and what it reaches) a policy is a function of facts:
//! whether the caller is in a group, whether the call comes from a network, whether an expression is
//! true. Both functions are built as decision diagrams, with the facts that any rule of either policy
//! asks for. Where they differ is again a diagram, from which the changes are read.
//!
//! Facts of different kinds count as independent, and expressions and arguments as opaque: two are
//! the same if they are written alike. What depends on each other is in `possible.rs`: a subject has
//! one id, networks nest, and all clocks show one moment.
//!
//! What needs no rule of its own because it belongs to something that was allowed is left out, and so
//! are shadow rules.

mod change;
mod condition;
mod describe;
mod diagram;
mod fact;
mod give_up;
mod given;
mod moments;
mod outcome;
mod outcomes;
mod possible;
mod recall;
mod replay;
mod target;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

pub use change::{Change, ChangeKind, Situation};
pub use diagram::FactId;
pub use fact::{Fact, Unclear};
pub use given::{Given, GivenArguments};
pub use recall::{Recalled, RecalledFinding, RecalledRule};
pub use replay::{RecordedOutcome, Replayed};
pub use target::{Target, TargetResource};

use super::glob::{self, Glob};
use super::policy::Policy;
use super::rule::Rule;
use super::subject::Subject;
use change::Decided;
use describe::Described;
use diagram::Diagram;
use fact::Facts;
use give_up::GiveUp;
use outcome::Side;
use outcomes::Outcomes;
use possible::Groups;

/// The most nodes of all diagrams together.
const NODES_MAX: usize = 4_000_000;

/// One name for each set of patterns that some name fits together and that is none of `taken`, with
/// the positions of the patterns. `None` if the patterns are too many to be told apart.
#[must_use]
pub fn representative_names(
    patterns: &[&Glob],
    taken: &BTreeSet<&str>,
) -> Option<Vec<(String, Vec<usize>)>> {
    let found = glob::representatives(patterns, taken)?;
    Some(found.into_iter().map(|one| (one.name, one.fits)).collect())
}

/// Why a difference is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the rules depend on each other in too many ways to be compared")]
pub struct TooComplex;

/// Two policies, compared target by target.
pub struct Comparison<'p> {
    old: Side<'p>,
    new: Side<'p>,
    facts: Facts,
    from: Timestamp,
    nobody: Subject,
    /// Which facts go together, from the moment on, and at any time.
    groups: Option<Groups>,
    timeless: Option<Groups>,
    /// For each rule of the new policy the one of the old that says the same.
    same: HashMap<usize, usize>,
}

impl std::fmt::Debug for Comparison<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Comparison").finish_non_exhaustive()
    }
}

/// What both policies decide about one target.
#[derive(Debug)]
struct Both {
    old: Outcomes,
    new: Outcomes,
}

impl<'p> Comparison<'p> {
    /// Compares what the policies decide at any moment from `from` on.
    #[must_use]
    pub fn new(old: &'p Policy, new: &'p Policy, from: Timestamp) -> Self {
        Self::within(old, new, from, NODES_MAX)
    }

    /// Likewise, with fewer nodes: what takes more is not known.
    #[must_use]
    pub fn within(old: &'p Policy, new: &'p Policy, from: Timestamp, nodes_max: usize) -> Self {
        let mut facts = Facts::new(nodes_max);
        order(&[old, new], &mut facts);
        Comparison {
            same: same_rules(old, new),
            old: Side::new(old),
            new: Side::new(new),
            facts,
            from,
            nobody: target::nobody(),
            groups: None,
            timeless: None,
        }
    }

    /// Gives up once this says that nobody wants the result any more: what is left is not known then.
    #[must_use]
    pub fn until(mut self, is_over: Arc<dyn Fn() -> bool + Send + Sync>) -> Self {
        self.facts.diagrams.give_up_when(GiveUp(is_over));
        self
    }

    /// Whether nobody wants the result any more.
    #[must_use]
    pub fn is_given_up(&self) -> bool {
        self.facts.diagrams.is_given_up()
    }

    /// The moment from which on decisions are compared.
    #[must_use]
    pub fn from(&self) -> Timestamp {
        self.from
    }

    /// The fact of a number.
    #[must_use]
    pub fn fact(&self, id: FactId) -> Option<&Fact> {
        self.facts.get(id)
    }

    /// Every change for a target: for any caller, or for one of whom something is given.
    ///
    /// # Errors
    /// If the rules are too many and too different to be compared.
    pub fn changes(
        &mut self,
        target: &Target,
        given: Option<&Given>,
    ) -> Result<Vec<Change>, TooComplex> {
        let nobody = self.nobody.clone();
        let request = target.request(&nobody);
        let old = self.old.relevant(target, &request);
        let new = self.new.relevant(target, &request);
        let is_same = old.len() == new.len()
            && old
                .iter()
                .zip(&new)
                .all(|(old, new)| self.same.get(new) == Some(old));
        if is_same && self.old.policy.class_of(&request) == self.new.policy.class_of(&request) {
            return Ok(Vec::new());
        }
        let both = Both {
            old: self.old.decide(target, &request, &old, &mut self.facts),
            new: self.new.decide(target, &request, &new, &mut self.facts),
        };
        let possible = self.possible(&both, true);
        let changes = self.describe(&both, given, possible);
        if self.facts.diagrams.is_full() {
            return Err(TooComplex);
        }
        Ok(changes)
    }

    /// Where the facts that both outcomes depend on can be as they are: at any time, or from the
    /// moment on from which decisions are compared.
    fn possible(&mut self, both: &Both, with_time: bool) -> Diagram {
        let all = both.old.diagrams().chain(both.new.diagrams());
        let support = self.facts.diagrams.support(all);
        self.possible_for(&support, with_time)
    }

    /// Where these facts can be as they are.
    fn possible_for(&mut self, support: &BTreeSet<FactId>, with_time: bool) -> Diagram {
        let known = if with_time {
            &mut self.groups
        } else {
            &mut self.timeless
        };
        let count = self.facts.count();
        let groups = match known.take().filter(|known| known.facts == count) {
            Some(groups) => groups,
            None => Groups::of(&self.facts, with_time.then_some(self.from)),
        };
        let possible = groups.possible(support, &mut self.facts);
        *known = Some(groups);
        possible
    }

    fn describe(&mut self, both: &Both, given: Option<&Given>, possible: Diagram) -> Vec<Change> {
        let facts = &mut self.facts;
        let known: HashMap<FactId, bool> = given.map_or_else(HashMap::new, |given| {
            let known = facts.iter();
            known
                .filter_map(|(id, fact)| Some((id, given.fact(fact)?)))
                .collect()
        });
        let (old, new) = (Decided::of(&both.old), Decided::of(&both.new));
        let causes = change::causes(
            (self.old.policy, &both.old.parts),
            (self.new.policy, &both.new.parts),
            facts,
        );
        let mut work = Described {
            facts,
            known,
            possible,
            new,
            changes: Vec::new(),
        };
        work.possible = work.narrowed(possible);
        for (kind, region) in change::regions(old, new, work.facts) {
            work.describe(kind, region, &causes);
        }
        let challenged = work.facts.diagrams.and(old.challenge, new.challenge);
        let asks = differing(&both.old.asks, &both.new.asks, work.facts);
        let asks = work.facts.diagrams.and(challenged, asks);
        work.describe(ChangeKind::AsksElse, asks, &causes);
        let allowed = work.facts.diagrams.and(old.allow, new.allow);
        let limits = differing(&both.old.limits, &both.new.limits, work.facts);
        let limits = work.facts.diagrams.and(allowed, limits);
        let rules = (self.old.policy.rules(), self.new.policy.rules());
        work.describe_limits(limits, &causes, rules);
        let set = set_differently(&both.old, &both.new, work.facts);
        let set = work.facts.diagrams.and(allowed, set);
        work.describe(ChangeKind::SetsElse, set, &causes);
        work.changes
    }
}

/// Where two lists of what holds where differ.
fn differing<T: PartialEq>(
    old: &[(T, Diagram)],
    new: &[(T, Diagram)],
    facts: &mut Facts,
) -> Diagram {
    let of = |list: &[(T, Diagram)], wanted: &T| {
        let found = list.iter().find(|(one, _)| one == wanted);
        found.map_or(Diagram::NEVER, |(_, holds)| *holds)
    };
    let mut all = Vec::new();
    for (one, holds) in old {
        all.push(facts.diagrams.xor(*holds, of(new, one)));
    }
    for (one, holds) in new
        .iter()
        .filter(|(one, _)| old.iter().all(|(old, _)| old != one))
    {
        all.push(facts.diagrams.xor(*holds, of(old, one)));
    }
    facts.diagrams.any(all)
}

/// Where some header or fact is set to something else.
fn set_differently(old: &Outcomes, new: &Outcomes, facts: &mut Facts) -> Diagram {
    let names: BTreeSet<_> = old.set.keys().chain(new.set.keys()).collect();
    let mut all = Vec::new();
    for name in names {
        let of = |outcomes: &Outcomes| outcomes.set.get(name).cloned().unwrap_or_default();
        all.push(differing(&of(old), &of(new), facts));
    }
    facts.diagrams.any(all)
}

/// For each rule of the new policy the one of the old that says the same, whatever its id.
fn same_rules(old: &Policy, new: &Policy) -> HashMap<usize, usize> {
    let mut by_id: HashMap<&Arc<str>, usize> = HashMap::new();
    for (at, rule) in old.rules().iter().enumerate() {
        by_id.insert(&rule.id, at);
    }
    let pairs = new.rules().iter().enumerate();
    let pairs = pairs.filter_map(|(at, rule)| {
        let before = *by_id.get(&rule.id)?;
        old.rules()
            .get(before)?
            .decides_like(rule)
            .then_some((at, before))
    });
    pairs.collect()
}

/// Gives the facts their order in the diagrams: those of one rule stand together, and rules with the
/// same context follow each other, so that a sum of many rules stays small.
fn order(policies: &[&Policy], facts: &mut Facts) {
    let rules = policies.iter().flat_map(|policy| policy.rules());
    let mut rules: Vec<(String, &Rule)> = rules
        .map(|rule| (format!("{:?} {:?}", rule.place, rule.when), rule))
        .collect();
    rules.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (_, rule) in rules {
        outcome::register(rule, facts);
    }
}

#[cfg(test)]
mod tests;
