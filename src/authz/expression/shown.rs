//! Writes a part of an expression, for messages.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, operators};

/// How much of a part a message shows, in characters.
const SHOWN_MAX: usize = 60;

/// A part of an expression as its author could have written it; `…` for a loop and for what is long.
pub(super) fn shown(node: &IdedExpr) -> String {
    let text = write(node);
    if text.chars().count() > SHOWN_MAX {
        return "…".to_owned();
    }
    text
}

fn write(node: &IdedExpr) -> String {
    match &node.expr {
        Expr::Literal(literal) => literal_text(literal),
        Expr::Ident(name) => name.clone(),
        Expr::Select(select) => {
            let text = format!("{}.{}", operand(&select.operand), select.field);
            if select.test {
                format!("has({text})")
            } else {
                text
            }
        }
        Expr::Call(call) => write_call(call),
        Expr::List(list) => format!("[{}]", joined(&list.elements)),
        Expr::Map(map) => {
            let entries = map.entries.iter().map(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    format!("{}: {}", write(&entry.key), write(&entry.value))
                }
                EntryExpr::StructField(field) => format!("{}: …", field.field),
            });
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Expr::Comprehension(_) | Expr::Struct(_) | Expr::Unspecified => "…".to_owned(),
    }
}

fn write_call(call: &CallExpr) -> String {
    let name = call.func_name.as_str();
    match (name, call.args.as_slice()) {
        (operators::INDEX, [of, key]) => format!("{}[{}]", operand(of), write(key)),
        (operators::LOGICAL_NOT, [inner]) => format!("!{}", operand(inner)),
        (operators::NEGATE, [inner]) => format!("-{}", operand(inner)),
        (operators::CONDITIONAL, [test, yes, no]) => {
            format!("{} ? {} : {}", operand(test), operand(yes), operand(no))
        }
        (_, [left, right]) if sign(name).is_some() => {
            let sign = sign(name).unwrap_or_default();
            format!("{} {sign} {}", operand(left), operand(right))
        }
        (_, args) => match &call.target {
            Some(target) => format!("{}.{name}({})", operand(target), joined(args)),
            None => format!("{name}({})", joined(args)),
        },
    }
}

/// An operand, in brackets if it has an operator of its own.
fn operand(node: &IdedExpr) -> String {
    let text = write(node);
    let binds_less = matches!(
        &node.expr,
        Expr::Call(call) if sign(&call.func_name).is_some()
            || call.func_name == operators::CONDITIONAL
    );
    if binds_less {
        format!("({text})")
    } else {
        text
    }
}

fn joined(nodes: &[IdedExpr]) -> String {
    nodes.iter().map(write).collect::<Vec<_>>().join(", ")
}

/// A literal.
pub(super) fn literal_text(literal: &LiteralValue) -> String {
    match literal {
        LiteralValue::Boolean(value) => value.inner().to_string(),
        LiteralValue::Bytes(_) => "b\"…\"".to_owned(),
        LiteralValue::Double(value) => format!("{:?}", value.inner()),
        LiteralValue::Int(value) => value.inner().to_string(),
        LiteralValue::Null => "null".to_owned(),
        LiteralValue::String(text) => format!("{:?}", text.inner()),
        LiteralValue::UInt(value) => format!("{}u", value.inner()),
    }
}

/// The sign of an operator with two operands.
pub(super) fn sign(operator: &str) -> Option<&'static str> {
    Some(match operator {
        operators::LOGICAL_AND => "&&",
        operators::LOGICAL_OR => "||",
        operators::EQUALS => "==",
        operators::NOT_EQUALS => "!=",
        operators::LESS => "<",
        operators::LESS_EQUALS => "<=",
        operators::GREATER => ">",
        operators::GREATER_EQUALS => ">=",
        operators::ADD => "+",
        operators::SUBSTRACT => "-",
        operators::MULTIPLY => "*",
        operators::DIVIDE => "/",
        operators::MODULO => "%",
        operators::IN => "in",
        _ => return None,
    })
}

/// The node as a literal.
pub(super) fn literal_of(node: &IdedExpr) -> Option<&LiteralValue> {
    if let Expr::Literal(literal) = &node.expr {
        Some(literal)
    } else {
        None
    }
}
