//! Finds tests of names that tables of the policy or the configuration know, or that an issuer gives.

use cel::Program;
use cel::common::ast::{LiteralValue, operators};
use regex::Regex;

use super::comparisons::{Comparison, Comparisons, PathStep, Place};
use super::constant::{GLOB, MATCHES};
use super::lookup::text_of;
use super::remarks::Sense;
use super::shown::literal_of;
use super::typing::column_of;
use crate::authz::glob::Glob;
use crate::authz::selectors::ExpectedValue;
use crate::authz::spelling;
use crate::authz::value::Value;

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
    /// `mcp.uri`, `mcp.uri_folded`.
    Uri,
    /// `subject.issuer`.
    Issuer,
    /// `subject.id`.
    Subject,
    /// `subject.agent`.
    Agent,
    /// `subject.tenant`.
    Tenant,
    /// One of `subject.groups`.
    Group,
    /// One of `subject.roles`.
    Role,
    /// One of `subject.scopes`.
    Scope,
    /// `source.principal`.
    Peer,
    /// A claim of the token, or a fact about the device.
    Fact,
    /// An argument of the call.
    Argument,
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
    /// What is tested, as the author could have written it.
    pub of: String,
    /// Whether nothing but such a name can pass the test.
    pub is_sole: bool,
    /// The effect of a name that passes.
    pub sense: Sense,
    folding: Option<Folding>,
    how: How,
}

/// How a name is folded before it is compared.
#[derive(Debug, Clone, Copy)]
enum Folding {
    Fold,
    Plain,
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

impl How {
    /// How a function compares a name with a part or a pattern.
    fn of(function: &str, written: &str) -> Option<Self> {
        Some(match function {
            "startsWith" => How::StartsWith,
            "endsWith" => How::EndsWith,
            "contains" => How::Contains,
            MATCHES => How::Matches(Box::new(Regex::new(written).ok()?)),
            GLOB => How::Glob(Box::new(Glob::name(written).ok()?)),
            _ => return None,
        })
    }
}

impl NameTest {
    /// A test that nothing but such a name can pass, as it stands in an expression.
    pub(super) fn direct(
        kind: NameKind,
        of: String,
        function: &str,
        written: &str,
        column: Option<usize>,
    ) -> Option<Self> {
        let is_whole = [operators::EQUALS, operators::NOT_EQUALS, operators::IN];
        let how = if is_whole.contains(&function) {
            How::Is
        } else {
            How::of(function, written)?
        };
        Some(NameTest {
            kind,
            text: written.to_owned(),
            column,
            of,
            is_sole: true,
            sense: Sense::Holds,
            folding: None,
            how,
        })
    }

    /// Whether the name is compared with the whole text.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        matches!(self.how, How::Is)
    }

    /// Whether the text is a part of a name, and no pattern.
    #[must_use]
    pub fn is_part(&self) -> bool {
        matches!(self.how, How::StartsWith | How::EndsWith | How::Contains)
    }

    /// Whether the text is a regular expression.
    #[must_use]
    pub fn is_regex(&self) -> bool {
        matches!(self.how, How::Matches(_))
    }

    /// Whether a name passes the test.
    #[must_use]
    pub fn accepts(&self, name: &str) -> bool {
        match self.folding {
            None => self.accepts_folded(name),
            Some(Folding::Fold) => self.accepts_folded(&spelling::fold(name)),
            Some(Folding::Plain) => self.accepts_folded(&spelling::visible(name)),
        }
    }

    fn accepts_folded(&self, name: &str) -> bool {
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

/// A comparison of an argument with a literal.
#[derive(Debug, Clone)]
pub struct ArgumentTest {
    /// The way to the argument.
    pub steps: Vec<PathStep>,
    /// What it is compared with.
    pub value: TestedValue,
    /// The position of the literal, as a character of the expression counted from 1.
    pub column: Option<usize>,
}

/// What an argument is compared with.
#[derive(Debug, Clone)]
pub enum TestedValue {
    /// A value as a whole.
    Whole(ExpectedValue),
    /// A text, or a part of it.
    Text(Box<NameTest>),
}

/// A member of the arguments or of the claims that an expression reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRead {
    /// Whether it is a claim, and no argument.
    pub is_claim: bool,
    /// The way to the member.
    pub steps: Vec<PathStep>,
    /// The position of the member, as a character of the expression counted from 1.
    pub column: Option<usize>,
}

/// The tests of names in a checked expression.
pub(super) fn name_tests(program: &Program, found: &Comparisons<'_>) -> Vec<NameTest> {
    let tests = found.all.iter();
    let mut tests: Vec<NameTest> = tests
        .filter_map(|comparison| name_test(program, comparison))
        .collect();
    tests.sort_by_key(|test| test.column);
    tests
}

/// The tests of arguments in a checked expression, which nothing but the argument can pass.
pub(super) fn argument_tests(program: &Program, found: &Comparisons<'_>) -> Vec<ArgumentTest> {
    let tests = found.all.iter().filter(|comparison| comparison.is_sole);
    let test = |comparison: &Comparison<'_>| {
        let ("mcp", "arguments", steps) = comparison.place.path()? else {
            return None;
        };
        let value = match name_test(program, comparison) {
            Some(test) => TestedValue::Text(Box::new(test)),
            None => TestedValue::Whole(whole_value(comparison)?),
        };
        Some(ArgumentTest {
            steps,
            value,
            column: column_of(program, comparison.literal),
        })
    };
    let mut tests: Vec<ArgumentTest> = tests.filter_map(test).collect();
    tests.sort_by_key(|test| test.column);
    tests
}

/// The arguments and the claims that a checked expression reads, each once.
pub(super) fn member_reads(program: &Program, found: &Comparisons<'_>) -> Vec<MemberRead> {
    let mut reads: Vec<MemberRead> = Vec::new();
    for read in &found.reads {
        let (is_claim, steps) = match read.place.path() {
            Some(("mcp", "arguments", steps)) => (false, steps),
            Some(("subject", "claims", steps)) => (true, steps),
            _ => continue,
        };
        let is_known = |own: &MemberRead| own.is_claim == is_claim && own.steps == steps;
        if !reads.iter().any(is_known) {
            reads.push(MemberRead {
                is_claim,
                steps,
                column: column_of(program, read.node),
            });
        }
    }
    reads
}

fn name_test(program: &Program, comparison: &Comparison<'_>) -> Option<NameTest> {
    let written = text_of(comparison.literal)?;
    let kind = kind_of(&comparison.place)?;
    let folding = if let Place::Folded(function, _) = &comparison.place {
        Some(match *function {
            "fold" => Folding::Fold,
            _ => Folding::Plain,
        })
    } else {
        None
    };
    let how = if comparison.is_whole() {
        How::Is
    } else {
        How::of(comparison.function, written)?
    };
    Some(NameTest {
        kind,
        text: written.to_owned(),
        column: column_of(program, comparison.literal),
        of: comparison.place.shown(),
        is_sole: comparison.is_sole,
        sense: comparison.sense,
        folding,
        how,
    })
}

/// A literal other than a text that an argument is compared with as a whole.
fn whole_value(comparison: &Comparison<'_>) -> Option<ExpectedValue> {
    let is_equality = [operators::EQUALS, operators::NOT_EQUALS, operators::IN];
    if !is_equality.contains(&comparison.function) {
        return None;
    }
    let value = match literal_of(comparison.literal)? {
        LiteralValue::Boolean(truth) => Value::Bool(*truth.inner()),
        LiteralValue::Int(number) => Value::Int(*number.inner()),
        LiteralValue::UInt(number) => Value::Uint(*number.inner()),
        LiteralValue::Double(number) => Value::Float(*number.inner()),
        LiteralValue::Bytes(_) | LiteralValue::Null | LiteralValue::String(_) => return None,
    };
    Some(ExpectedValue::Exactly(value))
}

fn kind_of(place: &Place<'_>) -> Option<NameKind> {
    let (record, field, steps) = place.path()?;
    Some(match (record, field, steps.as_slice()) {
        ("mcp", "class", []) => NameKind::Class,
        ("mcp", "name", []) => NameKind::Name,
        ("mcp", "server", []) => NameKind::Server,
        ("mcp", "method", []) => NameKind::Method,
        ("mcp", "protocol_version", []) => NameKind::Revision,
        ("mcp", "uri" | "uri_folded", []) => NameKind::Uri,
        ("mcp", "arguments", [_, ..]) => NameKind::Argument,
        ("subject", "issuer", []) => NameKind::Issuer,
        ("subject", "id", []) => NameKind::Subject,
        ("subject", "agent", []) => NameKind::Agent,
        ("subject", "tenant", []) => NameKind::Tenant,
        ("subject", "groups", [PathStep::Item]) => NameKind::Group,
        ("subject", "roles", [PathStep::Item]) => NameKind::Role,
        ("subject", "scopes", [PathStep::Item]) => NameKind::Scope,
        ("subject", "claims", [_, ..]) | ("device", _, [_, ..]) => NameKind::Fact,
        ("source", "principal", []) => NameKind::Peer,
        _ => return None,
    })
}
