//! Renders the matrix as one self-contained HTML page that a reviewer can read, filter and print.
//!
//! Outcomes differ by colour (in a palette for colour-blind readers), by sign and by letter. The
//! template is `page/page.html`; [`PageText`] escapes every text from a file. The page loads nothing
//! and runs only its own script.

use std::fmt;

use askama::Template;
use askama::filters::{Escaper, Html};

use super::shown::shown;
use super::{LiveRow, Matrix, ToolRow, word};
use crate::authz::PreviewOutcome;

const OUTCOMES: [PreviewOutcome; 4] = [
    PreviewOutcome::Allow,
    PreviewOutcome::Challenge,
    PreviewOutcome::Depends,
    PreviewOutcome::Deny,
];

/// The whole page.
///
/// # Errors
/// Never in practice: a string takes whatever is written to it.
pub fn html(matrix: &Matrix) -> Result<String, fmt::Error> {
    let mut page = String::new();
    Page { matrix }.render_into(&mut page)?;
    page.push('\n');
    Ok(page)
}

#[derive(Template)]
#[template(path = "page.html", config = "src/policy/matrix/page/askama.toml")]
struct Page<'m> {
    matrix: &'m Matrix,
}

impl Page<'_> {
    fn count(&self, outcome: PreviewOutcome) -> usize {
        let cells = self.matrix.rows.iter().flat_map(|row| &row.cells);
        cells.filter(|cell| cell.outcome == outcome).count()
    }

    fn live_rows(&self) -> usize {
        let rows = self.matrix.rows.iter();
        rows.filter(|row| row.live.is_some()).count()
    }

    fn has_refused(&self) -> bool {
        self.matrix.rows.iter().any(is_refused)
    }

    fn servers(&self) -> impl Iterator<Item = (&str, &[ToolRow])> {
        let rows = &self.matrix.rows;
        let servers = rows.chunk_by(|one, other| one.server == other.server);
        servers.filter_map(|rows| Some((rows.first()?.server.as_str(), rows)))
    }
}

/// Escapes for element content and quoted attributes; the template's configuration names it, so no
/// text goes past it. Characters that nobody sees, or that turn the direction of text, are replaced:
/// the page would show something else than what is judged.
#[derive(Debug, Clone, Copy)]
pub(in crate::policy) struct PageText;

impl Escaper for PageText {
    fn write_escaped_str<W: fmt::Write>(&self, page: W, text: &str) -> fmt::Result {
        Html.write_escaped_str(page, &shown(text))
    }
}

fn sign(outcome: PreviewOutcome) -> (&'static str, &'static str) {
    match outcome {
        PreviewOutcome::Allow => ("✓", "A"),
        PreviewOutcome::Challenge => ("▲", "C"),
        PreviewOutcome::Depends => ("?", "if"),
        PreviewOutcome::Deny => ("✕", "D"),
    }
}

fn is_refused(row: &ToolRow) -> bool {
    row.live == Some(LiveRow::Refused)
}

fn means(outcome: PreviewOutcome) -> &'static str {
    match outcome {
        PreviewOutcome::Allow => "whatever the arguments",
        PreviewOutcome::Challenge => "after a step-up: a scope is missing",
        PreviewOutcome::Depends => {
            "on the arguments, on where the call comes from, or on when it is made"
        }
        PreviewOutcome::Deny => "by a rule, or because none allows",
    }
}
