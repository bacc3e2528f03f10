//! What differs between two policies for one target, each difference with the rule that causes it.

use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use super::diagram::{Diagram, FactId};
use super::fact::Facts;
use super::outcomes::{Ask, Setting, Status};

/// How many situations are told apart for one rule and one target.
const SITUATIONS_MAX: usize = 24;

/// How a decision changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Denied before, allowed now.
    Gained,
    /// Challenged before, allowed now.
    Freed,
    /// Denied before, challenged now.
    MayStepUp,
    /// Allowed before, challenged now.
    MustStepUp,
    /// Challenged before, denied now.
    LostStepUp,
    /// Allowed before, denied now.
    Lost,
    /// Challenged before and now, for something else.
    AsksElse,
    /// Allowed before and now, and less limited.
    LimitLooser,
    /// Allowed before and now, and more limited.
    LimitStricter,
    /// Allowed before and now, under limits of which neither is the stricter one.
    LimitElse,
    /// Allowed before and now, with other headers or metadata.
    SetsElse,
}

impl ChangeKind {
    /// Every kind, what grows first.
    pub const ALL: [ChangeKind; 11] = [
        ChangeKind::Gained,
        ChangeKind::Freed,
        ChangeKind::MayStepUp,
        ChangeKind::LimitLooser,
        ChangeKind::LimitElse,
        ChangeKind::Lost,
        ChangeKind::MustStepUp,
        ChangeKind::LostStepUp,
        ChangeKind::LimitStricter,
        ChangeKind::AsksElse,
        ChangeKind::SetsElse,
    ];

    /// Whether somebody may do more than before. Of two limits that cannot be compared, the new one
    /// may let more through.
    #[must_use]
    pub fn grows(self) -> bool {
        match self {
            ChangeKind::Gained
            | ChangeKind::Freed
            | ChangeKind::MayStepUp
            | ChangeKind::LimitLooser
            | ChangeKind::LimitElse => true,
            ChangeKind::MustStepUp
            | ChangeKind::LostStepUp
            | ChangeKind::Lost
            | ChangeKind::AsksElse
            | ChangeKind::LimitStricter
            | ChangeKind::SetsElse => false,
        }
    }

    /// Whether somebody may do less than before.
    #[must_use]
    pub fn shrinks(self) -> bool {
        match self {
            ChangeKind::MustStepUp
            | ChangeKind::LostStepUp
            | ChangeKind::Lost
            | ChangeKind::LimitStricter => true,
            ChangeKind::Gained
            | ChangeKind::Freed
            | ChangeKind::MayStepUp
            | ChangeKind::LimitLooser
            | ChangeKind::LimitElse
            | ChangeKind::AsksElse
            | ChangeKind::SetsElse => false,
        }
    }
}

/// A conjunction: facts that hold, and facts that do not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Situation {
    /// Each fact, and whether it holds.
    pub facts: Vec<(FactId, bool)>,
    /// Whether what is said is true of only a part of it, because nothing grants in the rest.
    pub is_part: bool,
}

/// What a change is about, beyond its kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Detail {
    /// This is asked for now.
    AsksFor(Ask),
    /// This is no longer asked for.
    AsksNoLonger(Ask),
    /// This header or fact has another value.
    Sets(Setting, Arc<str>),
}

/// How an edit brings a change about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CauseKind {
    /// The rule is another one.
    Rule,
    /// The tool has another class, to which the rule makes a difference.
    Class,
    /// The rules stand in another order.
    Order,
    /// The configuration lets the request reach the rules, or no longer does.
    Reach,
}

/// One edit that is needed for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cause {
    /// How.
    pub kind: CauseKind,
    /// The rule, by its positions in both policies.
    pub rule: (Option<usize>, Option<usize>),
}

/// One difference: a kind of change for one target, caused by some edits together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Change {
    /// How.
    pub kind: ChangeKind,
    /// What it is about.
    pub details: Vec<Detail>,
    /// The edits that bring it about: all of them together, and none of them can be left out.
    pub causes: Vec<Cause>,
    /// Where.
    pub situations: Vec<Situation>,
    /// Whether there are more situations than these.
    pub is_cut: bool,
}

/// Where the outcome changes, by the kind of change.
pub(super) fn regions(old: Status, new: Status, facts: &mut Facts) -> Vec<(ChangeKind, Diagram)> {
    let (was_denied, is_denied) = (old.deny(facts), new.deny(facts));
    let all = [
        (ChangeKind::Gained, was_denied, new.allow),
        (ChangeKind::Freed, old.challenge, new.allow),
        (ChangeKind::MayStepUp, was_denied, new.challenge),
        (ChangeKind::MustStepUp, old.allow, new.challenge),
        (ChangeKind::LostStepUp, old.challenge, is_denied),
        (ChangeKind::Lost, old.allow, is_denied),
    ];
    all.into_iter()
        .map(|(kind, was, is)| (kind, facts.diagrams.and(was, is)))
        .collect()
}

/// Where a sentence about a kind of change may speak of more than the change itself, because what it
/// says is true there too: who may no longer do something may not do it, whether they could or not.
/// What no rule grants stays out of sight of edits that do not grant (`is_gate`). Second, where it is
/// true.
pub(super) fn widened(
    kind: ChangeKind,
    is_gate: bool,
    new: Status,
    region: Diagram,
    facts: &mut Facts,
) -> (Diagram, Diagram) {
    let beside = |passes: Diagram, facts: &mut Facts| {
        let stopped = facts.diagrams.not(passes);
        facts.diagrams.or(region, stopped)
    };
    let open = |is_true: Diagram, facts: &mut Facts| {
        if !is_gate {
            return (is_true, is_true);
        }
        let ungranted = facts.diagrams.not(new.granted);
        (facts.diagrams.or(is_true, ungranted), is_true)
    };
    match kind {
        ChangeKind::Gained | ChangeKind::Freed => open(new.allow, facts),
        ChangeKind::MayStepUp | ChangeKind::MustStepUp => open(new.challenge, facts),
        ChangeKind::Lost | ChangeKind::LostStepUp => {
            let denied = new.deny(facts);
            (denied, denied)
        }
        // Of requests that do not get so far, it says nothing.
        ChangeKind::AsksElse => (beside(new.challenge, facts), region),
        ChangeKind::LimitLooser
        | ChangeKind::LimitStricter
        | ChangeKind::LimitElse
        | ChangeKind::SetsElse => (beside(new.allow, facts), region),
    }
}

/// Conjunctions that together hold wherever `lower` does, each of which holds nowhere outside of
/// `upper`, and in none of which a fact could be left out. Of what is impossible nothing is said.
pub(super) fn situations(
    lower: Diagram,
    upper: Diagram,
    (is_true, possible): (Diagram, Diagram),
    facts: &mut Facts,
) -> (Vec<Situation>, bool) {
    let impossible = facts.diagrams.not(possible);
    let upper = facts.diagrams.or(upper, impossible);
    let mut left = facts.diagrams.and(lower, possible);
    let mut found = Vec::new();
    while left != Diagram::NEVER && !facts.diagrams.is_full() {
        if found.len() >= SITUATIONS_MAX {
            return (found, true);
        }
        let Some(example) = facts.diagrams.example(left) else {
            break;
        };
        let cube = shortened(example, upper, facts);
        let own = facts.diagrams.cube(&cube);
        left = facts.diagrams.minus(left, own);
        let own = facts.diagrams.and(own, possible);
        let beyond = facts.diagrams.minus(own, is_true);
        found.push(Situation {
            facts: cube,
            is_part: beyond != Diagram::NEVER,
        });
    }
    found.sort();
    (found, false)
}

/// Leaves out every fact without which the conjunction still implies `upper`, those that do not hold
/// first.
fn shortened(cube: Vec<(FactId, bool)>, upper: Diagram, facts: &Facts) -> Vec<(FactId, bool)> {
    let mut kept: HashMap<FactId, bool> = cube.iter().copied().collect();
    let mut seen = HashSet::default();
    facts.diagrams.is_implied(upper, &kept, &mut seen);
    kept.retain(|fact, _| seen.contains(fact));
    for is_true in [false, true] {
        for (fact, _) in cube.iter().filter(|(_, own)| *own == is_true) {
            let Some(own) = kept.remove(fact) else {
                continue;
            };
            if !facts
                .diagrams
                .is_implied(upper, &kept, &mut HashSet::default())
            {
                kept.insert(*fact, own);
            }
        }
    }
    cube.into_iter()
        .filter(|(fact, _)| kept.contains_key(fact))
        .collect()
}
