//! Whether having a further name makes a test hold or fail.
//!
//! A test for a name that the author wrote holds for who has it. One that holds for all but some
//! names, or for who has none, fails by a name, however it is spelled.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};

use super::names::{member_of, reads_names};
use crate::authz::expression::constant::{Constant, GIVEN, GLOB, MATCHES};
use crate::authz::expression::lookup::{field_of, text_of};
use crate::authz::expression::remarks::Sense;

/// What gives a value, or a part of it, in another form.
const CONVERSIONS: [&str; 11] = [
    "dyn",
    "string",
    "text",
    "fold",
    "plain",
    "int",
    "uint",
    "double",
    "num",
    "time",
    "timestamp",
];

/// Names of the caller that are lists.
const LISTS: [&str; 3] = ["groups", "roles", "scopes"];

/// What having a name does to the expression, by a test that reads names. `sense` is what the test
/// does to it where it holds.
pub(super) fn of(node: &IdedExpr, sense: Sense) -> Sense {
    let is_for_a_name = match &node.expr {
        Expr::Select(select) if select.test => {
            field_of(&node.expr).is_some() || is_path(&select.operand)
        }
        Expr::Call(call) => return of_call(node, call, sense),
        Expr::Select(_)
        | Expr::Comprehension(_)
        | Expr::Ident(_)
        | Expr::List(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Struct(_)
        | Expr::Unspecified => is_one_value(node),
    };
    only(is_for_a_name, sense)
}

fn of_call(node: &IdedExpr, call: &CallExpr, sense: Sense) -> Sense {
    let target = call.target.as_deref();
    match (call.func_name.as_str(), target, call.args.as_slice()) {
        (operators::EQUALS, None, [left, right]) => only(is_comparison(left, right), sense),
        (operators::NOT_EQUALS, None, [left, right]) => {
            only(is_comparison(left, right), sense.flipped())
        }
        (operators::IN, None, [item, list]) => only(is_search(item, list), sense),
        (GIVEN, None, [member]) => only(is_path(member), sense),
        (MATCHES, Some(text), [pattern]) | (MATCHES, None, [text, pattern]) => {
            only(is_value(text) && !matches_anything(pattern), sense)
        }
        ("startsWith" | "endsWith" | "contains", Some(text), [part])
        | (GLOB, None, [text, part]) => only(is_value(text) && is_value(part), sense),
        _ => only(is_one_value(node), sense),
    }
}

fn only(is_for_a_name: bool, sense: Sense) -> Sense {
    if is_for_a_name { sense } else { Sense::Either }
}

/// Whether two sides are compared of which one is a name, and the other a certain value.
fn is_comparison(left: &IdedExpr, right: &IdedExpr) -> bool {
    let is_side = |node: &IdedExpr| is_value(node) && !says_nothing(node);
    is_side(left) && is_side(right)
}

fn is_search(item: &IdedExpr, list: &IdedExpr) -> bool {
    if !is_value(item) || says_nothing(item) {
        return false;
    }
    match &list.expr {
        Expr::List(list) => list.elements.iter().all(|own| is_comparison(item, own)),
        Expr::Call(call) if call.func_name == operators::ADD => {
            call.args.iter().all(|part| is_search(item, part))
        }
        _ if !reads_names(list) => true,
        Expr::Call(_)
        | Expr::Comprehension(_)
        | Expr::Ident(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Select(_)
        | Expr::Struct(_)
        | Expr::Unspecified => grows(list),
    }
}

/// Whether a further name in the node is a further element of it, and takes none away.
pub(super) fn grows(node: &IdedExpr) -> bool {
    if !reads_names(node) || is_path(node) {
        return true;
    }
    match &node.expr {
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::ADD, parts) => parts.iter().all(grows),
            ("list" | "dyn", [inner]) => grows(inner),
            _ => false,
        },
        // `filter` and `map`: each element is looked at by itself.
        Expr::Comprehension(inner) => {
            let begins_empty =
                matches!(&inner.accu_init.expr, Expr::List(list) if list.elements.is_empty());
            begins_empty && !reads_names(&inner.loop_step) && grows(&inner.iter_range)
        }
        Expr::Select(_)
        | Expr::Ident(_)
        | Expr::List(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Struct(_)
        | Expr::Unspecified => false,
    }
}

/// Whether the node is one value that something is called, or made of some by joining texts.
fn is_value(node: &IdedExpr) -> bool {
    match &node.expr {
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::ADD, [left, right]) => {
                is_value(left) && is_value(right) && (has_text(left) || has_text(right))
            }
            (function, [inner]) if CONVERSIONS.contains(&function) => is_value(inner),
            (operators::INDEX, _) if !reads_names(node) => true,
            _ => is_one_value(node),
        },
        Expr::Literal(_) | Expr::Ident(_) => true,
        Expr::Select(select) if !reads_names(node) => !select.test,
        Expr::Select(_) => is_one_value(node),
        Expr::Comprehension(_)
        | Expr::List(_)
        | Expr::Map(_)
        | Expr::Struct(_)
        | Expr::Unspecified => false,
    }
}

/// Whether the node is a name that is no list.
fn is_one_value(node: &IdedExpr) -> bool {
    let is_list = matches!(
        field_of(&node.expr),
        Some(("subject", field, _)) if LISTS.contains(&field)
    );
    is_path(node) && !is_list
}

/// Whether the node is a field of the subject, or a member of its claims by names.
fn is_path(node: &IdedExpr) -> bool {
    let mut node = node;
    loop {
        if let Some((record, _, is_test)) = field_of(&node.expr) {
            return record == "subject" && !is_test;
        }
        let Some((operand, _)) = member_of(node) else {
            return false;
        };
        node = operand;
    }
}

/// Whether a text that the author wrote is joined there.
fn has_text(node: &IdedExpr) -> bool {
    match &node.expr {
        Expr::Call(call) if call.func_name == operators::ADD => call.args.iter().any(has_text),
        Expr::Call(_)
        | Expr::Comprehension(_)
        | Expr::Select(_)
        | Expr::Ident(_)
        | Expr::List(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Struct(_)
        | Expr::Unspecified => text_of(node).is_some_and(|text| !text.is_empty()),
    }
}

/// Whether the node is a value of who has no name, or says no.
fn says_nothing(node: &IdedExpr) -> bool {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => text.inner().is_empty(),
        Expr::Literal(LiteralValue::Boolean(truth)) => !*truth.inner(),
        Expr::Literal(LiteralValue::Null) => true,
        Expr::Literal(
            LiteralValue::Bytes(_)
            | LiteralValue::Double(_)
            | LiteralValue::Int(_)
            | LiteralValue::UInt(_),
        )
        | Expr::Call(_)
        | Expr::Comprehension(_)
        | Expr::Select(_)
        | Expr::Ident(_)
        | Expr::List(_)
        | Expr::Map(_)
        | Expr::Struct(_)
        | Expr::Unspecified => false,
    }
}

/// Whether a pattern is met by texts that nobody thought of, as `^[^a]` is: then it is about what
/// does not meet it. It is tried on a character for private use, in some lengths.
fn matches_anything(pattern: &IdedExpr) -> bool {
    let text = text_of(pattern).unwrap_or_default();
    let Ok(Some(Constant::Pattern(pattern))) = Constant::compile(MATCHES, text) else {
        return true;
    };
    let lengths = [0, 1, 2, 4, 8, 16, 32, 64, 256];
    lengths
        .iter()
        .any(|length| pattern.is_match(&"\u{e000}".repeat(*length)))
}
