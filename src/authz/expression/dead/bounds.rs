//! Values that no two comparisons of a condition accept together, and results that are never given.

use std::collections::HashMap;

use cel::IdedExpr;
use cel::common::ast::{Expr, LiteralValue, operators};

use super::super::lookup::call_of;
use super::super::request_path::is_path;
use super::super::shown::{literal_text, shown};

/// What some comparisons leave of a value.
#[derive(Debug, Default)]
struct Left {
    /// The values that it may have, if they are named.
    named: Option<Vec<String>>,
    /// It is at least this, or more if the bound is strict.
    least: Option<(f64, bool)>,
    /// It is at most this, or less if the bound is strict.
    most: Option<(f64, bool)>,
}

/// Why the parts of a node cannot all be `truth`, as a remedy.
pub(super) fn conflict(node: &IdedExpr, truth: bool) -> Option<String> {
    let is_conjunction = truth;
    let mut left: HashMap<String, Left> = HashMap::new();
    for (part, truth) in parts(node, truth) {
        let Some((of, values)) = comparison(part, truth) else {
            continue;
        };
        let left = left.entry(of.clone()).or_default();
        match values {
            Values::Named(values) => {
                let before = left.named.take();
                let both = match &before {
                    Some(before) => {
                        let both = values.iter().filter(|one| before.contains(one));
                        both.cloned().collect()
                    }
                    None => values.clone(),
                };
                if both.is_empty() {
                    let mut all = before.unwrap_or_default();
                    all.extend(values);
                    return Some(remedy(&of, &all, is_conjunction));
                }
                left.named = Some(both);
            }
            Values::Least(bound, strict) => {
                if left.least.is_none_or(|(own, _)| own < bound) {
                    left.least = Some((bound, strict));
                }
            }
            Values::Most(bound, strict) => {
                if left.most.is_none_or(|(own, _)| own > bound) {
                    left.most = Some((bound, strict));
                }
            }
        }
        if let (Some((least, one)), Some((most, other))) = (left.least, left.most)
            && (least > most || (least >= most && (one || other)))
        {
            return Some(format!(
                "there is no number between the two bounds of `{of}`"
            ));
        }
    }
    None
}

fn remedy(of: &str, values: &[String], is_and: bool) -> String {
    let list = values.join(", ");
    if is_and {
        format!("one value is meant to be any of them: `{of} in [{list}]`")
    } else {
        format!("one value is meant to be none of them: `!({of} in [{list}])`")
    }
}

/// The parts of a conjunction, each with the truth that it needs: of `a && !(b || c)` they are `a`,
/// and `b` and `c` as false.
fn parts(node: &IdedExpr, truth: bool) -> Vec<(&IdedExpr, bool)> {
    let Some(call) = call_of(node) else {
        return vec![(node, truth)];
    };
    match (call.func_name.as_str(), truth) {
        (operators::LOGICAL_AND, true) | (operators::LOGICAL_OR, false) => {
            let args = call.args.iter();
            args.flat_map(|part| parts(part, truth)).collect()
        }
        (operators::LOGICAL_NOT, _) => {
            let args = call.args.iter();
            args.flat_map(|part| parts(part, !truth)).collect()
        }
        _ => vec![(node, truth)],
    }
}

enum Values {
    Named(Vec<String>),
    Least(f64, bool),
    Most(f64, bool),
}

/// The values of a path for which a comparison is `truth`, if they can be named.
fn comparison(node: &IdedExpr, truth: bool) -> Option<(String, Values)> {
    let call = call_of(node)?;
    let [left, right] = call.args.as_slice() else {
        return None;
    };
    let name = call.func_name.as_str();
    if name == operators::IN {
        let Expr::List(list) = &right.expr else {
            return None;
        };
        let values = list
            .elements
            .iter()
            .map(scalar)
            .collect::<Option<Vec<_>>>()?;
        return (truth && is_path(left)).then(|| (shown(left), Values::Named(values)));
    }
    let (path, literal, turned) = if is_path(left) {
        (left, right, false)
    } else {
        (right, left, true)
    };
    if !is_path(path) || call.target.is_some() {
        return None;
    }
    let values = match (name, truth) {
        (operators::EQUALS, true) | (operators::NOT_EQUALS, false) => {
            Values::Named(vec![scalar(literal)?])
        }
        (operators::LESS, true) | (operators::GREATER_EQUALS, false) => {
            Values::bound(number(literal)?, !turned, true)
        }
        (operators::GREATER, true) | (operators::LESS_EQUALS, false) => {
            Values::bound(number(literal)?, turned, true)
        }
        (operators::LESS_EQUALS, true) | (operators::GREATER, false) => {
            Values::bound(number(literal)?, !turned, false)
        }
        (operators::GREATER_EQUALS, true) | (operators::LESS, false) => {
            Values::bound(number(literal)?, turned, false)
        }
        _ => return None,
    };
    Some((shown(path), values))
}

impl Values {
    fn bound(number: f64, is_most: bool, is_strict: bool) -> Self {
        if is_most {
            Values::Most(number, is_strict)
        } else {
            Values::Least(number, is_strict)
        }
    }
}

/// A literal as text: numbers of one value alike.
fn scalar(node: &IdedExpr) -> Option<String> {
    let Expr::Literal(literal) = &node.expr else {
        return None;
    };
    if let Some(number) = number(node) {
        return Some(number.to_string());
    }
    Some(literal_text(literal))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "bounds that differ only beyond the precision of a double are not told apart"
)]
fn number(node: &IdedExpr) -> Option<f64> {
    let Expr::Literal(literal) = &node.expr else {
        return None;
    };
    Some(match literal {
        LiteralValue::Double(number) => *number.inner(),
        LiteralValue::Int(number) => *number.inner() as f64,
        LiteralValue::UInt(number) => *number.inner() as f64,
        LiteralValue::Boolean(_)
        | LiteralValue::Bytes(_)
        | LiteralValue::Null
        | LiteralValue::String(_) => return None,
    })
}

/// The numbers that a function gives.
fn results(node: &IdedExpr) -> Option<(f64, f64)> {
    let call = call_of(node)?;
    let of_time = call
        .target
        .as_deref()
        .is_some_and(|target| is_path(target) && shown(target) == "now");
    Some(match call.func_name.as_str() {
        "size" => (0.0, f64::INFINITY),
        _ if !of_time => return None,
        "getDayOfWeek" => (0.0, 6.0),
        "getHours" => (0.0, 23.0),
        "getMinutes" | "getSeconds" => (0.0, 59.0),
        "getMilliseconds" => (0.0, 999.0),
        "getMonth" => (0.0, 11.0),
        "getDate" => (1.0, 31.0),
        "getDayOfMonth" => (0.0, 30.0),
        "getDayOfYear" => (0.0, 365.0),
        _ => return None,
    })
}

/// Whether a comparison with what a function gives is the same for every request.
pub(super) fn range_result(
    operator: &str,
    left: &IdedExpr,
    right: &IdedExpr,
) -> Option<(bool, String)> {
    let (node, literal, operator) = match (results(left), results(right)) {
        (Some(_), None) => (left, right, operator),
        (None, Some(_)) => (right, left, turned(operator)),
        _ => return None,
    };
    let ((least, most), number) = (results(node)?, number(literal)?);
    let is_outside = number < least || number > most;
    let truth = match operator {
        operators::EQUALS => is_outside.then_some(false),
        operators::NOT_EQUALS => is_outside.then_some(true),
        operators::LESS => decided(most < number, least >= number),
        operators::LESS_EQUALS => decided(most <= number, least > number),
        operators::GREATER => decided(least > number, most <= number),
        operators::GREATER_EQUALS => decided(least >= number, most < number),
        _ => None,
    }?;
    let help = match most {
        _ if most.is_infinite() => "a size is 0 or more".to_owned(),
        _ => format!("`{}` gives {least} to {most}{}", shown(node), starts(node)),
    };
    Some((truth, help))
}

fn starts(node: &IdedExpr) -> &'static str {
    match call_of(node).map(|call| call.func_name.as_str()) {
        Some("getDayOfWeek") => ", and 0 is Sunday",
        Some("getMonth") => ", and 0 is January",
        Some("getDayOfMonth") => ", and `getDate()` begins with 1",
        Some(_) | None => "",
    }
}

fn decided(always: bool, never: bool) -> Option<bool> {
    (always || never).then_some(always)
}

fn turned(operator: &str) -> &str {
    match operator {
        operators::LESS => operators::GREATER,
        operators::LESS_EQUALS => operators::GREATER_EQUALS,
        operators::GREATER => operators::LESS,
        operators::GREATER_EQUALS => operators::LESS_EQUALS,
        other => other,
    }
}
