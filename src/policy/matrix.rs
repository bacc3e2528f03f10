//! Who may call which tool: the decision for every caller and tool, as far as it does not depend on
//! the arguments.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use mcp_authz::policy::matrix::{Matrix, known_tools, named_in_rules, word};
//! use mcp_authz::policy::{CompileContext, compile};
//! use mcp_authz::yaml::Source;
//!
//! let source = Source {
//!     name: "policy.yaml".to_owned(),
//!     text: "
//! rules:
//! - {id: readers, effect: allow, who: {groups: [dev]}, what: {servers: [github], tools: [get]}}
//! "
//!     .to_owned(),
//! };
//! let context = CompileContext::default();
//! let policy = compile(&[source], &context).unwrap();
//! let tools = known_tools(&policy, ["github"], &BTreeMap::new(), &[]);
//! let now = jiff::Timestamp::UNIX_EPOCH;
//! let callers = named_in_rules(&policy, "https://idp.example.com", now);
//! let matrix = Matrix::new(&policy, &context.hints, tools, None, callers, now).unwrap();
//! let words: Vec<&str> = matrix.rows[0].cells.iter().map(|cell| word(cell.outcome)).collect();
//! assert_eq!((matrix.callers[0].name.as_str(), words), ("dev", vec!["allow", "deny"]));
//! ```
//!
//! `callers` derives sample callers from the rules, `hours` words when a rule applies, and `page`
//! renders a matrix as HTML. `live` has the tools that a running service has seen. `shown` replaces the characters of a name that no reader would see.

mod callers;
mod hours;
mod live;
mod page;
mod rows;
mod shown;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

pub use callers::named_in_rules;
pub use live::{LiveRead, LiveRow, LiveTool, LiveTools};
pub(in crate::policy) use page::PageText;
pub use page::html;
use rows::RowJudge;
pub use rows::{KnownTool, ToolRow};
pub use shown::shown;

use super::testing::{SampleCaller, Unasked, effect_name};
use crate::authz::{
    self, About, Effect, Names, Policy, Preview, PreviewOutcome, TrustedHints, UNCLASSIFIED,
};

/// The most cells that are computed.
const CELLS_MAX: usize = 1_000_000;

/// The tools of each server.
pub type KnownTools = BTreeMap<String, BTreeSet<KnownTool>>;

/// The decisions for every caller and tool.
#[derive(Debug)]
pub struct Matrix {
    /// The revision of the policy.
    pub revision: String,
    /// The moment that it is about, for callers who name no other.
    pub at: Timestamp,
    /// Where the tools of a running service were read, if they were.
    pub live: Option<LiveRead>,
    /// The callers.
    pub callers: Vec<SampleCaller>,
    /// One row for each tool, by server, class and name.
    pub rows: Vec<ToolRow>,
    /// The rules that some cell refers to, in the order of the policy; the index is the footnote.
    pub notes: Vec<RuleNote>,
    /// Servers without known tools.
    pub unknown: Vec<String>,
}

/// A rule that some cell refers to.
#[derive(Debug)]
pub struct RuleNote {
    /// Its id.
    pub rule: String,
    /// Its effect.
    pub effect: &'static str,
    /// Its message for clients.
    pub message: Option<String>,
    /// The scopes that it requires.
    pub asks: Vec<String>,
    /// When it applies, if not always.
    pub when: Option<String>,
    /// What its authors say of it.
    pub about: About,
}

/// Why there is no matrix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatrixError {
    /// There are too many cells.
    #[error("the matrix has more than {CELLS_MAX} cells")]
    TooLarge,
    /// There are no tools.
    #[error("no tool is known; set `tools_snapshot`, or name tools exactly in the class tables")]
    NoTools,
    /// A tool has a name with which it cannot be called.
    #[error("the tool `{}`: {cause}", tool.escape_debug())]
    Unasked {
        /// The tool.
        tool: String,
        /// Why not.
        cause: Unasked,
    },
}

impl Matrix {
    /// Computes every cell.
    ///
    /// # Errors
    /// If there is no tool, there are too many cells, or a tool cannot be called.
    pub fn new(
        policy: &Policy,
        hints: &Arc<TrustedHints>,
        tools: KnownTools,
        live: Option<LiveTools>,
        callers: Vec<SampleCaller>,
        at: Timestamp,
    ) -> Result<Self, MatrixError> {
        let (mut read, mut listed) = match live {
            Some(LiveTools { read, tools }) => (Some(read), tools),
            None => (None, BTreeMap::new()),
        };
        for (server, known) in &tools {
            if let Some(listed) = listed.get_mut(server) {
                listed.retain(|tool| !known.contains(&KnownTool::Named(tool.name.clone())));
            }
        }
        let known = tools.values().map(BTreeSet::len);
        let count: usize = known.chain(listed.values().map(Vec::len)).sum();
        if count.saturating_mul(callers.len()) > CELLS_MAX {
            return Err(MatrixError::TooLarge);
        }
        if count == 0 {
            return Err(MatrixError::NoTools);
        }
        let judge = RowJudge {
            policy,
            hints,
            callers: &callers,
        };
        let mut rows = Vec::new();
        let mut unknown = Vec::new();
        for (server, tools) in tools {
            let listed = listed.remove(&server).unwrap_or_default();
            if tools.is_empty() && listed.is_empty() {
                unknown.push(server.clone());
            }
            for tool in tools {
                let name = tool.sample();
                let row = judge.row(&server, tool);
                rows.push(row.map_err(|cause| MatrixError::Unasked { tool: name, cause })?);
            }
            for LiveTool { name, is_refused } in listed {
                if let Ok(row) = judge.row(&server, KnownTool::Named(name.clone())) {
                    rows.push(row.live(is_refused));
                } else if let Some(read) = &mut read {
                    read.uncallable.push((server.clone(), name));
                }
            }
        }
        rows.sort_by_key(|row| {
            (
                row.server.clone(),
                class_rank(&row.class),
                row.class.clone(),
                row.tool.clone(),
            )
        });
        Ok(Matrix {
            revision: policy.revision().to_string(),
            at,
            live: read,
            notes: notes(policy, &rows),
            callers,
            rows,
            unknown,
        })
    }

    /// Leaves out the tools and the callers that have none of these outcomes in any cell.
    pub fn retain(&mut self, outcomes: &[PreviewOutcome]) {
        let is_shown = |cell: &Preview| outcomes.contains(&cell.outcome);
        self.rows.retain(|row| row.cells.iter().any(is_shown));
        let column = |index: usize| self.rows.iter().filter_map(move |row| row.cells.get(index));
        let keeps: Vec<bool> = (0..self.callers.len())
            .map(|index| column(index).any(is_shown))
            .collect();
        let mut kept = keeps.iter();
        self.callers
            .retain(|_| kept.next().is_some_and(|keep| *keep));
        for row in &mut self.rows {
            let mut kept = keeps.iter();
            row.cells.retain(|_| kept.next().is_some_and(|keep| *keep));
        }
    }

    /// Leaves out the notes to which no cell refers any more.
    pub fn retain_used_notes(&mut self) {
        let used = deciding(&self.rows);
        self.notes.retain(|note| used.contains(note.rule.as_str()));
    }

    /// The footnotes of a cell, from 1.
    #[must_use]
    pub fn footnotes(&self, cell: &Preview) -> Vec<usize> {
        let named = self.notes.iter().enumerate();
        let named = named.filter(|(_, note)| cell.rules.iter().any(|rule| **rule == *note.rule));
        named.map(|(index, _)| index.saturating_add(1)).collect()
    }

    /// The classes of its tools, harmless ones first.
    #[must_use]
    pub fn classes(&self) -> Vec<&str> {
        let classes: BTreeSet<&str> = self.rows.iter().map(|row| row.class.as_str()).collect();
        let mut classes: Vec<&str> = classes.into_iter().collect();
        classes.sort_by_key(|class| (class_rank(class), *class));
        classes
    }
}

/// The usual classes from harmless to harmful, then others, then unclassified.
fn class_rank(class: &str) -> usize {
    match class {
        "read" => 0,
        "write" => 1,
        "destructive" => 2,
        UNCLASSIFIED => 4,
        _ => 3,
    }
}

/// The rules to which some cell refers.
fn deciding(rows: &[ToolRow]) -> BTreeSet<&str> {
    let cells = rows.iter().flat_map(|row| &row.cells);
    let rules = cells.flat_map(|cell| &cell.rules);
    rules.map(|rule| &**rule).collect()
}

/// In the order of the policy, so that the numbers are easy to follow.
fn notes(policy: &Policy, rows: &[ToolRow]) -> Vec<RuleNote> {
    let named = deciding(rows);
    let rules = policy
        .rules()
        .iter()
        .filter(|rule| named.contains(&*rule.id));
    let note = |rule: &authz::Rule| RuleNote {
        rule: rule.id.to_string(),
        effect: effect_name(&rule.effect),
        message: rule.message.as_ref().map(ToString::to_string),
        asks: match &rule.effect {
            Effect::Require(needs) => needs.scopes.iter().map(ToString::to_string).collect(),
            Effect::Allow | Effect::Deny | Effect::Limit(_) | Effect::Open(_) => Vec::new(),
        },
        when: rule.when.as_ref().and_then(hours::told),
        about: rule.about.clone(),
    };
    rules.map(note).collect()
}

/// The tools of these servers: those that are recorded or were listed, those that the policy names
/// exactly, and each pattern for all others that fit it. `closed` are the servers on which no tool
/// can be called that is not recorded.
#[must_use]
pub fn known_tools<'s>(
    policy: &Policy,
    servers: impl IntoIterator<Item = &'s str>,
    listed: &BTreeMap<String, Vec<String>>,
    closed: &[&str],
) -> KnownTools {
    let servers = servers.into_iter().map(|server| {
        let listed = listed.get(server).into_iter().flatten();
        let mut tools: BTreeSet<KnownTool> = listed.cloned().map(KnownTool::Named).collect();
        if !closed.contains(&server) {
            tools.extend(named_tools(policy, server));
        }
        (server.to_owned(), tools)
    });
    servers.collect()
}

/// The tools and patterns of tools that the policy names for a server.
fn named_tools(policy: &Policy, server: &str) -> BTreeSet<KnownTool> {
    let tables = policy.tables().filter(|(name, _)| ***name == *server);
    let tables: Vec<_> = tables.map(|(_, table)| table).collect();
    let exact = tables.iter().flat_map(|table| table.exact());
    let mut tools: BTreeSet<KnownTool> = exact
        .map(|(tool, _)| KnownTool::Named(tool.to_string()))
        .collect();
    let patterns = tables.iter().flat_map(|table| table.patterns());
    tools.extend(patterns.map(|(glob, _)| KnownTool::of(glob)));
    for what in policy.rules().iter().filter_map(|rule| rule.what.as_ref()) {
        let about = |servers: &Names| servers.iter().any(|name| **name == *server);
        if what.servers.as_ref().is_none_or(about) {
            tools.extend(what.tools.iter().flatten().map(KnownTool::of));
        }
    }
    tools
}

/// The word for a cell.
#[must_use]
pub fn word(prospect: PreviewOutcome) -> &'static str {
    match prospect {
        PreviewOutcome::Allow => "allow",
        PreviewOutcome::Challenge => "challenge",
        PreviewOutcome::Depends => "depends",
        PreviewOutcome::Deny => "deny",
    }
}
