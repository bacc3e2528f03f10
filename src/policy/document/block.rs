//! Readers that all blocks of a rule share: non-empty mappings, names and patterns.

use std::sync::Arc;

use super::signs::regex;
use crate::authz::{Glob, InvalidGlob, Names};
use crate::yaml::{Data, Fields, Findings, Node, list, name, refuse_doubtful, string};

/// A block that must select something.
pub(super) fn open<'n>(node: &'n Node, what: &str, findings: &mut Findings) -> Option<Fields<'n>> {
    if node.data == Data::Map(Vec::new()) {
        let help = "an empty block never means `everything`";
        findings.error(node, format!("{what} is empty"), help);
        return None;
    }
    Fields::open(node, what, findings)
}

/// Names of any kind, compared exactly.
pub(super) fn names(node: &Node, findings: &mut Findings) -> Option<Names> {
    list(node, findings, |node, findings| {
        name(node, findings).map(Arc::from)
    })
    .map(Box::from)
}

/// Names of callers.
pub(super) fn exact_names(node: &Node, findings: &mut Findings) -> Option<Names> {
    list(node, findings, |node, findings| {
        exact_text(node, findings).map(Arc::from)
    })
    .map(Box::from)
}

/// A text about a caller. A `*` in it is probably meant as a pattern, which would silently match
/// nobody.
pub(super) fn exact_text(node: &Node, findings: &mut Findings) -> Option<String> {
    let text = name(node, findings)?;
    if text.contains('*') || regex(&text).is_some() {
        let help = "callers are compared exactly; use `if` for more";
        findings.error(node, format!("`{text}` looks like a pattern"), help);
        return None;
    }
    Some(text)
}

/// Parses one kind of pattern.
type ParsePattern<P> = fn(&str) -> Result<P, InvalidGlob>;

/// A pattern of the kind that `parse` accepts.
pub(super) fn pattern<P>(
    node: &Node,
    parse: ParsePattern<P>,
    findings: &mut Findings,
) -> Option<P> {
    let text = string(node, findings)?;
    match parse(&text) {
        Ok(_) if !refuse_doubtful(&text, node, findings) => None,
        Ok(glob) => Some(glob),
        Err(error) => {
            findings.error(node, error.to_string(), "");
            None
        }
    }
}

/// The pattern of a class table. A server names its tools as it likes, so an odd name may stand there,
/// if it is written in escapes that a reader sees.
pub(super) fn table_pattern(node: &Node, findings: &mut Findings) -> Option<Glob> {
    let written = findings.text(node.source).get(node.span.clone());
    let is_escaped = written.is_some_and(|written| written.contains('\\'));
    let exact = node.as_str().and_then(|text| Glob::name(text).ok());
    let exact = exact.filter(|glob| is_escaped && glob.exact().is_some());
    exact.or_else(|| pattern(node, Glob::name, findings))
}

/// Points to the first line of a block, not to all of it.
pub(crate) fn error_at_start(node: &Node, message: &str, help: &str, findings: &mut Findings) {
    let text = findings
        .text(node.source)
        .get(node.span.clone())
        .unwrap_or_default();
    let first_line = text.lines().next().unwrap_or_default().len();
    let end = node.span.start.saturating_add(first_line);
    findings.error_at(node.source, node.span.start..end, message, help);
}
