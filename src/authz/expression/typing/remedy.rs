//! What to write instead of an operation between the wrong types.

use cel::IdedExpr;
use cel::common::ast::LiteralValue;

use super::super::shown::{literal_of, shown};
use super::super::types::Type;

/// A condition over a value that is none.
pub(super) fn to_condition(node: &IdedExpr, found: &Type) -> String {
    let text = shown(node);
    match found {
        Type::List(items) if **items == Type::Text => format!("`\"…\" in {text}`"),
        Type::List(_) => format!("`size({text}) > 0`, or `….exists(item, …)`"),
        Type::Map(..) => format!("name one of its members, as in `has({text}.name)`"),
        Type::Int | Type::Uint | Type::Double => format!("compare it: `{text} > 0`"),
        Type::Text if literal_of(node).is_some() => "it has to be true or false".to_owned(),
        Type::Text => format!("compare it: `{text} == \"…\"`"),
        Type::Time => format!("compare it: `{text} < timestamp(\"2026-01-01T00:00:00Z\")`"),
        Type::Duration => format!("compare it: `{text} < duration(\"1h\")`"),
        Type::Any
        | Type::Nothing
        | Type::Json
        | Type::Null
        | Type::Bool
        | Type::Bytes
        | Type::Kind => "it has to be true or false".to_owned(),
    }
}

/// A member of what has none.
pub(super) fn for_member(of: &str, found: &Type, field: &str) -> String {
    if let Type::List(items) = found {
        return if **items == Type::Text {
            format!("`{field:?} in {of}`")
        } else {
            format!("`{of}.exists(item, item.{field} == …)`")
        };
    }
    if *found == Type::Time {
        return if field.starts_with("get") {
            format!("it is a function: `{of}.{field}()`")
        } else {
            format!(
                "a time has functions: `{of}.getFullYear()`, `{of}.getMonth()`, \
                 `{of}.getDayOfWeek()`, `{of}.getHours()`"
            )
        };
    }
    if *found == Type::Text {
        return format!("compare the text itself: `{of} == \"…\"`");
    }
    String::new()
}

/// A loop over what is neither a list nor an object.
pub(super) fn for_loop(of: &str, found: &Type) -> String {
    if *found == Type::Text {
        return format!("`{of}.contains(\"…\")` searches a text, `{of} in [\"…\"]` compares it");
    }
    String::new()
}

/// A comparison that can hold.
pub(super) fn for_equality(
    (node, own): (&IdedExpr, &Type),
    (value, of_value): (&IdedExpr, &Type),
    is_negated: bool,
) -> String {
    let (node, text) = (shown(node), shown(value));
    let sign = if is_negated { "!=" } else { "==" };
    let not = |test: String| {
        if is_negated {
            format!("`!({test})`")
        } else {
            format!("`{test}`")
        }
    };
    match (own, of_value) {
        (_, Type::Null) if is_negated => format!("`has({node})` tests whether it is there"),
        (_, Type::Null) => format!("`!has({node})` tests whether it is absent"),
        (Type::List(items), one) if items.can_equal(one) => not(format!("{text} in {node}")),
        (one, Type::List(items)) if items.can_equal(one) => not(format!("{node} in {text}")),
        (Type::List(_), _) => format!("`size({node})` counts its items"),
        (Type::Time, Type::Text) => format!("`{node} {sign} timestamp({})`", moment(value)),
        (Type::Duration, Type::Text | Type::Int) => format!("`{node} {sign} duration(\"1h\")`"),
        (Type::Time, Type::Json) => format!("`time({text}) {sign} {node}`"),
        (Type::Json, Type::Time) => format!("`time({node}) {sign} {text}`"),
        (Type::Text, one) if one.is_number() || *one == Type::Bool => {
            format!("write it as a text: `{node} {sign} \"{text}\"`")
        }
        (one, Type::Text) if one.is_number() || *one == Type::Bool => match literal_of(value) {
            Some(LiteralValue::String(own)) => {
                format!("write it without quotes: `{node} {sign} {}`", own.inner())
            }
            _ => "compare values of one type".to_owned(),
        },
        (Type::Map(..), _) => format!("name one of its members: `{node}.name {sign} {text}`"),
        _ => "compare values of one type".to_owned(),
    }
}

/// An ordering that has a result.
pub(super) fn for_order(
    sign: &str,
    (left, one): (&IdedExpr, &Type),
    (right, other): (&IdedExpr, &Type),
) -> String {
    let (left_text, right_text) = (shown(left), shown(right));
    let number = |node: &IdedExpr| match literal_of(node) {
        Some(LiteralValue::String(text)) => {
            let text = text.inner();
            text.parse::<f64>().is_ok().then(|| text.to_owned())
        }
        _ => None,
    };
    match (one, other) {
        (Type::Json | Type::Int | Type::Uint | Type::Double, Type::Text) => {
            if let Some(number) = number(right) {
                return format!("write the number without quotes: `{left_text} {sign} {number}`");
            }
            let is_moment = literal_of(right).is_some() && is_moment(right);
            if is_moment {
                return format!("`time({left_text}) {sign} timestamp({})`", moment(right));
            }
            "texts from outside have no order, because servers read them differently".to_owned()
        }
        (Type::Text, Type::Json) => {
            "texts from outside have no order, because servers read them differently".to_owned()
        }
        (Type::Time, Type::Text) => format!("`{left_text} {sign} timestamp({})`", moment(right)),
        (Type::Text, Type::Time) => format!("`timestamp({}) {sign} {right_text}`", moment(left)),
        (Type::Json, Type::Time) => format!("`time({left_text}) {sign} {right_text}`"),
        (Type::Time, Type::Json) => format!("`{left_text} {sign} time({right_text})`"),
        (Type::Time, one) if one.is_number() => {
            format!("`int({left_text}) {sign} {right_text}` counts seconds since 1970")
        }
        (Type::List(_) | Type::Map(..), _) => {
            format!("`size({left_text}) {sign} …` counts its items")
        }
        (_, Type::List(_) | Type::Map(..)) => {
            format!("`… {sign} size({right_text})` counts its items")
        }
        (Type::Text, one) if one.is_number() => {
            format!("`size({left_text}) {sign} {right_text}` counts its characters")
        }
        _ => "compare values of one type".to_owned(),
    }
}

/// A search that can find something.
pub(super) fn for_in((item, one): (&IdedExpr, &Type), within: &IdedExpr, items: &Type) -> String {
    let (item_text, within_text) = (shown(item), shown(within));
    match (one, items) {
        (Type::List(own), items) if own.can_equal(items) => {
            format!("`{item_text}.exists(item, item in {within_text})`")
        }
        (Type::Text, items) if items.is_number() => "write the numbers as texts".to_owned(),
        (one, Type::Text) if one.is_number() => format!("write it as a text: `\"{item_text}\"`"),
        _ => "compare values of one type".to_owned(),
    }
}

/// Arithmetic between values that are not both numbers.
pub(super) fn for_arithmetic(one: &Type, other: &Type) -> String {
    match (one, other) {
        (Type::Text, other) if other.is_number() => {
            "`string(…)` makes a text of a number".to_owned()
        }
        (one, Type::Text) if one.is_number() => "`string(…)` makes a text of a number".to_owned(),
        (Type::Time, _) | (_, Type::Time) => {
            "a time is moved by a duration: `now - duration(\"1h\")`".to_owned()
        }
        _ => String::new(),
    }
}

/// A literal as an argument of `timestamp`, with a time of day and an offset.
fn moment(node: &IdedExpr) -> String {
    match literal_of(node) {
        Some(LiteralValue::String(text)) if is_date(text.inner()) => {
            format!("\"{}T00:00:00Z\"", text.inner())
        }
        _ => shown(node),
    }
}

fn is_moment(node: &IdedExpr) -> bool {
    match literal_of(node) {
        Some(LiteralValue::String(text)) => text.inner().get(..10).is_some_and(is_date),
        _ => false,
    }
}

fn is_date(text: &str) -> bool {
    text.parse::<jiff::civil::Date>().is_ok() && text.len() == 10
}
