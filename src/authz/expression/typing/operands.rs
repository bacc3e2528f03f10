//! The types of operators with two operands.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, operators};

use super::super::shown::{shown, sign};
use super::super::types::Type;
use super::{Typer, remedy};

impl<'p> Typer<'p> {
    /// `==` and `!=`.
    pub(super) fn infer_equality(
        &mut self,
        call: &CallExpr,
        left: &'p IdedExpr,
        right: &'p IdedExpr,
    ) -> Type {
        let (one, other) = (self.infer(left), self.infer(right));
        if !one.can_equal(&other) {
            // The operand that the author should look at is the literal's opposite.
            let (node, own, value, of_value) = if is_value(left) && !is_value(right) {
                (right, &other, left, &one)
            } else {
                (left, &one, right, &other)
            };
            let message = if own == of_value {
                let (node, value) = (shown(node), shown(value));
                format!(
                    "the items of `{node}` and `{value}` are of different types, so they are never equal"
                )
            } else if *of_value == Type::Null {
                format!("`{}` is {own}, and never null", shown(node))
            } else {
                let (node, value) = (shown(node), shown(value));
                format!("`{node}` is {own} and never equals `{value}`, which is {of_value}")
            };
            let is_negated = call.func_name == operators::NOT_EQUALS;
            let help = remedy::for_equality((node, own), (value, of_value), is_negated);
            self.error(node, message, help);
        }
        Type::Bool
    }

    /// `<` and the other orderings.
    pub(super) fn infer_order(
        &mut self,
        call: &CallExpr,
        left: &'p IdedExpr,
        right: &'p IdedExpr,
    ) -> Type {
        let (one, other) = (self.infer(left), self.infer(right));
        if !one.has_order_with(&other) {
            let sign = sign(&call.func_name).unwrap_or_default();
            let message = match (&one, &other) {
                (Type::Json, found) | (found, Type::Json) => format!(
                    "`{sign}` orders a value from outside only with a number, and here with {found}"
                ),
                (one, other) => format!("`{sign}` has no result for {one} and {other}"),
            };
            let help = remedy::for_order(sign, (left, &one), (right, &other));
            let literal = if is_value(left) { left } else { right };
            self.error(literal, message, help);
        }
        Type::Bool
    }

    /// `in`.
    pub(super) fn infer_in(&mut self, item: &'p IdedExpr, within: &'p IdedExpr) -> Type {
        let (one, found) = (self.infer(item), self.infer(within));
        let (item_text, within_text) = (shown(item), shown(within));
        match &found {
            Type::Any | Type::Nothing | Type::Json => {}
            Type::List(items) if one.can_equal(items) => {}
            Type::Map(keys, _) if one.can_equal(keys) => {}
            Type::List(items) => {
                let message = format!(
                    "`{item_text}` is {one}, and `{within_text}` has only {}",
                    plural(items)
                );
                let help = remedy::for_in((item, &one), within, items);
                self.error(item, message, help);
            }
            Type::Map(..) => {
                let message =
                    format!("`{item_text}` is {one}, and the keys of `{within_text}` are texts");
                self.error(item, message, "");
            }
            Type::Null
            | Type::Bool
            | Type::Int
            | Type::Uint
            | Type::Double
            | Type::Text
            | Type::Bytes
            | Type::Time
            | Type::Duration
            | Type::Kind => {
                let message =
                    format!("`in` searches a list or an object, and `{within_text}` is {found}");
                let help = if found == Type::Text {
                    format!(
                        "`{within_text}.contains({item_text})` searches a text, `{item_text} == {within_text}` compares it"
                    )
                } else {
                    String::new()
                };
                self.error(within, message, help);
            }
        }
        Type::Bool
    }

    /// `+`, `-`, `*`, `/` and `%`.
    pub(super) fn infer_arithmetic(
        &mut self,
        node: &'p IdedExpr,
        operator: &str,
        left: &'p IdedExpr,
        right: &'p IdedExpr,
    ) -> Type {
        let (one, other) = (self.infer(left), self.infer(right));
        let result = match (operator, &one, &other) {
            _ if one.is_open() || other.is_open() => Some(Type::Any),
            (operators::ADD, Type::List(items), Type::List(more)) => Some(Type::List(Box::new(
                (**items).clone().join((**more).clone()),
            ))),
            (operators::ADD, Type::Text, Type::Text) => Some(Type::Text),
            (operators::ADD, Type::Bytes, Type::Bytes) => Some(Type::Bytes),
            (operators::ADD | operators::SUBSTRACT, Type::Duration, Type::Duration) => {
                Some(Type::Duration)
            }
            (operators::ADD, Type::Duration, Type::Time)
            | (operators::ADD | operators::SUBSTRACT, Type::Time, Type::Duration) => {
                Some(Type::Time)
            }
            (operators::SUBSTRACT, Type::Time, Type::Time) => Some(Type::Duration),
            (_, one, other) if one.is_number() && one == other => Some(one.clone()),
            _ => None,
        };
        result.unwrap_or_else(|| {
            let sign = sign(operator).unwrap_or_default();
            let (message, help) = if one.is_number() && other.is_number() {
                let (one, other) = (number(&one), number(&other));
                (
                    format!("`{sign}` has no result for {one} and {other}"),
                    "write both alike: `2.0` beside `num(…)`, `2` beside `size(…)`".to_owned(),
                )
            } else {
                let help = remedy::for_arithmetic(&one, &other);
                (
                    format!("`{sign}` has no result for {one} and {other}"),
                    help,
                )
            };
            self.error(node, message, help);
            Type::Any
        })
    }
}

/// Whether a node is a value that the author wrote.
fn is_value(node: &IdedExpr) -> bool {
    match &node.expr {
        Expr::Literal(_) => true,
        Expr::List(list) => list.elements.iter().all(is_value),
        Expr::Call(_)
        | Expr::Comprehension(_)
        | Expr::Ident(_)
        | Expr::Map(_)
        | Expr::Select(_)
        | Expr::Struct(_)
        | Expr::Unspecified => false,
    }
}

/// The kinds of numbers, which only arithmetic tells apart.
fn number(of: &Type) -> &'static str {
    if *of == Type::Double {
        "a number with a fraction"
    } else if *of == Type::Uint {
        "an unsigned integer"
    } else {
        "an integer"
    }
}

fn plural(items: &Type) -> &'static str {
    if *items == Type::Text {
        "texts"
    } else if items.is_number() {
        "numbers"
    } else {
        "values of another type"
    }
}
