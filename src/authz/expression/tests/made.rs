//! Untrusted values that an expression must keep track of.

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
    compiled.evaluate(&Variables::new(&request, None))
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
fn values_that_a_loop_builds_from_arguments_are_external() {
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
    let found = compiled.evaluate(&Variables::new(&request, None));
    assert_eq!(found, Match::Indeterminate);
}

#[test]
fn objects_and_joined_texts_are_read_in_more_than_one_way() {
    has_no_result(&[
        ("'admin' in args.roles", r#"{"roles":{"0":"admin"}}"#),
        ("true in {args.force: 1}", r#"{"force":"true"}"#),
        ("'' + args.id == '5'", r#"{"id":"05"}"#),
        ("'' + args.force == 'true'", r#"{"force":"yes"}"#),
    ]);
}
