//! The vocabulary of expressions: variables, fields, types, operators and functions.

use cel::common::ast::operators;

use super::constant::{GIVEN, GLOB, IP_IN, MATCHES};
use super::lookup::{MCP_FIELDS, REQUEST_FIELDS, SOURCE_FIELDS, SUBJECT_FIELDS};

pub(super) const VARIABLES: &[&str] = &[
    "subject", "mcp", "args", "source", "device", "request", "now",
];

pub(super) const TYPES: &[&str] = &[
    "bool",
    "bytes",
    "double",
    "duration",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "timestamp",
    "type",
    "uint",
];

pub(super) const OPERATORS: &[&str] = &[
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::NEGATE,
    operators::NOT_STRICTLY_FALSE,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::LESS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::GREATER_EQUALS,
    operators::ADD,
    operators::SUBSTRACT,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::INDEX,
    operators::IN,
];

/// Each name, with how many arguments it takes as a function and as a method.
pub(super) const FUNCTIONS: &[(&str, &[usize], &[usize])] = &[
    ("size", &[1], &[0]),
    ("contains", &[], &[1]),
    ("startsWith", &[], &[1]),
    ("endsWith", &[], &[1]),
    (MATCHES, &[2], &[1]),
    ("bool", &[1], &[]),
    ("bytes", &[1], &[]),
    ("double", &[1], &[]),
    ("duration", &[1], &[]),
    ("dyn", &[1], &[]),
    ("int", &[1], &[]),
    ("string", &[1], &[]),
    ("timestamp", &[1], &[]),
    ("type", &[1], &[]),
    ("uint", &[1], &[]),
    ("getDate", &[], &[0, 1]),
    ("getDayOfMonth", &[], &[0, 1]),
    ("getDayOfWeek", &[], &[0, 1]),
    ("getDayOfYear", &[], &[0, 1]),
    ("getFullYear", &[], &[0, 1]),
    ("getHours", &[], &[0, 1]),
    ("getMilliseconds", &[], &[0, 1]),
    ("getMinutes", &[], &[0, 1]),
    ("getMonth", &[], &[0, 1]),
    ("getSeconds", &[], &[0, 1]),
    (IP_IN, &[2], &[]),
    (GLOB, &[2], &[]),
    (GIVEN, &[1], &[]),
    ("num", &[1], &[]),
    ("text", &[1], &[]),
    ("fold", &[1], &[]),
    ("plain", &[1], &[]),
    ("list", &[1], &[]),
    ("time", &[1], &[]),
];

/// Tests of a folded URI that are refused if their literal is not a folded URI.
pub(super) const UNFOLDED_TESTS: [&str; 4] = [
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::IN,
    "startsWith",
];

pub(super) fn fields_of(name: &str) -> Option<&'static [&'static str]> {
    match name {
        "subject" => Some(SUBJECT_FIELDS),
        "mcp" => Some(MCP_FIELDS),
        "source" => Some(SOURCE_FIELDS),
        "request" => Some(REQUEST_FIELDS),
        _ => None,
    }
}

pub(super) fn usage(name: &str, plain: &[usize], method: &[usize]) -> String {
    let arguments = |count: &usize| vec!["_"; *count].join(", ");
    let plain = plain
        .iter()
        .map(|count| format!("`{name}({})`", arguments(count)));
    let method = method
        .iter()
        .map(|count| format!("`_.{name}({})`", arguments(count)));
    plain.chain(method).collect::<Vec<_>>().join(" or ")
}

pub(super) fn quoted(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
