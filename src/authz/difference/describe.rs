//! Describes where two policies differ for one target, rule by rule.

use std::collections::HashMap;

use super::change::{self, Change, ChangeKind, Decided};
use super::diagram::{Diagram, FactId};
use super::fact::Facts;
use crate::authz::rule::{Effect, Rule};

/// The changes of one target as they are found.
pub(super) struct Described<'f> {
    pub(super) facts: &'f mut Facts,
    /// What is known of the caller.
    pub(super) known: HashMap<FactId, bool>,
    pub(super) possible: Diagram,
    pub(super) new: Decided,
    pub(super) changes: Vec<Change>,
}

impl Described<'_> {
    /// What is left of a function for the caller.
    pub(super) fn narrowed(&mut self, of: Diagram) -> Diagram {
        if self.known.is_empty() {
            return of;
        }
        let known = &self.known;
        self.facts
            .diagrams
            .given(of, &|fact| known.get(&fact).copied())
    }

    /// Describes a region, by the rules that cause it.
    pub(super) fn describe(&mut self, kind: ChangeKind, region: Diagram, causes: &[change::Cause]) {
        let narrowed = self.narrowed(region);
        let mut left = self.facts.diagrams.and(narrowed, self.possible);
        for cause in causes {
            if left == Diagram::NEVER {
                return;
            }
            left = self.describe_one(kind, (region, left), cause);
        }
        if left != Diagram::NEVER {
            // Several rules together: in another order they set something else.
            let possible = self.possible;
            let (situations, is_cut) = change::situations(left, left, (left, possible), self.facts);
            self.changes.push(Change {
                kind,
                rule: (None, None),
                situations,
                is_cut,
            });
        }
    }

    /// Describes the part of a region that one rule causes, and returns the rest.
    fn describe_one(
        &mut self,
        kind: ChangeKind,
        (region, left): (Diagram, Diagram),
        cause: &change::Cause,
    ) -> Diagram {
        let differs = self.narrowed(cause.differs);
        let own = self.facts.diagrams.and(left, differs);
        if own == Diagram::NEVER {
            return left;
        }
        let (upper, is_true) = change::widened(kind, cause, self.new, region, self.facts);
        let (upper, is_true) = (self.narrowed(upper), self.narrowed(is_true));
        let possible = self.possible;
        let (situations, is_cut) = change::situations(own, upper, (is_true, possible), self.facts);
        self.changes.push(Change {
            kind,
            rule: cause.rule,
            situations,
            is_cut,
        });
        self.facts.diagrams.minus(left, differs)
    }

    /// Each limit that differs is a change of its own.
    pub(super) fn describe_limits(
        &mut self,
        region: Diagram,
        causes: &[change::Cause],
        (old, new): (&[Rule], &[Rule]),
    ) {
        let narrowed = self.narrowed(region);
        let left = self.facts.diagrams.and(narrowed, self.possible);
        for cause in causes {
            let rule = |rules: &[Rule], at: Option<usize>| {
                let rule = at.and_then(|at| rules.get(at))?;
                matches!(rule.effect, Effect::Limit(_) | Effect::Open(_))
                    .then(|| rule.effect.clone())
            };
            let (was, is) = (rule(old, cause.rule.0), rule(new, cause.rule.1));
            if was.is_none() && is.is_none() {
                continue;
            }
            let compared = was.as_ref().zip(is.as_ref());
            let both = compared.map_or(ChangeKind::LimitElse, |(was, is)| compare_limits(was, is));
            let gone = self.facts.diagrams.minus(cause.before, cause.now);
            let added = self.facts.diagrams.minus(cause.now, cause.before);
            let kept = self.facts.diagrams.and(cause.before, cause.now);
            for (kind, part) in [
                (ChangeKind::LimitLooser, gone),
                (ChangeKind::LimitStricter, added),
                (both, kept),
            ] {
                let part = self.facts.diagrams.and(part, cause.differs);
                let narrowed = change::Cause {
                    differs: part,
                    ..*cause
                };
                let part = self.narrowed(part);
                let own = self.facts.diagrams.and(left, part);
                if own != Diagram::NEVER {
                    self.describe_one(kind, (region, own), &narrowed);
                }
            }
        }
    }
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
