//! Recognizes the nodes of an expression that read one part of the request by its name.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};

use super::origin::Origin;
use crate::authz::path::ValuePath;

/// Something of a request that an expression reads by name.
#[derive(Debug, Clone)]
pub(crate) enum Lookup {
    /// A field of one of our records.
    Field(&'static str, &'static str),
    /// Whether that is there.
    HasField(&'static str, &'static str),
    /// What is at a path in an object.
    Member(ForeignObject, ValuePath),
    /// Whether something is there.
    Has(ForeignObject, ValuePath),
    /// Whether something is there that is not null.
    Given(ForeignObject, ValuePath),
    /// A header of the request.
    Header(Box<str>),
    /// Whether the request has it.
    HasHeader(Box<str>),
    /// The URI of the resource, to be compared as one.
    Uri,
}

/// An object whose members others chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForeignObject {
    /// The arguments of the call.
    Arguments,
    /// What is answered to the server.
    Input,
    /// What else the client says: `_meta`.
    Meta,
    /// What is known of the device.
    Device,
    /// The claims of the token.
    Claims,
}

pub(super) const SUBJECT_FIELDS: &[&str] = &[
    "issuer", "id", "agent", "groups", "roles", "scopes", "tenant", "claims",
];

pub(super) const MCP_FIELDS: &[&str] = &[
    "server",
    "method",
    "name",
    "uri",
    "uri_folded",
    "class",
    "arguments",
    "input",
    "meta",
    "protocol_version",
    "session",
];

pub(super) const SOURCE_FIELDS: &[&str] = &["ip", "principal", "country"];
pub(super) const REQUEST_FIELDS: &[&str] = &["host", "path", "headers"];

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
pub(super) fn lookup(expr: &Expr) -> Option<(Lookup, Origin)> {
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
            let lookup = if test {
                Lookup::HasHeader(name)
            } else {
                Lookup::Header(name)
            };
            return Some((lookup, Origin::PLAIN));
        }
        (Root::Headers, _) => return None,
    };
    let path = ValuePath::of_names(&names).ok()?;
    Some(match (test, container) {
        // What is known of the device may be a list, which has no members.
        (true, ForeignObject::Device) if key.is_some() => return None,
        // Nor is it known of what is further inside.
        (true, _) if key.is_some() && path.len() > 1 => return None,
        (true, _) => (Lookup::Has(container, path), Origin::PLAIN),
        (false, ForeignObject::Arguments | ForeignObject::Input | ForeignObject::Meta) => {
            (Lookup::Member(container, path), Origin::ARGUMENTS)
        }
        (false, ForeignObject::Claims | ForeignObject::Device) => {
            (Lookup::Member(container, path), Origin::PROVEN)
        }
    })
}

/// Where a path of names begins.
enum Root {
    /// In an object whose members others chose.
    Object(ForeignObject),
    /// In the headers of the request.
    Headers,
}

/// Follows names to where they begin, the last first.
fn root_of<'e>(expr: &'e Expr, names: &mut Vec<&'e str>) -> Option<Root> {
    match field_of(expr) {
        Some(("mcp", "arguments", _)) => return Some(Root::Object(ForeignObject::Arguments)),
        Some(("mcp", "input", _)) => return Some(Root::Object(ForeignObject::Input)),
        Some(("mcp", "meta", _)) => return Some(Root::Object(ForeignObject::Meta)),
        Some(("subject", "claims", _)) => return Some(Root::Object(ForeignObject::Claims)),
        Some(("request", "headers", _)) => return Some(Root::Headers),
        Some(_) | None => {}
    }
    match expr {
        Expr::Ident(name) if name == "args" => Some(Root::Object(ForeignObject::Arguments)),
        Expr::Ident(name) if name == "device" => Some(Root::Object(ForeignObject::Device)),
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
fn read_field(expr: &Expr) -> Option<(Lookup, Origin)> {
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
        (true, _) => Some((Lookup::HasField(record, field), origin)),
        (false, true) => None,
        (false, false) => Some((Lookup::Field(record, field), origin)),
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

/// What the macros `exists` (true) and `all` (false) ask of each element.
pub(super) fn quantified(node: &IdedExpr) -> Option<(bool, &IdedExpr)> {
    let Expr::Comprehension(inner) = &node.expr else {
        return None;
    };
    let step = call_of(&inner.loop_step)?;
    let [so_far, test] = step.args.as_slice() else {
        return None;
    };
    let is_accumulator = |node: &IdedExpr| name_of(node) == Some(inner.accu_var.as_str());
    let is_gathered = is_accumulator(&inner.result) && is_accumulator(so_far);
    match (truth_of(&inner.accu_init)?, step.func_name.as_str()) {
        (false, operators::LOGICAL_OR) if is_gathered => Some((true, test)),
        (true, operators::LOGICAL_AND) if is_gathered => Some((false, test)),
        _ => None,
    }
}
