//! What comparisons compare: parts of an expression that give the same wherever they stand, and
//! constants.

use std::cmp::Ordering;

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr, LiteralValue};
use cel::common::types::{
    CelBool, CelDouble, CelDuration, CelInt, CelNull, CelString, CelTimestamp, CelUInt,
};

use super::super::constant::GIVEN;
use super::super::depth::children;
use super::super::lookup::{call_of, name_of};
use super::super::misfits::evaluate;
use super::super::shown::{literal_text, shown};
use super::super::totality::{path, tested_path};
use super::super::vocabulary::TYPES;

/// A part of an expression as a text. Two parts with one text give the same.
pub(super) fn term(node: &IdedExpr) -> String {
    if let Some(path) = path(node) {
        return of_arguments(path);
    }
    if let Some(path) = tested_path(node) {
        return presence_term(&path);
    }
    match &node.expr {
        Expr::Literal(literal) => literal_text(literal),
        Expr::Ident(name) => name.clone(),
        Expr::Select(select) => {
            let member = format!("{}.{:?}", term(&select.operand), select.field);
            if select.test {
                format!("has({member})")
            } else {
                member
            }
        }
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            ("dyn", [inner]) => term(inner),
            (name, args) => {
                let all = call.target.as_deref().into_iter().chain(args);
                format!("{name}({})", all.map(term).collect::<Vec<_>>().join(", "))
            }
        },
        Expr::List(list) => {
            let items = list.elements.iter().map(term).collect::<Vec<_>>();
            format!("[{}]", items.join(", "))
        }
        Expr::Map(map) => {
            let entries = map.entries.iter().map(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    format!("{}: {}", term(&entry.key), term(&entry.value))
                }
                EntryExpr::StructField(field) => format!("{}: {}", field.field, entry.id),
            });
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Expr::Comprehension(inner) => {
            let names = [&inner.iter_var, &inner.accu_var];
            let parts = children(node).into_iter().map(term).collect::<Vec<_>>();
            format!("loop({names:?} {:?} {})", inner.iter_var2, parts.join(", "))
        }
        Expr::Struct(_) | Expr::Unspecified => format!("#{}", node.id),
    }
}

/// `args` is short for `mcp.arguments`.
pub(super) fn of_arguments(path: String) -> String {
    let rest = path.strip_prefix("mcp.arguments");
    let rest = rest.filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
    rest.map(|rest| format!("args{rest}")).unwrap_or(path)
}

/// The term of a test whether a path is there.
pub(super) fn presence_term(path: &str) -> String {
    format!("has({})", of_arguments(path.to_owned()))
}

/// The path of `given(…)`.
pub(super) fn given_path(node: &IdedExpr) -> Option<String> {
    let call = call_of(node).filter(|call| call.func_name == GIVEN)?;
    path(call.args.first()?).map(of_arguments)
}

/// A constant, and how its author wrote it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Constant {
    pub(super) value: Value,
    pub(super) shown: String,
}

/// The value of a constant.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    /// A moment, in nanoseconds since 1970.
    Moment(i128),
    /// A duration, in nanoseconds.
    Duration(i128),
    /// A type.
    Kind(String),
    /// Anything else, as a term.
    Other(String),
}

impl Value {
    /// Whether it equals another one; `None` if that is not known.
    pub(super) fn equals(&self, other: &Value) -> Option<bool> {
        match (self, other) {
            (Value::Other(one), Value::Other(other)) => (one == other).then_some(true),
            _ => Some(self == other),
        }
    }

    /// How it compares with another one; `None` if they have no order.
    pub(super) fn order(&self, other: &Value) -> Option<Ordering> {
        match (self, other) {
            (Value::Number(one), Value::Number(other)) => one.partial_cmp(other),
            (Value::Text(one), Value::Text(other)) => Some(one.cmp(other)),
            (Value::Moment(one), Value::Moment(other))
            | (Value::Duration(one), Value::Duration(other)) => Some(one.cmp(other)),
            (Value::Bool(one), Value::Bool(other)) => Some(one.cmp(other)),
            _ => None,
        }
    }
}

/// The value of a node that reads nothing.
pub(super) fn constant(node: &IdedExpr) -> Option<Constant> {
    let value = match &node.expr {
        Expr::Literal(literal) => literal_value(literal),
        Expr::Ident(name) if TYPES.contains(&name.as_str()) => Value::Kind(name.clone()),
        _ if names_something(node) => return None,
        Expr::List(_) | Expr::Map(_) => Value::Other(term(node)),
        Expr::Call(_)
        | Expr::Comprehension(_)
        | Expr::Ident(_)
        | Expr::Select(_)
        | Expr::Struct(_)
        | Expr::Unspecified => computed(node)?,
    };
    let shown = match &value {
        Value::Number(number) => number.to_string(),
        Value::Null
        | Value::Bool(_)
        | Value::Text(_)
        | Value::Moment(_)
        | Value::Duration(_)
        | Value::Kind(_)
        | Value::Other(_) => shown(node),
    };
    Some(Constant { value, shown })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "numbers that differ only beyond the precision of a double are not told apart"
)]
fn literal_value(literal: &LiteralValue) -> Value {
    match literal {
        LiteralValue::Boolean(truth) => Value::Bool(*truth.inner()),
        LiteralValue::Bytes(_) => Value::Other(format!("{literal:?}")),
        LiteralValue::Double(number) => Value::Number(*number.inner()),
        LiteralValue::Int(number) => Value::Number(*number.inner() as f64),
        LiteralValue::Null => Value::Null,
        LiteralValue::String(text) => Value::Text(text.inner().to_owned()),
        LiteralValue::UInt(number) => Value::Number(*number.inner() as f64),
    }
}

/// Whether a node reads the request, the variable of a loop, or has a loop of its own.
fn names_something(node: &IdedExpr) -> bool {
    name_of(node).is_some()
        || matches!(&node.expr, Expr::Comprehension(_) | Expr::Struct(_))
        || children(node).into_iter().any(names_something)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "numbers that differ only beyond the precision of a double are not told apart"
)]
fn computed(node: &IdedExpr) -> Option<Value> {
    let value = evaluate(node)?;
    if let Some(moment) = value.downcast_ref::<CelTimestamp>() {
        let moment = moment.inner();
        let nanoseconds = i128::from(moment.timestamp()).checked_mul(1_000_000_000)?;
        let rest = i128::from(moment.timestamp_subsec_nanos());
        return Some(Value::Moment(nanoseconds.checked_add(rest)?));
    }
    if let Some(duration) = value.downcast_ref::<CelDuration>() {
        return duration
            .inner()
            .num_nanoseconds()
            .map(i128::from)
            .map(Value::Duration);
    }
    if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        return Some(Value::Text(text.inner().to_owned()));
    }
    if let Some(truth) = value.downcast_ref::<CelBool>() {
        return Some(Value::Bool(*truth.inner()));
    }
    if let Some(number) = value.downcast_ref::<CelDouble>() {
        return Some(Value::Number(*number.inner()));
    }
    if let Some(number) = value.downcast_ref::<CelInt>() {
        return Some(Value::Number(*number.inner() as f64));
    }
    if let Some(number) = value.downcast_ref::<CelUInt>() {
        return Some(Value::Number(*number.inner() as f64));
    }
    value.downcast_ref::<CelNull>().map(|_| Value::Null)
}
