//! One change of access, and how a rule differs.

use std::sync::Arc;

use super::facts::SaidSituation;
use super::universe::Asked;
use crate::authz::{CauseKind, ChangeKind, Detail};

/// One change of access: the same for several things on one server.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The named subject, if subjects are named.
    pub subject: Option<String>,
    /// How decisions change.
    pub kind: ChangeKind,
    /// What it is about, beyond its kind.
    pub details: Vec<Detail>,
    /// On which server.
    pub server: Arc<str>,
    /// What it is about.
    pub things: Vec<Asked>,
    /// The edits that cause it together. None of them can be left out.
    pub causes: Vec<EntryCause>,
    /// Where.
    pub situations: Vec<SaidSituation>,
    /// Whether there are more situations than these.
    pub is_cut: bool,
}

/// One edit that is needed for a change of access.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryCause {
    /// What is edited.
    pub kind: CauseKind,
    /// The rule, in the old policy and in the new one.
    pub rule: [Option<Arc<str>>; 2],
    /// How the rule differs, if it does.
    pub how: Option<RuleChangeKind>,
}

impl EntryCause {
    /// The id of the rule, if it is about one.
    #[must_use]
    pub fn id(&self) -> Option<&Arc<str>> {
        let [old, new] = &self.rule;
        new.as_ref().or(old.as_ref())
    }
}

impl Entry {
    /// The rule of the first cause that has one, in the old policy (0) or in the new one (1).
    #[must_use]
    pub fn rule(&self, side: usize) -> Option<&Arc<str>> {
        let cause = self.causes.iter().find(|cause| cause.id().is_some());
        cause?.rule.get(side)?.as_ref()
    }
}

/// A rule that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleChange {
    /// Its id.
    pub id: Arc<str>,
    /// How.
    pub how: RuleChangeKind,
}

/// How a rule differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleChangeKind {
    /// Only the new policy has it.
    Added,
    /// Only the old policy has it.
    Removed,
    /// Both have it, and it says something else.
    Changed,
}

impl RuleChangeKind {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            RuleChangeKind::Added => "added",
            RuleChangeKind::Removed => "removed",
            RuleChangeKind::Changed => "changed",
        }
    }
}
