//! Splits the text of an expression at its outermost operators.

use super::super::depth::{literal_width, word_width};

/// The operands of an operator outside of brackets; one if the text has none. `None` for texts with
/// comments or line breaks, which cannot stand in one line.
pub(super) fn split<'t>(text: &'t str, operator: &str) -> Option<Vec<&'t str>> {
    let (mut parts, mut start) = (Vec::new(), 0_usize);
    let (mut depth, mut at) = (0_usize, 0_usize);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next()?;
        match first {
            '\n' | '\r' => return None,
            '/' if rest.starts_with("//") => return None,
            '(' | '[' | '{' => depth = depth.saturating_add(1),
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            // It binds less than every other operator.
            '?' if depth == 0 => return Some(vec![text.trim()]),
            _ => {}
        }
        if depth == 0 && rest.starts_with(operator) {
            parts.push(text.get(start..at)?.trim());
            at = at.saturating_add(operator.len());
            start = at;
        } else {
            at = at.saturating_add(width(first, rest));
        }
    }
    parts.push(text.get(start..)?.trim());
    Some(parts)
}

/// What one pair of brackets around the whole text has in it.
pub(super) fn enclosed(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('(')?.strip_suffix(')')?;
    let (mut depth, mut at) = (0_usize, 0_usize);
    while let Some(rest) = inner.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next()?;
        match first {
            '(' | '[' | '{' => depth = depth.saturating_add(1),
            ')' | ']' | '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at = at.saturating_add(width(first, rest));
    }
    Some(inner.trim())
}

/// The bytes of a literal, a word or a character.
fn width(first: char, rest: &str) -> usize {
    let is_raw = |rest: &str| {
        rest.get(1..)
            .is_some_and(|rest| rest.starts_with(['\'', '"']))
    };
    match first {
        '\'' | '"' => literal_width(rest, false),
        'r' | 'R' if is_raw(rest) => literal_width(rest, true),
        other if other.is_alphanumeric() || other == '_' => word_width(rest).max(1),
        other => other.len_utf8(),
    }
}
