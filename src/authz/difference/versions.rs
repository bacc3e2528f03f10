//! One target under any mixture of two policies: some of the edits made, and the others not.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use super::combined::{self, Classes, Placed, Sums};
use super::counters::Counters;
use super::diagram::{Diagram, FactId};
use super::edits::{Edit, EditSet};
use super::fact::{Answer, Facts};
use super::outcomes::{Ask, Outcomes, Setting, Status};
use crate::authz::request::ActionKind;
use crate::authz::rule::Effect;

/// One pair of rules that may matter for a target.
#[derive(Debug, Clone)]
pub(super) struct Row<'p> {
    pub(super) pair: usize,
    pub(super) is_edited: bool,
    pub(super) ranks: [usize; 2],
    /// The rule as it was and as it is, each under the old class of the tool and under the new one.
    pub(super) sides: [[Option<Placed<'p>>; 2]; 2],
}

impl<'p> Row<'p> {
    pub(super) fn side(&self, is_new: bool, is_reclassified: bool) -> Option<&Placed<'p>> {
        let [old, new] = &self.sides;
        let [before, after] = if is_new { new } else { old };
        if is_reclassified { after } else { before }.as_ref()
    }

    fn is_fixed(&self) -> bool {
        let [old, new] = &self.sides;
        let [first, second] = old;
        !self.is_edited && first == second && old == new
    }
}

/// What a part of a change is about.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Goal {
    Allow,
    Challenge,
    Deny,
    Ask(Ask),
    Set((Setting, Arc<str>)),
    Limits,
}

/// Every version of one target.
#[derive(Debug)]
pub(super) struct Versions<'p> {
    pub(super) kind: ActionKind,
    pub(super) rows: Vec<Row<'p>>,
    /// Whether the old and the new configuration let the request reach the rules.
    pub(super) reaches: [bool; 2],
    pub(super) is_reclassified: bool,
    pub(super) classes: Classes,
    pub(super) counters: Rc<Counters>,
    /// What the rules that are the same in every version add up to.
    base: Option<Sums>,
    statuses: HashMap<EditSet, Status>,
    differing: HashMap<Edit, Diagram>,
    whole: HashMap<EditSet, Arc<Outcomes>>,
}

impl<'p> Versions<'p> {
    pub(super) fn new(
        kind: ActionKind,
        rows: Vec<Row<'p>>,
        reaches: [bool; 2],
        is_reclassified: bool,
        (classes, counters): (Classes, Rc<Counters>),
    ) -> Self {
        Versions {
            kind,
            rows,
            reaches,
            is_reclassified,
            classes,
            counters,
            base: None,
            statuses: HashMap::new(),
            differing: HashMap::new(),
            whole: HashMap::new(),
        }
    }

    /// Everything that differs for this target.
    pub(super) fn edits(&self) -> EditSet {
        let edited = self.rows.iter().filter(|row| row.is_edited);
        let mut edits: EditSet = edited.map(|row| Edit::Rule(row.pair)).collect();
        let [was, is] = self.reaches;
        edits.extend((was != is).then_some(Edit::Reach));
        edits.extend(self.is_reclassified.then_some(Edit::Class));
        let order = |side: usize| {
            let mut rows: Vec<&Row<'_>> = self.rows.iter().collect();
            rows.sort_by_key(|row| row.ranks.get(side).copied());
            rows.into_iter().map(|row| row.pair).collect::<Vec<_>>()
        };
        edits.extend((order(0) != order(1)).then_some(Edit::Order));
        edits
    }

    /// Where each version of each rule matches.
    pub(super) fn diagrams(&self) -> impl Iterator<Item = Diagram> {
        let placed = self.rows.iter().flat_map(|row| row.sides);
        let placed = placed.flatten().flatten();
        placed.flat_map(|placed| [placed.found.yes, placed.found.no, placed.lacking])
    }

    fn is_reached(&self, set: &EditSet) -> bool {
        let [was, is] = self.reaches;
        if set.contains(&Edit::Reach) { is } else { was }
    }

    fn chosen<'r>(row: &'r Row<'p>, set: &EditSet) -> Option<&'r Placed<'p>> {
        let is_new = row.is_edited && set.contains(&Edit::Rule(row.pair));
        row.side(is_new, set.contains(&Edit::Class))
    }

    /// The rules of a version, in their order.
    fn placed(&self, set: &EditSet) -> Vec<Placed<'p>> {
        let side = usize::from(set.contains(&Edit::Order));
        let mut rows: Vec<&Row<'p>> = self.rows.iter().collect();
        rows.sort_by_key(|row| row.ranks.get(side).copied());
        let chosen = rows.into_iter().filter_map(|row| Self::chosen(row, set));
        chosen.copied().collect()
    }

    /// What is decided with some edits made.
    pub(super) fn status(&mut self, set: &EditSet, facts: &mut Facts) -> Status {
        if let Some(known) = self.statuses.get(set) {
            return *known;
        }
        if !self.is_reached(set) {
            return Status::NOTHING;
        }
        let base = if let Some(base) = self.base {
            base
        } else {
            let fixed = self.rows.iter().filter(|row| row.is_fixed());
            let fixed = fixed.filter_map(|row| row.side(false, false));
            let base = Sums::of(fixed, facts);
            self.base = Some(base);
            base
        };
        let varying = self.rows.iter().filter(|row| !row.is_fixed());
        let varying = varying.filter_map(|row| Self::chosen(row, set));
        let sums = Sums::of(varying, facts).joined(base, facts);
        let status = sums.status(facts);
        self.statuses.insert(set.clone(), status);
        status
    }

    /// The same with limits, headers and what is asked for.
    pub(super) fn whole(&mut self, set: &EditSet, facts: &mut Facts) -> Arc<Outcomes> {
        if let Some(known) = self.whole.get(set) {
            return Arc::clone(known);
        }
        let status = self.status(set, facts);
        let outcomes = if self.is_reached(set) {
            let shared = (status, &self.classes);
            combined::outcomes(self.kind, &self.placed(set), shared, facts)
        } else {
            Outcomes::of(status)
        };
        let outcomes = Arc::new(outcomes);
        self.whole.insert(set.clone(), Arc::clone(&outcomes));
        outcomes
    }

    /// Where some edits alone bring about what all of them do.
    pub(super) fn reached(
        &mut self,
        set: &EditSet,
        all: &EditSet,
        goal: &Goal,
        facts: &mut Facts,
    ) -> Diagram {
        let status = self.status(set, facts);
        match goal {
            Goal::Allow => return status.allow,
            Goal::Challenge => return status.challenge,
            Goal::Deny => return status.deny(facts),
            Goal::Ask(_) | Goal::Set(_) | Goal::Limits => {}
        }
        let (own, whole) = (self.whole(set, facts), self.whole(all, facts));
        let (within, differs) = match goal {
            Goal::Ask(ask) => (status.challenge, own.asked_differently(&whole, ask, facts)),
            Goal::Set(key) => (status.allow, own.set_differently(&whole, key, facts)),
            Goal::Allow | Goal::Challenge | Goal::Deny | Goal::Limits => (
                status.allow,
                own.limited_differently(&whole, &self.counters, facts),
            ),
        };
        facts.diagrams.minus(within, differs)
    }

    /// What is left of it in one context.
    pub(super) fn at(&self, point: &dyn Fn(FactId) -> bool, facts: &Facts) -> Self {
        let at = |of: Diagram| Diagram::of(facts.diagrams.value(of, point));
        let rows = self.rows.iter().filter_map(|row| {
            let sides = row.sides.map(|side| {
                side.map(|placed| {
                    let placed = placed?;
                    let found = Answer {
                        yes: at(placed.found.yes),
                        no: at(placed.found.no),
                    };
                    let lacking = at(placed.lacking);
                    let is_silent = found == Answer::NO && lacking == Diagram::NEVER;
                    (!is_silent).then_some(Placed {
                        found,
                        lacking,
                        ..placed
                    })
                })
            });
            let is_silent = sides.iter().flatten().all(Option::is_none);
            (!is_silent).then(|| Row {
                sides,
                // What says the same here is no edit here.
                is_edited: row.is_edited && {
                    let [old, new] = &sides;
                    !old.iter()
                        .zip(new)
                        .all(|(one, other)| says_alike(one.as_ref(), other.as_ref()))
                },
                ..row.clone()
            })
        });
        Versions::new(
            self.kind,
            rows.collect(),
            self.reaches,
            self.is_reclassified,
            (self.classes.clone(), Rc::clone(&self.counters)),
        )
    }

    /// The row of a pair: they are in the order of their pairs.
    fn row(&self, pair: usize) -> Option<&Row<'p>> {
        let at = self.rows.binary_search_by_key(&pair, |row| row.pair).ok()?;
        self.rows.get(at)
    }

    /// Where an edit makes some difference to its rule.
    pub(super) fn differs(&mut self, edit: Edit, facts: &mut Facts) -> Diagram {
        if let Some(known) = self.differing.get(&edit) {
            return *known;
        }
        let found = match edit {
            Edit::Order | Edit::Reach => Diagram::ALWAYS,
            Edit::Class => {
                let sides = self.rows.iter().flat_map(|row| row.sides);
                let each: Vec<Diagram> = sides
                    .filter(|[before, after]| before != after)
                    .map(|[before, after]| differing(before, after, facts))
                    .collect();
                facts.diagrams.any(each)
            }
            Edit::Rule(pair) => {
                let sides = self.row(pair).map(|row| row.sides);
                sides.map_or(Diagram::NEVER, |sides| {
                    let [[was, was_after], [is, is_after]] = sides;
                    let before = differing(was, is, facts);
                    let after = differing(was_after, is_after, facts);
                    facts.diagrams.or(before, after)
                })
            }
        };
        self.differing.insert(edit, found);
        found
    }

    /// The pairs to which another class makes a difference in one context.
    pub(super) fn reclassified(&self) -> BTreeSet<usize> {
        let rows = self.rows.iter().filter(|row| {
            let mut sides = row.sides.iter();
            sides.any(|[before, after]| before != after)
        });
        rows.map(|row| row.pair).collect()
    }

    /// Whether the edits are about nothing that grants.
    pub(super) fn is_gate(&self, set: &EditSet) -> bool {
        let grants = |pair: usize| {
            let sides = self.row(pair).map(|row| row.sides);
            let mut placed = sides.into_iter().flatten().flatten().flatten();
            placed.any(|placed| placed.rule.effect == Effect::Allow)
        };
        !set.iter().any(|edit| match edit {
            Edit::Rule(pair) => grants(*pair),
            Edit::Class => self.reclassified().into_iter().any(grants),
            Edit::Order => false,
            Edit::Reach => true,
        })
    }
}

/// Whether two versions of a rule say the same, wherever they say something.
fn says_alike(one: Option<&Placed<'_>>, other: Option<&Placed<'_>>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            one.found == other.found && one.lacking == other.lacking && !says_else(one, other)
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

fn says_else(one: &Placed<'_>, other: &Placed<'_>) -> bool {
    if one.counter != other.counter || one.class != other.class {
        return true;
    }
    let (one, other) = (one.rule, other.rule);
    one.effect != other.effect || one.set != other.set || one.scopes() != other.scopes()
}

/// Where two versions of a rule differ.
fn differing(one: Option<Placed<'_>>, other: Option<Placed<'_>>, facts: &mut Facts) -> Diagram {
    let mut concerned = |placed: Option<Placed<'_>>| {
        let Some(placed) = placed else {
            return Diagram::NEVER;
        };
        let counts = facts.diagrams.not(placed.found.no);
        facts.diagrams.or(counts, placed.lacking)
    };
    let (was, is) = (concerned(one), concerned(other));
    let mut differs = facts.diagrams.xor(was, is);
    if let (Some(one), Some(other)) = (one, other) {
        for (one, other) in [
            (one.found.yes, other.found.yes),
            (one.found.no, other.found.no),
            (one.lacking, other.lacking),
        ] {
            let own = facts.diagrams.xor(one, other);
            differs = facts.diagrams.or(differs, own);
        }
        if !says_else(&one, &other) {
            return differs;
        }
    }
    let concerned = facts.diagrams.or(was, is);
    facts.diagrams.or(differs, concerned)
}
