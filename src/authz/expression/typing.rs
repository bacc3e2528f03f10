//! Checks the types of an expression at load, so that no comparison is left that never holds.
//!
//! What is from outside may be any JSON value and stays open. Our own fields have types, literals
//! have types, and so has what functions give. An operation that has no result for any request is an
//! error, and so is a comparison that gives the same for every request.

mod operands;
mod remedy;
mod signature;

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, SelectExpr, operators};
use cel::{IdedExpr, Program};

use super::depth::children;
use super::error::InvalidExpression;
use super::lookup::{field_of, text_of};
use super::shown::{shown, sign};
use super::types::{Type, field_type};
use super::vocabulary::{TYPES, fields_of};

/// The errors of a checked expression's types.
pub(super) fn type_errors(program: &Program) -> Vec<InvalidExpression> {
    let root = program.expression();
    let mut typer = Typer {
        program,
        bound: Vec::new(),
        errors: Vec::new(),
    };
    let found = typer.infer(root);
    if !found.is_open() && found != Type::Bool {
        let message = format!("the expression is {found}, not a condition");
        typer.error(root, message, remedy::to_condition(root, &found));
    }
    typer.errors
}

struct Typer<'p> {
    program: &'p Program,
    /// The variables of the loops around the node.
    bound: Vec<(&'p str, Type)>,
    errors: Vec<InvalidExpression>,
}

impl<'p> Typer<'p> {
    fn error(&mut self, node: &IdedExpr, message: impl Into<String>, help: impl Into<String>) {
        self.errors.push(InvalidExpression {
            message: message.into(),
            help: help.into(),
            column: column_of(self.program, node),
        });
    }

    /// The type of a node's value.
    fn infer(&mut self, node: &'p IdedExpr) -> Type {
        match &node.expr {
            Expr::Literal(literal) => Type::of(literal),
            Expr::Ident(name) => self.type_of(name),
            Expr::Select(select) => self.infer_select(node, select),
            Expr::Call(call) => self.infer_call(node, call),
            Expr::Comprehension(inner) => self.infer_loop(inner),
            Expr::List(list) => {
                let items = list.elements.iter();
                let items = items.fold(Type::Nothing, |all, item| all.join(self.infer(item)));
                Type::List(Box::new(items))
            }
            Expr::Map(map) => {
                let (mut keys, mut values) = (Type::Nothing, Type::Nothing);
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        keys = keys.join(self.infer(&entry.key));
                        values = values.join(self.infer(&entry.value));
                    }
                }
                Type::Map(Box::new(keys), Box::new(values))
            }
            Expr::Struct(_) | Expr::Unspecified => Type::Any,
        }
    }

    fn type_of(&self, name: &str) -> Type {
        if let Some((_, own)) = self.bound.iter().rev().find(|(own, _)| *own == name) {
            return own.clone();
        }
        match name {
            "args" => Type::object(Type::Json),
            "device" => Type::Json,
            "now" => Type::Time,
            _ if TYPES.contains(&name) => Type::Kind,
            _ => Type::Any,
        }
    }

    /// The type of a field of one of our records, if the node is one.
    fn own_field(&self, node: &IdedExpr) -> Option<Type> {
        let (record, field, _) = field_of(&node.expr)?;
        let is_bound = self.bound.iter().any(|(own, _)| *own == record);
        let is_own = !is_bound && fields_of(record)?.contains(&field);
        is_own.then(|| field_type(record, field))
    }

    fn infer_select(&mut self, node: &'p IdedExpr, select: &'p SelectExpr) -> Type {
        if let Some(own) = self.own_field(node) {
            return if select.test { Type::Bool } else { own };
        }
        let operand = self.infer(&select.operand);
        let member = match &operand {
            Type::Any | Type::Nothing => Type::Any,
            Type::Json => Type::Json,
            Type::Map(_, members) => (**members).clone(),
            Type::List(_)
            | Type::Null
            | Type::Bool
            | Type::Int
            | Type::Uint
            | Type::Double
            | Type::Text
            | Type::Bytes
            | Type::Time
            | Type::Duration
            | Type::Kind => {
                let of = shown(&select.operand);
                let field = &select.field;
                let message = format!("`{of}` is {operand} and has no member `{field}`");
                let help = remedy::for_member(&of, &operand, field);
                self.error(&select.operand, message, help);
                Type::Any
            }
        };
        if select.test { Type::Bool } else { member }
    }

    fn infer_loop(&mut self, inner: &'p ComprehensionExpr) -> Type {
        let range = self.infer(&inner.iter_range);
        let (first, second) = match range.clone() {
            Type::Any | Type::Nothing => (Type::Any, Type::Any),
            Type::Json => (Type::Json, Type::Json),
            Type::List(items) if inner.iter_var2.is_some() => (Type::Int, *items),
            Type::List(items) => (*items, Type::Any),
            Type::Map(keys, values) => (*keys, *values),
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
                let of = shown(&inner.iter_range);
                let message = format!("`{of}` is {range}, and loops need a list or an object");
                self.error(&inner.iter_range, message, remedy::for_loop(&of, &range));
                (Type::Any, Type::Any)
            }
        };
        let start = self.infer(&inner.accu_init);
        let outer = self.bound.len();
        self.bound.push((&inner.iter_var, first));
        if let Some(name) = &inner.iter_var2 {
            self.bound.push((name, second));
        }
        self.bound.push((&inner.accu_var, start.clone()));
        self.infer(&inner.loop_cond);
        let step = self.infer(&inner.loop_step);
        if let Some((_, gathered)) = self.bound.last_mut() {
            *gathered = start.join(step);
        }
        let result = self.infer(&inner.result);
        self.bound.truncate(outer);
        result
    }

    fn infer_call(&mut self, node: &'p IdedExpr, call: &'p CallExpr) -> Type {
        if let Some(own) = self.own_field(node) {
            return own;
        }
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT, args) => {
                for part in args {
                    self.need_truth(part);
                }
                Type::Bool
            }
            (operators::CONDITIONAL, [test, yes, no]) => {
                self.need_truth(test);
                let yes = self.infer(yes);
                yes.join(self.infer(no))
            }
            (operators::EQUALS | operators::NOT_EQUALS, [left, right]) => {
                self.infer_equality(call, left, right)
            }
            (
                operators::LESS
                | operators::LESS_EQUALS
                | operators::GREATER
                | operators::GREATER_EQUALS,
                [left, right],
            ) => self.infer_order(call, left, right),
            (operators::IN, [item, within]) => self.infer_in(item, within),
            (operators::INDEX, [of, key]) => self.infer_index(of, key),
            (operators::NEGATE, [inner]) => {
                let found = self.infer(inner);
                if !found.is_open() && !found.is_number() && found != Type::Duration {
                    let of = shown(inner);
                    let message = format!("`{of}` is {found} and cannot be negated by `-`");
                    self.error(inner, message, "`!` negates a condition");
                    return Type::Any;
                }
                found
            }
            (name, [left, right]) if sign(name).is_some() => {
                self.infer_arithmetic(node, name, left, right)
            }
            (operators::NOT_STRICTLY_FALSE, _) => {
                for part in children(node) {
                    self.infer(part);
                }
                Type::Bool
            }
            _ => self.infer_function(call),
        }
    }

    /// An operand of a logical operator.
    fn need_truth(&mut self, node: &'p IdedExpr) {
        let found = self.infer(node);
        if !found.is_open() && found != Type::Bool {
            let message = format!("`{}` is {found}, not a condition", shown(node));
            self.error(node, message, remedy::to_condition(node, &found));
        }
    }

    fn infer_index(&mut self, of: &'p IdedExpr, key: &'p IdedExpr) -> Type {
        let (found, by) = (self.infer(of), self.infer(key));
        let (result, is_good) = match &found {
            Type::Any | Type::Nothing => (Type::Any, true),
            Type::Json => (
                Type::Json,
                by.is_open() || by.is_number() || by == Type::Text || by == Type::Bool,
            ),
            Type::List(items) => ((**items).clone(), by.is_open() || by.is_number()),
            Type::Map(keys, values) => ((**values).clone(), keys.can_equal(&by)),
            Type::Null
            | Type::Bool
            | Type::Int
            | Type::Uint
            | Type::Double
            | Type::Text
            | Type::Bytes
            | Type::Time
            | Type::Duration
            | Type::Kind => (Type::Any, false),
        };
        if is_good {
            return result;
        }
        let name = shown(of);
        let message = format!("`{name}` is {found} and has no member `{}`", shown(key));
        let help = match text_of(key) {
            Some(text) => remedy::for_member(&name, &found, text),
            None => remedy::for_loop(&name, &found),
        };
        self.error(of, message, help);
        Type::Any
    }
}

/// The column at which a part of an expression begins, counted from 1.
pub(super) fn column_of(program: &Program, node: &IdedExpr) -> Option<usize> {
    let source = program.source_info();
    let mut pending = vec![node];
    let mut first: Option<u32> = None;
    while let Some(node) = pending.pop() {
        let start = source.offset_for(node.id).map(|(start, _)| start);
        first = match (first, start) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        pending.extend(children(node));
    }
    let first = usize::try_from(first?).ok()?;
    Some(first.saturating_add(1))
}
