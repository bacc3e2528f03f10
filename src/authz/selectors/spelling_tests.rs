//! Selectors over values that servers read as something else.

use std::borrow::Cow;

use super::*;
use crate::authz::compare;
use crate::authz::glob::Glob;
use crate::authz::matching::Match;
use crate::authz::path::ValuePath;
use crate::authz::uri::{PlainUri, UriForm, UriPattern};
use crate::authz::value::Value;
use crate::json::Json;

fn value(text: &str) -> Value<'static> {
    let Json(value) = serde_json::from_str(text).unwrap();
    value.into_owned()
}

fn selector(expected: ExpectedValue) -> ValueSelector {
    ValueSelector {
        path: ValuePath::of_argument("a").unwrap(),
        expected: Box::new([expected]),
    }
}

fn pattern(text: &str) -> ExpectedValue {
    ExpectedValue::Pattern(TextPattern::new(Glob::name(text).unwrap()))
}

fn argument(value: Value<'_>) -> Value<'_> {
    Value::Map(vec![("a".into(), value)])
}

/// Values that some server converts to the named value.
#[test]
fn values_that_a_server_converts_to_the_named_value_are_not_far() {
    let far: Vec<_> = [
        // Texts that spell a boolean or a number, for a tool that reads those.
        (r#""true""#, "1"),
        (r#""false""#, "0"),
        (r#""false""#, "null"),
        (r#""false""#, r#""""#),
        (r#""1""#, "true"),
        (r#""0""#, "false"),
        (r#""0""#, "null"),
        (r#""5""#, "5.5"),
        (r#""5""#, r#""0x5""#),
        (r#""5000""#, r#""5_000""#),
        (r#""05""#, "5"),
        (r#""9007199254740993""#, "9007199254740992"),
        // Two offsets are up to 26 hours apart.
        (
            r#""2026-01-02T23:30:00-12:00""#,
            r#""2026-01-04T01:30:00+14:00""#,
        ),
        // The upper case of a dotless i is a plain I.
        (r#""admin""#, r#""admın""#),
        ("null", "[null]"),
        ("[]", r#""""#),
        ("{}", "null"),
    ]
    .into_iter()
    .filter(|(named, sent)| compare::equals(&value(named), &value(sent)) == Match::No)
    .collect();
    assert!(far.is_empty(), "{far:#?}");
}

/// The text as some server reads it matches the pattern.
#[test]
fn a_pattern_is_folded_without_losing_blanks() {
    let far: Vec<_> = [
        ("drop ?able", "DROP table", "drop table"),
        ("rm ?x", "RM rx", "rm rx"),
        ("root?", "ROOT ", "root "),
        ("?root", " ROOT", " root"),
        ("stra?e", "STRAẞE", "straße"),
        ("?le", "ﬁLE", "ﬁle"),
        ("admin*", "ADMIN\u{301}x", "admin\u{301}x"),
    ]
    .into_iter()
    .filter(|(named, sent, read)| {
        assert!(Glob::name(named).unwrap().matches(read), "{named} {read}");
        let arguments = argument(Value::String(Cow::Borrowed(sent)));
        selector(pattern(named)).matches(Some(&arguments), None) == Match::No
    })
    .collect();
    assert!(far.is_empty(), "{far:#?}");
}

/// Some server reads each second URI as the first: it ignores query members that a template does
/// not name, as well as colons and slashes.
#[test]
fn a_run_may_cross_the_query_and_the_slashes() {
    let missed: Vec<_> = [
        (
            "logs://api**=error",
            "logs://api?level=error",
            "logs://api?level=error&x=1",
        ),
        (
            "logs://**level=error",
            "logs://api?level=error",
            "logs://api?x=1&level=error&x=1",
        ),
        ("note:**/S", "note://S", "note:///S"),
        ("note:**/a/x", "note://a/x", "note:///a/x/"),
        ("note:/*/secret", "note://secret", "note:secret/"),
    ]
    .into_iter()
    .filter(|(named, one, other)| {
        let named = UriPattern::new(named).unwrap();
        let plain = |text| PlainUri::new(text, UriForm::Normal).unwrap();
        assert_eq!(named.matches(&plain(one)), Match::Yes, "{one}");
        named.matches(&plain(other)) == Match::No
    })
    .collect();
    assert!(missed.is_empty(), "{missed:#?}");
}
