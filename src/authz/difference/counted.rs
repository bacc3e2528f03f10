//! What windows and limits count under each policy, by all that can be asked.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Comparison;
use super::combined::Placed;
use super::counters::{Among, Counters};
use super::diagram::Diagram;
use super::limits::is_limit;
use super::target::{Judged, Target};
use super::versions::Row;
use crate::authz::expression::Expression;
use crate::authz::matching::Match;
use crate::authz::rule::Effect;
use crate::authz::selectors::{What, Why};

impl Comparison<'_> {
    /// Tells all that can be asked. What a window or a limit counts is compared by this.
    #[must_use]
    pub fn among(mut self, targets: impl IntoIterator<Item = Target>) -> Self {
        let mut among = Among {
            targets: targets.into_iter().collect(),
            ..Among::default()
        };
        let policies = [self.old.policy, self.new.policy];
        let windows = policies.iter().flat_map(|policy| policy.windows());
        let windows =
            windows.filter_map(|one| Some((&one.window.of.as_ref()?.name, one.of.as_ref()?)));
        let none = BTreeSet::new();
        for target in &among.targets {
            let requests = [0, 1].map(|side| target.request(&self.nobody, side));
            let judged = Judged::both(policies, target, &requests, &none);
            let [was, is] = &judged;
            if was.other_class.is_none() {
                continue;
            }
            among.is_reclassified = true;
            let selects = |judged: &Judged<'_>, block: &What| {
                let not = block.not.as_ref();
                let not = not.map_or(Match::No, |not| not.matches_names(&judged.asked));
                (block.matches_names(&judged.asked), not)
            };
            for (name, block) in windows.clone() {
                let both = (selects(was, block), selects(is, block));
                let is_of_none = both.0.0 == Match::No && both.1.0 == Match::No;
                if both.0 != both.1 && !is_of_none {
                    among.recounted.insert(Arc::clone(name));
                }
            }
        }
        self.among = Arc::new(among);
        self
    }

    /// Where the limit of a rule counts each target.
    fn taken(&mut self, [side, position]: [usize; 2], tables: usize) -> Arc<[Diagram]> {
        let tables = if self.among.is_reclassified {
            tables
        } else {
            0
        };
        let key = ([side, position], tables);
        if let Some(known) = self.taken.get(&key) {
            return Arc::clone(known);
        }
        let among = Arc::clone(&self.among);
        let policies = [self.old.policy, self.new.policy];
        let [old, new] = policies;
        let own = if side == 0 {
            &mut self.old
        } else {
            &mut self.new
        };
        let mut taken = Vec::new();
        for target in &among.targets {
            let requests = [0, 1].map(|side| target.request(&self.nobody, side));
            let [was, is] = Judged::both(policies, target, &requests, &among.recounted);
            let (judged, policy) = if tables == 0 { (was, old) } else { (is, new) };
            taken.push(own.taken(position, &judged, policy, &mut self.facts));
        }
        let taken: Arc<[Diagram]> = taken.into();
        self.taken.insert(key, Arc::clone(&taken));
        taken
    }

    /// Whether the tables make such a difference to a rule of some pairs.
    pub(super) fn some_counts_otherwise(&mut self, pairs: impl Iterator<Item = usize>) -> bool {
        let pairs = pairs.filter_map(|pair| self.pairs.get(pair).copied());
        let rules = pairs.flat_map(|pair| {
            let (old, new) = (pair.old, pair.new.filter(|_| pair.is_edited));
            [old.map(|at| [0, at]), new.map(|at| [1, at])]
        });
        let rules: Vec<[usize; 2]> = rules.flatten().collect();
        rules.into_iter().any(|rule| self.counts_otherwise(rule))
    }

    /// Whether the tables make a difference to a rule (side and position) beyond the class of a
    /// target: to what its windows or its limit count.
    fn counts_otherwise(&mut self, [side, position]: [usize; 2]) -> bool {
        let own = if side == 0 { &self.old } else { &self.new };
        let rule = own.rule(position);
        let Some(rule) = rule.filter(|_| self.among.is_reclassified) else {
            return false;
        };
        let windows = rule.why.iter().flat_map(Why::windows);
        let mut names = windows.filter_map(|one| one.window.of.as_ref());
        let is_recounted = names.any(|of| self.among.recounted.contains(&of.name));
        let what = rule.what.as_ref();
        let blocks = what
            .into_iter()
            .flat_map(|what| [Some(what), what.not.as_deref()]);
        let reads_class = blocks.flatten().any(|what| what.classes.is_some())
            || rule
                .expression
                .as_ref()
                .is_some_and(Expression::reads_class);
        let is_limit = matches!(rule.effect, Effect::Limit(_) | Effect::Open(_));
        is_recounted
            || is_limit
                && reads_class
                && self.taken([side, position], 0) != self.taken([side, position], 1)
    }

    /// Gives the limit of a rule its number.
    pub(super) fn number(
        &mut self,
        placed: &mut Placed<'_>,
        rule: [usize; 2],
        tables: usize,
        counters: &mut Counters,
    ) {
        if is_limit(placed) {
            let taken = self.taken(rule, tables);
            placed.counter = counters.number(&placed.rule.effect, taken, placed.found.yes);
        }
    }

    /// Gives the limit of a row its numbers.
    pub(super) fn number_all(&mut self, row: &mut Row<'_>, counters: &mut Counters) {
        let Some(pair) = self.pairs.get(row.pair).copied() else {
            return;
        };
        let own = [pair.old, if pair.is_edited { pair.new } else { pair.old }];
        let sides = if pair.is_edited { [0, 1] } else { [0, 0] };
        for ((placed, position), side) in row.sides.iter_mut().zip(own).zip(sides) {
            for (tables, placed) in placed.iter_mut().enumerate() {
                if let (Some(placed), Some(position)) = (placed, position) {
                    self.number(placed, [side, position], tables, counters);
                }
            }
        }
    }
}
