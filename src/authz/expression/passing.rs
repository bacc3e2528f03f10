//! Finds values for whose absence an expression fails although it names what is refused of them.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};

use super::lookup::{call_of, truth_of};
use super::proposals::{is_within, presence, reads};
use super::totality::path;

/// The beginnings of the paths that a caller may leave out.
const OPTIONAL: [&str; 8] = [
    "args",
    "mcp.arguments",
    "mcp.input",
    "mcp.meta",
    "subject",
    "source",
    "device",
    "request.headers",
];

/// The paths whose presence the expression tests before it compares them for what they are not:
/// `has(x) && x != 1` fails without `x`.
pub(super) fn passing(root: &IdedExpr) -> Vec<String> {
    let mut search = Search { found: Vec::new() };
    search.visit(root, true, &[]);
    search.found
}

struct Search {
    found: Vec<String>,
}

impl Search {
    /// `absent` are the paths whose absence makes the expression hold by another part of it.
    fn visit(&mut self, node: &IdedExpr, truth: bool, absent: &[String]) {
        let parts = parts(node, truth);
        let [_, _, ..] = parts.as_slice() else {
            return self.visit_inside(node, truth, absent);
        };
        let present: Vec<String> = parts
            .iter()
            .filter(|(_, truth)| *truth)
            .filter_map(|(part, _)| presence(part))
            .filter(|path| OPTIONAL.iter().any(|own| is_within(path, own)))
            .filter(|path| !absent.contains(path))
            .collect();
        for path in present {
            let is_negative = parts
                .iter()
                .any(|(part, truth)| presence(part).is_none() && is_negative(part, *truth, &path));
            if is_negative && !self.found.contains(&path) {
                self.found.push(path);
            }
        }
        for (part, truth) in parts {
            self.visit_inside(part, truth, absent);
        }
    }

    /// A disjunction: what one side says of an absence holds for the others.
    fn visit_inside(&mut self, node: &IdedExpr, truth: bool, absent: &[String]) {
        let sides = parts(node, !truth);
        let [_, _, ..] = sides.as_slice() else {
            return;
        };
        // Each side as it has to be for the node to be `truth`.
        let own: Vec<(&IdedExpr, bool)> = sides
            .into_iter()
            .map(|(side, truth)| (side, !truth))
            .collect();
        let mut absent = absent.to_vec();
        let without = own.iter().filter(|(_, truth)| !*truth);
        absent.extend(without.filter_map(|(side, _)| presence(side)));
        for (side, truth) in own {
            self.visit(side, truth, &absent);
        }
    }
}

/// The parts that all have to be as they say for a node to be `truth`.
fn parts(node: &IdedExpr, truth: bool) -> Vec<(&IdedExpr, bool)> {
    let whole = || vec![(node, truth)];
    let Some(call) = call_of(node) else {
        return whole();
    };
    let flat = |truth: bool| {
        let args = call.args.iter();
        args.flat_map(move |part| parts(part, truth)).collect()
    };
    match (call.func_name.as_str(), truth, call.args.as_slice()) {
        (operators::LOGICAL_AND, true, _) | (operators::LOGICAL_OR, false, _) => flat(truth),
        (operators::LOGICAL_NOT, _, _) => flat(!truth),
        (operators::CONDITIONAL, true, [test, yes, no]) if truth_of(no) == Some(false) => {
            let mut all = parts(test, true);
            all.extend(parts(yes, true));
            all
        }
        _ => whole(),
    }
}

/// Whether a node that has to be `truth` refuses some values of a path by what they are not.
fn is_negative(node: &IdedExpr, truth: bool, of: &str) -> bool {
    if let Some(path) = path(node) {
        return !truth && is_within(&path, of);
    }
    let Some(call) = call_of(node).filter(|_| reads(node, of)) else {
        return false;
    };
    match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::LOGICAL_AND | operators::LOGICAL_OR, parts) => {
            parts.iter().any(|part| is_negative(part, truth, of))
        }
        (operators::LOGICAL_NOT, [inner]) => is_negative(inner, !truth, of),
        (operators::CONDITIONAL, [_, yes, no]) => {
            is_negative(yes, truth, of) || is_negative(no, truth, of)
        }
        (operators::EQUALS, _) => is_false(call) == truth,
        (operators::NOT_EQUALS, _) => is_false(call) != truth,
        _ => !truth,
    }
}

/// Whether a comparison is with `false`: what is equal to it is not `true`.
fn is_false(call: &CallExpr) -> bool {
    call.args.iter().any(
        |node| matches!(&node.expr, Expr::Literal(LiteralValue::Boolean(truth)) if !*truth.inner()),
    )
}
