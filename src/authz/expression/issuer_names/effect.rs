//! Whether having another name makes a test hold or fail.
//!
//! A test for a name that the author wrote holds for callers who have it. A test that holds for all
//! but some names, or for callers without a name, fails by any name, however it is spelled.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};

use super::super::constant::{Constant, GIVEN, GLOB, MATCHES};
use super::super::lookup::{call_of, name_of, tested_of, text_of};
use super::super::remarks::Sense;
use super::nothing::{has_nothing, matches_anything, says_nothing};
use super::walk::Scope;
use crate::authz::glob::Glob;

/// Functions that convert a value, or a part of it.
const CONVERSIONS: [&str; 12] = [
    "dyn",
    "bool",
    "string",
    "text",
    "fold",
    "plain",
    "int",
    "uint",
    "double",
    "num",
    "time",
    "timestamp",
];

impl<'e> Scope<'e> {
    /// The effect of having a name on the expression, through a test that reads names. `sense` is
    /// the effect of the test on the expression where it holds.
    pub(super) fn effect(&self, node: &'e IdedExpr, sense: Sense) -> Sense {
        if let Some((object, _)) = tested_of(node) {
            let is_subject = name_of(object) == Some("subject");
            return only(is_subject || self.is_path(object), sense);
        }
        match call_of(node) {
            Some(call) => self.effect_of_call(node, call, sense),
            None => only(self.is_one_name(node), sense),
        }
    }

    fn effect_of_call(&self, node: &'e IdedExpr, call: &'e CallExpr, sense: Sense) -> Sense {
        if let Some(asks_for_any) = self.asks_for_any(call) {
            return if asks_for_any { sense } else { sense.flipped() };
        }
        let function = call.func_name.as_str();
        let target = call.target.as_deref();
        match (function, target, call.args.as_slice()) {
            (operators::EQUALS, None, [left, right]) => {
                only(self.is_comparison(left, right), sense)
            }
            (operators::NOT_EQUALS, None, [left, right]) => {
                only(self.is_comparison(left, right), sense.flipped())
            }
            (operators::IN, None, [item, list]) => only(self.is_search(item, list), sense),
            (GIVEN, None, [member]) => only(self.is_path(member), sense),
            (MATCHES | "startsWith" | "endsWith" | "contains", Some(text), [part])
            | (MATCHES | GLOB, None, [text, part]) => {
                let is_for_a_name = self.is_value(text)
                    && self.is_value(part)
                    && !is_met_without_names(self, function, text, part)
                    && !(function == MATCHES && matches_anything(part));
                only(is_for_a_name, sense)
            }
            _ => only(self.is_value(node), sense),
        }
    }

    /// Whether a test holds for callers with any of some names (true), or for those with none
    /// (false).
    fn asks_for_any(&self, call: &'e CallExpr) -> Option<bool> {
        let [left, right] = call.args.as_slice() else {
            return None;
        };
        let own =
            |node: &'e IdedExpr| (self.is_value(node) || self.grows(node)) && self.has_names(node);
        let is_different = call.func_name == operators::NOT_EQUALS;
        if (is_different || call.func_name == operators::EQUALS)
            && ((says_nothing(left) && own(right)) || (says_nothing(right) && own(left)))
        {
            return Some(is_different);
        }
        let (function, counted, number) = match (number_of(left), number_of(right)) {
            (None, Some(number)) => (call.func_name.as_str(), left, number),
            (Some(number), None) => (mirrored(&call.func_name), right, number),
            _ => return None,
        };
        if !counted_of(counted).is_some_and(|names| self.has_names(names) && self.grows(names)) {
            return None;
        }
        match (function, number) {
            (operators::GREATER | operators::NOT_EQUALS, 0) | (operators::GREATER_EQUALS, 1) => {
                Some(true)
            }
            (operators::EQUALS | operators::LESS_EQUALS, 0) | (operators::LESS, 1) => Some(false),
            _ => None,
        }
    }

    /// Whether one side of a comparison is a name and the other a specific value.
    fn is_comparison(&self, left: &'e IdedExpr, right: &'e IdedExpr) -> bool {
        let is_side = |node: &'e IdedExpr| self.is_value(node) && !says_nothing(node);
        is_side(left)
            && is_side(right)
            && !is_met_without_names(self, operators::EQUALS, left, right)
    }

    fn is_search(&self, item: &'e IdedExpr, list: &'e IdedExpr) -> bool {
        if !self.is_value(item) || says_nothing(item) {
            return false;
        }
        if let Expr::List(list) = &list.expr {
            return list
                .elements
                .iter()
                .all(|own| self.is_comparison(item, own));
        }
        if let Some(sum) = call_of(list).filter(|call| call.func_name == operators::ADD) {
            return sum.args.iter().all(|part| self.is_search(item, part));
        }
        if self.reads_names(list) {
            self.grows(list)
        } else {
            !has_nothing(list)
        }
    }

    /// Whether the node is a single name, or joins some into one text.
    pub(super) fn is_value(&self, node: &'e IdedExpr) -> bool {
        if let Some(call) = call_of(node) {
            return match (call.func_name.as_str(), call.args.as_slice()) {
                (operators::ADD, [left, right]) => {
                    self.is_value(left)
                        && self.is_value(right)
                        && (has_text(left) || has_text(right))
                }
                (function, [inner]) if CONVERSIONS.contains(&function) => self.is_value(inner),
                (operators::INDEX, _) if !self.reads_names(node) => true,
                _ => self.is_one_name(node),
            };
        }
        if self.reads_names(node) {
            return self.is_one_name(node);
        }
        match &node.expr {
            Expr::Literal(_) | Expr::Ident(_) => true,
            Expr::Select(select) => !select.test,
            Expr::Call(_)
            | Expr::Comprehension(_)
            | Expr::List(_)
            | Expr::Map(_)
            | Expr::Struct(_)
            | Expr::Unspecified => false,
        }
    }
}

fn only(is_for_a_name: bool, sense: Sense) -> Sense {
    if is_for_a_name { sense } else { Sense::Either }
}

/// Whether the node joins a text that the author wrote.
fn has_text(node: &IdedExpr) -> bool {
    match call_of(node).filter(|call| call.func_name == operators::ADD) {
        Some(sum) => sum.args.iter().any(has_text),
        None => text_of(node).is_some_and(|text| !text.is_empty()),
    }
}

/// The operand of `size`.
fn counted_of(node: &IdedExpr) -> Option<&IdedExpr> {
    let call = call_of(node).filter(|call| call.func_name == "size")?;
    call.target.as_deref().or_else(|| call.args.first())
}

/// A number literal.
fn number_of(node: &IdedExpr) -> Option<i64> {
    if let Expr::Literal(LiteralValue::Int(number)) = &node.expr {
        Some(*number.inner())
    } else {
        None
    }
}

/// An ordering with its operands swapped.
fn mirrored(operator: &str) -> &str {
    match operator {
        operators::LESS => operators::GREATER,
        operators::LESS_EQUALS => operators::GREATER_EQUALS,
        operators::GREATER => operators::LESS,
        operators::GREATER_EQUALS => operators::LESS_EQUALS,
        other => other,
    }
}

/// Whether a test holds if every name in it is empty.
fn is_met_without_names(
    scope: &Scope<'_>,
    function: &str,
    text: &IdedExpr,
    part: &IdedExpr,
) -> bool {
    let (Some(text), Some(part)) = (without_names(scope, text), without_names(scope, part)) else {
        return false;
    };
    match function {
        "startsWith" => text.starts_with(&part),
        "endsWith" => text.ends_with(&part),
        "contains" => text.contains(&part),
        GLOB => Glob::name(&part).is_ok_and(|pattern| pattern.matches(&text)),
        MATCHES => matches!(
            Constant::compile(MATCHES, &part),
            Ok(Some(Constant::Pattern(pattern, _))) if pattern.is_match(&text)
        ),
        _ => text == part,
    }
}

/// The value of a node if every name in it is empty, provided it contains nothing else.
fn without_names(scope: &Scope<'_>, node: &IdedExpr) -> Option<String> {
    if let Some(text) = text_of(node) {
        return Some(text.to_owned());
    }
    if scope.reads_names(node) && scope.is_path(node) {
        return Some(String::new());
    }
    let CallExpr {
        func_name, args, ..
    } = call_of(node)?;
    match (func_name.as_str(), args.as_slice()) {
        (operators::ADD, parts) => parts
            .iter()
            .map(|part| without_names(scope, part))
            .collect(),
        ("dyn" | "string" | "text" | "fold" | "plain", [inner]) => without_names(scope, inner),
        _ => None,
    }
}
