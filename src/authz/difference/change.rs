//! What differs between two policies for one target, each difference with the rule that causes it.

use foldhash::{HashMap, HashSet};

use super::diagram::{Diagram, FactId};
use super::fact::Facts;
use super::outcomes::{Outcomes, Part};
use crate::authz::policy::Policy;
use crate::authz::rule::{Effect, Rule};

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

/// One difference: a kind of change for one target, caused by one rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Change {
    /// How.
    pub kind: ChangeKind,
    /// The rule that differs, by its positions in both policies. Neither, if several together do.
    pub rule: (Option<usize>, Option<usize>),
    /// Where.
    pub situations: Vec<Situation>,
    /// Whether there are more situations than these.
    pub is_cut: bool,
}

/// One rule that differs for a target, and where.
pub(super) struct Cause {
    pub(super) rule: (Option<usize>, Option<usize>),
    pub(super) differs: Diagram,
    /// Where it matters in the new policy, or only in the old one.
    pub(super) now: Diagram,
    pub(super) before: Diagram,
    pub(super) is_gate: bool,
}

/// Pairs the rules of both policies by their ids, and keeps those that differ.
pub(super) fn causes(
    (old, old_parts): (&Policy, &[Part]),
    (new, new_parts): (&Policy, &[Part]),
    facts: &mut Facts,
) -> Vec<Cause> {
    let mut by_id: HashMap<std::sync::Arc<str>, &Part> = HashMap::default();
    for part in old_parts {
        if let Some(rule) = old.rules().get(part.rule) {
            by_id.insert(std::sync::Arc::clone(&rule.id), part);
        }
    }
    let mut pairs: Vec<(Option<&Part>, Option<&Part>)> = Vec::new();
    for part in new_parts {
        let own = new.rules().get(part.rule);
        let same = own.and_then(|rule| by_id.get(&rule.id)).copied();
        // A rule with another effect is another rule.
        let same = same.filter(|same| {
            let other = old.rules().get(same.rule);
            let of_one_kind = |one: &Rule, other: &Rule| {
                std::mem::discriminant(&one.effect) == std::mem::discriminant(&other.effect)
            };
            own.zip(other)
                .is_some_and(|(one, other)| of_one_kind(one, other))
        });
        if let (Some(rule), true) = (own, same.is_some()) {
            by_id.remove(&rule.id);
        }
        pairs.push((same, Some(part)));
    }
    let mut gone: Vec<&Part> = by_id.into_values().collect();
    gone.sort_by_key(|part| part.rule);
    pairs.extend(gone.into_iter().map(|part| (Some(part), None)));
    let mut causes = Vec::new();
    for (before, now) in pairs {
        let rules = (
            before.and_then(|part| old.rules().get(part.rule)),
            now.and_then(|part| new.rules().get(part.rule)),
        );
        let cause = cause((before, now), rules, facts);
        causes.extend(cause.filter(|cause| cause.differs != Diagram::NEVER));
    }
    causes
}

fn cause(
    (before, now): (Option<&Part>, Option<&Part>),
    rules: (Option<&Rule>, Option<&Rule>),
    facts: &mut Facts,
) -> Option<Cause> {
    let any = rules.1.or(rules.0)?;
    let mut concerned = |part: Option<&Part>| {
        let Some(part) = part else {
            return Diagram::NEVER;
        };
        let counts = facts.diagrams.not(part.found.no);
        facts.diagrams.or(counts, part.lacking)
    };
    let (was, is) = (concerned(before), concerned(now));
    let says_else = match rules {
        (Some(old), Some(new)) => {
            old.effect != new.effect || old.set != new.set || old.scopes() != new.scopes()
        }
        (None, _) | (_, None) => true,
    };
    let mut differs = facts.diagrams.xor(was, is);
    if let (Some(before), Some(now)) = (before, now) {
        for (one, other) in [
            (before.found.yes, now.found.yes),
            (before.found.no, now.found.no),
            (before.lacking, now.lacking),
        ] {
            let own = facts.diagrams.xor(one, other);
            differs = facts.diagrams.or(differs, own);
        }
    }
    if says_else {
        let concerned = facts.diagrams.or(was, is);
        differs = facts.diagrams.or(differs, concerned);
    }
    Some(Cause {
        rule: (before.map(|part| part.rule), now.map(|part| part.rule)),
        differs,
        now: is,
        before: was,
        is_gate: any.effect != Effect::Allow,
    })
}

/// The parts of a policy's outcomes that every change is made of.
#[derive(Clone, Copy)]
pub(super) struct Decided {
    pub(super) allow: Diagram,
    pub(super) challenge: Diagram,
    pub(super) granted: Diagram,
}

impl Decided {
    pub(super) fn of(outcomes: &Outcomes) -> Self {
        let part = |part: Option<Diagram>| part.unwrap_or(Diagram::NEVER);
        Decided {
            allow: part(outcomes.allow),
            challenge: part(outcomes.challenge),
            granted: part(outcomes.granted),
        }
    }

    pub(super) fn deny(&self, facts: &mut Facts) -> Diagram {
        let passes = facts.diagrams.or(self.allow, self.challenge);
        facts.diagrams.not(passes)
    }
}

/// Where the outcome changes, by the kind of change.
pub(super) fn regions(old: Decided, new: Decided, facts: &mut Facts) -> Vec<(ChangeKind, Diagram)> {
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
/// What no rule grants stays out of sight of a rule that only takes away. Second, where it is true.
pub(super) fn widened(
    kind: ChangeKind,
    cause: &Cause,
    new: Decided,
    region: Diagram,
    facts: &mut Facts,
) -> (Diagram, Diagram) {
    let beside = |passes: Diagram, facts: &mut Facts| {
        let stopped = facts.diagrams.not(passes);
        facts.diagrams.or(region, stopped)
    };
    let wide = match kind {
        ChangeKind::Gained | ChangeKind::Freed => new.allow,
        ChangeKind::MayStepUp | ChangeKind::MustStepUp => new.challenge,
        ChangeKind::Lost | ChangeKind::LostStepUp => new.deny(facts),
        // Of requests that do not get so far, it says nothing.
        ChangeKind::AsksElse => beside(new.challenge, facts),
        ChangeKind::LimitLooser
        | ChangeKind::LimitStricter
        | ChangeKind::LimitElse
        | ChangeKind::SetsElse => beside(new.allow, facts),
    };
    let is_open = match kind {
        ChangeKind::Gained | ChangeKind::Freed | ChangeKind::MayStepUp | ChangeKind::MustStepUp => {
            cause.is_gate
        }
        ChangeKind::Lost
        | ChangeKind::LostStepUp
        | ChangeKind::AsksElse
        | ChangeKind::LimitLooser
        | ChangeKind::LimitStricter
        | ChangeKind::LimitElse
        | ChangeKind::SetsElse => false,
    };
    let is_true = match kind {
        ChangeKind::Gained
        | ChangeKind::Freed
        | ChangeKind::MayStepUp
        | ChangeKind::MustStepUp
        | ChangeKind::Lost
        | ChangeKind::LostStepUp => wide,
        ChangeKind::AsksElse
        | ChangeKind::LimitLooser
        | ChangeKind::LimitStricter
        | ChangeKind::LimitElse
        | ChangeKind::SetsElse => region,
    };
    let wide = if is_open {
        let ungranted = facts.diagrams.not(new.granted);
        facts.diagrams.or(wide, ungranted)
    } else {
        wide
    };
    (facts.diagrams.and(wide, cause.differs), is_true)
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
