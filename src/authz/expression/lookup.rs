//! Recognizes the nodes of an expression that read one part of the request by name.

use std::fmt;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};

use super::origin::Origin;
use crate::authz::path::ValuePath;

/// A part of a request that an expression reads by name.
#[derive(Debug, Clone)]
pub(crate) enum Lookup {
    /// A field of one of our records.
    Field(&'static str, &'static str),
    /// Whether that field is present.
    HasField(&'static str, &'static str),
    /// The value at a path in an object.
    Member(ForeignObject, ValuePath),
    /// Whether a path is present.
    Has(ForeignObject, ValuePath),
    /// Whether a path has a value other than null.
    Given(ForeignObject, ValuePath),
    /// A header of the request.
    Header(Box<str>),
    /// Whether the request has the header.
    HasHeader(Box<str>),
    /// The URI of the resource, compared as a URI.
    Uri,
}

/// What is read, as the author of the expression may have written it.
impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lookup::Field(record, field) | Lookup::HasField(record, field) => {
                write!(f, "`{record}.{field}`")
            }
            Lookup::Member(container, path)
            | Lookup::Has(container, path)
            | Lookup::Given(container, path) => {
                write!(f, "`{}.{}`", container.name(), path.as_str())
            }
            Lookup::Header(name) | Lookup::HasHeader(name) => write!(f, "the header `{name}`"),
            Lookup::Uri => f.write_str("`mcp.uri`"),
        }
    }
}

impl ForeignObject {
    /// The name in expressions.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ForeignObject::Arguments => "args",
            ForeignObject::Input => "mcp.input",
            ForeignObject::Meta => "mcp.meta",
            ForeignObject::Device => "device",
            ForeignObject::Claims => "subject.claims",
        }
    }
}

/// An object whose members someone else chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForeignObject {
    /// The arguments of the call.
    Arguments,
    /// The answers to the server.
    Input,
    /// Further input of the client: `_meta`.
    Meta,
    /// The facts about the device.
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

/// The origin of a whole object of the request, if the node names one.
pub(super) fn whole(expr: &Expr) -> Option<Origin> {
    match field_of(expr)? {
        ("mcp", "arguments" | "input" | "meta", false) => Some(Origin::ARGUMENTS),
        ("subject", "claims", false) => Some(Origin::PROVEN),
        _ => None,
    }
}

/// A variable and its field, `mcp.uri` or `mcp["uri"]`, and whether only its presence is tested.
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

/// The part of the request that an expression reads, if it is nothing else. Loop variables cannot
/// have the names of our records.
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
        // The facts about the device may be a list, which has no members.
        (true, ForeignObject::Device) if key.is_some() => return None,
        // Nor is presence known further inside.
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

/// The beginning of a path of names.
enum Root {
    /// In an object whose members someone else chose.
    Object(ForeignObject),
    /// In the headers of the request.
    Headers,
}

/// Follows names to their root; collects them last first.
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
            // `has(a.b)` tests only its last name.
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
    // These records are built once for all rules.
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

/// The node as a call.
pub(super) fn call_of(node: &IdedExpr) -> Option<&CallExpr> {
    if let Expr::Call(call) = &node.expr {
        Some(call)
    } else {
        None
    }
}

/// The object and the name of the member that a node reads: `a.b` or `a["b"]`.
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

/// The object and member that `has` tests.
pub(super) fn tested_of(node: &IdedExpr) -> Option<(&IdedExpr, &str)> {
    if let Expr::Select(select) = &node.expr {
        select
            .test
            .then_some((&*select.operand, select.field.as_str()))
    } else {
        None
    }
}

/// The node as an identifier.
pub(super) fn name_of(node: &IdedExpr) -> Option<&str> {
    if let Expr::Ident(name) = &node.expr {
        Some(name)
    } else {
        None
    }
}

/// A boolean literal.
pub(super) fn truth_of(node: &IdedExpr) -> Option<bool> {
    if let Expr::Literal(LiteralValue::Boolean(truth)) = &node.expr {
        Some(*truth.inner())
    } else {
        None
    }
}

/// A string literal.
pub(super) fn text_of(node: &IdedExpr) -> Option<&str> {
    if let Expr::Literal(LiteralValue::String(text)) = &node.expr {
        Some(text.inner())
    } else {
        None
    }
}

/// The test that the macro `exists` (true) or `all` (false) applies to each element.
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
