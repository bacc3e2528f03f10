//! Describes where limits change: each limit that differs is a change of its own.

use super::change::ChangeKind;
use super::combined::Placed;
use super::describe::{Described, Found, Region};
use super::diagram::Diagram;
use super::edits::{Edit, EditSet};
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
        let mut told = Diagram::NEVER;
        for row in self.versions.rows.clone() {
            for edits in edits_of(&row) {
                let own = self.describe_limit(&row, &edits, (region, left));
                told = self.facts.diagrams.or(told, own);
            }
        }
        // Only several edits together make a difference there.
        let all = self.facts.diagrams.minus(region, told);
        self.describe(&Region {
            kind: ChangeKind::LimitElse,
            goal: Goal::Limits,
            details: Vec::new(),
            all,
        });
    }

    /// Describes the limit of one rule, where these edits change it. Returns where that is.
    fn describe_limit(
        &mut self,
        row: &Row<'_>,
        edits: &EditSet,
        (region, left): (Diagram, Diagram),
    ) -> Diagram {
        let is_new = edits.contains(&Edit::Rule(row.pair));
        let is_class = edits.contains(&Edit::Class);
        let was = row.side(false, false).filter(|one| is_limit(one));
        let is = row.side(is_new, is_class).filter(|one| is_limit(one));
        let last = row.side(row.is_edited, self.versions.is_reclassified);
        let last = last.filter(|one| is_limit(one));
        if was.is_none() && is.is_none() {
            return Diagram::NEVER;
        }
        let yes = |placed: Option<&Placed<'_>>| placed.map_or(Diagram::NEVER, |one| one.found.yes);
        let (before, now) = (yes(was), yes(is));
        let diagrams = &mut self.facts.diagrams;
        let parts = [
            (ChangeKind::LimitLooser, diagrams.minus(before, now)),
            (ChangeKind::LimitStricter, diagrams.minus(now, before)),
            (compared(was, is), diagrams.and(before, now)),
        ];
        // Where it ends up as these edits make it.
        let ends = diagrams.xor(now, yes(last));
        let mut ends = diagrams.not(ends);
        if is
            .zip(last)
            .is_some_and(|(is, last)| is.rule.effect != last.rule.effect)
        {
            ends = diagrams.minus(ends, now);
        }
        let first = self.versions.whole(&EditSet::new(), self.facts);
        let after = self.versions.whole(edits, self.facts);
        let changes = first.limited_differently(&after, self.facts);
        let changes = self.facts.diagrams.and(changes, ends);
        let is_same = was
            .zip(is)
            .is_some_and(|(was, is)| was.rule.effect == is.rule.effect);
        let mut all = Diagram::NEVER;
        for (at, (kind, part)) in parts.into_iter().enumerate() {
            if at == 2 && is_same {
                continue;
            }
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
            all = self.facts.diagrams.or(all, part);
        }
        all
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

fn is_limit(placed: &Placed<'_>) -> bool {
    matches!(placed.rule.effect, Effect::Limit(_) | Effect::Open(_))
}

impl Versions<'_> {
    /// How some edits together change the limits of one context.
    pub(super) fn limits_change(&self, edits: &EditSet) -> ChangeKind {
        let mut kinds = Vec::new();
        for row in &self.rows {
            let is_new = edits.contains(&Edit::Rule(row.pair));
            let is_class = edits.contains(&Edit::Class);
            let holds = |one: &&Placed<'_>| is_limit(one) && one.found.yes == Diagram::ALWAYS;
            let was = row.side(false, false).filter(holds);
            let is = row.side(is_new, is_class).filter(holds);
            match (was, is) {
                (None, None) => {}
                (Some(_), None) => kinds.push(ChangeKind::LimitLooser),
                (None, Some(_)) => kinds.push(ChangeKind::LimitStricter),
                (Some(one), Some(other)) if one.rule.effect == other.rule.effect => {}
                (was, is) => kinds.push(compared(was, is)),
            }
        }
        kinds.dedup();
        match kinds.as_slice() {
            [one] => *one,
            _ => ChangeKind::LimitElse,
        }
    }
}

fn compared(was: Option<&Placed<'_>>, is: Option<&Placed<'_>>) -> ChangeKind {
    was.zip(is).map_or(ChangeKind::LimitElse, |(was, is)| {
        compare_limits(&was.rule.effect, &is.rule.effect)
    })
}

/// Which of two limits lets more through.
fn compare_limits(was: &Effect, is: &Effect) -> ChangeKind {
    let (fewer, more) = match (was, is) {
        (Effect::Limit(was), Effect::Limit(is)) if was.by == is.by => {
            // Calls in the same time.
            let rate = |calls: u32, per: std::time::Duration| {
                u128::from(calls).saturating_mul(per.as_nanos())
            };
            let (before, now) = (rate(was.calls, is.per), rate(is.calls, was.per));
            (
                now <= before && is.burst <= was.burst,
                now >= before && is.burst >= was.burst,
            )
        }
        (Effect::Open(was), Effect::Open(is)) if was.by == is.by => {
            (is.most <= was.most, is.most >= was.most)
        }
        (
            Effect::Limit(_) | Effect::Open(_) | Effect::Allow | Effect::Deny | Effect::Require(_),
            _,
        ) => (false, false),
    };
    match (fewer, more) {
        (true, false) => ChangeKind::LimitStricter,
        (false, true) => ChangeKind::LimitLooser,
        (true, true) | (false, false) => ChangeKind::LimitElse,
    }
}
