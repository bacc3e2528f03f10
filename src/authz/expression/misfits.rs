//! Finds literals that no value of the field beside them is ever like.

use std::net::IpAddr;

use cel::common::ast::{CallExpr, Expr, operators};
use cel::common::value::CowVal;
use cel::{Context, IdedExpr, Program};
use ipnet::IpNet;
use regex_syntax::hir::{Class, Hir, HirKind, Literal};

use super::constant::MATCHES;
use super::depth::children;
use super::environment::ENVIRONMENT;
use super::error::InvalidExpression;
use super::lookup::{Lookup, call_of, field_of, lookup, text_of};
use super::shown::shown;
use super::types::{Type, field_type};
use super::typing::column_of;
use super::vocabulary::fields_of;
use crate::authz::spelling;

/// Conversions whose result is known at load where their argument is.
const CONVERSIONS: [&str; 7] = [
    "bool",
    "bytes",
    "double",
    "duration",
    "int",
    "timestamp",
    "uint",
];

/// The errors about the literals of a checked expression.
pub(super) fn misfits(program: &Program) -> Vec<InvalidExpression> {
    let mut errors = Vec::new();
    let mut pending = vec![program.expression()];
    while let Some(node) = pending.pop() {
        let mut error = |at: &IdedExpr, (message, help): (String, String)| {
            errors.push(InvalidExpression {
                message,
                help,
                column: column_of(program, at),
            });
        };
        if let Some((Lookup::Header(name) | Lookup::HasHeader(name), _)) = lookup(&node.expr)
            && name.chars().any(char::is_uppercase)
        {
            let right = name.to_lowercase();
            let help = format!("header names are in lower case: `request.headers[{right:?}]`");
            error(node, (format!("no request has a header `{name}`"), help));
        }
        if let Expr::Call(call) = &node.expr {
            for (field, literal) in compared(call) {
                let whole = WHOLE.contains(&call.func_name.as_str());
                if let Some(found) = misfit(field, literal, whole) {
                    error(literal, found);
                }
            }
            if let Some(found) = capitals(call) {
                error(node, found);
            }
            if let Some(found) = unreadable(node, call) {
                error(node, found);
            }
        }
        pending.extend(children(node));
    }
    errors.sort_by_key(|error| error.column);
    errors
}

/// Comparisons with a whole text.
const WHOLE: [&str; 3] = [operators::EQUALS, operators::NOT_EQUALS, operators::IN];

/// The values that a call compares, with the literals.
fn compared(call: &CallExpr) -> Vec<(&IdedExpr, &IdedExpr)> {
    let operands: Vec<&IdedExpr> = call
        .target
        .as_deref()
        .into_iter()
        .chain(&call.args)
        .collect();
    let [left, right] = operands.as_slice() else {
        return Vec::new();
    };
    match call.func_name.as_str() {
        operators::EQUALS | operators::NOT_EQUALS => vec![(left, right), (right, left)],
        operators::IN => {
            if let Expr::List(list) = &right.expr {
                return list.elements.iter().map(|item| (*left, item)).collect();
            }
            vec![(right, left)]
        }
        "startsWith" => vec![(left, right)],
        _ => Vec::new(),
    }
}

/// Why no value of a field is like a literal, and what is.
fn misfit(node: &IdedExpr, literal: &IdedExpr, whole: bool) -> Option<(String, String)> {
    let (record, field, is_tested) = field_of(&node.expr)?;
    let value = text_of(literal)?;
    if is_tested || !fields_of(record)?.contains(&field) {
        return None;
    }
    let name = shown(node);
    match (record, field) {
        ("source", "country") if whole => misfit_country(value),
        ("source", "ip") if whole => misfit_address(value),
        ("request", "path") if !value.starts_with(['/', '*']) && !value.is_empty() => Some((
            format!("no path begins like `{value}`"),
            format!("a path begins with a slash: `\"/{value}\"`"),
        )),
        ("request", _) | ("mcp", "uri" | "uri_folded") => None,
        _ if whole && matches!(field_type(record, field), Type::Text | Type::List(_)) => {
            let visible: String = value
                .chars()
                .filter(|c| !spelling::is_invisible(*c))
                .collect();
            let right = spelling::trim(&visible);
            (right != value).then(|| {
                (
                    format!(
                        "`{}` in `{name}` has blanks at its ends or characters that nobody sees",
                        value.escape_debug()
                    ),
                    format!("write `\"{right}\"`"),
                )
            })
        }
        _ => None,
    }
}

fn misfit_country(text: &str) -> Option<(String, String)> {
    let is_code =
        |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_code(text) {
        return None;
    }
    let upper = text.to_uppercase();
    let help = if is_code(&upper) {
        format!("write `\"{upper}\"`")
    } else {
        "two capital letters of ISO 3166-1, such as `\"DE\"`".to_owned()
    };
    Some((format!("no country has the code `{text}`"), help))
}

fn misfit_address(text: &str) -> Option<(String, String)> {
    let message = || format!("no address is written `{text}`");
    match text.parse::<IpAddr>() {
        Ok(address) => {
            let own = address.to_canonical().to_string();
            (own != text).then(|| (message(), format!("write `\"{own}\"`")))
        }
        Err(_) if text.parse::<IpNet>().is_ok() => Some((
            message(),
            format!("`ip_in(source.ip, {text:?})` tests for a network"),
        )),
        Err(_) => Some((
            message(),
            "an address such as `\"192.0.2.1\"`, or `ip_in(source.ip, \"192.0.2.0/24\")`"
                .to_owned(),
        )),
    }
}

/// A pattern that needs a capital letter, over a text without any.
fn capitals(call: &CallExpr) -> Option<(String, String)> {
    let mut operands = call.target.as_deref().into_iter().chain(&call.args);
    let (text, pattern) = (operands.next()?, text_of(operands.next()?)?);
    let folding = call_of(text)
        .filter(|_| call.func_name == MATCHES)?
        .func_name
        .as_str();
    let needs = regex_syntax::parse(pattern).is_ok_and(|pattern| needs_capital(&pattern));
    (needs && matches!(folding, "fold" | "plain")).then(|| {
        let message = format!("`{folding}` never gives a text that matches `{pattern}`");
        (message, "write the pattern in lower case".to_owned())
    })
}

/// Whether every match has a letter that is not in lower case.
fn needs_capital(pattern: &Hir) -> bool {
    let is_capital = |letter: char| letter.is_uppercase();
    match pattern.kind() {
        HirKind::Literal(Literal(bytes)) => {
            std::str::from_utf8(bytes).is_ok_and(|text| text.chars().any(is_capital))
        }
        HirKind::Class(Class::Unicode(class)) => {
            let mut ranges = class.iter();
            !class.ranges().is_empty()
                && ranges.all(|range| {
                    range.start().is_ascii_uppercase() && range.end().is_ascii_uppercase()
                })
        }
        HirKind::Repetition(repetition) => repetition.min > 0 && needs_capital(&repetition.sub),
        HirKind::Capture(capture) => needs_capital(&capture.sub),
        HirKind::Concat(parts) => parts.iter().any(needs_capital),
        HirKind::Alternation(parts) => parts.iter().all(needs_capital),
        HirKind::Class(Class::Bytes(_)) | HirKind::Empty | HirKind::Look(_) => false,
    }
}

/// A conversion of a literal that always fails, and a time zone that does not exist.
fn unreadable(node: &IdedExpr, call: &CallExpr) -> Option<(String, String)> {
    let function = call.func_name.as_str();
    if let ("time", [argument]) = (function, call.args.as_slice()) {
        let text = text_of(argument)?;
        let is_good = text.parse::<jiff::Timestamp>().is_ok() && text.contains('T');
        return (!is_good).then(|| no_time(function, text));
    }
    if let ([zone], Some(_)) = (call.args.as_slice(), &call.target)
        && function.starts_with("get")
    {
        let zone = text_of(zone)?;
        let is_named = zone.starts_with(char::is_alphabetic);
        return (is_named && jiff::tz::TimeZone::get(zone).is_err()).then(|| {
            let help =
                "an IANA name such as `\"Europe/Berlin\"`, or an offset such as `\"+01:00\"`";
            (format!("there is no time zone `{zone}`"), help.to_owned())
        });
    }
    let [argument] = call.args.as_slice() else {
        return None;
    };
    let text = text_of(argument).filter(|_| CONVERSIONS.contains(&function))?;
    if evaluate(node).is_some() {
        return None;
    }
    Some(match function {
        "timestamp" => no_time(function, text),
        "duration" => (
            format!("`{text}` is not a duration"),
            "such as `duration(\"90m\")`, `duration(\"24h\")`".to_owned(),
        ),
        _ => (format!("`{function}` cannot read `{text}`"), String::new()),
    })
}

fn no_time(function: &str, text: &str) -> (String, String) {
    let right = if text.parse::<jiff::civil::Date>().is_ok() && text.len() == 10 {
        format!("{text}T00:00:00Z")
    } else {
        "2026-01-02T15:04:05Z".to_owned()
    };
    (
        format!("`{text}` is not a time with a time zone"),
        format!("as in RFC 3339: `{function}(\"{right}\")`"),
    )
}

/// The value of a node that reads nothing of the request, if it has one.
pub(super) fn evaluate(node: &IdedExpr) -> Option<CowVal<'_, '_>> {
    let environment = ENVIRONMENT.as_ref().ok()?;
    let context = Context::with_env(std::sync::Arc::clone(environment));
    cel::Value::resolve_val(node, &context)
        .ok()
        .map(|value| CowVal::Owned(value.into_owned()))
}
