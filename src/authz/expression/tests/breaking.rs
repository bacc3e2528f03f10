//! Values from outside that an expression must not lose sight of.

use std::time::{Duration, Instant};

use super::*;
use crate::authz::uri::UriForm;
use crate::json::Json;

fn json(text: &str) -> Value<'static> {
    let Json(value) = serde_json::from_str(text).unwrap();
    value.into_owned()
}

fn found(expression: &str, arguments: &str, claims: &str) -> Match {
    let compiled = Expression::compile(expression).unwrap();
    evaluate(&compiled, &json(arguments), json(claims))
}

fn found_of_uri(expression: &str, uri: &str) -> Match {
    let subject = subject(Value::Map(Vec::new()));
    let arguments = Value::Map(Vec::new());
    let mut request = request(&subject, &arguments);
    request.resource = Resource::Uri(uri);
    request.context.uris = UriForm::Normal;
    let compiled = Expression::compile(expression).unwrap();
    compiled.evaluate(&Facts::new(&request, None))
}

fn has_no_result(rows: &[(&str, &str)]) {
    let decided: Vec<_> = rows
        .iter()
        .filter(|(expression, arguments)| {
            found(expression, arguments, "{}") != Match::Indeterminate
        })
        .collect();
    assert!(decided.is_empty(), "{decided:#?}");
}

#[test]
fn what_a_loop_makes_of_arguments_comes_from_outside() {
    has_no_result(&[
        ("[1].map(x, args.force)[0] == true", r#"{"force":"true"}"#),
        (
            "[1].map(x, args.force).exists(f, f == true)",
            r#"{"force":"true"}"#,
        ),
        (
            "['to','cc'].map(k, args[k]).exists(v, v == 'evil')",
            r#"{"to":"Evil","cc":"x"}"#,
        ),
        (
            "'evil' in ['to','cc'].map(k, has(args.to), args[k])",
            r#"{"to":"Evil","cc":"x"}"#,
        ),
        (
            "[1].map(x, args)[0].force == true",
            r#"{"Force":true,"force":false}"#,
        ),
        (
            "subject.groups.map(g, args.owner) == ['root']",
            r#"{"owner":"ROOT"}"#,
        ),
    ]);
    let found = found_of_uri("['x'].map(p, mcp.uri)[0] == 'note://s/x'", "note:s/x");
    assert_eq!(found, Match::Indeterminate);
}

#[test]
fn a_record_by_index_is_the_record_by_name() {
    has_no_result(&[
        ("mcp['arguments'].force == true", r#"{"force":"true"}"#),
        ("mcp['arguments']['force'] == true", r#"{"force":"true"}"#),
        (
            "has(mcp['arguments'].force) && mcp['arguments'].force == true",
            r#"{"Force":true}"#,
        ),
        ("'force' in mcp['arguments']", r#"{"Force":true}"#),
        ("given(mcp['arguments'].force)", r#"{"Force":true}"#),
    ]);
    for (expression, claims) in [
        ("subject['claims'].role == 'admin'", r#"{"role":"Admin"}"#),
        (
            "has(subject['claims'].groups)",
            r#"{"_claim_names":{"groups":"src1"}}"#,
        ),
    ] {
        let found = found(expression, "{}", claims);
        assert_eq!(found, Match::Indeterminate, "{expression}");
    }
    for expression in [
        "mcp['uri'] == 'note://s/x'",
        "mcp['uri'].startsWith('note://s/')",
    ] {
        let found = found_of_uri(expression, "note:s/x");
        assert_eq!(found, Match::Indeterminate, "{expression}");
    }
}

#[test]
fn the_uri_is_found_among_the_keys_of_an_object() {
    let expression = "mcp.uri in {'note://s/x': true}";
    assert_eq!(found_of_uri(expression, "note://s/x"), Match::Yes);
    assert_eq!(found_of_uri(expression, "note:s/x"), Match::Indeterminate);
    assert_eq!(found_of_uri(expression, "note://s/y"), Match::No);
    let expression = "{'note://s/x': true}[mcp.uri]";
    assert_eq!(found_of_uri(expression, "note://s/x"), Match::Yes);
}

#[test]
fn a_text_made_of_the_uri_is_tested_as_the_uri() {
    let decided: Vec<_> = [
        "(has(mcp.uri) ? mcp.uri : '').startsWith('note://s/')",
        "[mcp.uri].exists(u, u.startsWith('note://s/'))",
        "[mcp.uri] == ['note://s/x']",
        "{'u': mcp.uri} == {'u': 'note://s/x'}",
        "string(mcp.uri).startsWith('note://s/')",
        "dyn(mcp.uri).startsWith('note://s/')",
        "plain(mcp.uri).contains('://s/x')",
        "fold(mcp.uri).startsWith('note://s/')",
        "(mcp.uri + '/').startsWith('note://s/x/')",
        "glob(string(mcp.uri), 'note://s/*')",
        "mcp.uri.matches('^note://s/x$')",
    ]
    .into_iter()
    .filter(|expression| found_of_uri(expression, "note:s/x") != Match::Indeterminate)
    .collect();
    assert!(decided.is_empty(), "{decided:#?}");
}

#[test]
fn given_cannot_tell_what_is_unknown() {
    for expression in [
        "given(mcp.uri)",
        "given(mcp.uri) && mcp.uri == 'note://s/x'",
    ] {
        let found = found_of_uri(expression, "NOTE://s/x");
        assert_eq!(found, Match::Indeterminate, "{expression}");
    }
    let mut subject = subject(Value::Map(Vec::new()));
    subject.unknown.tenant = true;
    let arguments = Value::Map(Vec::new());
    let request = request(&subject, &arguments);
    let compiled = Expression::compile("!given(subject.tenant)").unwrap();
    let found = compiled.evaluate(&Facts::new(&request, None));
    assert_eq!(found, Match::Indeterminate);
}

#[test]
fn objects_sizes_and_sums_of_arguments_are_read_in_more_than_one_way() {
    has_no_result(&[
        ("'admin' in args.roles", r#"{"roles":{"0":"admin"}}"#),
        (
            "args.roles.exists(r, r == 'admin')",
            r#"{"roles":{"0":"admin"}}"#,
        ),
        ("true in {args.force: 1}", r#"{"force":"true"}"#),
        ("size(args.to) < 2", r#"{"to":"bob"}"#),
        ("size(args.to) == 0", r#"{"to":"[]"}"#),
        ("args.n * 2.0 == 10.0", r#"{"n":5.5}"#),
        (
            "args.n - 9007199254740992 == 0",
            r#"{"n":9007199254740993}"#,
        ),
        ("'' + args.id == '5'", r#"{"id":"05"}"#),
        ("'' + args.force == 'true'", r#"{"force":"yes"}"#),
    ]);
}

/// Debug builds take some fifteen times as long as a release.
fn is_quick(expression: &str, arguments: &str) {
    let compiled = Expression::compile(expression).unwrap();
    let arguments = json(arguments);
    let start = Instant::now();
    let _ = evaluate(&compiled, &arguments, Value::Map(Vec::new()));
    let took = start.elapsed();
    assert!(took < Duration::from_millis(300), "{expression}: {took:?}");
}

fn list(text: &str, count: usize) -> String {
    let items: Vec<_> = (0..count).map(|at| format!("\"{text}{at}\"")).collect();
    format!("[{}]", items.join(","))
}

fn keys(count: usize) -> String {
    let members: Vec<_> = (0..count).map(|at| format!("\"k{at}\":0")).collect();
    format!("{{{}}}", members.join(","))
}

#[test]
fn every_member_of_large_arguments_is_looked_at_in_little_time() {
    is_quick("args.all(k, args[k] != 'x')", &keys(2_000));
}

#[test]
fn membership_in_a_large_list_counts_as_a_loop() {
    let arguments = format!(r#"{{"l":{},"m":{}}}"#, list("a", 1_000), list("b", 1_000));
    is_quick("args.l.exists(x, x in args.m)", &arguments);
}

#[test]
fn a_text_of_a_list_is_as_bounded_as_a_list() {
    let text = |inner: String| serde_json::to_string(&inner).unwrap();
    let members = text(format!("[{}]", keys(20_000)));
    is_quick(
        "list(args.x).exists(k, k == 1)",
        &format!(r#"{{"x":{members}}}"#),
    );
    let (one, two) = (text(list("a", 1_000)), text(list("b", 1_000)));
    is_quick(
        "list(args.x).exists(a, list(args.y).exists(b, a == b))",
        &format!(r#"{{"x":{one},"y":{two}}}"#),
    );
}
