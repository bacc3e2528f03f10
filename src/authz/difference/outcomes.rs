//! What a policy decides about one target, as functions of facts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::counters::Counters;
use super::diagram::Diagram;
use super::fact::Facts;
use crate::authz::assignment::Template;

/// The values that each name is set to, and where.
pub(super) type SetValues = BTreeMap<(Setting, Arc<str>), Vec<(Template, Diagram)>>;

/// How the requests of a target are decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) allow: Diagram,
    pub(super) challenge: Diagram,
    /// Where a deny matches, and where something cannot be evaluated and none does.
    pub(super) denied: Diagram,
    pub(super) unclear: Diagram,
    /// Where some rule grants, whatever others say.
    pub(super) granted: Diagram,
}

impl Status {
    /// Nothing is allowed.
    pub(super) const NOTHING: Status = Status {
        allow: Diagram::NEVER,
        challenge: Diagram::NEVER,
        denied: Diagram::NEVER,
        unclear: Diagram::NEVER,
        granted: Diagram::NEVER,
    };

    pub(super) fn deny(&self, facts: &mut Facts) -> Diagram {
        let passes = facts.diagrams.or(self.allow, self.challenge);
        facts.diagrams.not(passes)
    }
}

/// What is decided where.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcomes {
    pub(super) status: Status,
    /// The number of each limit that has to have room, and where.
    pub(super) limits: Vec<(usize, Diagram)>,
    /// Each value that a name is set to, and where.
    pub(super) set: SetValues,
    /// What a challenge asks for, and where.
    pub(super) asks: Vec<(Ask, Diagram)>,
}

impl Outcomes {
    pub(super) fn of(status: Status) -> Self {
        Outcomes {
            status,
            limits: Vec::new(),
            set: SetValues::new(),
            asks: Vec::new(),
        }
    }

    /// Every function of them.
    pub(super) fn diagrams(&self) -> impl Iterator<Item = Diagram> {
        let status = self.status;
        let single = [
            status.allow,
            status.challenge,
            status.denied,
            status.unclear,
            status.granted,
        ];
        let limits = self.limits.iter().map(|(_, holds)| *holds);
        let asks = self.asks.iter().map(|(_, holds)| *holds);
        let set = self.set.values().flatten().map(|(_, holds)| *holds);
        single.into_iter().chain(limits).chain(asks).chain(set)
    }

    /// Where one of both asks for something that the other does not.
    pub(super) fn asked_differently(&self, other: &Self, ask: &Ask, facts: &mut Facts) -> Diagram {
        let (one, other) = (holds(&self.asks, ask), holds(&other.asks, ask));
        facts.diagrams.xor(one, other)
    }

    /// Where a header or a fact is set to something else.
    pub(super) fn set_differently(
        &self,
        other: &Self,
        key: &(Setting, Arc<str>),
        facts: &mut Facts,
    ) -> Diagram {
        let none = Vec::new();
        let of = |outcomes: &'_ Self| outcomes.set.get(key).unwrap_or(&none).clone();
        differing(&of(self), &of(other), facts)
    }

    /// Where the limits of one let something through that those of the other do not.
    pub(super) fn limited_differently(
        &self,
        other: &Self,
        counters: &Counters,
        facts: &mut Facts,
    ) -> Diagram {
        let less = self.limited_less_by(other, counters, facts);
        let more = other.limited_less_by(self, counters, facts);
        facts.diagrams.or(less, more)
    }

    /// Where the other one's limits let something through that these do not.
    pub(super) fn limited_less_by(
        &self,
        other: &Self,
        counters: &Counters,
        facts: &mut Facts,
    ) -> Diagram {
        let each = self.limits.iter().map(|(limit, holds)| {
            let left = other.left_of(*limit, counters, facts);
            facts.diagrams.and(*holds, left)
        });
        let each: Vec<Diagram> = each.collect();
        facts.diagrams.any(each)
    }

    /// Where none of these limits stops all that another one stops.
    pub(super) fn left_of(&self, limit: usize, counters: &Counters, facts: &mut Facts) -> Diagram {
        let mut left = facts.diagrams.not(holds(&self.limits, &limit));
        for (own, there) in &self.limits {
            if left == Diagram::NEVER {
                break;
            }
            let under = counters.under(limit, *own, facts);
            let covered = facts.diagrams.and(*there, under);
            left = facts.diagrams.minus(left, covered);
        }
        left
    }
}

/// Where something of a list holds.
pub(super) fn holds<T: PartialEq>(list: &[(T, Diagram)], wanted: &T) -> Diagram {
    let found = list.iter().find(|(one, _)| one == wanted);
    found.map_or(Diagram::NEVER, |(_, holds)| *holds)
}

/// Where two lists of what holds where differ.
fn differing<T: PartialEq>(
    old: &[(T, Diagram)],
    new: &[(T, Diagram)],
    facts: &mut Facts,
) -> Diagram {
    let mut all = Vec::new();
    for (one, own) in old {
        all.push(facts.diagrams.xor(*own, holds(new, one)));
    }
    let only_new = new
        .iter()
        .filter(|(one, _)| old.iter().all(|(old, _)| old != one));
    all.extend(only_new.map(|(_, own)| *own));
    facts.diagrams.any(all)
}

/// Where a value is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setting {
    /// A request header.
    Header,
    /// A fact in the dynamic metadata.
    Metadata,
}

/// What a caller is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ask {
    /// A scope.
    Scope(Arc<str>),
    /// One of these values of `acr`.
    Acr(Box<[Arc<str>]>),
    /// A login at most this old.
    LoginWithin(Duration),
}
