//! Reduced, ordered binary decision diagrams: functions of facts, each in one form only.
//!
//! Two diagrams are the same function if and only if they are the same node. All of them live in one
//! [`Diagrams`], which has a limit: past it every result is [`Diagram::NEVER`], and
//! [`Diagrams::is_full`] says that none of them can be believed.

use std::collections::BTreeSet;

use foldhash::{HashMap, HashMapExt};

use super::give_up::GiveUp;

/// A function of facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Diagram(u32);

impl Diagram {
    /// It never holds.
    pub(super) const NEVER: Diagram = Diagram(0);
    /// It always holds.
    pub(super) const ALWAYS: Diagram = Diagram(1);

    pub(super) fn of(truth: bool) -> Self {
        if truth {
            Diagram::ALWAYS
        } else {
            Diagram::NEVER
        }
    }

    fn constant(self) -> Option<bool> {
        match self {
            Diagram::NEVER => Some(false),
            Diagram::ALWAYS => Some(true),
            Diagram(_) => None,
        }
    }
}

/// The number of a fact, which is also its place in the order of all diagrams.
pub type FactId = u32;

/// What a fact is and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Node {
    fact: FactId,
    low: Diagram,
    high: Diagram,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Operation {
    And,
    Or,
    Xor,
    Minus,
}

/// How many steps are taken before it is asked again whether the result is wanted.
const STEPS: u32 = 256;

/// Every diagram of one comparison.
#[derive(Debug)]
pub(super) struct Diagrams {
    /// The first two stand for the constants.
    nodes: Vec<Node>,
    unique: HashMap<Node, Diagram>,
    results: HashMap<(Operation, Diagram, Diagram), Diagram>,
    limit: usize,
    is_full: bool,
    give_up: Option<GiveUp>,
    steps: u32,
}

impl Diagrams {
    /// None yet, and at most so many nodes.
    pub(super) fn new(limit: usize) -> Self {
        let constant = Node {
            fact: FactId::MAX,
            low: Diagram::NEVER,
            high: Diagram::NEVER,
        };
        Diagrams {
            nodes: vec![constant, constant],
            unique: HashMap::new(),
            results: HashMap::new(),
            limit: limit.min(usize::try_from(u32::MAX / 2).unwrap_or(usize::MAX)),
            is_full: false,
            give_up: None,
            steps: 0,
        }
    }

    /// Counts as full once this says that nobody wants the result any more.
    pub(super) fn give_up_when(&mut self, give_up: GiveUp) {
        self.give_up = Some(give_up);
    }

    /// Whether nobody wants the result any more.
    pub(super) fn is_given_up(&self) -> bool {
        self.give_up.as_ref().is_some_and(|give_up| (give_up.0)())
    }

    /// Takes a step. Whether no more results can be computed.
    fn is_over(&mut self) -> bool {
        self.steps = self.steps.wrapping_add(1);
        if self.steps.is_multiple_of(STEPS) {
            self.is_full |= self.is_given_up();
        }
        self.is_full
    }

    /// Whether some result could not be computed.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// The function that is true where the fact is.
    pub(super) fn fact(&mut self, fact: FactId) -> Diagram {
        self.node(fact, Diagram::NEVER, Diagram::ALWAYS)
    }

    /// A choice by a fact that comes before every fact of both.
    pub(super) fn node(&mut self, fact: FactId, low: Diagram, high: Diagram) -> Diagram {
        if low == high {
            return low;
        }
        let node = Node { fact, low, high };
        if let Some(known) = self.unique.get(&node) {
            return *known;
        }
        let number = u32::try_from(self.nodes.len()).ok();
        let number = number.filter(|_| self.nodes.len() < self.limit);
        let Some(number) = number else {
            self.is_full = true;
            return Diagram::NEVER;
        };
        self.nodes.push(node);
        self.unique.insert(node, Diagram(number));
        Diagram(number)
    }

    pub(super) fn and(&mut self, one: Diagram, other: Diagram) -> Diagram {
        self.apply(Operation::And, one, other)
    }

    pub(super) fn or(&mut self, one: Diagram, other: Diagram) -> Diagram {
        self.apply(Operation::Or, one, other)
    }

    pub(super) fn xor(&mut self, one: Diagram, other: Diagram) -> Diagram {
        self.apply(Operation::Xor, one, other)
    }

    pub(super) fn not(&mut self, one: Diagram) -> Diagram {
        self.xor(one, Diagram::ALWAYS)
    }

    /// Where the first holds and the second does not.
    pub(super) fn minus(&mut self, one: Diagram, other: Diagram) -> Diagram {
        self.apply(Operation::Minus, one, other)
    }

    /// One of several. They are joined in pairs, because a sum of small ones stays small for longest,
    /// and in the order of their facts, because what depends on other facts is joined at one node.
    pub(super) fn any(&mut self, all: impl IntoIterator<Item = Diagram>) -> Diagram {
        let mut layer: Vec<Diagram> = all.into_iter().collect();
        layer.sort_unstable_by_key(|one| (self.at(*one).fact, *one));
        layer.dedup();
        while layer.len() > 1 {
            layer = layer
                .chunks(2)
                .map(|pair| match pair {
                    [one, other] => self.or(*one, *other),
                    [one] => *one,
                    _ => Diagram::NEVER,
                })
                .collect();
        }
        layer.first().copied().unwrap_or(Diagram::NEVER)
    }

    fn apply(&mut self, operation: Operation, one: Diagram, other: Diagram) -> Diagram {
        if let Some(known) = shortcut(operation, one, other) {
            return known;
        }
        if self.is_over() {
            return Diagram::NEVER;
        }
        let key = match operation {
            Operation::And | Operation::Or | Operation::Xor => {
                (operation, one.min(other), one.max(other))
            }
            Operation::Minus => (operation, one, other),
        };
        if let Some(known) = self.results.get(&key) {
            return *known;
        }
        let (left, right) = (self.at(one), self.at(other));
        let fact = left.fact.min(right.fact);
        let split = |node: Node, own: Diagram| {
            if node.fact == fact {
                (node.low, node.high)
            } else {
                (own, own)
            }
        };
        let (left, right) = (split(left, one), split(right, other));
        let low = self.apply(operation, left.0, right.0);
        let high = self.apply(operation, left.1, right.1);
        let result = self.node(fact, low, high);
        self.results.insert(key, result);
        result
    }

    fn at(&self, diagram: Diagram) -> Node {
        let at = usize::try_from(diagram.0).unwrap_or(0);
        self.nodes.get(at).copied().unwrap_or(Node {
            fact: FactId::MAX,
            low: Diagram::NEVER,
            high: Diagram::NEVER,
        })
    }

    /// The function with some facts given.
    pub(super) fn given(&mut self, of: Diagram, facts: &dyn Fn(FactId) -> Option<bool>) -> Diagram {
        self.given_with(of, facts, &mut HashMap::new())
    }

    fn given_with(
        &mut self,
        of: Diagram,
        facts: &dyn Fn(FactId) -> Option<bool>,
        known: &mut HashMap<Diagram, Diagram>,
    ) -> Diagram {
        if of.constant().is_some() {
            return of;
        }
        if let Some(known) = known.get(&of) {
            return *known;
        }
        let node = self.at(of);
        let result = match facts(node.fact) {
            Some(true) => self.given_with(node.high, facts, known),
            Some(false) => self.given_with(node.low, facts, known),
            None => {
                let low = self.given_with(node.low, facts, known);
                let high = self.given_with(node.high, facts, known);
                self.node(node.fact, low, high)
            }
        };
        known.insert(of, result);
        result
    }

    /// The value where every fact is given.
    pub(super) fn value(&self, of: Diagram, facts: &dyn Fn(FactId) -> bool) -> bool {
        let mut at = of;
        loop {
            if let Some(truth) = at.constant() {
                return truth;
            }
            let node = self.at(at);
            at = if facts(node.fact) {
                node.high
            } else {
                node.low
            };
        }
    }

    /// One conjunction of facts in which the function holds, with as few true ones as a walk that
    /// looks only ahead finds.
    pub(super) fn example(&self, of: Diagram) -> Option<Vec<(FactId, bool)>> {
        let mut found = Vec::new();
        let mut at = of;
        while at.constant().is_none() {
            let node = self.at(at);
            let is_true = node.low == Diagram::NEVER;
            found.push((node.fact, is_true));
            at = if is_true { node.high } else { node.low };
        }
        (at == Diagram::ALWAYS).then_some(found)
    }

    /// Whether the function holds wherever the conjunction does. `seen` has the facts of which that
    /// was asked.
    pub(super) fn is_implied(
        &self,
        of: Diagram,
        by: &HashMap<FactId, bool>,
        seen: &mut foldhash::HashSet<FactId>,
    ) -> bool {
        let mut visited: foldhash::HashSet<Diagram> = foldhash::HashSet::default();
        let mut waiting = vec![of];
        while let Some(at) = waiting.pop() {
            match at.constant() {
                Some(true) => continue,
                Some(false) => return false,
                None => {}
            }
            if !visited.insert(at) {
                continue;
            }
            let node = self.at(at);
            seen.insert(node.fact);
            match by.get(&node.fact) {
                Some(true) => waiting.push(node.high),
                Some(false) => waiting.push(node.low),
                None => waiting.extend([node.low, node.high]),
            }
        }
        true
    }

    /// The facts that some functions depend on.
    pub(super) fn support(&self, of: impl IntoIterator<Item = Diagram>) -> BTreeSet<FactId> {
        let mut waiting: Vec<Diagram> = of.into_iter().collect();
        let mut visited: foldhash::HashSet<Diagram> = foldhash::HashSet::default();
        let mut facts = BTreeSet::new();
        while let Some(at) = waiting.pop() {
            if at.constant().is_some() || !visited.insert(at) {
                continue;
            }
            let node = self.at(at);
            facts.insert(node.fact);
            waiting.extend([node.low, node.high]);
        }
        facts
    }

    /// The conjunction of facts as a function.
    pub(super) fn cube(&mut self, facts: &[(FactId, bool)]) -> Diagram {
        let mut facts = facts.to_vec();
        facts.sort_unstable_by_key(|(fact, _)| std::cmp::Reverse(*fact));
        facts
            .into_iter()
            .fold(Diagram::ALWAYS, |rest, (fact, is_true)| {
                if is_true {
                    self.node(fact, Diagram::NEVER, rest)
                } else {
                    self.node(fact, rest, Diagram::NEVER)
                }
            })
    }
}

fn shortcut(operation: Operation, one: Diagram, other: Diagram) -> Option<Diagram> {
    match (operation, one.constant(), other.constant()) {
        (Operation::And | Operation::Minus, Some(false), _)
        | (Operation::And, _, Some(false))
        | (Operation::Minus, _, Some(true)) => Some(Diagram::NEVER),
        (Operation::Or, Some(true), _) | (Operation::Or, _, Some(true)) => Some(Diagram::ALWAYS),
        (Operation::And, Some(true), _) | (Operation::Or | Operation::Xor, Some(false), _) => {
            Some(other)
        }
        (Operation::And, _, Some(true))
        | (Operation::Or | Operation::Xor | Operation::Minus, _, Some(false)) => Some(one),
        (Operation::Xor, Some(one), Some(other)) => Some(Diagram::of(one != other)),
        (Operation::And | Operation::Or, None, None) if one == other => Some(one),
        (Operation::Xor | Operation::Minus, _, _) if one == other => Some(Diagram::NEVER),
        (Operation::And | Operation::Or | Operation::Xor | Operation::Minus, _, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_function_is_the_same_node() {
        let mut all = Diagrams::new(1000);
        let [a, b, c] = [0, 1, 2].map(|fact| all.fact(fact));
        let ab = all.and(a, b);
        let left = all.or(ab, c);
        let ac = all.or(a, c);
        let bc = all.or(b, c);
        let right = all.and(ac, bc);
        assert_eq!(left, right);
        let none = all.minus(left, right);
        assert_eq!(none, Diagram::NEVER);
        let not = all.not(a);
        assert_eq!(all.minus(Diagram::ALWAYS, a), not);
        let beside = all.and(not, left);
        assert_eq!(all.minus(left, a), beside);
        for bits in 0..8_u32 {
            let is = |fact: FactId| bits & (1 << fact) != 0;
            assert_eq!(all.value(left, &is), is(0) && is(1) || is(2), "{bits}");
        }
        let given = all.given(left, &|fact| (fact == 2).then_some(false));
        assert_eq!(given, ab);
        assert_eq!(all.cube(&[(1, true), (0, true)]), ab);
        assert_eq!(all.example(ab), Some(vec![(0, true), (1, true)]));
        assert_eq!(all.example(Diagram::NEVER), None);
    }

    #[test]
    fn past_the_limit_nothing_is_believed() {
        let mut all = Diagrams::new(4);
        let facts: Vec<Diagram> = (0..4).map(|fact| all.fact(fact)).collect();
        all.any(facts);
        assert!(all.is_full());
    }
}
