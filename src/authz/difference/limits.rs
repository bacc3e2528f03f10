//! Describes where limits change: each limit that differs is a change of its own.

use std::rc::Rc;

use super::change::ChangeKind;
use super::combined::Placed;
use super::describe::{Described, Found, Region};
use super::diagram::Diagram;
use super::edits::{Edit, EditSet};
use super::fact::Facts;
use super::versions::{Goal, Row, Versions};
use crate::authz::rule::Effect;

impl Described<'_, '_> {
    /// Describes what changes in `region`, where both policies allow and their limits differ.
    pub(super) fn describe_limits(&mut self, region: Diagram) {
        let narrowed = self.narrowed(region);
        let left = self.facts.diagrams.and(narrowed, self.possible);
        if left == Diagram::NEVER {
            return;
        }
        let mut told = [Diagram::NEVER; 2];
        for row in self.versions.rows.clone() {
            for edits in edits_of(&row) {
                let own = self.describe_limit(&row, &edits, (region, left));
                for (told, own) in told.iter_mut().zip(own) {
                    *told = self.facts.diagrams.or(*told, own);
                }
            }
        }
        // Only several edits together make a difference there.
        let all = self.all.clone();
        let changes = self.versions.limits_change(&all, self.facts);
        let rest = changes.into_iter().zip(told);
        let rest: Vec<Diagram> = rest
            .map(|(change, told)| self.facts.diagrams.minus(change, told))
            .collect();
        let rest = self.facts.diagrams.any(rest);
        let all = self.facts.diagrams.and(region, rest);
        self.describe(&Region {
            kind: ChangeKind::LimitElse,
            goal: Goal::Limits,
            details: Vec::new(),
            all,
        });
    }

    /// Describes the limit of one rule, where these edits change it. Returns where that lets more
    /// through, and where less.
    fn describe_limit(
        &mut self,
        row: &Row<'_>,
        edits: &EditSet,
        (region, left): (Diagram, Diagram),
    ) -> [Diagram; 2] {
        let is_new = edits.contains(&Edit::Rule(row.pair));
        let is_class = edits.contains(&Edit::Class);
        let was = row.side(false, false).filter(|one| is_limit(one));
        let is = row.side(is_new, is_class).filter(|one| is_limit(one));
        let last = row.side(row.is_edited, self.versions.is_reclassified);
        let last = last.filter(|one| is_limit(one));
        if was.is_none() && is.is_none() {
            return [Diagram::NEVER; 2];
        }
        let yes = |placed: Option<&Placed<'_>>| placed.map_or(Diagram::NEVER, |one| one.found.yes);
        let (before, now) = (yes(was), yes(is));
        let last_yes = yes(last);
        let is_otherwise_last = is
            .zip(last)
            .is_some_and(|(is, last)| is.counter != last.counter);
        let counters = Rc::clone(&self.versions.counters);
        let limits = [was, is].map(|placed| placed.map(|placed| placed.counter));
        let first = self.versions.whole(&EditSet::new(), self.facts);
        let after = self.versions.whole(edits, self.facts);
        let whole = self.all.clone();
        let whole = self.versions.whole(&whole, self.facts);
        // Other limits may stop whatever this one stopped, or stops.
        let [less, more] = limits.map(|limit| limit.unwrap_or(usize::MAX));
        let less = whole.left_of(less, &counters, self.facts);
        let more = first.left_of(more, &counters, self.facts);
        let changes = first.limited_differently(&after, &counters, self.facts);
        let diagrams = &mut self.facts.diagrams;
        let (less, more) = (diagrams.and(before, less), diagrams.and(now, more));
        let parts = [
            (ChangeKind::LimitLooser, diagrams.minus(less, more)),
            (ChangeKind::LimitStricter, diagrams.minus(more, less)),
            (ChangeKind::LimitElse, diagrams.and(less, more)),
        ];
        // Where it ends up as these edits make it.
        let ends = diagrams.xor(now, last_yes);
        let mut ends = diagrams.not(ends);
        if is_otherwise_last {
            ends = diagrams.minus(ends, now);
        }
        let changes = diagrams.and(changes, ends);
        let mut told = [Diagram::NEVER; 2];
        for (kind, part) in parts {
            let part = self.facts.diagrams.and(part, changes);
            let part = self.facts.diagrams.and(part, region);
            let narrowed = self.narrowed(part);
            let own = self.facts.diagrams.and(left, narrowed);
            if own == Diagram::NEVER {
                continue;
            }
            let found = Found {
                edits: edits.clone(),
                reclassified: vec![row.pair],
                kind: None,
            };
            self.tell((kind, &[]), &found, part, (own, part));
            let is_less = kind != ChangeKind::LimitStricter;
            let is_more = kind != ChangeKind::LimitLooser;
            for (told, is_told) in told.iter_mut().zip([is_less, is_more]) {
                if is_told {
                    *told = self.facts.diagrams.or(*told, part);
                }
            }
        }
        told
    }
}

/// The edits that change a rule, fewer ones first.
fn edits_of(row: &Row<'_>) -> Vec<EditSet> {
    let [[was, was_after], [is, is_after]] = &row.sides;
    let rule = Edit::Rule(row.pair);
    let is_reclassified = was != was_after || is != is_after;
    match (row.is_edited, is_reclassified) {
        (false, false) => Vec::new(),
        (true, false) => vec![EditSet::from([rule])],
        (false, true) => vec![EditSet::from([Edit::Class])],
        (true, true) => vec![
            EditSet::from([rule]),
            EditSet::from([Edit::Class]),
            EditSet::from([rule, Edit::Class]),
        ],
    }
}

pub(super) fn is_limit(placed: &Placed<'_>) -> bool {
    matches!(placed.rule.effect, Effect::Limit(_) | Effect::Open(_))
}

impl Versions<'_> {
    /// Where some edits together let something through that the limits stopped, and the reverse.
    pub(super) fn limits_change(&mut self, edits: &EditSet, facts: &mut Facts) -> [Diagram; 2] {
        let was = self.whole(&EditSet::new(), facts);
        let is = self.whole(edits, facts);
        [
            was.limited_less_by(&is, &self.counters, facts),
            is.limited_less_by(&was, &self.counters, facts),
        ]
    }
}
