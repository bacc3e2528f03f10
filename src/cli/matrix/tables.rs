//! Prints the matrix as a table for terminals, as CSV and as JSON.

use std::fmt::{self, Write as _};
use std::iter::once;

use icu_properties::props::{
    BidiControl, DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup,
};
use icu_properties::{CodePointMapData, CodePointSetData};
use serde_json::json;

use crate::authz::{Preview, PreviewOutcome};
use crate::policy::matrix::{Matrix, ToolRow, word};
use crate::policy::testing::SampleCaller;

/// Writing to a string cannot fail.
fn add(text: &mut String, what: fmt::Arguments<'_>) {
    let _ok = text.write_fmt(what);
}

/// Aligned columns, with footnotes.
pub(super) fn text(matrix: &Matrix) -> String {
    let head = ["SERVER", "CLASS", "TOOL"].map(str::to_owned);
    let callers = matrix.callers.iter().map(|caller| plain(&caller.name));
    let mut lines: Vec<Vec<String>> = vec![head.into_iter().chain(callers).collect()];
    for row in &matrix.rows {
        let names = [&row.server, &row.class, &row.tool].map(|name| plain(name));
        let cells = row.cells.iter().map(|cell| cell_text(matrix, cell));
        lines.push(names.into_iter().chain(cells).collect());
    }
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
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
    for (index, note) in matrix.notes.iter().enumerate() {
        add(
            &mut text,
            format_args!(
                "[{}] {} ({})\n",
                index.saturating_add(1),
                note.rule,
                note.effect
            ),
        );
    }
    text.push_str("deny without a number: no rule allows it; depends: on arguments or place\n");
    for server in &matrix.unknown {
        add(
            &mut text,
            format_args!(
                "no tool of `{}` is known: set its `tools_snapshot`\n",
                plain(server)
            ),
        );
    }
    text
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

/// A name without characters that a terminal acts upon, that turn the direction of text, or that
/// nobody sees: two names that look alike could be one.
fn plain(name: &str) -> String {
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let turning = CodePointSetData::new::<BidiControl>();
    let categories = CodePointMapData::<GeneralCategory>::new();
    let is_hidden = |character: char| {
        let category = GeneralCategoryGroup::Control
            .union(GeneralCategoryGroup::Format)
            .union(GeneralCategoryGroup::LineSeparator)
            .union(GeneralCategoryGroup::ParagraphSeparator);
        ignorable.contains(character)
            || turning.contains(character)
            || category.contains(categories.get(character))
    };
    let shown = |character: char| {
        if is_hidden(character) {
            char::REPLACEMENT_CHARACTER
        } else {
            character
        }
    };
    name.chars().map(shown).collect()
}

/// One line for each cell (RFC 4180).
pub(super) fn csv(matrix: &Matrix) -> String {
    let mut text = String::from("server,tool,class,subject,outcome,rules\r\n");
    for (row, caller, cell) in cells(matrix) {
        let rules: Vec<&str> = cell.rules.iter().map(|rule| &**rule).collect();
        let fields = [&row.server, &row.tool, &row.class, &caller.name]
            .into_iter()
            .map(String::as_str);
        let rules = rules.join(" ");
        let fields = fields
            .chain(once(word(cell.outcome)))
            .chain(once(rules.as_str()));
        text.push_str(&fields.map(csv_field).collect::<Vec<_>>().join(","));
        text.push_str("\r\n");
    }
    text
}

/// The full-width and small forms too: some programs take them for the same.
const FORMULA_SIGNS: [char; 16] = [
    '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    '\u{fe66}', '\u{fe62}', '\u{fe63}', '\u{fe6b}', '\u{2212}',
];

/// Spreadsheets take some first characters for a formula; a quote in front keeps it a text.
fn csv_field(text: &str) -> String {
    let formula = text.starts_with(FORMULA_SIGNS);
    let text = if formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\r', '\n', '\'']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

pub(super) fn json(matrix: &Matrix) -> String {
    let cells = cells(matrix).map(|(row, caller, cell)| {
        let rules: Vec<&str> = cell.rules.iter().map(|rule| &**rule).collect();
        json!({
            "server": row.server,
            "tool": row.tool,
            "class": row.class,
            "subject": caller.name,
            "outcome": word(cell.outcome),
            "rules": rules,
        })
    });
    let cells: Vec<_> = cells.collect();
    let whole = json!({
        "policy_revision": matrix.revision,
        "cells": cells,
        "servers_without_known_tools": matrix.unknown,
    });
    format!("{whole:#}\n")
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
    fn a_name_has_nothing_that_hides_or_turns_text() {
        let hidden = [
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{180e}',
            '\u{200b}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2067}',
            '\u{2068}',
            '\u{2069}',
            '\u{206a}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{e0041}',
            '\u{e0100}',
        ];
        for character in hidden {
            assert_eq!(
                plain(&format!("a{character}b")),
                "a\u{fffd}b",
                "{character:?}"
            );
        }
        for honest in [
            "get_notes",
            "e\u{301}t\u{e9}",
            "\u{30c4}\u{30fc}\u{30eb}",
            "\u{645}",
            "\u{1f600}",
            "a b",
        ] {
            assert_eq!(plain(honest), honest);
        }
    }

    #[test]
    fn no_field_begins_as_a_formula() {
        for first in FORMULA_SIGNS {
            let field = csv_field(&format!("{first}cmd"));
            assert_eq!(field, format!("\"'{first}cmd\""));
        }
        assert_eq!(csv_field("cmd=1"), "cmd=1");
    }
}
