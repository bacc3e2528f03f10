//! Which facts can hold together: a subject has one id, networks nest, and a moment is one moment.
//!
//! Facts of different kinds do not depend on each other here.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use jiff::Timestamp;

use super::diagram::{Diagram, FactId};
use super::fact::{Fact, Facts, Unclear};
use super::moments;
use crate::authz::selectors::{Clock, ExpectedValue, ValueSelector};
use crate::authz::value::Value;

/// One way in which the facts of a group may hold: those that do.
type Way = Vec<FactId>;

/// Groups of facts, with all ways in which the facts of each may hold.
#[derive(Debug)]
pub(super) struct Groups {
    /// How many facts there were.
    pub(super) facts: usize,
    all: Vec<(Vec<FactId>, Vec<Way>)>,
}

impl Groups {
    /// The facts as they can be from a moment on or, without one, whenever that is.
    pub(super) fn of(facts: &Facts, from: Option<Timestamp>) -> Self {
        let mut sorted = Sorted::default();
        for (id, fact) in facts.iter() {
            sorted.add(id, fact);
        }
        let mut groups = Groups {
            facts: facts.count(),
            all: Vec::new(),
        };
        let Sorted {
            single,
            chains,
            networks,
            pairs,
            clocks,
            moments,
        } = sorted;
        for group in single.into_values() {
            groups.add_single(group);
        }
        for group in chains.into_values() {
            groups.add_chain(group);
        }
        groups.add_networks(&networks);
        for (one, other) in pairs.into_values() {
            if let (Some(one), Some(other)) = (one, other) {
                groups.add(vec![one, other], vec![vec![], vec![one], vec![other]]);
            }
        }
        if let Some(from) = from {
            let of = clocks.iter().map(|(id, _)| *id);
            let of = of.chain(moments.iter().map(|(id, _)| *id));
            groups.add(of.collect(), moments::ways(&clocks, &moments, from));
        }
        groups
    }

    fn add(&mut self, mut of: Vec<FactId>, ways: Vec<Way>) {
        of.sort_unstable();
        if !of.is_empty() {
            self.all.push((of, ways));
        }
    }

    /// Where some facts can be as they are, whatever others are.
    pub(super) fn possible(&self, of: &BTreeSet<FactId>, facts: &mut Facts) -> Diagram {
        let mut possible = arguments(of, facts);
        for (group, ways) in &self.all {
            let group: Vec<FactId> = group.iter().copied().filter(|id| of.contains(id)).collect();
            if group.is_empty() {
                continue;
            }
            let ways = ways
                .iter()
                .map(|way| -> Way { way.iter().copied().filter(|id| of.contains(id)).collect() });
            let ways: BTreeSet<Way> = ways.collect();
            let ways: Vec<&Way> = ways.iter().collect();
            let own = split(&group, &ways, facts);
            possible = facts.diagrams.and(possible, own);
        }
        possible
    }

    /// One value, if any: none, one of those named, or some other.
    fn add_single(&mut self, group: Single) {
        let Single {
            values,
            some,
            unclear,
        } = group;
        let mut ways: Vec<Way> = vec![Vec::new()];
        for value in &values {
            ways.push([Some(*value), some].into_iter().flatten().collect());
        }
        ways.extend([some, unclear].into_iter().flatten().map(|one| vec![one]));
        let of = values.into_iter().chain(some).chain(unclear);
        self.add(of.collect(), ways);
    }

    /// Each holds where the one before it does.
    fn add_chain(&mut self, mut group: Chain) {
        group.steps.sort_by_key(|(step, _)| *step);
        let steps: Vec<FactId> = group.steps.into_iter().map(|(_, id)| id).collect();
        let mut ways: Vec<Way> = (0..=steps.len())
            .map(|first| steps.get(first..).unwrap_or_default().to_vec())
            .collect();
        ways.extend(group.unclear.map(|unclear| vec![unclear]));
        self.add(steps.into_iter().chain(group.unclear).collect(), ways);
    }

    fn add_networks(&mut self, networks: &Networks) {
        let mut ways: Vec<Way> = Vec::new();
        let around = |network: IpNet| -> Way {
            let all = networks.named.iter();
            let around = all.filter(|(_, other)| other.contains(&network));
            around.map(|(id, _)| *id).collect()
        };
        let named: Vec<IpNet> = networks.named.iter().map(|(_, network)| *network).collect();
        for network in &named {
            let inside = |other: &&IpNet| *other != network && network.contains(*other);
            if !is_filled(*network, named.iter().filter(inside).copied()) {
                ways.push(around(*network));
            }
        }
        let whole = ["0.0.0.0/0", "::/0"].map(|text| text.parse::<IpNet>().ok());
        let mut whole = whole.into_iter().flatten();
        if whole.any(|whole| !is_filled(whole, named.iter().copied())) {
            ways.push(Vec::new());
        }
        ways.extend(networks.unclear.map(|unclear| vec![unclear]));
        let of = networks.named.iter().map(|(id, _)| *id);
        self.add(of.chain(networks.unclear).collect(), ways);
    }
}

/// Whether some networks cover all of another.
fn is_filled(network: IpNet, by: impl Iterator<Item = IpNet>) -> bool {
    let by: Vec<IpNet> = by.filter(|other| network.contains(other)).collect();
    IpNet::aggregate(&by).contains(&network)
}

/// Facts with one value.
#[derive(Default)]
struct Single {
    values: Vec<FactId>,
    /// That there is a value, which may be none of those named.
    some: Option<FactId>,
    unclear: Option<FactId>,
}

/// Facts each of which follows from another.
#[derive(Default)]
struct Chain {
    steps: Vec<(u128, FactId)>,
    unclear: Option<FactId>,
}

#[derive(Default)]
struct Networks {
    named: Vec<(FactId, IpNet)>,
    unclear: Option<FactId>,
}

/// The facts by the groups in which they depend on each other.
#[derive(Default)]
struct Sorted {
    single: BTreeMap<&'static str, Single>,
    chains: BTreeMap<String, Chain>,
    networks: Networks,
    /// A fact, and that it is unclear.
    pairs: BTreeMap<String, (Option<FactId>, Option<FactId>)>,
    clocks: Vec<(FactId, Clock)>,
    moments: Vec<(FactId, Timestamp)>,
}

impl Sorted {
    fn add(&mut self, id: FactId, fact: &Fact) {
        match fact {
            Fact::Issuer(_) => self.value("issuer", id),
            Fact::Subject(_) => self.value("subject", id),
            Fact::Tenant(_) => self.value("tenant", id),
            Fact::Agent(_) => self.value("agent", id),
            Fact::Acr(_) => self.value("acr", id),
            Fact::Country(_) => self.value("country", id),
            Fact::Purpose(_) => self.value("purpose", id),
            // A peer has one URI; it may have several DNS names.
            Fact::Peer(name) if name.contains(':') => self.value("peer", id),
            Fact::AnyTenant => self.single.entry("tenant").or_default().some = Some(id),
            Fact::AnyAgent => self.single.entry("agent").or_default().some = Some(id),
            Fact::LoginWithin(most) => self.step("login".to_owned(), most.as_nanos(), id),
            Fact::SessionWithin(most) => self.step("session".to_owned(), most.as_nanos(), id),
            // More than ten is more than five.
            Fact::MoreThan(window, most) => {
                self.step(format!("{window:?}"), u128::from(u32::MAX - most), id);
            }
            Fact::Clock(clock) => self.clocks.push((id, clock.clone())),
            Fact::Since(moment) => self.moments.push((id, *moment)),
            Fact::Network(network) => self.networks.named.push((id, *network)),
            Fact::Claim(one) => self.pair("claim", one).0 = Some(id),
            Fact::Device(one) => self.pair("device", one).0 = Some(id),
            Fact::Argument(one) => self.pair("argument", one).0 = Some(id),
            Fact::Uri(one) => self.pair("uri", one).0 = Some(id),
            Fact::Expression(one) => self.pair("expression", one).0 = Some(id),
            Fact::Unclear(unclear) => self.add_unclear(id, unclear),
            Fact::Group(_) | Fact::Role(_) | Fact::Scope(_) | Fact::Peer(_) | Fact::InSession => {}
        }
    }

    fn add_unclear(&mut self, id: FactId, unclear: &Unclear) {
        let mut single = |name| self.single.entry(name).or_default().unclear = Some(id);
        match unclear {
            Unclear::Tenant => single("tenant"),
            Unclear::Agent => single("agent"),
            Unclear::Peer => single("peer"),
            Unclear::Country => single("country"),
            Unclear::Purpose => single("purpose"),
            Unclear::Login => self.chain("login").unclear = Some(id),
            Unclear::Session => self.chain("session").unclear = Some(id),
            Unclear::Window(window) => self.chain(&format!("{window:?}")).unclear = Some(id),
            Unclear::Source => self.networks.unclear = Some(id),
            Unclear::Claim(one) => self.pair("claim", one).1 = Some(id),
            Unclear::DeviceFact(one) => self.pair("device", one).1 = Some(id),
            Unclear::Argument(one) => self.pair("argument", one).1 = Some(id),
            Unclear::Uri(one) => self.pair("uri", one).1 = Some(id),
            Unclear::Expression(one) => self.pair("expression", one).1 = Some(id),
            Unclear::Groups | Unclear::Roles | Unclear::Scopes | Unclear::Device => {}
        }
    }

    fn value(&mut self, group: &'static str, id: FactId) {
        self.single.entry(group).or_default().values.push(id);
    }

    fn chain(&mut self, group: &str) -> &mut Chain {
        self.chains.entry(group.to_owned()).or_default()
    }

    fn step(&mut self, group: String, step: u128, id: FactId) {
        let chain = self.chains.entry(group).or_default();
        chain.steps.push((step, id));
    }

    fn pair(
        &mut self,
        kind: &str,
        of: &impl std::fmt::Debug,
    ) -> &mut (Option<FactId>, Option<FactId>) {
        self.pairs.entry(format!("{kind} {of:?}")).or_default()
    }
}

/// Where the facts hold in one of some ways.
fn split(of: &[FactId], ways: &[&Way], facts: &mut Facts) -> Diagram {
    if ways.is_empty() {
        return Diagram::NEVER;
    }
    let Some((first, rest)) = of.split_first() else {
        return Diagram::ALWAYS;
    };
    let (with, without): (Vec<&Way>, Vec<&Way>) =
        ways.iter().copied().partition(|way| way.contains(first));
    let low = split(rest, &without, facts);
    let high = split(rest, &with, facts);
    facts.diagrams.node(*first, low, high)
}

/// A value that is one of some is one of more, and none of others.
fn arguments(of: &BTreeSet<FactId>, facts: &mut Facts) -> Diagram {
    let mut by_path: BTreeMap<String, Vec<(FactId, ValueSelector)>> = BTreeMap::new();
    for (id, fact) in facts.iter().filter(|(id, _)| of.contains(id)) {
        if let Fact::Argument(selector) = fact {
            let path = selector.path.as_str().to_owned();
            by_path
                .entry(path)
                .or_default()
                .push((id, selector.clone()));
        }
    }
    let mut all = Diagram::ALWAYS;
    for group in by_path.into_values() {
        for (at, (one, selector)) in group.iter().enumerate() {
            for (other, wider) in group.iter().skip(at.saturating_add(1)) {
                let own = pair(facts, (*one, selector), (*other, wider));
                all = facts.diagrams.and(all, own);
            }
        }
    }
    all
}

fn pair(
    facts: &mut Facts,
    (one, selector): (FactId, &ValueSelector),
    (other, another): (FactId, &ValueSelector),
) -> Diagram {
    let within = |narrow: &ValueSelector, wide: &ValueSelector| {
        let mut narrow = narrow.expected.iter();
        narrow.all(|value| wide.expected.contains(value))
    };
    let text = |value: &ExpectedValue| matches!(value, ExpectedValue::Exactly(Value::String(_)));
    let are_texts = selector.expected.iter().all(text) && another.expected.iter().all(text);
    let mut values = selector.expected.iter();
    let are_apart = !values.any(|value| another.expected.contains(value));
    let (one, other) = (facts.diagrams.fact(one), facts.diagrams.fact(other));
    let wrong = if within(selector, another) {
        facts.diagrams.minus(one, other)
    } else if within(another, selector) {
        facts.diagrams.minus(other, one)
    } else if are_texts && are_apart {
        facts.diagrams.and(one, other)
    } else {
        Diagram::NEVER
    };
    facts.diagrams.not(wrong)
}
