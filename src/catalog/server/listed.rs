//! The tools that a server's lists have shown, for operators.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;

use super::{ServerTools, ToolRefusal, lock};
use crate::authz::Hints;

/// The most tools of one server that are told of.
const LISTED_MAX: usize = 10_000;

/// The tools of one server that its lists have shown since the process started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTools {
    /// The server.
    pub server: String,
    /// The tools, by name.
    pub tools: Vec<ListedTool>,
    /// Whether lists have shown more than these.
    pub is_truncated: bool,
}

/// A tool that a list has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTool {
    /// Its name.
    pub name: Arc<str>,
    /// Whether the record of the server has it.
    pub is_recorded: bool,
    /// Whether it is described otherwise than was accepted.
    pub is_changed: bool,
    /// Why calls of it are refused whatever the policy says, if they are.
    pub refusal: Option<ToolRefusal>,
    /// What its annotations are worth.
    pub hints: Hints,
    /// When a list showed it first.
    pub first_seen: Timestamp,
    /// When a list showed it last.
    pub last_seen: Timestamp,
}

impl ServerTools {
    pub(crate) fn listed(&self, server: &str) -> ListedTools {
        let recorded = self.accepted.load();
        let seen = lock(&self.seen);
        let is_truncated = self.has_untracked.load(Ordering::Relaxed) || seen.len() > LISTED_MAX;
        let tools = seen.iter().take(LISTED_MAX).map(|(name, tool)| {
            let own = recorded.get(&**name).map(|recorded| &recorded.accepted);
            let accepted = own.unwrap_or(&tool.first);
            let is_changed = tool.last != accepted.digest;
            ListedTool {
                name: Arc::clone(name),
                is_recorded: own.is_some(),
                is_changed,
                refusal: self.refusal(own.is_some(), is_changed),
                hints: self.hints(Some(accepted.class)),
                first_seen: tool.first_seen,
                last_seen: tool.last_seen,
            }
        });
        let mut tools: Vec<ListedTool> = tools.collect();
        drop(seen);
        tools.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        ListedTools {
            server: server.to_owned(),
            tools,
            is_truncated,
        }
    }
}
