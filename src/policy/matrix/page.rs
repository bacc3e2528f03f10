//! Renders the matrix as one self-contained HTML page that a reviewer can read, filter and print.
//!
//! Outcomes differ by colour (in a palette for colour-blind readers), by sign and by letter. Every
//! text from a file is escaped, and the page loads nothing and runs only its own script.

use std::fmt::Write as _;

use super::{Matrix, RuleNote, ToolRow, word};
use crate::authz::{Preview, PreviewOutcome};

const OUTCOMES: [PreviewOutcome; 4] = [
    PreviewOutcome::Allow,
    PreviewOutcome::Challenge,
    PreviewOutcome::Depends,
    PreviewOutcome::Deny,
];

/// The whole page.
#[must_use]
pub fn html(matrix: &Matrix) -> String {
    let mut page = String::from(HEAD);
    page.push_str(STYLE);
    page.push_str("</head>\n<body>\n<header>\n<h1>Who may call which tool</h1>\n");
    let (tools, callers) = (matrix.rows.len(), matrix.callers.len());
    let revision = escape(&matrix.revision);
    add(
        &mut page,
        &format!(
            "<p class=\"about\">{tools} tools · {callers} subjects · policy revision <code>{revision}</code></p>"
        ),
    );
    legend(&mut page, matrix);
    filter(&mut page, matrix);
    page.push_str("</header>\n");
    table(&mut page, matrix);
    notes(&mut page, matrix);
    page.push_str(SCRIPT);
    page.push_str("</body>\n</html>\n");
    page
}

fn add(page: &mut String, line: &str) {
    page.push_str(line);
    page.push('\n');
}

fn legend(page: &mut String, matrix: &Matrix) {
    page.push_str("<ul class=\"legend\">\n");
    for outcome in OUTCOMES {
        let cells = matrix.rows.iter().flat_map(|row| &row.cells);
        let count = cells.filter(|cell| cell.outcome == outcome).count();
        let (word, sign, means) = (word(outcome), sign(outcome), means(outcome));
        add(
            page,
            &format!(
                "<li><span class=\"{word}\">{sign}</span> <b>{word}</b> {means} <span class=\"count\">{count}</span></li>"
            ),
        );
    }
    page.push_str("</ul>\n");
}

fn sign(outcome: PreviewOutcome) -> &'static str {
    match outcome {
        PreviewOutcome::Allow => "✓&#8202;A",
        PreviewOutcome::Challenge => "▲&#8202;C",
        PreviewOutcome::Depends => "?&#8202;if",
        PreviewOutcome::Deny => "✕&#8202;D",
    }
}

fn means(outcome: PreviewOutcome) -> &'static str {
    match outcome {
        PreviewOutcome::Allow => "whatever the arguments",
        PreviewOutcome::Challenge => "after a step-up: a scope is missing",
        PreviewOutcome::Depends => "on the arguments, or on where the call comes from",
        PreviewOutcome::Deny => "by a rule, or because none allows",
    }
}

fn filter(page: &mut String, matrix: &Matrix) {
    page.push_str("<p class=\"filter\" hidden>Show ");
    for class in matrix.classes() {
        let class = escape(class);
        add(
            page,
            &format!("<label><input type=\"checkbox\" value=\"{class}\" checked> {class}</label>"),
        );
    }
    page.push_str("</p>\n");
}

fn table(page: &mut String, matrix: &Matrix) {
    page.push_str("<div class=\"scroll\">\n<table>\n<thead>\n<tr><th scope=\"col\">tool</th><th scope=\"col\">class</th>");
    for caller in &matrix.callers {
        let _ok = write!(page, "<th scope=\"col\">{}</th>", escape(&caller.name));
    }
    page.push_str("</tr>\n</thead>\n");
    let columns = matrix.callers.len().saturating_add(2);
    for rows in matrix
        .rows
        .chunk_by(|one, other| one.server == other.server)
    {
        let Some(first) = rows.first() else { continue };
        let server = escape(&first.server);
        add(page, "<tbody>");
        add(
            page,
            &format!(
                "<tr class=\"server\"><th scope=\"rowgroup\" colspan=\"{columns}\">{server}</th></tr>"
            ),
        );
        for row in rows {
            table_row(page, matrix, row);
        }
        add(page, "</tbody>");
    }
    page.push_str("</table>\n</div>\n");
    for server in &matrix.unknown {
        let server = escape(server);
        add(
            page,
            &format!(
                "<p>No tool of <b>{server}</b> is known: set its <code>tools_snapshot</code>.</p>"
            ),
        );
    }
}

fn table_row(page: &mut String, matrix: &Matrix, row: &ToolRow) {
    let (tool, class) = (escape(&row.tool), escape(&row.class));
    let _ok = write!(
        page,
        "<tr data-class=\"{class}\"><th scope=\"row\">{tool}</th><td class=\"class\">{class}</td>"
    );
    for (caller, cell) in matrix.callers.iter().zip(&row.cells) {
        let hover = escape(&hover(&caller.name, row, cell));
        let (word, sign) = (word(cell.outcome), sign(cell.outcome));
        let _ok = write!(page, "<td class=\"{word}\" title=\"{hover}\">{sign}");
        let notes = matrix.footnotes(cell);
        if !notes.is_empty() {
            let link = |note: &usize| format!("<a href=\"#n{note}\">{note}</a>");
            let links: Vec<String> = notes.iter().map(link).collect();
            let _ok = write!(page, "<sup>{}</sup>", links.join(","));
        }
        page.push_str("</td>");
    }
    page.push_str("</tr>\n");
}

fn hover(caller: &str, row: &ToolRow, cell: &Preview) -> String {
    let rules: Vec<&str> = cell.rules.iter().map(|rule| &**rule).collect();
    let by = if rules.is_empty() {
        "no rule allows it".to_owned()
    } else {
        rules.join(", ")
    };
    format!("{caller} → {}: {} — {by}", row.tool, word(cell.outcome))
}

fn notes(page: &mut String, matrix: &Matrix) {
    page.push_str("<section class=\"notes\">\n<h2>Deciding rules</h2>\n<ol>\n");
    for (index, note) in matrix.notes.iter().enumerate() {
        let number = index.saturating_add(1);
        add(
            page,
            &format!("<li id=\"n{number}\">{}</li>", note_text(note)),
        );
    }
    page.push_str("</ol>\n<p>A <b>deny</b> without a number: no rule allows it.</p>\n</section>\n");
}

fn note_text(note: &RuleNote) -> String {
    let mut text = format!("<code>{}</code> <i>{}</i>", escape(&note.rule), note.effect);
    if !note.asks.is_empty() {
        let _ok = write!(
            text,
            " needs the scopes <code>{}</code>",
            escape(&note.asks.join(" "))
        );
    }
    if let Some(message) = &note.message {
        let _ok = write!(text, " — “{}”", escape(message));
    }
    text
}

/// Escapes text for element content and quoted attributes. Control characters and characters that
/// change the text direction are escaped too, because they could display something other than what
/// is judged.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{2029}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                escaped.push('\u{fffd}');
            }
            control if control.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

const HEAD: &str = include_str!("page/head.html");
const STYLE: &str = concat!("<style>\n", include_str!("page/style.css"), "</style>\n");
const SCRIPT: &str = concat!("<script>\n", include_str!("page/filter.js"), "</script>\n");
