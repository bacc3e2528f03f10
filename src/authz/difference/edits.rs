//! What differs between two policies: which rules were edited, and what else was.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::authz::policy::Policy;
use crate::authz::rule::{Mode, Rule};

/// One difference that can be made without the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Edit {
    /// A rule is added, removed or says something else: its pair.
    Rule(usize),
    /// The tool has another class.
    Class,
    /// The rules stand in another order.
    Order,
    /// The configuration lets the request reach the rules, or no longer does.
    Reach,
}

/// Some of the differences.
pub(super) type EditSet = BTreeSet<Edit>;

/// One rule as it was and as it is, by its positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) old: Option<usize>,
    pub(super) new: Option<usize>,
    /// Whether it decides otherwise.
    pub(super) is_edited: bool,
    /// Where it stands among all rules, in the order of the old policy and of the new one.
    pub(super) ranks: [usize; 2],
}

/// The rules of two policies in pairs.
#[derive(Debug)]
pub(super) struct Pairs {
    all: Vec<Pair>,
    /// For each rule of the old policy and of the new one, its pair.
    of: [Vec<usize>; 2],
    /// Whether some stand in another order.
    pub(super) is_reordered: bool,
}

impl Pairs {
    pub(super) fn of(old: &Policy, new: &Policy) -> Self {
        let matched = matched_rules(old.rules(), new.rules());
        let mut pairs: Vec<Pair> = Vec::new();
        let mut of = [
            vec![usize::MAX; old.rules().len()],
            vec![usize::MAX; new.rules().len()],
        ];
        let mut add = |old_at: Option<usize>, new_at: Option<usize>| {
            let rule = |policy: &'_ Policy, at: Option<usize>| {
                at.and_then(|at| policy.rules().get(at)).cloned()
            };
            let (was, is) = (rule(old, old_at), rule(new, new_at));
            let is_edited = match (&was, &is) {
                (Some(was), Some(is)) => !was.decides_like(is),
                (_, _) => true,
            };
            for (list, at) in of.iter_mut().zip([old_at, new_at]) {
                if let Some(own) = at.and_then(|at| list.get_mut(at)) {
                    *own = pairs.len();
                }
            }
            pairs.push(Pair {
                old: old_at,
                new: new_at,
                is_edited,
                ranks: [0, 0],
            });
        };
        let gone: BTreeSet<usize> = matched.values().copied().collect();
        for at in 0..new.rules().len() {
            add(matched.get(&at).copied(), Some(at));
        }
        for at in (0..old.rules().len()).filter(|at| !gone.contains(at)) {
            add(Some(at), None);
        }
        let [of_old, of_new] = &of;
        for (side, (own, other)) in [(of_old, of_new), (of_new, of_old)].into_iter().enumerate() {
            for (rank, pair) in merged(own, other).into_iter().enumerate() {
                if let Some(own) = pairs
                    .get_mut(pair)
                    .and_then(|pair| pair.ranks.get_mut(side))
                {
                    *own = rank;
                }
            }
        }
        let mut ranks: Vec<[usize; 2]> = pairs.iter().map(|pair| pair.ranks).collect();
        ranks.sort_unstable();
        Pairs {
            is_reordered: !ranks.is_sorted_by_key(|[_, new]| *new),
            all: pairs,
            of,
        }
    }

    pub(super) fn get(&self, pair: usize) -> Option<&Pair> {
        self.all.get(pair)
    }

    /// The pair of a rule of the old policy (0) or of the new one (1).
    pub(super) fn pair(&self, side: usize, position: usize) -> Option<usize> {
        self.of.get(side)?.get(position).copied()
    }
}

/// One list with what only the other one has after what stands before it there.
fn merged(own: &[usize], other: &[usize]) -> Vec<usize> {
    let known: BTreeSet<usize> = own.iter().copied().collect();
    let mut after: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    let mut last = None;
    for pair in other {
        if known.contains(pair) {
            last = Some(*pair);
        } else {
            after.entry(last).or_default().push(*pair);
        }
    }
    let mut all = after.remove(&None).unwrap_or_default();
    for pair in own {
        all.push(*pair);
        all.extend(after.remove(&Some(*pair)).unwrap_or_default());
    }
    all
}

/// For each rule of the new policy the one of the old that it was: the one of its id, or one with
/// another id that says the same and that the new policy has no longer.
#[must_use]
pub fn matched_rules(old: &[Rule], new: &[Rule]) -> HashMap<usize, usize> {
    let by_id: HashMap<&Arc<str>, usize> = old
        .iter()
        .enumerate()
        .map(|(at, rule)| (&rule.id, at))
        .collect();
    let pairs = new.iter().enumerate();
    let mut found: HashMap<usize, usize> = pairs
        .filter_map(|(at, rule)| Some((at, *by_id.get(&rule.id)?)))
        .collect();
    let taken: BTreeSet<usize> = found.values().copied().collect();
    let mut left: Vec<usize> = (0..old.len()).filter(|at| !taken.contains(at)).collect();
    for (at, rule) in new.iter().enumerate() {
        if left.is_empty() {
            break;
        }
        if found.contains_key(&at) || rule.mode != Mode::Enforce {
            continue;
        }
        let like = left.iter().position(|before| {
            let before = old.get(*before);
            before.is_some_and(|before| before.decides_like(rule))
        });
        if let Some(like) = like {
            found.insert(at, left.remove(like));
        }
    }
    found
}
