//! One change of access, and how a rule differs.

use std::sync::Arc;

use super::facts::SaidSituation;
use super::universe::Asked;
use crate::authz::ChangeKind;

/// One change of access: the same for several things on one server.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The named subject, if subjects are named.
    pub subject: Option<String>,
    /// How decisions change.
    pub kind: ChangeKind,
    /// On which server.
    pub server: Arc<str>,
    /// What it is about.
    pub things: Vec<Asked>,
    /// The rule that causes it, in the old policy and in the new one.
    pub rule: [Option<Arc<str>>; 2],
    /// Where.
    pub situations: Vec<SaidSituation>,
    /// Whether there are more situations than these.
    pub is_cut: bool,
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
