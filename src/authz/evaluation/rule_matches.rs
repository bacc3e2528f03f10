//! The rules that may apply to one request, each matched at most once.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use crate::authz::call::Call;
use crate::authz::classified::Class;
use crate::authz::index::Index;
use crate::authz::matching::Match;
use crate::authz::policy::Policy;
use crate::authz::request::AccessRequest;
use crate::authz::rule::Rules;

/// One request and its matching rules. Each group of rules is matched on first use.
pub(super) struct RuleMatches<'a> {
    pub(super) policy: &'a Policy,
    pub(super) call: Call<'a>,
    pub(super) class: Option<&'a Arc<str>>,
    enforced: IndexMatches,
    shadow: IndexMatches,
}

/// The matching rules of one index.
#[derive(Default)]
struct IndexMatches {
    gates: OnceCell<Matched>,
    grants: OnceCell<Matched>,
}

impl<'a> RuleMatches<'a> {
    pub(super) fn new(policy: &'a Policy, request: &'a AccessRequest<'a>) -> Self {
        let class = policy.class_of(request);
        RuleMatches {
            policy,
            call: Call::of_class(Policy::class_in(request, class), request),
            class,
            enforced: IndexMatches::default(),
            shadow: IndexMatches::default(),
        }
    }

    /// The deny, require and limit rules that match or cannot be evaluated.
    pub(super) fn gates(&self, rules: Rules) -> Cow<'_, Matched> {
        let index = self.policy.enforced_index();
        let enforced = &self.enforced.gates;
        let enforced = enforced.get_or_init(|| self.find(index, Index::gates));
        match (rules, self.policy.shadow_index()) {
            (Rules::All, Some(index)) => enforced.join(self.shadow_gates(index)),
            (Rules::All | Rules::Enforced, _) => Cow::Borrowed(enforced),
        }
    }

    /// The allow rules that match or cannot be evaluated.
    pub(super) fn grants(&self, rules: Rules) -> Cow<'_, Matched> {
        let index = self.policy.enforced_index();
        let enforced = &self.enforced.grants;
        let enforced = enforced.get_or_init(|| self.find(index, Index::grants));
        match (rules, self.policy.shadow_index()) {
            (Rules::All, Some(index)) => enforced.join(self.shadow_grants(index)),
            (Rules::All | Rules::Enforced, _) => Cow::Borrowed(enforced),
        }
    }

    pub(super) fn shadow_gates(&self, index: &Index) -> &Matched {
        let gates = &self.shadow.gates;
        gates.get_or_init(|| self.find(index, Index::gates))
    }

    pub(super) fn shadow_grants(&self, index: &Index) -> &Matched {
        let grants = &self.shadow.grants;
        grants.get_or_init(|| self.find(index, Index::grants))
    }

    fn find(
        &self,
        index: &Index,
        candidates: fn(&Index, &AccessRequest<'_>, Class<'_>) -> Vec<usize>,
    ) -> Matched {
        let target = &self.call.target;
        let candidates = candidates(index, target.request, target.class);
        Matched::collect(self.policy, &self.call, candidates)
    }
}

/// Positions of rules by the result of matching, in file order.
#[derive(Debug, Clone, Default)]
pub(super) struct Matched {
    pub(super) matched: Vec<usize>,
    pub(super) indeterminate: Vec<usize>,
}

impl Matched {
    fn collect(policy: &Policy, call: &Call<'_>, mut candidates: Vec<usize>) -> Self {
        candidates.sort_unstable();
        candidates.dedup();
        let mut matched = Matched::default();
        for position in candidates {
            let Some(rule) = policy.rules().get(position) else {
                continue;
            };
            match rule.matches(call) {
                Match::Yes => matched.matched.push(position),
                Match::Indeterminate | Match::Unknown => matched.indeterminate.push(position),
                Match::No => {}
            }
        }
        matched
    }

    /// Joins two sets of rules, which do not overlap.
    fn join(&self, others: &Matched) -> Cow<'_, Matched> {
        if others.matched.is_empty() && others.indeterminate.is_empty() {
            return Cow::Borrowed(self);
        }
        let join = |own: &[usize], other: &[usize]| {
            let mut all = [own, other].concat();
            all.sort_unstable();
            all
        };
        Cow::Owned(Matched {
            matched: join(&self.matched, &others.matched),
            indeterminate: join(&self.indeterminate, &others.indeterminate),
        })
    }
}
