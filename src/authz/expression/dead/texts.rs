//! Tests of a text against a part of it or a pattern, and which of them no text passes together.

use regex::Regex;
use regex_syntax::hir::Look;
use regex_syntax::hir::literal::Extractor;

use super::super::constant::{GLOB, MATCHES};
use crate::authz::glob::Glob;

/// How a text is tested.
#[derive(Debug, Clone)]
pub(super) enum TextTest {
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    Glob(Glob),
    Matches(Box<Regex>),
}

impl TextTest {
    /// The test that a function makes with a constant.
    pub(super) fn new(function: &str, text: &str) -> Option<Self> {
        Some(match function {
            "startsWith" => TextTest::StartsWith(text.to_owned()),
            "endsWith" => TextTest::EndsWith(text.to_owned()),
            "contains" => TextTest::Contains(text.to_owned()),
            GLOB => TextTest::Glob(Glob::name(text).ok()?),
            MATCHES => TextTest::Matches(Box::new(Regex::new(text).ok()?)),
            _ => return None,
        })
    }

    /// Whether a text passes.
    pub(super) fn accepts(&self, text: &str) -> bool {
        match self {
            TextTest::StartsWith(part) => text.starts_with(part),
            TextTest::EndsWith(part) => text.ends_with(part),
            TextTest::Contains(part) => text.contains(part),
            TextTest::Glob(glob) => glob.matches(text),
            TextTest::Matches(pattern) => pattern.is_match(text),
        }
    }

    /// Whether no text passes both.
    pub(super) fn excludes(&self, other: &TextTest) -> bool {
        if let (Some(one), Some(other)) = (self.as_glob(), other.as_glob()) {
            return one.common_match(&other).is_none();
        }
        let (Some(own), Some(others)) = (self.beginnings(), other.beginnings()) else {
            return false;
        };
        let can_meet = |one: &String, other: &String| {
            one.starts_with(other.as_str()) || other.starts_with(one.as_str())
        };
        !own.iter()
            .any(|one| others.iter().any(|other| can_meet(one, other)))
    }

    /// Whether every text that passes this test passes the other one, as far as is known.
    pub(super) fn implies(&self, other: &TextTest) -> bool {
        match (self, other) {
            (_, TextTest::StartsWith(part)) => self
                .beginnings()
                .is_some_and(|all| all.iter().all(|one| one.starts_with(part.as_str()))),
            (TextTest::EndsWith(own), TextTest::EndsWith(part)) => own.ends_with(part.as_str()),
            (
                TextTest::StartsWith(own) | TextTest::EndsWith(own) | TextTest::Contains(own),
                TextTest::Contains(part),
            ) => own.contains(part.as_str()),
            (TextTest::Glob(one), TextTest::Glob(other)) => one == other,
            (TextTest::Matches(one), TextTest::Matches(other)) => one.as_str() == other.as_str(),
            _ => false,
        }
    }

    /// The same test as a pattern.
    fn as_glob(&self) -> Option<Glob> {
        match self {
            TextTest::StartsWith(part) => Glob::around(false, part, true).ok(),
            TextTest::EndsWith(part) => Glob::around(true, part, false).ok(),
            TextTest::Contains(part) => Glob::around(true, part, true).ok(),
            TextTest::Glob(glob) => Some(glob.clone()),
            TextTest::Matches(_) => None,
        }
    }

    /// Texts with one of which every text begins that passes.
    fn beginnings(&self) -> Option<Vec<String>> {
        match self {
            TextTest::StartsWith(part) => Some(vec![part.clone()]),
            TextTest::Glob(glob) => Some(vec![glob.literal_start().to_owned()]),
            TextTest::Matches(pattern) => {
                let pattern = regex_syntax::parse(pattern.as_str()).ok()?;
                let begins = pattern.properties().look_set_prefix();
                if !begins.contains(Look::Start) {
                    return None;
                }
                let found = Extractor::new().extract(&pattern);
                let texts = found.literals()?.iter().map(|literal| {
                    std::str::from_utf8(literal.as_bytes())
                        .ok()
                        .map(str::to_owned)
                });
                texts.collect()
            }
            TextTest::EndsWith(_) | TextTest::Contains(_) => None,
        }
    }
}
