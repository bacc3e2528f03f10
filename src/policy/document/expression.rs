//! `if`: locates the errors of an expression in the file.

use std::ops::Range;

use super::budget::Budget;
use crate::authz::{Expression, InvalidExpression};
use crate::yaml::{Findings, Node, string};

/// Reads and checks an expression.
pub(super) fn read(
    node: &Node,
    budget: &mut Budget,
    findings: &mut Findings,
) -> Option<Expression> {
    let text = string(node, findings)?;
    let bytes_max = budget.cel_bytes_max;
    if text.len() > bytes_max {
        let message = format!("the expression has {} bytes", text.len());
        findings.error(node, message, format!("`cel_bytes_max` is {bytes_max}"));
        return None;
    }
    match Expression::compile(&text) {
        Ok(expression) => {
            if let Err(message) = budget.take(expression.bytes()) {
                let help = "patterns such as `([a-z]{1,50}){1,20}` take the most; repeat less, or \
                            write fewer";
                findings.error(node, message, help);
            }
            if let Some(error) = expression.dead() {
                let span = span_of(error, &text, node, findings);
                let (message, help) = (error.message.clone(), error.help.clone());
                findings.error_at(node.source, span, message, help);
            }
            Some(expression)
        }
        Err(errors) => {
            for error in errors {
                let span = span_of(&error, &text, node, findings);
                findings.error_at(node.source, span, error.message, error.help);
            }
            None
        }
    }
}

/// The span that an error is about.
fn span_of(
    error: &InvalidExpression,
    text: &str,
    node: &Node,
    findings: &Findings,
) -> Range<usize> {
    span_at(error.column, text, node, findings)
}

/// A character of an expression, with the rest of its word, if the file contains the expression
/// verbatim; otherwise the whole expression.
pub(crate) fn span_at(
    column: Option<usize>,
    text: &str,
    node: &Node,
    findings: &Findings,
) -> Range<usize> {
    let written = findings
        .text(node.source)
        .get(node.span.clone())
        .unwrap_or_default();
    let start = if written == text {
        Some(node.span.start)
    } else {
        let quoted = written.get(1..written.len().saturating_sub(1)) == Some(text);
        quoted.then(|| node.span.start.saturating_add(1))
    };
    let offset = column.and_then(|column| {
        let (offset, _) = text.char_indices().nth(column.checked_sub(1)?)?;
        Some(offset)
    });
    match (start, offset) {
        (Some(start), Some(offset)) => {
            let rest = text.get(offset..).unwrap_or_default();
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let width = rest.find(|c| !word(c)).unwrap_or(rest.len());
            let first = rest.chars().next().map_or(0, char::len_utf8);
            let start = start.saturating_add(offset);
            start..start.saturating_add(width.max(first))
        }
        _ => node.span.clone(),
    }
}
