//! The table: who, what, decision, reason, what the client saw.

use std::io::IsTerminal as _;

/// One line, and what is wrong with it.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) who: &'static str,
    pub(crate) what: String,
    pub(crate) decision: String,
    pub(crate) reason: String,
    pub(crate) saw: String,
    /// In what the line is not as expected.
    pub(crate) wrong: Option<String>,
}

/// Names of the columns.
const HEADINGS: [&str; 5] = ["who", "what", "decision", "reason", "what the client saw"];

impl Line {
    fn cells(&self) -> [&str; 5] {
        [
            self.who,
            &self.what,
            &self.decision,
            &self.reason,
            &self.saw,
        ]
    }

    /// The ANSI colour that goes with the decision.
    fn colour(&self) -> &'static str {
        match self.decision.as_str() {
            "allow" => "32",
            "challenge" => "33",
            "deny" | "reject" | "fail" => "31",
            _ => "0",
        }
    }
}

/// Whether standard output wants colour: a terminal, and no `NO_COLOR`.
pub(crate) fn colourful() -> bool {
    let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stdout().is_terminal() && !forbidden
}

/// The table as text, with a note below each line that is not as expected.
pub(crate) fn render(lines: &[Line], colour: bool) -> String {
    let mut widths = HEADINGS.map(|heading| heading.chars().count());
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line.cells()) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let rules = widths.map(|width| "-".repeat(width));
    let mut text = vec![
        row(HEADINGS, widths, None),
        row(rules.each_ref().map(String::as_str), widths, None),
    ];
    let mark = if colour {
        "\x1b[1;31mNOT AS EXPECTED\x1b[0m"
    } else {
        "NOT AS EXPECTED"
    };
    for line in lines {
        text.push(row(line.cells(), widths, colour.then(|| line.colour())));
        text.extend(
            line.wrong
                .as_ref()
                .map(|wrong| format!("    ^ {mark}: {wrong}")),
        );
    }
    text.push(String::new());
    text.join("\n")
}

/// One line of the table; `colour` is for the decision.
fn row(cells: [&str; 5], widths: [usize; 5], colour: Option<&str>) -> String {
    let cells = cells
        .into_iter()
        .zip(widths)
        .enumerate()
        .map(|(column, (cell, width))| {
            let padded = format!("{cell:width$}");
            match colour {
                Some(code) if column == 2 => format!("\x1b[{code}m{padded}\x1b[0m"),
                _ => padded,
            }
        });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}
