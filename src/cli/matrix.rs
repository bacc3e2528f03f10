//! `mcp-authz matrix`: who may call which tool.

mod callers;
mod page;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use super::load::Loaded;
use super::{MatrixFormat, Stop, load, print};
use crate::authz::{self, Effect, Preview, PreviewOutcome, UNCLASSIFIED};
use crate::policy::testing::{SampleCaller, effect_name, read_subjects};

/// The most cells that are worked out.
const CELLS_MAX: usize = 1_000_000;

pub(super) fn run(
    config: &Path,
    subjects: Option<&Path>,
    format: MatrixFormat,
) -> Result<ExitCode, Stop> {
    let loaded = load::load(config)?;
    let callers = match subjects {
        Some(path) => read_subjects(load::read(path)?, &loaded.samples).map_err(Stop::Findings)?,
        None => callers::named_in_rules(&loaded.policy, &loaded.samples.issuer),
    };
    let matrix = Matrix::new(&loaded, callers)?;
    let text = match format {
        MatrixFormat::Table => tables::text(&matrix),
        MatrixFormat::Csv => tables::csv(&matrix),
        MatrixFormat::Json => tables::json(&matrix),
        MatrixFormat::Html => page::html(&matrix),
    };
    print(&text, 0)
}

/// What everybody could do with every tool.
#[derive(Debug)]
struct Matrix {
    revision: String,
    callers: Vec<SampleCaller>,
    rows: Vec<Row>,
    /// The rules that some cell names, with their effect and message; the index is the footnote.
    notes: Vec<Note>,
    /// Servers of which no tool is known.
    unknown: Vec<String>,
}

#[derive(Debug)]
struct Row {
    server: String,
    tool: String,
    class: String,
    /// One for each caller.
    cells: Vec<Preview>,
}

#[derive(Debug)]
struct Note {
    rule: String,
    effect: &'static str,
    message: Option<String>,
    asks: Vec<String>,
}

impl Matrix {
    fn new(loaded: &Loaded, callers: Vec<SampleCaller>) -> Result<Self, Stop> {
        let tools = known_tools(loaded)?;
        let count: usize = tools.values().map(BTreeSet::len).sum();
        if count.saturating_mul(callers.len()) > CELLS_MAX {
            return Err(Stop::Failed(format!(
                "the matrix has more than {CELLS_MAX} cells"
            )));
        }
        if count == 0 {
            let help = "set `tools_snapshot`, or name tools exactly in the class tables";
            return Err(Stop::Failed(format!("no tool is known; {help}")));
        }
        let (policy, hints) = (&loaded.policy, &loaded.samples.hints);
        let mut rows = Vec::new();
        let mut unknown = Vec::new();
        for (server, tools) in tools {
            if tools.is_empty() {
                unknown.push(server.clone());
            }
            for tool in tools {
                let class = policy.class(&server, &tool, hints.of(&server, &tool));
                // Only the hints of a tool that is not recorded are not known.
                let class = class.map_or_else(|| "unknown".to_owned(), ToString::to_string);
                let cell = |caller: &SampleCaller| {
                    let call = caller.calling(&server, &tool, hints);
                    call.ask(policy, |request| authz::preview(policy, request))
                        .map_err(|error| {
                            Stop::Failed(format!("the tool `{}`: {error}", tool.escape_debug()))
                        })
                };
                let cells = callers.iter().map(cell).collect::<Result<_, _>>()?;
                rows.push(Row {
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
        let notes = notes(loaded, &rows);
        let revision = policy.revision().to_string();
        Ok(Matrix {
            revision,
            callers,
            rows,
            notes,
            unknown,
        })
    }

    /// The footnotes of a cell, from 1.
    fn footnotes(&self, cell: &Preview) -> Vec<usize> {
        let named = self.notes.iter().enumerate();
        let named = named.filter(|(_, note)| cell.rules.iter().any(|rule| **rule == *note.rule));
        named.map(|(index, _)| index.saturating_add(1)).collect()
    }

    fn classes(&self) -> Vec<&str> {
        let classes: BTreeSet<&str> = self.rows.iter().map(|row| row.class.as_str()).collect();
        let mut classes: Vec<&str> = classes.into_iter().collect();
        classes.sort_by_key(|class| (class_rank(class), *class));
        classes
    }
}

/// The usual classes from harmless to harmful, then others, then those in none.
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
fn notes(loaded: &Loaded, rows: &[Row]) -> Vec<Note> {
    let cells = rows.iter().flat_map(|row| &row.cells);
    let named: BTreeSet<&str> = cells
        .flat_map(|cell| &cell.rules)
        .map(|rule| &**rule)
        .collect();
    let rules = loaded
        .policy
        .rules()
        .iter()
        .filter(|rule| named.contains(&*rule.id));
    let note = |rule: &authz::Rule| Note {
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

/// By server: the recorded tools, or else those that the policy names exactly.
fn known_tools(loaded: &Loaded) -> Result<BTreeMap<String, BTreeSet<String>>, Stop> {
    let recorded = load::recorded_tools(&loaded.config)?;
    let mut known = BTreeMap::new();
    for server in &loaded.config.servers {
        let tools: BTreeSet<String> = match recorded.get(&server.name) {
            Some(tools) => tools.iter().cloned().collect(),
            None => named_tools(loaded, &server.name),
        };
        known.insert(server.name.clone(), tools);
    }
    Ok(known)
}

fn named_tools(loaded: &Loaded, server: &str) -> BTreeSet<String> {
    let tables = loaded
        .policy
        .tables()
        .filter(|(name, _)| ***name == *server);
    let mut names: BTreeSet<String> = tables
        .flat_map(|(_, table)| table.exact())
        .map(|(tool, _)| tool.to_string())
        .collect();
    for what in loaded
        .policy
        .rules()
        .iter()
        .filter_map(|rule| rule.what.as_ref())
    {
        let about = |servers: &authz::Names| servers.iter().any(|name| **name == *server);
        if what.servers.as_ref().is_none_or(about) {
            let exact = what.tools.iter().flatten().filter_map(authz::Glob::exact);
            names.extend(exact.map(ToString::to_string));
        }
    }
    names
}

fn word(outcome: PreviewOutcome) -> &'static str {
    match outcome {
        PreviewOutcome::Allow => "allow",
        PreviewOutcome::Challenge => "challenge",
        PreviewOutcome::Depends => "depends",
        PreviewOutcome::Deny => "deny",
    }
}
