//! The ways in which an expression holds, as far as it tests names.

use cel::common::ast::{CallExpr, Expr, operators};
use cel::{IdedExpr, Program};

use super::constant::{GLOB, MATCHES};
use super::dead::{needed, possible_cases};
use super::lookup::{call_of, field_of, text_of};
use super::tested::{NameKind, NameTest};
use super::typing::column_of;

/// One way in which an expression holds, as far as it tests names.
#[derive(Debug, Clone, Default)]
pub struct NameCase {
    /// The tests that have to come out like this together.
    pub facts: Vec<NameFact>,
    /// The fields of `mcp` that have to be there.
    pub needs: Vec<&'static str>,
}

/// What a name has to be.
#[derive(Debug, Clone)]
pub struct NameFact {
    /// Which name.
    pub kind: NameKind,
    /// The tests of it.
    pub tests: Vec<NameTest>,
    /// Whether it has to pass one of them, or none.
    pub is_one: bool,
}

impl NameFact {
    /// Whether a name is as it has to be.
    #[must_use]
    pub fn accepts(&self, name: &str) -> bool {
        self.tests.iter().any(|test| test.accepts(name)) == self.is_one
    }

    /// The only names that can be accepted, if they are written.
    #[must_use]
    pub fn texts(&self) -> Option<Vec<&str>> {
        let is_exact = self.is_one && self.tests.iter().all(NameTest::is_exact);
        is_exact.then(|| self.tests.iter().map(|test| test.text.as_str()).collect())
    }
}

/// The fields of `mcp` that only some methods have.
const FIELDS: [&str; 4] = ["name", "class", "uri", "uri_folded"];

/// The ways in which a checked expression holds.
pub(super) fn name_cases(program: &Program) -> Vec<NameCase> {
    let cases = possible_cases(program.expression()).into_iter();
    let cases = cases.map(|case| {
        let mut found = NameCase::default();
        for (node, truth) in case {
            let needs = needed(node, truth);
            let fields = FIELDS.iter().copied();
            let is_needed = |field: &&str| needs.contains(&format!("mcp.{field}"));
            found.needs.extend(fields.filter(is_needed));
            let Some(call) = call_of(node) else {
                continue;
            };
            let tests = tests_in(program, call);
            let is_whole = match call.args.as_slice() {
                [_, within] if call.func_name == operators::IN => {
                    matches!(&within.expr, Expr::List(list) if list.elements.len() == tests.len())
                }
                _ => !tests.is_empty(),
            };
            if let Some(first) = tests.first().filter(|_| is_whole) {
                found.facts.push(NameFact {
                    kind: first.kind,
                    is_one: truth != (call.func_name == operators::NOT_EQUALS),
                    tests,
                });
            }
        }
        found
    });
    cases.collect()
}

fn tests_in(program: &Program, call: &CallExpr) -> Vec<NameTest> {
    let function = call.func_name.as_str();
    let operands: Vec<&IdedExpr> = call
        .target
        .as_deref()
        .into_iter()
        .chain(&call.args)
        .collect();
    let [left, right] = operands.as_slice() else {
        return Vec::new();
    };
    let pairs: Vec<(&IdedExpr, &IdedExpr)> = match function {
        operators::EQUALS | operators::NOT_EQUALS => vec![(left, right), (right, left)],
        operators::IN => {
            let Expr::List(list) = &right.expr else {
                return Vec::new();
            };
            list.elements.iter().map(|item| (*left, item)).collect()
        }
        "startsWith" | "endsWith" | "contains" | MATCHES | GLOB => vec![(left, right)],
        _ => return Vec::new(),
    };
    let test = |(name, text): (&IdedExpr, &IdedExpr)| {
        let (kind, of) = kind_of(name)?;
        NameTest::direct(kind, of, function, text_of(text)?, column_of(program, text))
    };
    pairs.into_iter().filter_map(test).collect()
}

fn kind_of(node: &IdedExpr) -> Option<(NameKind, String)> {
    let (record, field, is_presence) = field_of(&node.expr)?;
    let kind = match (record, field, is_presence) {
        ("mcp", "class", false) => NameKind::Class,
        ("mcp", "name", false) => NameKind::Name,
        ("mcp", "server", false) => NameKind::Server,
        ("mcp", "method", false) => NameKind::Method,
        ("mcp", "protocol_version", false) => NameKind::Revision,
        ("subject", "issuer", false) => NameKind::Issuer,
        _ => return None,
    };
    Some((kind, format!("{record}.{field}")))
}
