//! Finds literals that no value of the field beside them is ever like.

use std::net::IpAddr;

use cel::common::ast::{CallExpr, Expr};
use cel::common::value::CowVal;
use cel::{Context, IdedExpr, Program};
use ipnet::IpNet;
use regex_syntax::hir::{Class, Hir, HirKind, Literal};

use super::comparisons::{Comparison, Comparisons, PathStep, Place, WHOLE};
use super::constant::MATCHES;
use super::depth::children;
use super::environment::ENVIRONMENT;
use super::error::InvalidExpression;
use super::lookup::{call_of, text_of};
use super::typing::column_of;
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
pub(super) fn misfits(program: &Program, found: &Comparisons<'_>) -> Vec<InvalidExpression> {
    let mut errors: Vec<InvalidExpression> = Vec::new();
    let mut error = |at: &IdedExpr, (message, help): (String, String)| {
        errors.push(InvalidExpression {
            message,
            help,
            column: column_of(program, at),
        });
    };
    for read in &found.reads {
        if let Place::Member(of, name) = &read.place
            && matches!(**of, Place::Field("request", "headers"))
            && name.chars().any(char::is_uppercase)
        {
            error(read.node, misfit_header(name));
        }
    }
    for comparison in &found.all {
        if let Some(fault) = misfit(comparison, found) {
            error(comparison.literal, fault);
        }
    }
    let mut pending = vec![program.expression()];
    while let Some(node) = pending.pop() {
        if let Expr::Call(call) = &node.expr {
            if let Some(found) = capitals(call) {
                error(node, found);
            }
            if let Some(found) = unreadable(node, call) {
                error(node, found);
            }
        }
        pending.extend(children(node));
    }
    errors.sort_by(|one, other| (one.column, &one.message).cmp(&(other.column, &other.message)));
    errors.dedup();
    errors
}

/// Why no value of a field is like a literal, and what is.
fn misfit(comparison: &Comparison<'_>, all: &Comparisons<'_>) -> Option<(String, String)> {
    let (record, field, steps) = comparison.place.path()?;
    let value = text_of(comparison.literal)?;
    let is_folded = matches!(comparison.place, Place::Folded(..));
    let (whole, function) = (comparison.is_whole(), comparison.function);
    // Where the text may be meant for another value, only what no value has is wrong.
    let sole = comparison.is_sole && !is_folded;
    match (record, field, steps.as_slice()) {
        ("source", "country", []) if sole && whole => misfit_country(value),
        ("source", "ip", []) if sole && whole => misfit_address(value),
        ("source", "ip", []) if comparison.is_sole => Some(part_of_address(function, value)),
        ("request", "host", []) if sole => misfit_host(comparison, value, all),
        ("request", "path", []) if sole => misfit_path(function, value),
        ("request", "headers", [PathStep::Item]) if sole => {
            has_capital(function, value).then(|| misfit_header(value))
        }
        ("request", ..) | ("mcp", "uri" | "uri_folded" | "arguments" | "input" | "meta", _) => None,
        _ if whole => doubtful(&comparison.place, value),
        _ => None,
    }
}

/// A name with what nobody sees.
fn doubtful(place: &Place<'_>, value: &str) -> Option<(String, String)> {
    let visible: String = value
        .chars()
        .filter(|c| !spelling::is_invisible(*c))
        .collect();
    let right = spelling::trim(&visible);
    (right != value).then(|| {
        (
            format!(
                "`{}` in `{}` has blanks at its ends or characters that nobody sees",
                value.escape_debug(),
                place.shown()
            ),
            format!("write `\"{right}\"`"),
        )
    })
}

fn misfit_header(name: &str) -> (String, String) {
    let right = name.to_lowercase();
    let help = format!("header names are in lower case: `request.headers[{right:?}]`");
    (format!("no request has a header `{name}`"), help)
}

/// Whether what passes a test has to have a letter that is not in lower case.
fn has_capital(function: &str, value: &str) -> bool {
    if function == MATCHES {
        return regex_syntax::parse(value).is_ok_and(|pattern| needs_capital(&pattern));
    }
    value.chars().any(char::is_uppercase)
}

/// A path begins with a slash, and is without its query.
fn misfit_path(function: &str, value: &str) -> Option<(String, String)> {
    let is_start = WHOLE.contains(&function) || function == "startsWith";
    let is_plain = is_start || matches!(function, "endsWith" | "contains");
    if is_start && !value.starts_with(['/', '*']) && !value.is_empty() {
        let path = value.split_once("://").map_or(value, |(_, rest)| {
            rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
        });
        let path = path.trim_start_matches('/');
        let help = format!("a path begins with a slash: `\"/{path}\"`");
        return Some((format!("no path begins like `{value}`"), help));
    }
    if let Some((before, _)) = value.split_once('?').filter(|_| is_plain) {
        let help = format!("write `\"{before}\"`");
        return Some(("`request.path` is without its query".to_owned(), help));
    }
    if WHOLE.contains(&function) && value.len() > 1 && value.contains('*') {
        let help = format!("`glob(request.path, {value:?})` takes patterns");
        return Some((
            format!("`{value}` is compared as it is, and no path is like it"),
            help,
        ));
    }
    None
}

/// A host is an authority in lower case, most often without its port.
fn misfit_host(
    comparison: &Comparison<'_>,
    value: &str,
    all: &Comparisons<'_>,
) -> Option<(String, String)> {
    let function = comparison.function;
    if has_capital(function, value) {
        let help = if function == MATCHES {
            "write the pattern in lower case".to_owned()
        } else {
            format!("write `\"{}\"`", value.to_lowercase())
        };
        return Some((
            format!("`request.host` is in lower case, and never `{value}`"),
            help,
        ));
    }
    if matches!(function, MATCHES) {
        return None;
    }
    if value.contains('/') {
        let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
        let host = rest
            .split('/')
            .find(|part| !part.is_empty())
            .unwrap_or_default();
        let help =
            format!("a host alone: `request.host == \"{host}\"`; `request.path` has the path");
        return Some((
            format!("`request.host` is no URL, and never like `{value}`"),
            help,
        ));
    }
    if !comparison.is_whole() {
        return None;
    }
    if value.contains('*') {
        let help = format!("`glob(request.host, {value:?})` takes patterns");
        return Some((
            format!("`{value}` is compared as it is, and no host is like it"),
            help,
        ));
    }
    let bare = [":443", ":80"]
        .iter()
        .find_map(|port| value.strip_suffix(port))?;
    let is_too = |other: &Comparison<'_>| {
        other.is_whole()
            && other.place.is(&comparison.place)
            && text_of(other.literal) == Some(bare)
    };
    if all.all.iter().any(is_too) {
        return None;
    }
    let help = format!(
        "write `request.host == {bare:?}`, or `request.host in [{bare:?}, {value:?}]` for those that send it"
    );
    Some((
        "clients leave out the port that their scheme implies".to_owned(),
        help,
    ))
}

/// A test of an address as a text.
fn part_of_address(function: &str, value: &str) -> (String, String) {
    let network = (function == "startsWith")
        .then(|| network_of(value))
        .flatten();
    let network = network.unwrap_or_else(|| "192.0.2.0/24".to_owned());
    let is_function = function.starts_with(char::is_alphabetic);
    let name = if is_function { function } else { "an order" };
    (
        format!("`{name}` compares an address as a text, and `source.ip` may be written otherwise"),
        format!("`ip_in(source.ip, \"{network}\")` tests for a network"),
    )
}

/// The network of the addresses that begin like a text, which ends at the end of a part.
fn network_of(start: &str) -> Option<String> {
    let parts: Vec<&str> = start.strip_suffix('.')?.split('.').collect();
    let is_part = |part: &&str| part.parse::<u8>().is_ok();
    let missing = 4_usize.checked_sub(parts.len()).filter(|rest| *rest > 0)?;
    let bits = parts.len().saturating_mul(8);
    let rest = ".0".repeat(missing);
    let known = parts.iter().all(is_part).then(|| parts.join("."))?;
    Some(format!("{known}{rest}/{bits}"))
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
