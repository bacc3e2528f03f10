//! Describes where two policies differ for one target, by the edits that bring it about.

use std::collections::HashMap;

use super::change::{self, Cause, CauseKind, Change, ChangeKind, Detail};
use super::diagram::{Diagram, FactId};
use super::edits::{Edit, EditSet, Pairs};
use super::fact::Facts;
use super::outcomes::{Ask, Status};
use super::versions::{Goal, Versions};

/// How many sets of several edits are told apart for one kind of change and one target. The rest is
/// told at once, by all edits that differ there.
const SETS_MAX: usize = 12;

/// The changes of one target as they are found.
pub(super) struct Described<'w, 'p> {
    pub(super) facts: &'w mut Facts,
    pub(super) pairs: &'w Pairs,
    pub(super) versions: &'w mut Versions<'p>,
    /// All edits.
    pub(super) all: EditSet,
    /// What is known of the caller.
    pub(super) known: HashMap<FactId, bool>,
    pub(super) possible: Diagram,
    pub(super) new: Status,
    pub(super) changes: Vec<Change>,
}

/// Where something changes.
#[derive(Clone)]
pub(super) struct Region {
    pub(super) kind: ChangeKind,
    pub(super) goal: Goal,
    pub(super) details: Vec<Detail>,
    pub(super) all: Diagram,
}

/// Some edits that bring a change about, and the rules to which another class makes a difference.
pub(super) struct Found {
    pub(super) edits: EditSet,
    pub(super) reclassified: Vec<usize>,
    pub(super) kind: Option<ChangeKind>,
}

impl Described<'_, '_> {
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

    /// Everything that changes.
    pub(super) fn describe_all(&mut self) {
        let (before, all) = (EditSet::new(), self.all.clone());
        let old = self.versions.whole(&before, self.facts);
        let new = self.versions.whole(&all, self.facts);
        for (kind, region) in change::regions(old.status, new.status, self.facts) {
            let goal = match kind {
                ChangeKind::Gained | ChangeKind::Freed => Goal::Allow,
                ChangeKind::MayStepUp | ChangeKind::MustStepUp => Goal::Challenge,
                ChangeKind::Lost
                | ChangeKind::LostStepUp
                | ChangeKind::AsksElse
                | ChangeKind::LimitLooser
                | ChangeKind::LimitStricter
                | ChangeKind::LimitElse
                | ChangeKind::SetsElse => Goal::Deny,
            };
            self.describe(&Region {
                kind,
                goal,
                details: Vec::new(),
                all: region,
            });
        }
        let challenged = self
            .facts
            .diagrams
            .and(old.status.challenge, new.status.challenge);
        self.describe_asks(challenged, [&old.asks, &new.asks]);
        let allowed = self.facts.diagrams.and(old.status.allow, new.status.allow);
        let limits = old.limited_differently(&new, &self.versions.counters, self.facts);
        let limits = self.facts.diagrams.and(allowed, limits);
        self.describe_limits(limits);
        let keys: std::collections::BTreeSet<_> = old.set.keys().chain(new.set.keys()).collect();
        let from = self.changes.len();
        for key in keys {
            let differs = old.set_differently(&new, key, self.facts);
            let region = Region {
                kind: ChangeKind::SetsElse,
                goal: Goal::Set(key.clone()),
                details: vec![Detail::Sets(key.0, std::sync::Arc::clone(&key.1))],
                all: self.facts.diagrams.and(allowed, differs),
            };
            self.describe(&region);
        }
        self.join(from);
    }

    fn describe_asks(&mut self, challenged: Diagram, [old, new]: [&[(Ask, Diagram)]; 2]) {
        let mut asks: Vec<&Ask> = new.iter().chain(old).map(|(ask, _)| ask).collect();
        asks.sort();
        asks.dedup();
        let from = self.changes.len();
        for ask in asks {
            let was = super::outcomes::holds(old, ask);
            let is = super::outcomes::holds(new, ask);
            let added = self.facts.diagrams.minus(is, was);
            let gone = self.facts.diagrams.minus(was, is);
            for (region, detail) in [
                (added, Detail::AsksFor(ask.clone())),
                (gone, Detail::AsksNoLonger(ask.clone())),
            ] {
                let region = Region {
                    kind: ChangeKind::AsksElse,
                    goal: Goal::Ask(ask.clone()),
                    details: vec![detail],
                    all: self.facts.diagrams.and(challenged, region),
                };
                self.describe(&region);
            }
        }
        self.join(from);
    }

    /// Joins changes, from one on, that differ only in what they are about.
    fn join(&mut self, from: usize) {
        let own = self.changes.split_off(from.min(self.changes.len()));
        for change in own {
            let alike = self.changes.iter_mut().skip(from).find(|known| {
                known.causes == change.causes
                    && known.situations == change.situations
                    && known.is_cut == change.is_cut
            });
            match alike {
                Some(known) => known.details.extend(change.details),
                None => self.changes.push(change),
            }
        }
    }

    /// Describes a region, by the edits that bring it about.
    pub(super) fn describe(&mut self, region: &Region) {
        let narrowed = self.narrowed(region.all);
        let mut left = self.facts.diagrams.and(narrowed, self.possible);
        // Most changes come from one edit.
        for edit in self.all.clone() {
            if left == Diagram::NEVER {
                return;
            }
            // Another class is told of with the rules to which it makes a difference.
            if matches!(edit, Edit::Rule(_)) && region.goal != Goal::Limits {
                let found = Found {
                    edits: EditSet::from([edit]),
                    reclassified: Vec::new(),
                    kind: None,
                };
                left = self.describe_part(region, &found, left);
            }
        }
        let mut count = 0_usize;
        while left != Diagram::NEVER && !self.facts.diagrams.is_full() {
            let Some(example) = self.facts.diagrams.example(left) else {
                return;
            };
            let found = self.found(&example, &region.goal);
            let rest = self.describe_part(region, &found, left);
            count = count.saturating_add(1);
            if rest != left && count < SETS_MAX {
                left = rest;
                continue;
            }
            return self.describe_rest(region, found.kind, rest);
        }
    }

    /// Describes a part of a region by all edits that differ in it.
    fn describe_rest(&mut self, region: &Region, kind: Option<ChangeKind>, left: Diagram) {
        if left == Diagram::NEVER {
            return;
        }
        let mut edits = EditSet::new();
        for edit in self.all.clone() {
            let differs = self.versions.differs(edit, self.facts);
            let differs = self.narrowed(differs);
            if self.facts.diagrams.and(left, differs) != Diagram::NEVER {
                edits.insert(edit);
            }
        }
        let possible = self.possible;
        let (situations, _) = change::situations(left, left, (left, possible), self.facts);
        let found = Found {
            edits,
            reclassified: self.versions.reclassified().into_iter().collect(),
            kind,
        };
        let causes = self.causes(&found);
        self.changes.push(Change {
            kind: kind.unwrap_or(region.kind),
            details: region.details.clone(),
            causes,
            situations,
            is_cut: true,
        });
    }

    /// Describes the part of a region that some edits bring about, and returns what is left.
    fn describe_part(&mut self, region: &Region, found: &Found, left: Diagram) -> Diagram {
        let mut concerned = left;
        for edit in &found.edits {
            let differs = self.versions.differs(*edit, self.facts);
            let differs = self.narrowed(differs);
            concerned = self.facts.diagrams.and(concerned, differs);
        }
        if concerned == Diagram::NEVER {
            return left;
        }
        let alone = self.alone(&found.edits, &region.goal);
        let own = self.narrowed(alone);
        let own = self.facts.diagrams.and(left, own);
        if own == Diagram::NEVER {
            return left;
        }
        let kind = found.kind.unwrap_or(region.kind);
        self.tell((kind, &region.details), found, region.all, (own, alone));
        self.facts.diagrams.minus(left, own)
    }

    /// Where these edits bring a change about, and no fewer of them do.
    fn alone(&mut self, edits: &EditSet, goal: &Goal) -> Diagram {
        let all = self.all.clone();
        let mut alone = self.versions.reached(edits, &all, goal, self.facts);
        for edit in edits {
            let differs = self.versions.differs(*edit, self.facts);
            alone = self.facts.diagrams.and(alone, differs);
            if edits.len() > 1 {
                let mut fewer = edits.clone();
                fewer.remove(edit);
                let fewer = self.versions.reached(&fewer, &all, goal, self.facts);
                alone = self.facts.diagrams.minus(alone, fewer);
            }
        }
        alone
    }

    /// The edits that are needed in one context.
    fn found(&mut self, example: &[(FactId, bool)], goal: &Goal) -> Found {
        let example: HashMap<FactId, bool> = example.iter().copied().collect();
        let known = &self.known;
        let point = |fact: FactId| {
            let told = known.get(&fact).or_else(|| example.get(&fact));
            told.copied().unwrap_or(false)
        };
        let facts = &mut *self.facts;
        let mut here = self.versions.at(&point, facts);
        let all = here.edits();
        let mut reaches = |edits: &EditSet| -> bool {
            let reached = here.reached(edits, &all, goal, facts);
            facts.diagrams.value(reached, &point)
        };
        let mut needed = all.clone();
        let single = all.iter().map(|edit| EditSet::from([*edit]));
        if let Some(single) = single.into_iter().find(&mut reaches) {
            needed = single;
        } else {
            loop {
                let before = needed.len();
                for edit in &all {
                    let mut fewer = needed.clone();
                    if fewer.remove(edit) && reaches(&fewer) {
                        needed = fewer;
                    }
                }
                if needed.len() == before {
                    break;
                }
            }
        }
        let kind = matches!(goal, Goal::Limits).then(|| {
            let change = here.limits_change(&needed, facts);
            change.map(|part| facts.diagrams.value(part, &point))
        });
        let kind = kind.map(|[less, more]| match (less, more) {
            (true, false) => ChangeKind::LimitLooser,
            (false, true) => ChangeKind::LimitStricter,
            (true, true) | (false, false) => ChangeKind::LimitElse,
        });
        Found {
            kind,
            reclassified: here.reclassified().into_iter().collect(),
            edits: needed,
        }
    }

    /// Records a change that these edits bring about in `own`, and alone in `alone`.
    pub(super) fn tell(
        &mut self,
        (kind, details): (ChangeKind, &[Detail]),
        found: &Found,
        region: Diagram,
        (own, alone): (Diagram, Diagram),
    ) {
        let is_gate = self.versions.is_gate(&found.edits);
        let (mut upper, is_true) = change::widened(kind, is_gate, self.new, region, self.facts);
        for edit in &found.edits {
            let differs = self.versions.differs(*edit, self.facts);
            upper = self.facts.diagrams.and(upper, differs);
        }
        // What else changes, other edits bring about.
        let others = self.facts.diagrams.minus(region, alone);
        upper = self.facts.diagrams.minus(upper, others);
        upper = self.facts.diagrams.or(upper, own);
        let (upper, is_true) = (self.narrowed(upper), self.narrowed(is_true));
        let possible = self.possible;
        let (situations, is_cut) = change::situations(own, upper, (is_true, possible), self.facts);
        let change = Change {
            kind,
            details: details.to_vec(),
            causes: self.causes(found),
            situations,
            is_cut,
        };
        self.changes.push(change);
    }

    fn causes(&self, found: &Found) -> Vec<Cause> {
        let rule = |pair: usize| {
            let pair = self.pairs.get(pair);
            pair.map_or((None, None), |pair| (pair.old, pair.new))
        };
        let cause = |kind, rule| Cause { kind, rule };
        let mut causes = Vec::new();
        for edit in &found.edits {
            match edit {
                Edit::Rule(pair) => causes.push(cause(CauseKind::Rule, rule(*pair))),
                Edit::Class if found.reclassified.is_empty() => {
                    causes.push(cause(CauseKind::Class, (None, None)));
                }
                Edit::Class => {
                    let rules = found.reclassified.iter();
                    causes.extend(rules.map(|pair| cause(CauseKind::Class, rule(*pair))));
                }
                Edit::Order => causes.push(cause(CauseKind::Order, (None, None))),
                Edit::Reach => causes.push(cause(CauseKind::Reach, (None, None))),
            }
        }
        causes
    }
}
