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
//! let tools = known_tools(&policy, ["github"], &BTreeMap::new());
//! let callers = named_in_rules(&policy, "https://idp.example.com");
//! let matrix = Matrix::new(&policy, &context.hints, tools, callers).unwrap();
//! let words: Vec<&str> = matrix.rows[0].cells.iter().map(|cell| word(cell.outcome)).collect();
//! assert_eq!((matrix.callers[0].name.as_str(), words), ("dev", vec!["allow", "deny"]));
//! ```
//!
//! `callers` derives sample callers from the rules, and `page` renders a matrix as HTML. `shown`
//! replaces the characters of a name that no reader would see.

mod callers;
mod page;
mod shown;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use callers::named_in_rules;
pub(in crate::policy) use page::PageText;
pub use page::html;
pub use shown::shown;

use super::testing::{SampleCaller, Unasked, effect_name};
use crate::authz::{
    self, Effect, Glob, Names, Policy, Preview, PreviewOutcome, TrustedHints, UNCLASSIFIED,
};

/// The most cells that are computed.
const CELLS_MAX: usize = 1_000_000;

/// The tools of each server.
pub type KnownTools = BTreeMap<String, BTreeSet<String>>;

/// The decisions for every caller and tool.
#[derive(Debug)]
pub struct Matrix {
    /// The revision of the policy.
    pub revision: String,
    /// The callers.
    pub callers: Vec<SampleCaller>,
    /// One row for each tool, by server, class and name.
    pub rows: Vec<ToolRow>,
    /// The rules that some cell refers to, in the order of the policy; the index is the footnote.
    pub notes: Vec<RuleNote>,
    /// Servers without known tools.
    pub unknown: Vec<String>,
}

/// One tool.
#[derive(Debug)]
pub struct ToolRow {
    /// Its server.
    pub server: String,
    /// Its name.
    pub tool: String,
    /// Its risk class.
    pub class: String,
    /// One cell for each caller.
    pub cells: Vec<Preview>,
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
        callers: Vec<SampleCaller>,
    ) -> Result<Self, MatrixError> {
        let count: usize = tools.values().map(BTreeSet::len).sum();
        if count.saturating_mul(callers.len()) > CELLS_MAX {
            return Err(MatrixError::TooLarge);
        }
        if count == 0 {
            return Err(MatrixError::NoTools);
        }
        let mut rows = Vec::new();
        let mut unknown = Vec::new();
        for (server, tools) in tools {
            if tools.is_empty() {
                unknown.push(server.clone());
            }
            for tool in tools {
                let class = policy.class(&server, &tool, hints.of(&server, &tool));
                // Only the hints of an unrecorded tool are unknown.
                let class = class.map_or_else(|| "unknown".to_owned(), ToString::to_string);
                let cell = |caller: &SampleCaller| {
                    let call = caller.calling(&server, &tool, hints);
                    call.ask(policy, |request| authz::preview(policy, request))
                };
                let cells = callers.iter().map(cell).collect::<Result<_, _>>();
                let cells = cells.map_err(|cause| MatrixError::Unasked {
                    tool: tool.clone(),
                    cause,
                })?;
                rows.push(ToolRow {
                    server: server.clone(),
                    tool,
                    class,
                    cells,
                });
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
            callers,
            notes: notes(policy, &rows),
            rows,
            unknown,
        })
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

/// In the order of the policy, so that the numbers are easy to follow.
fn notes(policy: &Policy, rows: &[ToolRow]) -> Vec<RuleNote> {
    let cells = rows.iter().flat_map(|row| &row.cells);
    let named: BTreeSet<&str> = cells
        .flat_map(|cell| &cell.rules)
        .map(|rule| &**rule)
        .collect();
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
    };
    rules.map(note).collect()
}

/// The tools of these servers: the recorded ones, or else those that the policy names exactly.
#[must_use]
pub fn known_tools<'s>(
    policy: &Policy,
    servers: impl IntoIterator<Item = &'s str>,
    recorded: &BTreeMap<String, Vec<String>>,
) -> KnownTools {
    let servers = servers.into_iter().map(|server| {
        let tools = match recorded.get(server) {
            Some(tools) => tools.iter().cloned().collect(),
            None => named_tools(policy, server),
        };
        (server.to_owned(), tools)
    });
    servers.collect()
}

fn named_tools(policy: &Policy, server: &str) -> BTreeSet<String> {
    let tables = policy.tables().filter(|(name, _)| ***name == *server);
    let mut names: BTreeSet<String> = tables
        .flat_map(|(_, table)| table.exact())
        .map(|(tool, _)| tool.to_string())
        .collect();
    for what in policy.rules().iter().filter_map(|rule| rule.what.as_ref()) {
        let about = |servers: &Names| servers.iter().any(|name| **name == *server);
        if what.servers.as_ref().is_none_or(about) {
            let exact = what.tools.iter().flatten().filter_map(Glob::exact);
            names.extend(exact.map(ToString::to_string));
        }
    }
    names
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
