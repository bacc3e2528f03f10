//! Functions that give only some numbers, and what is never among them.

use cel::IdedExpr;
use cel::common::ast::{Expr, operators};

use super::super::lookup::call_of;
use super::super::request_path::is_path;
use super::super::shown::shown;
use super::term::{Value, constant};

/// The numbers that a function gives, all of them whole.
pub(super) fn results(node: &IdedExpr) -> Option<(f64, f64)> {
    let call = call_of(node)?;
    if call.func_name == "size" {
        return Some((0.0, f64::INFINITY));
    }
    // The hours of a duration are all of its hours.
    if !call.target.as_deref().is_some_and(is_moment) {
        return None;
    }
    Some(match call.func_name.as_str() {
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

/// Whether a node is a moment.
fn is_moment(node: &IdedExpr) -> bool {
    let is_now = is_path(node) && shown(node) == "now";
    let made =
        call_of(node).is_some_and(
            |call| match (call.func_name.as_str(), call.args.as_slice()) {
                ("timestamp" | "time", _) => true,
                (operators::ADD | operators::SUBSTRACT, [left, right]) => {
                    let is_duration =
                        |node| call_of(node).is_some_and(|call| call.func_name == "duration");
                    is_moment(left) && is_duration(right)
                }
                _ => false,
            },
        );
    is_now || made
}

fn number(node: &IdedExpr) -> Option<f64> {
    match constant(node)?.value {
        Value::Number(number) => Some(number),
        Value::Null
        | Value::Bool(_)
        | Value::Text(_)
        | Value::Moment(_)
        | Value::Duration(_)
        | Value::Kind(_)
        | Value::Other(_) => None,
    }
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
    let is_outside = number < least || number > most || number.fract() != 0.0;
    let truth = match operator {
        operators::EQUALS => is_outside.then_some(false),
        operators::NOT_EQUALS => is_outside.then_some(true),
        operators::LESS => decided(most < number, least >= number),
        operators::LESS_EQUALS => decided(most <= number, least > number),
        operators::GREATER => decided(least > number, most <= number),
        operators::GREATER_EQUALS => decided(least >= number, most < number),
        _ => None,
    }?;
    Some((truth, gives(node, least, most)))
}

/// The item of a list that a function never gives, as a node, and what it gives.
pub(super) fn item_never_given<'e>(
    item: &IdedExpr,
    within: &'e IdedExpr,
) -> Option<(&'e IdedExpr, String)> {
    let (least, most) = results(item)?;
    let Expr::List(list) = &within.expr else {
        return None;
    };
    let is_outside = |node: &&IdedExpr| {
        number(node).is_some_and(|number| number < least || number > most || number.fract() != 0.0)
    };
    let node = list.elements.iter().find(is_outside)?;
    Some((node, gives(item, least, most)))
}

fn gives(node: &IdedExpr, least: f64, most: f64) -> String {
    if most.is_infinite() {
        return "a size is 0 or more, and whole".to_owned();
    }
    let beginning = match call_of(node).map(|call| call.func_name.as_str()) {
        Some("getDayOfWeek") => ", and 0 is Sunday",
        Some("getMonth") => ", and 0 is January",
        Some("getDayOfMonth") => ", and `getDate()` begins with 1",
        Some(_) | None => "",
    };
    format!("`{}` gives {least} to {most}{beginning}", shown(node))
}

fn decided(always: bool, never: bool) -> Option<bool> {
    (always || never).then_some(always)
}

/// The operator that says the same with its sides exchanged.
pub(super) fn turned(operator: &str) -> &str {
    match operator {
        operators::LESS => operators::GREATER,
        operators::LESS_EQUALS => operators::GREATER_EQUALS,
        operators::GREATER => operators::LESS,
        operators::GREATER_EQUALS => operators::LESS_EQUALS,
        other => other,
    }
}
