//! What a reload says of the policy that it puts into force.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Difference, RuleChangeKind, Surroundings, rule_changes};
use crate::authz::{Comparison, Policy};

/// How many rules a policy may have for its changes to be counted at a reload.
const RULES_MAX: usize = 2000;

/// How large the comparison may become.
const NODES_MAX: usize = 400_000;

/// How the policy in force differs from the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadSummary {
    /// How many changes let somebody do more, and how many less. Not known if there are too many
    /// rules, or if it was given up.
    pub counts: Option<(usize, usize)>,
    /// The ids of rules that were added.
    pub added: Vec<String>,
    /// Of rules that were removed.
    pub removed: Vec<String>,
    /// Of rules that say something else.
    pub changed: Vec<String>,
}

impl ReloadSummary {
    /// Whether it says that nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let lists = [&self.added, &self.removed, &self.changed];
        self.counts == Some((0, 0)) && lists.iter().all(|list| list.is_empty())
    }
}

/// Compares the policy in force with the one before, until `is_over` says that it takes too long. May
/// take a second, so it is not for the path of a request.
#[must_use]
pub fn reload_summary(
    policies: [&Policy; 2],
    around: [&Surroundings; 2],
    from: Timestamp,
    is_over: Arc<dyn Fn() -> bool + Send + Sync>,
) -> ReloadSummary {
    let [old, new] = policies;
    let rules = rule_changes(old, new);
    let of = |how: RuleChangeKind| {
        let rules = rules.iter().filter(|rule| rule.how == how);
        rules.map(|rule| rule.id.to_string()).collect()
    };
    let is_small = old.rules().len().max(new.rules().len()) <= RULES_MAX;
    let counts = is_small.then(|| {
        let comparison = Comparison::within(old, new, from, NODES_MAX).until(is_over);
        let difference = Difference::by(comparison, policies, around, &[]);
        difference.unknown.is_empty().then(|| difference.counts())
    });
    ReloadSummary {
        counts: counts.flatten(),
        added: of(RuleChangeKind::Added),
        removed: of(RuleChangeKind::Removed),
        changed: of(RuleChangeKind::Changed),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::policy::{CompileContext, compile};
    use crate::yaml::Source;

    /// Rules of which each may decide by itself, and a few that differ.
    fn star(count: usize, changed: &str) -> Policy {
        let rule = |at: usize| {
            let effect = if at.is_multiple_of(3) {
                "deny"
            } else {
                "allow"
            };
            let group = if at.is_multiple_of(50) { changed } else { "g" };
            format!(
                "- {{id: r{at}, effect: {effect}, who: {{groups: [{group}{at}, h{at}]}}, what: \
                 {{servers: [s1]}}}}\n"
            )
        };
        let rules: String = (0..count).map(rule).collect();
        let text = format!("rules:\n{rules}");
        let name = "p.yaml".to_owned();
        compile(&[Source { name, text }], &CompileContext::default()).unwrap()
    }

    fn summary(
        policies: [&Policy; 2],
        is_over: impl Fn() -> bool + Send + Sync + 'static,
    ) -> ReloadSummary {
        let now = Timestamp::from_second(1).unwrap();
        let around = Surroundings::default();
        reload_summary(policies, [&around; 2], now, Arc::new(is_over))
    }

    #[test]
    fn counting_ends_when_nobody_wants_it_any_more() {
        let (old, new) = (star(200, "a"), star(200, "b"));
        let begun = Instant::now();
        let time_max = Duration::from_millis(200);
        let found = summary([&old, &new], move || begun.elapsed() > time_max);
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(found.counts, None);
        assert_eq!(found.changed.len(), 4, "the rules are known all the same");
        let (old, new) = (star(2, "a"), star(2, "b"));
        assert!(summary([&old, &new], || false).counts.is_some());
        assert_eq!(summary([&old, &new], || true).counts, None);
    }
}
