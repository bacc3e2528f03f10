//! What of an expression is settled once, so that no evaluation has to do it again.
//!
//! Patterns and networks that the author wrote are compiled, and what is read of a request by
//! name becomes a number in a table. Both stand in the tree as variables that no author can
//! write: `@` and their place in the table.

use std::any::Any;
use std::fmt;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, SelectExpr, operators};
use cel::common::types::Type;
use cel::common::value::{StaticVal, Val};
use ipnet::IpNet;
use regex::{Regex, RegexBuilder};

use super::facts::{Container, MCP_FIELDS, REQUEST_FIELDS, Reading, SOURCE_FIELDS, SUBJECT_FIELDS};
use super::functions::{GLOB, IP_IN, MATCHES, parse_network};
use super::{EXPRESSION_PATTERN_BYTES_MAX, InvalidExpression};
use crate::authz::glob::Glob;

/// How much memory the states of one pattern may take that are found while it is matched, in
/// bytes for each thread. Where that is not enough, it is matched another way.
const PATTERN_CACHE_BYTES_MAX: usize = 256 << 10;

/// An expression as it is evaluated.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) root: IdedExpr,
    /// What the variables `@0`, `@1` and so on stand for.
    pub(super) references: Box<[Reference]>,
}

/// What a variable of our own stands for.
#[derive(Debug, Clone)]
pub(super) enum Reference {
    /// Something the author wrote.
    Constant(Constant),
    /// Something of the request.
    Reading(Reading),
}

/// What the author wrote as the last argument of some functions, ready to be used.
#[derive(Clone)]
pub(super) enum Constant {
    /// A regular expression.
    Pattern(Regex),
    /// A network.
    Network(IpNet),
    /// A pattern over names.
    Glob(Glob),
}

/// Its type in CEL, which nothing but our functions takes.
pub(super) static CONSTANT_TYPE: Type = Type::new_unspecified_type("@constant");

impl Constant {
    /// Compiles the last argument of a function, if that is one that is compiled.
    pub(super) fn compile(function: &str, text: &str) -> Result<Option<Self>, InvalidExpression> {
        Ok(match function {
            IP_IN => {
                let network = parse_network(text).ok_or_else(|| {
                    let message = format!("`{text}` is not a network");
                    InvalidExpression::new(message, "a network such as `10.0.0.0/8`")
                })?;
                Some(Constant::Network(network))
            }
            GLOB => {
                let glob = Glob::name(text);
                let glob = glob.map_err(|error| InvalidExpression::new(error.to_string(), ""))?;
                Some(Constant::Glob(glob))
            }
            MATCHES => Some(Constant::Pattern(compile_pattern(text)?)),
            _ => None,
        })
    }
}

fn compile_pattern(text: &str) -> Result<Regex, InvalidExpression> {
    let pattern = RegexBuilder::new(text)
        .size_limit(EXPRESSION_PATTERN_BYTES_MAX)
        .dfa_size_limit(PATTERN_CACHE_BYTES_MAX)
        .build();
    pattern.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => InvalidExpression::new(
            format!(
                "`{text}` takes more than {} KiB once it is compiled",
                EXPRESSION_PATTERN_BYTES_MAX >> 10
            ),
            "repeat less, or ask for ASCII: `[0-9]` instead of `\\d`",
        ),
        regex::Error::Syntax(_) | _ => InvalidExpression::new(
            format!("`{text}` is not a regular expression"),
            "RE2 syntax",
        ),
    })
}

/// Prepares a checked expression. `constants` are those of its nodes, by their number.
pub(super) fn prepare(root: &IdedExpr, constants: Vec<(u64, Constant)>) -> Prepared {
    let mut preparation = Preparation {
        constants,
        references: Vec::new(),
    };
    let mut root = root.clone();
    preparation.visit(&mut root);
    Prepared {
        root,
        references: preparation.references.into(),
    }
}

/// The number of one of our own variables.
pub(super) fn reference_number(variable: &str) -> Option<usize> {
    variable.strip_prefix('@')?.parse().ok()
}

struct Preparation {
    constants: Vec<(u64, Constant)>,
    references: Vec<Reference>,
}

impl Preparation {
    fn visit(&mut self, node: &mut IdedExpr) {
        if let Some(reading) = reading(&node.expr) {
            return self.refer(node, Reference::Reading(reading));
        }
        match &mut node.expr {
            Expr::Call(call) => self.visit_call(call),
            Expr::Comprehension(inner) => {
                for part in [
                    &mut inner.iter_range,
                    &mut inner.accu_init,
                    &mut inner.loop_cond,
                    &mut inner.loop_step,
                    &mut inner.result,
                ] {
                    self.visit(part);
                }
            }
            Expr::List(list) => list.elements.iter_mut().for_each(|item| self.visit(item)),
            Expr::Map(map) => {
                for entry in &mut map.entries {
                    if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                        self.visit(&mut entry.key);
                        self.visit(&mut entry.value);
                    }
                }
            }
            Expr::Select(select) => self.visit(&mut select.operand),
            // Structs were refused.
            Expr::Struct(_) | Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
        }
    }

    fn visit_call(&mut self, call: &mut CallExpr) {
        if let Some(target) = &mut call.target {
            self.visit(target);
        }
        for argument in &mut call.args {
            self.visit(argument);
        }
        let Some(last) = call.args.last_mut() else {
            return;
        };
        let constant = self.constants.iter().find(|(id, _)| *id == last.id);
        if let Some((_, constant)) = constant {
            let constant = constant.clone();
            self.refer(last, Reference::Constant(constant));
        }
    }

    fn refer(&mut self, node: &mut IdedExpr, reference: Reference) {
        node.expr = Expr::Ident(format!("@{}", self.references.len()));
        self.references.push(reference);
    }
}

/// What of the request an expression reads, if it is just that. The names of our records cannot
/// be those of loop variables.
fn reading(expr: &Expr) -> Option<Reading> {
    match expr {
        Expr::Select(select) => read_select(select),
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::INDEX, [operand, key]) => {
                Some(Reading::Member(container(operand)?, text_of(key)?.into()))
            }
            // What is known of the device may be a list, which has no members.
            (operators::IN, [key, operand]) => {
                let container = container(operand)?;
                let is_object = container != Container::Device;
                is_object.then_some(Reading::Has(container, text_of(key)?.into()))
            }
            _ => None,
        },
        Expr::Comprehension(_)
        | Expr::Ident(_)
        | Expr::List(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Struct(_)
        | Expr::Unspecified => None,
    }
}

fn read_select(select: &SelectExpr) -> Option<Reading> {
    if let Some(container) = container(&select.operand) {
        let field = select.field.as_str().into();
        return Some(if select.test {
            Reading::Has(container, field)
        } else {
            Reading::Member(container, field)
        });
    }
    let Expr::Ident(record) = &select.operand.expr else {
        return None;
    };
    let (record, fields) = match record.as_str() {
        "subject" => ("subject", SUBJECT_FIELDS),
        "mcp" => ("mcp", MCP_FIELDS),
        "source" => ("source", SOURCE_FIELDS),
        "request" => ("request", REQUEST_FIELDS),
        _ => return None,
    };
    let field = fields.iter().find(|field| **field == select.field)?;
    // Those are built once for all rules.
    let is_whole = matches!(*field, "claims" | "headers" | "arguments");
    match (select.test, is_whole) {
        (true, _) => Some(Reading::HasField(record, field)),
        (false, true) => None,
        (false, false) => Some(Reading::Field(record, field)),
    }
}

/// The object whose members the node names.
fn container(node: &IdedExpr) -> Option<Container> {
    let select = match &node.expr {
        Expr::Ident(name) if name == "args" => return Some(Container::Arguments),
        Expr::Ident(name) if name == "device" => return Some(Container::Device),
        Expr::Select(select) if !select.test => select,
        Expr::Select(_)
        | Expr::Ident(_)
        | Expr::Call(_)
        | Expr::Comprehension(_)
        | Expr::List(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Struct(_)
        | Expr::Unspecified => return None,
    };
    let Expr::Ident(record) = &select.operand.expr else {
        return None;
    };
    match (record.as_str(), select.field.as_str()) {
        ("mcp", "arguments") => Some(Container::Arguments),
        ("subject", "claims") => Some(Container::Claims),
        ("request", "headers") => Some(Container::Headers),
        _ => None,
    }
}

fn text_of(node: &IdedExpr) -> Option<&str> {
    if let Expr::Literal(LiteralValue::String(text)) = &node.expr {
        Some(text.inner())
    } else {
        None
    }
}

impl fmt::Debug for Constant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Constant::Pattern(pattern) => formatter.write_str(pattern.as_str()),
            Constant::Network(network) => fmt::Display::fmt(network, formatter),
            Constant::Glob(glob) => formatter.write_str(glob.as_str()),
        }
    }
}

impl Val for Constant {
    fn get_type(&self) -> &Type {
        &CONSTANT_TYPE
    }

    fn cel_type() -> &'static Type {
        &CONSTANT_TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Constant {}
