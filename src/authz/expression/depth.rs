//! Limits the depth of an expression: of its text before parsing, and of its tree after.

use cel::common::ast::{EntryExpr, Expr, IdedExpr};

use super::error::InvalidExpression;
use super::limits::EXPRESSION_DEPTH_MAX;

/// Refuses a text whose nesting or chains would make the parser recurse deeply. It counts brackets,
/// and the operators between two commas or logical operators, whose chains the parser balances. The
/// count is never less than the depth of the tree.
pub(super) fn refuse_depth(source: &str) -> Result<(), Vec<InvalidExpression>> {
    let mut chains = vec![0_usize];
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let width = match first {
            '\'' | '"' => literal_width(rest, false),
            'r' | 'R'
                if rest
                    .get(1..)
                    .is_some_and(|rest| rest.starts_with(['\'', '"'])) =>
            {
                literal_width(rest, true)
            }
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            other if other.is_alphanumeric() || other == '_' => word_width(rest),
            other => other.len_utf8(),
        };
        count_depth(first, rest, &mut chains);
        if chains.iter().sum::<usize>() > EXPRESSION_DEPTH_MAX {
            return Err(vec![too_deep()]);
        }
        rest = rest.get(width..).unwrap_or_default();
    }
    Ok(())
}

fn count_depth(first: char, rest: &str, chains: &mut Vec<usize>) {
    let ends_chain = first == ',' || rest.starts_with("&&") || rest.starts_with("||");
    match first {
        '(' | '[' | '{' => chains.push(1),
        ')' | ']' | '}' if chains.len() > 1 => {
            chains.truncate(chains.len().saturating_sub(1));
            add_link(chains);
        }
        '.' | '+' | '-' | '*' | '/' | '%' | '<' | '>' | '=' | '!' | '?' => add_link(chains),
        _ if ends_chain => {
            // The count for a bracket or for logical operators around it stays.
            if let Some(chain) = chains.last_mut() {
                *chain = (*chain).min(1);
            }
        }
        _ => {}
    }
}

fn add_link(chains: &mut [usize]) {
    if let Some(chain) = chains.last_mut() {
        *chain = chain.saturating_add(1);
    }
}

/// The bytes from one word character to the end of its word, without a string's prefix.
pub(super) fn word_width(text: &str) -> usize {
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let word = text.get(..end).unwrap_or_default();
    let quoted = text
        .get(end..)
        .is_some_and(|rest| rest.starts_with(['\'', '"']));
    if quoted && end > 1 && word.ends_with(['r', 'R']) {
        end.saturating_sub(1)
    } else {
        end
    }
}

/// The bytes of a string literal, or of the rest of the text if it is not closed.
pub(super) fn literal_width(text: &str, raw: bool) -> usize {
    let body = if raw {
        text.get(1..).unwrap_or_default()
    } else {
        text
    };
    let quote = ["\"\"\"", "'''", "\"", "'"]
        .into_iter()
        .find(|quote| body.starts_with(quote));
    let quote = quote.unwrap_or_default();
    let mut rest = body.get(quote.len()..).unwrap_or_default();
    while !rest.is_empty() && !rest.starts_with(quote) {
        let mut characters = rest.chars();
        let escaped = characters.next() == Some('\\') && !raw;
        if escaped {
            characters.next();
        }
        rest = characters.as_str();
    }
    text.len()
        .saturating_sub(rest.len())
        .saturating_add(quote.len())
}

/// The error of both checks.
pub(super) fn too_deep() -> InvalidExpression {
    let message = format!("the expression nests deeper than {EXPRESSION_DEPTH_MAX}");
    InvalidExpression::new(
        message,
        "split it into several rules, or test for membership with `in`",
    )
}

/// Whether the tree is deeper than `most`. It uses a list of pending nodes instead of recursion,
/// because the tree may be deeper than the stack allows.
pub(super) fn depth_exceeds(root: &IdedExpr, most: usize) -> bool {
    let mut pending = vec![(root, 1_usize)];
    while let Some((node, depth)) = pending.pop() {
        if depth > most {
            return true;
        }
        pending.extend(
            children(node)
                .into_iter()
                .map(|child| (child, depth.saturating_add(1))),
        );
    }
    false
}

/// The children of a node.
pub(super) fn children(node: &IdedExpr) -> Vec<&IdedExpr> {
    match &node.expr {
        Expr::Call(call) => call
            .target
            .as_deref()
            .into_iter()
            .chain(&call.args)
            .collect(),
        Expr::Comprehension(inner) => vec![
            &inner.iter_range,
            &inner.accu_init,
            &inner.loop_cond,
            &inner.loop_step,
            &inner.result,
        ],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map
            .entries
            .iter()
            .flat_map(|entry| entry_children(&entry.expr))
            .collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Struct(inner) => inner
            .entries
            .iter()
            .flat_map(|entry| entry_children(&entry.expr))
            .collect(),
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
    }
}

fn entry_children(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}
