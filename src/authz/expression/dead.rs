//! Finds conditions, and parts of them, that are the same for every request.

mod cases;
mod facts;
mod left;
mod ranges;
mod term;
mod texts;

use cel::common::ast::{Expr, operators};
use cel::common::types::CelBool;
use cel::{IdedExpr, Program};

use super::depth::children;
use super::error::InvalidExpression;
use super::lookup::{call_of, truth_of};
use super::misfits::evaluate;
use super::shown::shown;
use super::typing::column_of;
use super::vocabulary::VARIABLES;
use cases::{Case, cases, is_condition};
use left::{Clash, clash};
use ranges::{item_never_given, range_result};
use term::term;

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
        if let Some(dead) = dead_here(node) {
            // The innermost of several is what is wrong.
            found = Some(dead);
        }
        pending.extend(children(node));
    }
    found
}

fn dead_here(node: &IdedExpr) -> Option<(&IdedExpr, bool, String)> {
    let call = call_of(node)?;
    let here = |(truth, help): (bool, String)| (node, truth, help);
    match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::IN, [item, within]) => {
            if matches!(&within.expr, Expr::List(list) if list.elements.is_empty()) {
                return Some((node, false, "the list is empty".to_owned()));
            }
            let (item, help) = item_never_given(item, within)?;
            Some((item, false, help))
        }
        (
            name @ (operators::EQUALS
            | operators::NOT_EQUALS
            | operators::LESS
            | operators::LESS_EQUALS
            | operators::GREATER
            | operators::GREATER_EQUALS),
            [left, right],
        ) => {
            if reads(left) && term(left) == term(right) {
                let truth = [
                    operators::EQUALS,
                    operators::LESS_EQUALS,
                    operators::GREATER_EQUALS,
                ]
                .contains(&name);
                return Some((node, truth, "it is compared with itself".to_owned()));
            }
            range_result(name, left, right).map(here)
        }
        (operators::LOGICAL_AND | operators::LOGICAL_NOT, _) => {
            never(&[(node, true)], true).map(|help| (node, false, help))
        }
        (operators::LOGICAL_OR, _) => never(&[(node, false)], false).map(|help| (node, true, help)),
        (operators::CONDITIONAL, [test, yes, no]) => dead_choice(node, test, yes, no),
        _ => None,
    }
}

/// A choice that comes out alike, and a branch of it that its test refutes.
fn dead_choice<'e>(
    node: &'e IdedExpr,
    test: &'e IdedExpr,
    yes: &'e IdedExpr,
    no: &'e IdedExpr,
) -> Option<(&'e IdedExpr, bool, String)> {
    for (branch, truth) in [(yes, true), (no, false)] {
        if !is_condition(branch) || truth_of(branch).is_some() {
            continue;
        }
        let is_possible = never(&[(test, truth)], true).is_none();
        if let Some(help) = never(&[(test, truth), (branch, true)], true).filter(|_| is_possible) {
            return Some((branch, false, help));
        }
    }
    if !is_condition(node) {
        return None;
    }
    if let Some(help) = never(&[(node, true)], true) {
        return Some((node, false, help));
    }
    never(&[(node, false)], false).map(|help| (node, true, help))
}

/// Why these nodes never come out like this together, as a remedy. `is_and` says whether they are
/// joined as they stand, or by what they are not.
fn never(all: &[(&IdedExpr, bool)], is_and: bool) -> Option<String> {
    let mut first = None;
    for case in cases(all) {
        let clash = clash(&case, is_and)?;
        if matches!(first, None | Some(Clash::Literal)) {
            first = Some(clash);
        }
    }
    let clash = first.filter(|clash| !matches!(clash, Clash::Literal))?;
    Some(remedy(&clash, is_and))
}

/// The paths that are there wherever a node comes out as `truth`.
pub(super) fn needed(node: &IdedExpr, truth: bool) -> Vec<String> {
    let found = facts::facts(node, truth).into_iter();
    let found = found.filter(|fact| matches!(fact.says, facts::Says::Needed));
    found.map(|fact| fact.of).collect()
}

/// The ways in which a condition holds, without those that never come about.
pub(super) fn possible_cases(root: &IdedExpr) -> Vec<Case<'_>> {
    let mut all = cases(&[(root, true)]);
    all.retain(|case| clash(case, true).is_none());
    all
}

fn remedy(clash: &Clash, is_and: bool) -> String {
    let (other, which) = if is_and {
        ("||", "holds where either does")
    } else {
        ("&&", "holds where both do")
    };
    match clash {
        Clash::Named(of, values) => {
            let list = values.join(", ");
            if is_and {
                format!("one value is meant to be any of them: `{of} in [{list}]`")
            } else {
                format!("one value is meant to be none of them: `!({of} in [{list}])`")
            }
        }
        Clash::Opposite(of) => format!("one part says of `{of}` the opposite of another"),
        Clash::Excluded(of, value) => {
            format!("another part does not leave `{of}` the value {value}; `{other}` {which}")
        }
        Clash::Bounds(of, kind) => {
            format!("there is no {kind} between the two bounds of `{of}`; `{other}` {which}")
        }
        Clash::Texts(of) => {
            format!("no text passes both tests of `{of}`; `{other}` {which}")
        }
        Clash::Networks(of) => {
            format!("no address passes both tests of `{of}`; `{other}` {which}")
        }
        Clash::Order => "the same two values are compared in two ways".to_owned(),
        Clash::Absent(path) => {
            format!("`{path}` is read where a part says that it is absent; `{other}` {which}")
        }
        Clash::Literal => "a literal decides".to_owned(),
    }
}
