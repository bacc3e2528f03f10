//! Which calls share the counter of a limit, and which limits stop all that others stop.
//!
//! A limit counts all calls that its rule takes and that have the same parts of `by`. One limit over
//! two tools lets fewer calls through than one for each of them, though each call meets a limit of
//! the same size. So a limit is compared with what it counts.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::diagram::Diagram;
use super::fact::{Fact, Facts, Unclear};
use super::target::{Target, TargetResource};
use crate::authz::rule::Effect;
use crate::authz::window::KeyPart;

/// All that can be asked, as far as it matters to what is counted.
#[derive(Debug, Default)]
pub(super) struct Among {
    pub(super) targets: Vec<Target>,
    /// The blocks of windows that select other calls by the tables of the new policy.
    pub(super) recounted: BTreeSet<Arc<str>>,
    /// Whether some tool has another class.
    pub(super) is_reclassified: bool,
}

/// A limit with the calls that share its counters.
#[derive(Debug, Clone, PartialEq)]
struct Counter {
    effect: Effect,
    /// Where it counts each target of all that can be asked.
    taken: Arc<[Diagram]>,
    /// Where it counts the target at hand.
    own: Diagram,
}

/// The limits that may matter for a target.
#[derive(Debug)]
pub(super) struct Counters {
    target: Target,
    among: Arc<Among>,
    all: Vec<Counter>,
    under: RefCell<HashMap<(usize, usize), Diagram>>,
}

impl Counters {
    pub(super) fn new(target: &Target, among: Arc<Among>) -> Self {
        Counters {
            target: target.clone(),
            among,
            all: Vec::new(),
            under: RefCell::default(),
        }
    }

    /// The number of a limit, the same for limits that count the same.
    pub(super) fn number(&mut self, effect: &Effect, taken: Arc<[Diagram]>, own: Diagram) -> usize {
        let counter = Counter {
            effect: effect.clone(),
            taken,
            own,
        };
        if let Some(known) = self.all.iter().position(|known| *known == counter) {
            return known;
        }
        self.all.push(counter);
        self.all.len().saturating_sub(1)
    }

    /// Where whatever the first limit stops, the second one stops too.
    pub(super) fn under(&self, first: usize, second: usize, facts: &mut Facts) -> Diagram {
        if first == second {
            return Diagram::ALWAYS;
        }
        let (Some(one), Some(other)) = (self.all.get(first), self.all.get(second)) else {
            return Diagram::NEVER;
        };
        if let Some(known) = self.under.borrow().get(&(first, second)) {
            return *known;
        }
        let found = self.compared(one, other, facts);
        self.under.borrow_mut().insert((first, second), found);
        found
    }

    fn compared(&self, one: &Counter, other: &Counter, facts: &mut Facts) -> Diagram {
        let (by, wider) = (parts(&one.effect), parts(&other.effect));
        if !is_at_most(&other.effect, &one.effect) || !wider.iter().all(|part| has(by, *part)) {
            return Diagram::NEVER;
        }
        let mut pairs = BTreeSet::from([(one.own, other.own)]);
        let targets = self.among.targets.iter();
        for (target, both) in targets.zip(one.taken.iter().zip(other.taken.iter())) {
            if self.may_share(by, target) {
                pairs.insert((*both.0, *both.1));
            }
        }
        let mut missed = Vec::new();
        for (one, other) in pairs {
            let only = facts.diagrams.minus(one, other);
            missed.push(for_some(only, by, facts));
        }
        let missed = facts.diagrams.any(missed);
        facts.diagrams.not(missed)
    }

    /// Whether a call to another target can have the same key.
    fn may_share(&self, by: &[KeyPart], other: &Target) -> bool {
        let is_tool = matches!(self.target.resource, TargetResource::Tool(_));
        // A tool shares with itself alone.
        let is_apart = has(by, KeyPart::Tool) && is_tool;
        let is_there = !has(by, KeyPart::Server) || self.target.server == other.server;
        !is_apart && is_there
    }
}

/// Where a function holds for some call with the same key.
fn for_some(of: Diagram, by: &[KeyPart], facts: &mut Facts) -> Diagram {
    let support = facts.diagrams.support([of]);
    let mut found = of;
    for id in support {
        if facts.get(id).is_some_and(|fact| is_fixed(fact, by)) {
            continue;
        }
        let mut with = |is: bool| {
            let only = |fact| (fact == id).then_some(is);
            facts.diagrams.given(found, &only)
        };
        let (low, high) = (with(false), with(true));
        found = facts.diagrams.or(low, high);
    }
    found
}

/// Whether all calls with the same key agree in a fact. Groups, roles and the tenant are the
/// subject's own, as everywhere.
fn is_fixed(fact: &Fact, by: &[KeyPart]) -> bool {
    let subject = has(by, KeyPart::Subject);
    let (agent, tenant) = (has(by, KeyPart::Agent), has(by, KeyPart::Tenant));
    match fact {
        Fact::Issuer(_) => subject || agent || tenant,
        Fact::Subject(_)
        | Fact::Group(_)
        | Fact::Role(_)
        | Fact::Unclear(Unclear::Groups | Unclear::Roles) => subject,
        Fact::Tenant(_) | Fact::AnyTenant | Fact::Unclear(Unclear::Tenant) => subject || tenant,
        Fact::Agent(_) | Fact::AnyAgent | Fact::Unclear(Unclear::Agent) => agent,
        Fact::InSession => has(by, KeyPart::Session),
        Fact::Scope(_)
        | Fact::Peer(_)
        | Fact::Claim(_)
        | Fact::Acr(_)
        | Fact::LoginWithin(_)
        | Fact::SessionWithin(_)
        | Fact::Clock(_)
        | Fact::Since(_)
        | Fact::Network(_)
        | Fact::Country(_)
        | Fact::Device(_)
        | Fact::Purpose(_)
        | Fact::MoreThan(_, _)
        | Fact::Argument(_)
        | Fact::Uri(_)
        | Fact::Expression(_)
        | Fact::Unclear(_) => false,
    }
}

/// Whether calls that agree in all of `by` agree in a part.
fn has(by: &[KeyPart], part: KeyPart) -> bool {
    let is_session = by.contains(&KeyPart::Session);
    by.contains(&part)
        || match part {
            KeyPart::Subject => is_session,
            KeyPart::Server => is_session || by.contains(&KeyPart::Tool),
            KeyPart::Agent | KeyPart::Tenant | KeyPart::Session | KeyPart::Tool => false,
        }
}

fn parts(limit: &Effect) -> &[KeyPart] {
    match limit {
        Effect::Limit(limit) => &limit.by,
        Effect::Open(limit) => &limit.by,
        Effect::Allow | Effect::Deny | Effect::Require(_) => &[],
    }
}

/// Whether a limit lets no more through than another one that counts the same.
fn is_at_most(one: &Effect, other: &Effect) -> bool {
    match (one, other) {
        (Effect::Limit(one), Effect::Limit(other)) => {
            // Calls in the same time.
            let rate = |calls: u32, per: std::time::Duration| {
                u128::from(calls).saturating_mul(per.as_nanos())
            };
            rate(one.calls, other.per) <= rate(other.calls, one.per) && one.burst <= other.burst
        }
        (Effect::Open(one), Effect::Open(other)) => one.most <= other.most,
        (
            Effect::Limit(_) | Effect::Open(_) | Effect::Allow | Effect::Deny | Effect::Require(_),
            _,
        ) => false,
    }
}
