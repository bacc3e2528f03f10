//! Finds conditions, and parts of them, that are the same for every request.

mod bounds;

use cel::common::ast::{Expr, operators};
use cel::common::types::CelBool;
use cel::{IdedExpr, Program};

use super::depth::children;
use super::error::InvalidExpression;
use super::lookup::{call_of, truth_of};
use super::misfits::evaluate;
use super::request_path::is_path;
use super::shown::shown;
use super::typing::column_of;
use super::vocabulary::VARIABLES;
use bounds::{conflict, range_result};

/// Why an expression, or a part of it, is the same for every request.
pub(super) fn dead_condition(program: &Program) -> Option<InvalidExpression> {
    let root = program.expression();
    let error = |node: &IdedExpr, message: String, help: String| InvalidExpression {
        message,
        help,
        column: column_of(program, node),
    };
    if let Some((part, truth, help)) = dead_part(root) {
        let (verb, text) = (
            if truth { "always holds" } else { "never holds" },
            shown(part),
        );
        return Some(error(part, format!("`{text}` {verb}"), help));
    }
    let truth = truth(root)?;
    let (verb, help) = if truth {
        ("matches every request", "leave `if` out")
    } else {
        (
            "never matches",
            "`mode: shadow` tries a rule out; remove a rule that is not wanted",
        )
    };
    Some(error(
        root,
        format!("the expression {verb}"),
        help.to_owned(),
    ))
}

/// The truth of a condition that reads nothing of the request, or of which a literal decides.
fn truth(node: &IdedExpr) -> Option<bool> {
    if let Some(truth) = truth_of(node) {
        return Some(truth);
    }
    if !reads(node) {
        let value = evaluate(node)?;
        return value.downcast_ref::<CelBool>().map(|truth| *truth.inner());
    }
    let call = call_of(node)?;
    match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::LOGICAL_NOT, [inner]) => truth(inner).map(|truth| !truth),
        (operators::LOGICAL_AND, [left, right]) => combine(truth(left), truth(right), false),
        (operators::LOGICAL_OR, [left, right]) => combine(truth(left), truth(right), true),
        (operators::CONDITIONAL, [test, yes, no]) => match truth(test) {
            Some(true) => truth(yes),
            Some(false) => truth(no),
            None => truth(yes).filter(|yes| truth(no) == Some(*yes)),
        },
        _ => None,
    }
}

/// Of two conditions, one of which decides if it is `deciding`.
fn combine(left: Option<bool>, right: Option<bool>, deciding: bool) -> Option<bool> {
    if left == Some(deciding) || right == Some(deciding) {
        return Some(deciding);
    }
    (left.is_some() && right.is_some()).then_some(!deciding)
}

/// Whether a node reads anything of the request.
fn reads(node: &IdedExpr) -> bool {
    let own = matches!(&node.expr, Expr::Ident(name) if VARIABLES.contains(&name.as_str()));
    own || children(node).into_iter().any(reads)
}

/// A comparison, or several, that give the same for every request, and what to write.
fn dead_part(root: &IdedExpr) -> Option<(&IdedExpr, bool, String)> {
    let mut pending = vec![root];
    let mut found = None;
    while let Some(node) = pending.pop() {
        if let Some((truth, help)) = dead_here(node) {
            // The innermost of several is what is wrong.
            found = Some((node, truth, help));
        }
        pending.extend(children(node));
    }
    found
}

fn dead_here(node: &IdedExpr) -> Option<(bool, String)> {
    let call = call_of(node)?;
    match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::IN, [_, within]) => {
            let is_empty = matches!(&within.expr, Expr::List(list) if list.elements.is_empty());
            is_empty.then(|| (false, "the list is empty".to_owned()))
        }
        (operators::EQUALS | operators::NOT_EQUALS, [left, right])
            if is_path(left) && same(left, right) =>
        {
            let truth = call.func_name == operators::EQUALS;
            Some((truth, "it is compared with itself".to_owned()))
        }
        (operators::LOGICAL_AND, _) => conflict(node, true).map(|help| (false, help)),
        (operators::LOGICAL_OR, _) => conflict(node, false).map(|help| (true, help)),
        (_, [left, right]) => range_result(&call.func_name, left, right),
        _ => None,
    }
}

fn same(one: &IdedExpr, other: &IdedExpr) -> bool {
    shown(one) == shown(other) && shown(one) != "…"
}
