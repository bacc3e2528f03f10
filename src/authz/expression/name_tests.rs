//! Finds tests of names that tables of the policy or the configuration know.

use cel::common::ast::{CallExpr, Expr, operators};
use cel::{IdedExpr, Program};
use regex::Regex;

use super::constant::{GLOB, MATCHES};
use super::depth::children;
use super::lookup::{field_of, text_of};
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
