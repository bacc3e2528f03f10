//! Prints the matrix as a table for terminals, as CSV and as JSON.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Write as _};

use csv::{Terminator, WriterBuilder};
use serde_json::{Value, json};

use crate::authz::{Preview, PreviewOutcome};
use crate::policy::matrix::{KnownTool, LiveRead, LiveRow, Matrix, ToolRow, shown, word};
use crate::policy::testing::SampleCaller;

/// Writing to a string cannot fail.
fn add(text: &mut String, what: fmt::Arguments<'_>) {
    let _ok = text.write_fmt(what);
}

/// Aligned columns, with footnotes.
pub(super) fn text(matrix: &Matrix) -> String {
    let head = ["SERVER", "CLASS", "TOOL"].map(str::to_owned);
    let callers = matrix.callers.iter().map(|caller| shown(&caller.name));
    let mut lines: Vec<Vec<String>> = vec![head.into_iter().chain(callers).collect()];
    for row in &matrix.rows {
        let tool = row.text();
        let names = [&*row.server, &*row.class, &*tool].map(shown);
        let cells = row.cells.iter().map(|cell| cell_text(matrix, cell));
        lines.push(names.into_iter().chain(cells).collect());
    }
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = format!("at {}, policy revision {}\n", matrix.at, matrix.revision);
    if let Some(read) = &matrix.live {
        add_live(&mut text, matrix, read);
    }
    text.push('\n');
    for (index, line) in lines.iter().enumerate() {
        let row = index
            .checked_sub(1)
            .and_then(|index| matrix.rows.get(index));
        for (column, cell) in line.iter().enumerate() {
            let padding = widths
                .get(column)
                .map_or(0, |width| width.saturating_sub(cell.chars().count()));
            let preview = column
                .checked_sub(3)
                .and_then(|column| row?.cells.get(column));
            let colour = preview.map(|preview| colour(preview.outcome));
            match colour {
                Some(colour) => add(&mut text, format_args!("\u{1b}[{colour}m{cell}\u{1b}[0m")),
                None => text.push_str(cell),
            }
            if column.saturating_add(1) < columns {
                text.push_str(&" ".repeat(padding.saturating_add(2)));
            }
        }
        text.push('\n');
    }
    text.push('\n');
    add_notes(&mut text, matrix);
    text
}

/// What the authors of a rule say of it.
fn told(text: Option<&str>) -> String {
    text.map_or_else(String::new, |text| format!(" - {}", shown(text)))
}

/// The deciding rules, and what the words mean.
fn add_notes(text: &mut String, matrix: &Matrix) {
    for (index, note) in matrix.notes.iter().enumerate() {
        add(
            text,
            format_args!(
                "[{}] {} ({}){}{}{}\n",
                index.saturating_add(1),
                note.rule,
                note.effect,
                note.when
                    .as_ref()
                    .map_or_else(String::new, |when| format!(": {when}")),
                told(note.about.description.as_deref()),
                told(note.about.origin().as_deref()),
            ),
        );
    }
    let refused = matrix.rows.iter();
    let refused = refused.filter(|row| row.live == Some(LiveRow::Refused));
    if refused.count() > 0 {
        text.push_str(
            "live, refused: not recorded, and the server has `unknown_tools: deny`, whatever the rules say\n",
        );
    }
    text.push_str(
        "deny without a number: no rule allows it; depends: on arguments, place, time or what else is true of the caller\n",
    );
    for server in &matrix.unknown {
        add(
            text,
            format_args!(
                "no tool of `{}` is known: set its `tools_snapshot`\n",
                shown(server)
            ),
        );
    }
}

/// Where the rows of a running service come from.
fn add_live(text: &mut String, matrix: &Matrix, read: &LiveRead) {
    let rows = matrix.rows.iter().filter(|row| row.live.is_some()).count();
    add(
        text,
        format_args!(
            "live: {rows} row(s) of tools that only the running service has seen in lists, read at {} \
             from {}, policy revision {} there\n",
            read.at,
            read.url,
            shown(&read.policy_revision)
        ),
    );
    for remark in read.remarks() {
        add(text, format_args!("live: {}\n", shown(&remark)));
    }
}

fn cell_text(matrix: &Matrix, cell: &Preview) -> String {
    let notes: Vec<String> = matrix
        .footnotes(cell)
        .iter()
        .map(usize::to_string)
        .collect();
    let word = word(cell.outcome);
    if notes.is_empty() {
        word.to_owned()
    } else {
        format!("{word} [{}]", notes.join(","))
    }
}

fn colour(outcome: PreviewOutcome) -> &'static str {
    match outcome {
        PreviewOutcome::Allow => "32",
        PreviewOutcome::Challenge => "33",
        PreviewOutcome::Depends => "36",
        PreviewOutcome::Deny => "31",
    }
}

/// One line for each cell (RFC 4180).
///
/// # Errors
/// Never in practice: memory takes whatever is written to it.
pub(super) fn csv(matrix: &Matrix) -> Result<String, Box<dyn Error>> {
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .from_writer(Vec::new());
    let read_at = matrix.live.as_ref().map(|read| read.at.to_string());
    let head = [
        "server",
        "tool",
        "class",
        "subject",
        "outcome",
        "rules",
        "policy_revision",
        "at",
    ];
    let live = read_at.as_ref().map(|_| "live");
    writer.write_record(head.into_iter().chain(live))?;
    for (row, caller, cell) in cells(matrix) {
        let at = caller.at.to_string();
        let rules = cell.rules.join(" ");
        let tool = row.tool.text();
        let fields = [
            row.server.as_str(),
            &*tool,
            row.class.as_str(),
            caller.name.as_str(),
            word(cell.outcome),
            rules.as_str(),
            matrix.revision.as_str(),
            at.as_str(),
        ];
        let live = read_at.as_deref();
        let live = live.map(|at| if row.live.is_some() { at } else { "" });
        let fields = fields.into_iter().chain(live).map(no_formula);
        let fields: Vec<Cow<'_, str>> = fields.collect();
        writer.write_record(fields.iter().map(|field| field.as_bytes()))?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// The full-width and small forms too: some programs take them for the same.
const FORMULA_SIGNS: [char; 16] = [
    '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    '\u{fe66}', '\u{fe62}', '\u{fe63}', '\u{fe6b}', '\u{2212}',
];

/// Spreadsheets take some first characters for a formula; a quote in front keeps it a text.
fn no_formula(text: &str) -> Cow<'_, str> {
    if text.starts_with(FORMULA_SIGNS) {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

pub(super) fn json(matrix: &Matrix) -> String {
    let cells = cells(matrix).map(|(row, caller, cell)| {
        let rules: Vec<&str> = cell.rules.iter().map(|rule| &**rule).collect();
        json!({
            "server": row.server,
            "tool": row.tool.text(),
            "is_pattern": matches!(row.tool, KnownTool::Fitting(_)),
            "class": row.class,
            "subject": caller.name,
            "outcome": word(cell.outcome),
            "rules": rules,
            "live": row.live.is_some(),
            "refused": (row.live == Some(LiveRow::Refused)).then_some("unknown_tool"),
        })
    });
    let cells: Vec<_> = cells.collect();
    let rules = matrix.notes.iter().map(|note| {
        json!({
            "rule": note.rule,
            "effect": note.effect,
            "when": note.when,
            "asks": note.asks,
            "message": note.message,
            "description": note.about.description,
            "owner": note.about.owner,
            "ticket": note.about.ticket,
        })
    });
    let rules: Vec<_> = rules.collect();
    let live = matrix.live.as_ref().map(live_json);
    let whole = json!({
        "policy_revision": matrix.revision,
        "at": matrix.at.to_string(),
        "live": live,
        "cells": cells,
        "rules": rules,
        "servers_without_known_tools": matrix.unknown,
    });
    format!("{whole:#}\n")
}

fn live_json(read: &LiveRead) -> Value {
    let tools = |tools: &[(String, String)]| -> Vec<Value> {
        let each = tools.iter();
        each.map(|(server, tool)| json!({"server": server, "tool": tool}))
            .collect()
    };
    json!({
        "url": read.url,
        "read_at": read.at.to_string(),
        "policy_revision": read.policy_revision,
        "truncated": read.truncated,
        "unseen": read.unseen,
        "absent": read.absent,
        "changed": tools(&read.changed),
        "uncallable": tools(&read.uncallable),
    })
}

type TableCell<'m> = (&'m ToolRow, &'m SampleCaller, &'m Preview);

fn cells(matrix: &Matrix) -> impl Iterator<Item = TableCell<'_>> {
    let rows = matrix.rows.iter();
    rows.flat_map(|row| {
        matrix
            .callers
            .iter()
            .zip(&row.cells)
            .map(move |(caller, cell)| (row, caller, cell))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_begins_as_a_formula() {
        for first in FORMULA_SIGNS {
            let field = format!("{first}cmd");
            assert_eq!(no_formula(&field), format!("'{first}cmd"));
        }
        assert_eq!(no_formula("cmd=1"), "cmd=1");
    }
}
