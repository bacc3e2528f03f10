//! Finds tests of names that tables of the policy or the configuration know.

use cel::common::ast::{CallExpr, Expr, operators};
use cel::{IdedExpr, Program};
use regex::Regex;

use super::constant::{GLOB, MATCHES};
use super::dead::{needed, possible_cases};
use super::depth::children;
use super::lookup::{call_of, field_of, text_of};
use super::typing::column_of;
use crate::authz::glob::Glob;

/// The kind of a name that an expression tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameKind {
    /// `mcp.class`.
    Class,
    /// `mcp.name`: a tool or a prompt.
    Name,
    /// `mcp.server`.
    Server,
    /// `mcp.method`.
    Method,
    /// `mcp.protocol_version`.
    Revision,
    /// `subject.issuer`.
    Issuer,
}

/// A test of a name against a text that the author wrote.
#[derive(Debug, Clone)]
pub struct NameTest {
    /// Which name.
    pub kind: NameKind,
    /// The text.
    pub text: String,
    /// The position of the text, as a character of the expression counted from 1.
    pub column: Option<usize>,
    how: How,
}

/// How the name is compared with the text.
#[derive(Debug, Clone)]
enum How {
    Is,
    StartsWith,
    EndsWith,
    Contains,
    Matches(Box<Regex>),
    Glob(Box<Glob>),
}

impl NameTest {
    /// Whether the name is compared with the whole text.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        matches!(self.how, How::Is)
    }

    /// Whether a name passes the test.
    #[must_use]
    pub fn accepts(&self, name: &str) -> bool {
        let text = self.text.as_str();
        match &self.how {
            How::Is => name == text,
            How::StartsWith => name.starts_with(text),
            How::EndsWith => name.ends_with(text),
            How::Contains => name.contains(text),
            How::Matches(pattern) => pattern.is_match(name),
            How::Glob(glob) => glob.matches(name),
        }
    }
}

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

/// The tests of names in a checked expression.
pub(super) fn name_tests(program: &Program) -> Vec<NameTest> {
    let mut found = Vec::new();
    let mut pending = vec![program.expression()];
    while let Some(node) = pending.pop() {
        if let Expr::Call(call) = &node.expr {
            found.extend(tests_in(program, call));
        }
        pending.extend(children(node));
    }
    found.sort_by_key(|test| test.column);
    found
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
        let (kind, written) = (kind_of(name)?, text_of(text)?);
        let how = match function {
            "startsWith" => How::StartsWith,
            "endsWith" => How::EndsWith,
            "contains" => How::Contains,
            MATCHES => How::Matches(Box::new(Regex::new(written).ok()?)),
            GLOB => How::Glob(Box::new(Glob::name(written).ok()?)),
            _ => How::Is,
        };
        Some(NameTest {
            kind,
            text: written.to_owned(),
            column: column_of(program, text),
            how,
        })
    };
    pairs.into_iter().filter_map(test).collect()
}

fn kind_of(node: &IdedExpr) -> Option<NameKind> {
    Some(match field_of(&node.expr)? {
        ("mcp", "class", false) => NameKind::Class,
        ("mcp", "name", false) => NameKind::Name,
        ("mcp", "server", false) => NameKind::Server,
        ("mcp", "method", false) => NameKind::Method,
        ("mcp", "protocol_version", false) => NameKind::Revision,
        ("subject", "issuer", false) => NameKind::Issuer,
        _ => return None,
    })
}
