//! Literals that stand for having no name.
//!
//! A test that holds for callers without a name fails by any name.

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr, LiteralValue};

use super::super::constant::{Constant, MATCHES};
use super::super::depth::children;
use super::super::lookup::text_of;
use crate::authz::spelling::is_nothing;

/// How often a character is repeated in texts that no author has in mind.
const REPEATED: [usize; 9] = [0, 1, 2, 4, 8, 16, 32, 64, 256];

/// Whether a node is a literal that stands for having no name, or for no.
pub(super) fn says_nothing(node: &IdedExpr) -> bool {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => is_nothing(text.inner()),
        Expr::Literal(LiteralValue::Boolean(truth)) => !*truth.inner(),
        Expr::Literal(LiteralValue::Int(number)) => *number.inner() == 0,
        Expr::Literal(LiteralValue::UInt(number)) => *number.inner() == 0,
        Expr::Literal(LiteralValue::Double(number)) => *number.inner() == 0.0,
        Expr::Literal(LiteralValue::Bytes(bytes)) => bytes.inner().is_empty(),
        Expr::Literal(LiteralValue::Null) => true,
        Expr::List(list) => list.elements.is_empty(),
        Expr::Map(map) => map.entries.is_empty(),
        Expr::Call(_)
        | Expr::Comprehension(_)
        | Expr::Select(_)
        | Expr::Ident(_)
        | Expr::Struct(_)
        | Expr::Unspecified => false,
    }
}

/// Whether such a literal is in a list or is a key anywhere in the node.
pub(super) fn has_nothing(node: &IdedExpr) -> bool {
    let is_here = match &node.expr {
        Expr::List(list) => list.elements.iter().any(says_nothing),
        Expr::Map(map) => map.entries.iter().any(
            |entry| matches!(&entry.expr, EntryExpr::MapEntry(entry) if says_nothing(&entry.key)),
        ),
        Expr::Literal(_)
        | Expr::Call(_)
        | Expr::Comprehension(_)
        | Expr::Select(_)
        | Expr::Ident(_)
        | Expr::Struct(_)
        | Expr::Unspecified => false,
    };
    is_here || children(node).into_iter().any(has_nothing)
}

/// Whether a pattern matches texts that its author does not have in mind, as `^[^a]` and `^[b-z]`
/// do: such a pattern is about the texts that do not match. It is tested with a private-use
/// character and with all letters, repeated to several lengths.
pub(super) fn matches_anything(pattern: &IdedExpr) -> bool {
    let text = text_of(pattern).unwrap_or_default();
    let Ok(Some(Constant::Pattern(pattern, _))) = Constant::compile(MATCHES, text) else {
        return true;
    };
    let is_met = |character: char| {
        REPEATED
            .iter()
            .any(|length| pattern.is_match(&character.to_string().repeat(*length)))
    };
    let by_most = |letters: std::ops::RangeInclusive<char>| {
        let (met, unmet): (Vec<char>, Vec<char>) = letters.partition(|letter| is_met(*letter));
        met.len() > unmet.len()
    };
    is_met('\u{e000}') || by_most('a'..='z') || by_most('A'..='Z')
}
