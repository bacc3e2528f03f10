//! Takes a condition apart into the ways in which it can come out.

use cel::IdedExpr;
use cel::common::ast::{Expr, operators};

use super::super::constant::{GIVEN, GLOB, IP_IN, MATCHES};
use super::super::lookup::{call_of, quantified, truth_of};

/// Parts of a condition that have to come out like this together.
pub(super) type Case<'e> = Vec<(&'e IdedExpr, bool)>;

/// The most ways to come out that are told apart. Beyond it a part counts as a whole.
const CASES_MAX: usize = 64;

/// The ways in which all of these nodes come out as they say: `a && (b || c)` has `a` with `b`, and
/// `a` with `c`.
pub(super) fn cases<'e>(all: &[(&'e IdedExpr, bool)]) -> Vec<Case<'e>> {
    let mut done: Vec<Case<'e>> = vec![Vec::new()];
    for (node, truth) in all {
        let mut own = cases_of(node, *truth);
        if done.len().saturating_mul(own.len()) > CASES_MAX {
            own = vec![vec![(*node, *truth)]];
        }
        let with = |case: &Case<'e>| {
            let case = case.clone();
            let each = own.iter();
            let each = each.map(move |own| [case.as_slice(), own].concat());
            each.collect::<Vec<_>>()
        };
        done = done.iter().flat_map(with).collect();
    }
    done
}

fn cases_of(node: &IdedExpr, truth: bool) -> Vec<Case<'_>> {
    let whole = || vec![vec![(node, truth)]];
    let Some(call) = call_of(node) else {
        return whole();
    };
    let each = |truth: bool| call.args.iter().map(|part| (part, truth)).collect();
    let any: Vec<Case<'_>> = match (call.func_name.as_str(), truth, call.args.as_slice()) {
        (operators::LOGICAL_AND, true, _) | (operators::LOGICAL_OR, false, _) => {
            let all: Case<'_> = each(truth);
            return cases(&all);
        }
        (operators::LOGICAL_NOT, _, [inner]) => return cases_of(inner, !truth),
        (operators::EQUALS | operators::NOT_EQUALS, _, [left, right]) => {
            let (inner, literal) = match (truth_of(left), truth_of(right)) {
                (None, Some(literal)) => (left, literal),
                (Some(literal), None) => (right, literal),
                _ => return whole(),
            };
            if !is_condition(inner) {
                return whole();
            }
            let is_equal = call.func_name == operators::EQUALS;
            return cases_of(inner, truth == (literal == is_equal));
        }
        (operators::LOGICAL_AND, false, _) | (operators::LOGICAL_OR, true, _) => {
            let sides = call.args.iter();
            sides.flat_map(|side| cases_of(side, truth)).collect()
        }
        (operators::CONDITIONAL, _, [test, yes, no]) if is_condition(node) => {
            let branches = [(true, yes), (false, no)];
            let branches = branches.iter();
            let cases = branches.flat_map(|(is, branch)| cases(&[(test, *is), (branch, truth)]));
            cases.collect()
        }
        _ => return whole(),
    };
    if any.len() > CASES_MAX { whole() } else { any }
}

/// Whether a node is true or false wherever it has a result.
pub(super) fn is_condition(node: &IdedExpr) -> bool {
    const TESTS: [&str; 17] = [
        operators::LOGICAL_AND,
        operators::LOGICAL_OR,
        operators::LOGICAL_NOT,
        operators::EQUALS,
        operators::NOT_EQUALS,
        operators::LESS,
        operators::LESS_EQUALS,
        operators::GREATER,
        operators::GREATER_EQUALS,
        operators::IN,
        GIVEN,
        GLOB,
        IP_IN,
        MATCHES,
        "startsWith",
        "endsWith",
        "contains",
    ];
    if truth_of(node).is_some() || quantified(node).is_some() {
        return true;
    }
    match &node.expr {
        Expr::Select(select) => select.test,
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::CONDITIONAL, [_, yes, no]) => is_condition(yes) && is_condition(no),
            (name, _) => TESTS.contains(&name),
        },
        Expr::Comprehension(_)
        | Expr::Ident(_)
        | Expr::List(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Struct(_)
        | Expr::Unspecified => false,
    }
}
