//! What of a request a node of an expression reads by name.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};

use super::facts::{Container, MCP_FIELDS, REQUEST_FIELDS, Reading, SOURCE_FIELDS, SUBJECT_FIELDS};
use super::origin::Origin;
use crate::authz::path::ValuePath;

/// What may be in a whole object of the request, if the node names one.
pub(super) fn whole(expr: &Expr) -> Option<Origin> {
    match field_of(expr)? {
        ("mcp", "arguments" | "input" | "meta", false) => Some(Origin::ARGUMENTS),
        ("subject", "claims", false) => Some(Origin::PROVEN),
        _ => None,
    }
}

/// A variable and its field, `mcp.uri` or `mcp["uri"]`, and whether it is only asked for.
pub(super) fn field_of(expr: &Expr) -> Option<(&str, &str, bool)> {
    let (operand, field, test) = match expr {
        Expr::Select(select) => (&*select.operand, select.field.as_str(), select.test),
        Expr::Call(call) if call.func_name == operators::INDEX => match call.args.as_slice() {
            [operand, key] => (operand, text_of(key)?, false),
            _ => return None,
        },
        Expr::Call(_)
        | Expr::Comprehension(_)
        | Expr::Ident(_)
        | Expr::List(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Struct(_)
        | Expr::Unspecified => return None,
    };
    let Expr::Ident(record) = &operand.expr else {
        return None;
    };
    Some((record, field, test))
}

/// What of the request an expression reads, if it is just that. The names of our records cannot
/// be those of loop variables.
pub(super) fn reading(expr: &Expr) -> Option<(Reading, Origin)> {
    if let Some(found) = read_field(expr) {
        return Some(found);
    }
    let (test, key) = match expr {
        Expr::Select(select) => (select.test, None),
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::INDEX, [_, _]) => (false, None),
            (operators::IN, [key, operand]) => (true, Some((text_of(key)?, operand))),
            _ => return None,
        },
        Expr::Comprehension(_)
        | Expr::Ident(_)
        | Expr::List(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Struct(_)
        | Expr::Unspecified => return None,
    };
    let mut names = Vec::new();
    let root = match key {
        Some((key, operand)) => {
            names.push(key);
            root_of(&operand.expr, &mut names)?
        }
        None => root_of(expr, &mut names)?,
    };
    names.reverse();
    let container = match (root, names.as_slice()) {
        (_, []) => return None,
        (Root::Object(container), _) => container,
        (Root::Headers, [name]) => {
            let name = (*name).into();
            let reading = if test {
                Reading::HasHeader(name)
            } else {
                Reading::Header(name)
            };
            return Some((reading, Origin::PLAIN));
        }
        (Root::Headers, _) => return None,
    };
    let path = ValuePath::of_names(&names).ok()?;
    Some(match (test, container) {
        // What is known of the device may be a list, which has no members.
        (true, Container::Device) if key.is_some() => return None,
        // Nor is it known of what is further inside.
        (true, _) if key.is_some() && path.len() > 1 => return None,
        (true, _) => (Reading::Has(container, path), Origin::PLAIN),
        (false, Container::Arguments | Container::Input | Container::Meta) => {
            (Reading::Member(container, path), Origin::ARGUMENTS)
        }
        (false, Container::Claims | Container::Device) => {
            (Reading::Member(container, path), Origin::PROVEN)
        }
    })
}

/// Where a path of names begins.
enum Root {
    /// In an object whose members others chose.
    Object(Container),
    /// In the headers of the request.
    Headers,
}

/// Follows names to where they begin, the last first.
fn root_of<'e>(expr: &'e Expr, names: &mut Vec<&'e str>) -> Option<Root> {
    match field_of(expr) {
        Some(("mcp", "arguments", _)) => return Some(Root::Object(Container::Arguments)),
        Some(("mcp", "input", _)) => return Some(Root::Object(Container::Input)),
        Some(("mcp", "meta", _)) => return Some(Root::Object(Container::Meta)),
        Some(("subject", "claims", _)) => return Some(Root::Object(Container::Claims)),
        Some(("request", "headers", _)) => return Some(Root::Headers),
        Some(_) | None => {}
    }
    match expr {
        Expr::Ident(name) if name == "args" => Some(Root::Object(Container::Arguments)),
        Expr::Ident(name) if name == "device" => Some(Root::Object(Container::Device)),
        Expr::Select(select) => {
            // `has(a.b)` has its test at the end alone.
            if select.test && !names.is_empty() {
                return None;
            }
            names.push(&select.field);
            root_of(&select.operand.expr, names)
        }
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::INDEX, [operand, key]) => {
                names.push(text_of(key)?);
                root_of(&operand.expr, names)
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

/// A field of one of our records.
fn read_field(expr: &Expr) -> Option<(Reading, Origin)> {
    let (record, field, test) = field_of(expr)?;
    let (record, fields) = match record {
        "subject" => ("subject", SUBJECT_FIELDS),
        "mcp" => ("mcp", MCP_FIELDS),
        "source" => ("source", SOURCE_FIELDS),
        "request" => ("request", REQUEST_FIELDS),
        _ => return None,
    };
    let field = fields.iter().find(|own| **own == field)?;
    // Those are built once for all rules.
    let is_whole = matches!(
        *field,
        "claims" | "headers" | "arguments" | "input" | "meta"
    );
    let origin = if *field == "uri" && !test {
        Origin::URI
    } else {
        Origin::PLAIN
    };
    match (test, is_whole) {
        (true, _) => Some((Reading::HasField(record, field), origin)),
        (false, true) => None,
        (false, false) => Some((Reading::Field(record, field), origin)),
    }
}

/// The call that a node is.
pub(super) fn call_of(node: &IdedExpr) -> Option<&CallExpr> {
    if let Expr::Call(call) = &node.expr {
        Some(call)
    } else {
        None
    }
}

/// An object, and the name of the member that a node reads of it: `a.b` or `a["b"]`.
pub(super) fn member_of(node: &IdedExpr) -> Option<(&IdedExpr, &str)> {
    if let Expr::Select(select) = &node.expr {
        return (!select.test).then_some((&*select.operand, select.field.as_str()));
    }
    let call = call_of(node)?;
    match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::INDEX, [operand, key]) => Some((operand, text_of(key)?)),
        _ => None,
    }
}

/// The object that `has` asks for a member.
pub(super) fn tested_of(node: &IdedExpr) -> Option<(&IdedExpr, &str)> {
    if let Expr::Select(select) = &node.expr {
        select
            .test
            .then_some((&*select.operand, select.field.as_str()))
    } else {
        None
    }
}

/// The name that a node is.
pub(super) fn name_of(node: &IdedExpr) -> Option<&str> {
    if let Expr::Ident(name) = &node.expr {
        Some(name)
    } else {
        None
    }
}

/// The truth value that the author wrote.
pub(super) fn truth_of(node: &IdedExpr) -> Option<bool> {
    if let Expr::Literal(LiteralValue::Boolean(truth)) = &node.expr {
        Some(*truth.inner())
    } else {
        None
    }
}

/// The text that the author wrote.
pub(super) fn text_of(node: &IdedExpr) -> Option<&str> {
    if let Expr::Literal(LiteralValue::String(text)) = &node.expr {
        Some(text.inner())
    } else {
        None
    }
}
