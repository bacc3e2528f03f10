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
mod combined;
mod condition;
mod counted;
mod counters;
mod describe;
mod diagram;
mod edits;
mod fact;
mod give_up;
mod given;
mod limits;
mod moments;
mod outcome;
mod outcomes;
mod possible;
mod recall;
mod replay;
mod target;
mod versions;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use jiff::Timestamp;

pub use change::{Cause, CauseKind, Change, ChangeKind, Detail, Situation};
pub use diagram::FactId;
pub use edits::matched_rules;
pub use fact::{AskedExpression, Fact, Unclear};
pub use given::{Given, GivenArguments};
pub use outcomes::{Ask, Setting};
pub use recall::{Recalled, RecalledFinding, RecalledRule};
pub use replay::{RecordedOutcome, Replayed};
pub use target::{Reach, Target, TargetResource};

use super::glob::{self, Glob};
use super::policy::Policy;
use super::rule::Rule;
use super::subject::Subject;
use combined::Placed;
use counters::{Among, Counters};
use describe::Described;
use diagram::Diagram;
use edits::{EditSet, Pairs};
use fact::Facts;
use give_up::GiveUp;
use outcome::Side;
use possible::Groups;
use target::Judged;
use versions::{Row, Versions};

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
    pairs: Pairs,
    among: Arc<Among>,
    /// Where the limit of a rule (side and position) counts each target, by the tables of a policy.
    taken: HashMap<([usize; 2], usize), Arc<[Diagram]>>,
}

impl std::fmt::Debug for Comparison<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Comparison").finish_non_exhaustive()
    }
}

/// A pair of rules that may matter, and in which versions: the old and the new rule, under the old and
/// the new class.
type Relevant = [[Option<usize>; 2]; 2];

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
            pairs: Pairs::of(old, new),
            old: Side::new(old),
            new: Side::new(new),
            facts,
            from,
            nobody: target::nobody(),
            groups: None,
            timeless: None,
            among: Arc::default(),
            taken: HashMap::new(),
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
        let Some(mut versions) = self.versions(target) else {
            return Ok(Vec::new());
        };
        let (before, all) = (EditSet::new(), versions.edits());
        let mut diagrams: Vec<Diagram> = Vec::new();
        for set in [&before, &all] {
            let outcomes = versions.whole(set, &mut self.facts);
            diagrams.extend(outcomes.diagrams());
        }
        diagrams.extend(versions.diagrams());
        let possible = self.possible(diagrams, true);
        let facts = &mut self.facts;
        let known: HashMap<FactId, bool> = given.map_or_else(HashMap::new, |given| {
            let known = facts.iter();
            known
                .filter_map(|(id, fact)| Some((id, given.fact(fact)?)))
                .collect()
        });
        let mut work = Described {
            known,
            possible,
            new: versions.status(&all, facts),
            facts,
            pairs: &self.pairs,
            versions: &mut versions,
            all,
            changes: Vec::new(),
        };
        work.possible = work.narrowed(possible);
        work.describe_all();
        let changes = work.changes;
        if self.facts.diagrams.is_full() {
            return Err(TooComplex);
        }
        Ok(changes)
    }

    /// Every version of a target. `None` if nothing differs for it.
    fn versions(&mut self, target: &Target) -> Option<Versions<'p>> {
        let nobody = self.nobody.clone();
        let requests = [0, 1].map(|side| target.request(&nobody, side));
        let policies = [self.old.policy, self.new.policy];
        let among = Arc::clone(&self.among);
        let judged = Judged::both(policies, target, &requests, &among.recounted);
        let [was, is] = &judged;
        let is_other_class = was.asked.class != is.asked.class;
        let is_open = target.kind == super::request::ActionKind::Open;
        let mut rows: BTreeMap<usize, Relevant> = BTreeMap::new();
        let sides = [
            self.old.on_server(&target.server),
            self.new.on_server(&target.server),
        ];
        for (side, positions) in sides.iter().enumerate() {
            for position in positions.iter() {
                let policy = if side == 0 { policies[0] } else { policies[1] };
                let (pair, rule) = (
                    self.pairs.pair(side, *position)?,
                    policy.rules().get(*position)?,
                );
                let is_edited = self.pairs.get(pair).is_none_or(|pair| pair.is_edited);
                if side == 1 && !is_edited {
                    continue;
                }
                let first = outcome::may_matter(rule, was, policies[0]);
                let second = if is_other_class || is_open {
                    outcome::may_matter(rule, is, policies[1])
                } else {
                    first
                };
                if first || second {
                    let own = [first.then_some(*position), second.then_some(*position)];
                    let row = rows.entry(pair).or_default();
                    let [before, after] = row;
                    *(if side == 0 { before } else { after }) = own;
                }
            }
        }
        let is_reclassified = is_other_class
            || self.some_counts_otherwise(rows.keys().copied())
            || rows
                .values()
                .flatten()
                .any(|[one, other]| one.is_some() != other.is_some());
        let reaches = target.reaches.map(|reach| reach == Reach::Rules);
        let is_edited = |pair: &usize| self.pairs.get(*pair).is_none_or(|pair| pair.is_edited);
        let [before, after] = reaches;
        let differs = is_reclassified
            || before != after
            || rows.keys().any(is_edited)
            || (self.pairs.is_reordered && self.is_reordered(rows.keys().copied()));
        if !differs {
            return None;
        }
        let mut counters = Counters::new(target, Arc::clone(&among));
        let rows = self.rows(rows, &judged, is_reclassified, &mut counters);
        let classes = judged.map(|judged| judged.asked.class.known().map(Arc::from));
        let shared = (classes, Rc::new(counters));
        Some(Versions::new(
            target.kind,
            rows,
            reaches,
            is_reclassified,
            shared,
        ))
    }

    /// Whether some of these pairs stand in another order.
    fn is_reordered(&self, pairs: impl Iterator<Item = usize>) -> bool {
        let ranks = pairs.filter_map(|pair| self.pairs.get(pair).map(|pair| pair.ranks));
        let mut ranks: Vec<[usize; 2]> = ranks.collect();
        ranks.sort_unstable();
        !ranks.is_sorted_by_key(|[_, new]| *new)
    }

    fn rows(
        &mut self,
        relevant: BTreeMap<usize, Relevant>,
        judged: &[Judged<'_>; 2],
        is_reclassified: bool,
        counters: &mut Counters,
    ) -> Vec<Row<'p>> {
        let mut rows = Vec::new();
        for (number, [old, new]) in relevant {
            let Some(pair) = self.pairs.get(number).copied() else {
                continue;
            };
            let before = self.placed(0, old, judged, is_reclassified);
            let after = if pair.is_edited {
                self.placed(1, new, judged, is_reclassified)
            } else {
                before
            };
            rows.push(Row {
                pair: number,
                is_edited: pair.is_edited,
                ranks: pair.ranks,
                sides: [before, after],
            });
        }
        let is_limit = |row: &Row<'_>| {
            let mut placed = row.sides.iter().flatten().flatten();
            placed.any(|placed| limits::is_limit(placed))
        };
        let may_differ = |row: &Row<'_>| row.is_edited || is_reclassified;
        if rows.iter().any(|row| is_limit(row) && may_differ(row)) {
            for row in &mut rows {
                self.number_all(row, counters);
            }
        }
        rows
    }

    /// A rule under the old tables and under the new ones.
    fn placed(
        &mut self,
        side: usize,
        [first, second]: [Option<usize>; 2],
        [was, is]: &[Judged<'_>; 2],
        is_reclassified: bool,
    ) -> [Option<Placed<'p>>; 2] {
        let facts = &mut self.facts;
        let side = if side == 0 {
            &mut self.old
        } else {
            &mut self.new
        };
        let first = first.and_then(|at| side.placed(at, was, facts));
        let second = if is_reclassified {
            second.and_then(|at| side.placed(at, is, facts))
        } else {
            first
        };
        [first, second]
    }

    /// Where the facts that some functions depend on can be as they are: at any time, or from the
    /// moment on from which decisions are compared.
    fn possible(&mut self, all: Vec<Diagram>, with_time: bool) -> Diagram {
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
