//! Untrusted values in expressions.

use super::*;
use crate::authz::uri::UriForm;
use crate::json::Json;

fn json(text: &str) -> Value<'static> {
    let Json(value) = serde_json::from_str(text).unwrap();
    value.into_owned()
}

fn shown(found: Match) -> &'static str {
    match found {
        Match::Yes => "yes",
        Match::No => "no",
        Match::Indeterminate => "?",
        Match::Unknown => "unknown",
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "rows")]
fn arguments_are_compared_as_every_server_reads_them() {
    for (expression, arguments, expected) in [
        ("args.force == true", r#"{"force":true}"#, "yes"),
        ("args.force == true", r#"{"force":false}"#, "no"),
        ("args.force == true", r#"{"force":"true"}"#, "?"),
        ("args.force == true", r#"{"force":"no"}"#, "?"),
        ("args.force == true", r#"{"force":1}"#, "?"),
        ("args.force != true", r#"{"force":"true"}"#, "?"),
        ("args.force != true", r#"{"force":false}"#, "yes"),
        ("true == args.force", r#"{"force":"on"}"#, "?"),
        ("args.force", r#"{"force":"true"}"#, "?"),
        ("!args.force", r#"{"force":"false"}"#, "?"),
        ("args.force ? true : false", r#"{"force":1}"#, "?"),
        (
            "has(args.force) && args.force == true",
            r#"{"force":"t"}"#,
            "?",
        ),
        ("has(args.force) && args.force == true", "{}", "no"),
        ("args.n == 5", r#"{"n":5.0}"#, "yes"),
        ("args.n == 5", r#"{"n":"5"}"#, "?"),
        ("args.n == 5", r#"{"n":[5]}"#, "?"),
        ("args.n == 5", r#"{"n":5.5}"#, "?"),
        ("args.n == 5", r#"{"n":6}"#, "no"),
        ("args.n == 5u", r#"{"n":5}"#, "yes"),
        ("args.n in [5, 6]", r#"{"n":7}"#, "no"),
        ("args.n in [5, 6]", r#"{"n":"6"}"#, "?"),
        ("args.n in {5: true}", r#"{"n":"05"}"#, "?"),
        ("args.n in {5: true}", r#"{"n":7}"#, "no"),
        ("args.n < 5", r#"{"n":4}"#, "yes"),
        ("args.n < 5", r#"{"n":5}"#, "no"),
        ("args.n <= 5", r#"{"n":5.5}"#, "?"),
        ("args.n > 5", r#"{"n":"7"}"#, "?"),
        ("5 > args.n", r#"{"n":true}"#, "?"),
        ("args.n + 1 == 6", r#"{"n":5}"#, "yes"),
        ("args.n + 1 == 6", r#"{"n":7}"#, "no"),
        ("args.owner == 'root'", r#"{"owner":"root"}"#, "yes"),
        ("args.owner == 'root'", r#"{"owner":"Root "}"#, "?"),
        ("args.owner == 'root'", r#"{"owner":["root"]}"#, "?"),
        ("args.owner == 'root'", r#"{"owner":"[\"root\"]"}"#, "?"),
        ("args.owner == 'root'", r#"{"owner":"alice"}"#, "no"),
        ("args.owner == 'root'", r#"{"owner":"日本"}"#, "no"),
        ("args.owner == 'root'", r#"{"owner":null}"#, "no"),
        (
            "args.owner in ['root', 'admin']",
            r#"{"owner":"ADMIN"}"#,
            "?",
        ),
        (
            "args.owner in ['root', 'admin']",
            r#"{"owner":"bob"}"#,
            "no",
        ),
        ("args.owner in {'root': 1}", r#"{"owner":"ROOT"}"#, "?"),
        ("'root' in args.tags", r#"{"tags":["root","x"]}"#, "yes"),
        ("'root' in args.tags", r#"{"tags":["Root","x"]}"#, "?"),
        ("'root' in args.tags", r#"{"tags":["guest"]}"#, "no"),
        ("'root' in args.tags", r#"{"tags":"root"}"#, "?"),
        ("'root' in args.tags", r#"{"tags":{"Root":1}}"#, "?"),
        (
            "args.tags.exists(t, t == 'root')",
            r#"{"tags":["Root"]}"#,
            "?",
        ),
        (
            "args.tags.exists(t, t == 'root')",
            r#"{"tags":["Root","root"]}"#,
            "yes",
        ),
        (
            "args.tags.all(t, t in ['a', 'b'])",
            r#"{"tags":["a","c"]}"#,
            "no",
        ),
        (
            "args.tags.exists_one(t, t == 'root')",
            r#"{"tags":["root","x"]}"#,
            "yes",
        ),
        (
            "args.tags.filter(t, t == 'root') == []",
            r#"{"tags":["ROOT"]}"#,
            "?",
        ),
        (
            "args.tags.map(t, t + '!') == ['root!']",
            r#"{"tags":["root"]}"#,
            "yes",
        ),
        ("args.tags == ['root']", r#"{"tags":"root"}"#, "?"),
        ("args.a == args.b", r#"{"a":"x","b":"x"}"#, "yes"),
        ("args.a == args.b", r#"{"a":"5","b":5}"#, "?"),
        ("args.a == args.b", r#"{"a":"x","b":"y"}"#, "no"),
        (
            "args.owner + '/x' == 'root/x'",
            r#"{"owner":"root"}"#,
            "yes",
        ),
        ("args.owner + '/x' == 'root/x'", r#"{"owner":"root "}"#, "?"),
        ("args.owner + '/x' == 'root/x'", r#"{"owner":"bob"}"#, "no"),
        (
            "args.day == '2026-01-02'",
            r#"{"day":"2026-01-02T00:00:00Z"}"#,
            "?",
        ),
        ("args.day == '2026-01-02'", r#"{"day":1767312000}"#, "?"),
        ("args.day == '2026-01-02'", r#"{"day":"Jan 2, 2026"}"#, "?"),
        ("args.day == '2026-01-02'", r#"{"day":"2026-05-02"}"#, "no"),
        (
            "[1].map(x, args.owner) == ['root']",
            r#"{"owner":"Root"}"#,
            "?",
        ),
        (
            "['root'].exists(r, r == args.owner)",
            r#"{"owner":"Root"}"#,
            "?",
        ),
        (
            "[1].map(x, {'o': args.owner})[0].o == 'root'",
            r#"{"owner":"Root"}"#,
            "?",
        ),
        ("subject.groups.map(g, args.n)[0] == 5", r#"{"n":"5"}"#, "?"),
        ("args == {'a': 1}", r#"{"a":"1"}"#, "?"),
        ("[args.owner] == ['root']", r#"{"owner":"ROOT"}"#, "?"),
        (
            "type(args.force) == bool && args.force",
            r#"{"force":"true"}"#,
            "?",
        ),
        (
            "type(args.force) == bool && args.force",
            r#"{"force":true}"#,
            "yes",
        ),
        ("dyn(args.force) == true", r#"{"force":"true"}"#, "?"),
        ("size(args.tags) == 1", r#"{"tags":["a"]}"#, "yes"),
        ("args.owner == subject.id", r#"{"owner":"S"}"#, "?"),
        ("args.owner == subject.id", r#"{"owner":"other"}"#, "no"),
        ("args.owner == null", r#"{"owner":""}"#, "?"),
    ] {
        let compiled = Expression::compile(expression).unwrap();
        let found = evaluate(&compiled, &json(arguments), Value::Map(Vec::new()));
        assert_eq!(shown(found), expected, "{expression} {arguments}");
    }
}

#[test]
fn a_key_that_a_server_may_treat_as_the_named_one_leaves_no_result() {
    for (expression, arguments, expected) in [
        (
            "has(args.force) && args.force == true",
            r#"{"Force":true}"#,
            "?",
        ),
        (
            "has(args.force) && args.force == true",
            r#"{"force":false,"FORCE":true}"#,
            "?",
        ),
        ("args.dry_run == true", r#"{"dryRun":true}"#, "?"),
        ("args['dry_run'] == true", r#"{"dry-run":true}"#, "?"),
        ("'force' in args", r#"{"ſorce":1,"Force":1}"#, "?"),
        ("has(args.opts.force)", r#"{"opts":{"Force":true}}"#, "?"),
        ("has(args.opts.force)", r#"{"Opts":{"force":true}}"#, "?"),
        (
            "args.opts.force == true",
            r#"{"opts":{"force":true}}"#,
            "yes",
        ),
        (
            "args.items.exists(i, i.force == true)",
            r#"{"items":[{"Force":true}]}"#,
            "?",
        ),
        (
            "args.items.exists(i, has(i.force) && i.force)",
            r#"{"items":[{"Force":true}]}"#,
            "?",
        ),
        (
            "args.items.exists(i, 'force' in i)",
            r#"{"items":[{"Force":true}]}"#,
            "?",
        ),
        (
            "args.items.exists(i, i['force'] == true)",
            r#"{"items":[{"Force":true}]}"#,
            "?",
        ),
        (
            "args.items[0].force == true",
            r#"{"items":[{"Force":true}]}"#,
            "?",
        ),
        ("args.exists(k, k == 'force')", r#"{"Force":true}"#, "?"),
        ("args.exists(k, k == 'dry_run')", r#"{"dryRun":true}"#, "?"),
        ("args.exists(k, k == 'force')", r#"{"other":true}"#, "no"),
        ("args[args.k] == 1", r#"{"k":"force","Force":1}"#, "?"),
        ("given(args.force)", r#"{"force":null}"#, "no"),
        ("given(args.force)", "{}", "no"),
        ("given(args.force)", r#"{"force":1}"#, "yes"),
        ("given(args.force)", r#"{"Force":1}"#, "?"),
        (
            "args.items.all(i, given(i.a))",
            r#"{"items":[{"a":null}]}"#,
            "no",
        ),
        ("has(mcp.arguments.force)", r#"{"FORCE":1}"#, "?"),
    ] {
        let compiled = Expression::compile(expression).unwrap();
        let found = evaluate(&compiled, &json(arguments), Value::Map(Vec::new()));
        assert_eq!(shown(found), expected, "{expression} {arguments}");
    }
}

#[test]
fn functions_accept_their_documented_forms() {
    for (expression, arguments, expected) in [
        ("bool(args.x)", r#"{"x":true}"#, "yes"),
        ("bool(args.x)", r#"{"x":"true"}"#, "yes"),
        ("bool(args.x)", r#"{"x":"false"}"#, "?"),
        ("bool(args.x)", r#"{"x":"True"}"#, "?"),
        ("bool(args.x)", r#"{"x":1}"#, "?"),
        ("int(args.x) == 5", r#"{"x":"5"}"#, "yes"),
        ("int(args.x) == 5", r#"{"x":5.0}"#, "yes"),
        ("int(args.x) == 5", r#"{"x":"6"}"#, "no"),
        ("int(args.x) == 5", r#"{"x":"05"}"#, "?"),
        ("int(args.x) == 5", r#"{"x":" 5"}"#, "?"),
        ("int(args.x) == 5", r#"{"x":5.5}"#, "?"),
        ("int(args.x) == 5", r#"{"x":"5_0"}"#, "?"),
        ("int(args.x) == 1", r#"{"x":9007199254740993}"#, "?"),
        ("uint(args.x) == 5u", r#"{"x":-5}"#, "?"),
        ("num(args.x) == 5.5", r#"{"x":"5.5"}"#, "yes"),
        ("num(args.x) == 5.0", r#"{"x":5.5}"#, "?"),
        ("double(args.x) == 5.0", r#"{"x":"+5"}"#, "?"),
        ("text(args.x) == 'root'", r#"{"x":"root"}"#, "yes"),
        ("text(args.x) == 'root'", r#"{"x":"Root"}"#, "?"),
        ("text(args.x) == '5'", r#"{"x":5}"#, "?"),
        ("string(args.x) == '5'", r#"{"x":5}"#, "yes"),
        ("string(args.x) == '5'", r#"{"x":7}"#, "no"),
        ("string(args.x) == '5'", r#"{"x":"05"}"#, "?"),
        ("string(args.x) == 'true'", r#"{"x":"on"}"#, "?"),
        ("fold(args.x) == 'root'", r#"{"x":" ROOT"}"#, "yes"),
        ("fold(args.x) == 'root'", r#"{"x":"ro\u200bot"}"#, "no"),
        (
            "plain(args.x).contains('secret')",
            r#"{"x":"a S\u00adECRET"}"#,
            "yes",
        ),
        ("plain(args.x).contains('secret')", r#"{"x":5}"#, "?"),
        (
            "list(args.x).exists(t, t == 'a')",
            r#"{"x":"[\"a\"]"}"#,
            "yes",
        ),
        ("list(args.x).exists(t, t == 'a')", r#"{"x":"a"}"#, "?"),
        ("list(args.x) == ['a']", r#"{"x":["a"]}"#, "yes"),
        (
            "time(args.x) < now",
            r#"{"x":"1969-01-02T03:04:05Z"}"#,
            "yes",
        ),
        ("time(args.x) < now", r#"{"x":0}"#, "?"),
        ("timestamp(args.x) < now", r#"{"x":"1969-01-02"}"#, "?"),
        ("int('5') == 5 && bool('false') == false", "{}", "yes"),
    ] {
        let compiled = Expression::compile(expression).unwrap();
        let found = evaluate(&compiled, &json(arguments), Value::Map(Vec::new()));
        assert_eq!(shown(found), expected, "{expression} {arguments}");
    }
}

#[test]
fn claims_are_found_by_every_reading_of_their_path() {
    for (expression, claims, expected) in [
        (
            "subject.claims.verified == true",
            r#"{"verified":"true"}"#,
            "?",
        ),
        (
            "subject.claims.kubernetes.io.namespace == 'x'",
            r#"{"kubernetes.io":{"namespace":"x"}}"#,
            "yes",
        ),
        (
            "has(subject.claims.kubernetes.io)",
            r#"{"kubernetes.io":{}}"#,
            "yes",
        ),
        (
            "subject.claims['kubernetes.io'].namespace == 'x'",
            r#"{"kubernetes.io":{"namespace":"x"}}"#,
            "yes",
        ),
        ("subject.claims.a.b == 1", r#"{"a":{"b":1},"a.b":2}"#, "?"),
        (
            "has(subject.claims.groups)",
            r#"{"_claim_names":{"groups":"src1"}}"#,
            "?",
        ),
        ("'g' in subject.claims.groups", r#"{"hasgroups":true}"#, "?"),
        ("has(subject.claims.Groups)", r#"{"groups":1}"#, "no"),
        ("'groups' in subject.claims", r#"{"hasgroups":true}"#, "?"),
    ] {
        let compiled = Expression::compile(expression).unwrap();
        let found = evaluate(&compiled, &json("{}"), json(claims));
        assert_eq!(shown(found), expected, "{expression} {claims}");
    }
}

#[test]
fn facts_that_a_token_leaves_out_are_neither_present_nor_absent() {
    let mut subject = subject(Value::Map(Vec::new()));
    subject.unknown.groups = true;
    subject.unknown.tenant = true;
    let arguments = Value::Map(Vec::new());
    let request = request(&subject, &arguments);
    for expression in [
        "'g' in subject.groups",
        "has(subject.tenant)",
        "subject.tenant == 'x'",
        "size(subject.groups) == 1",
    ] {
        let compiled = Expression::compile(expression).unwrap();
        let found = compiled.evaluate(&Variables::new(&request, None));
        assert_eq!(found, Match::Indeterminate, "{expression}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "rows")]
fn the_uri_is_compared_as_a_uri() {
    use UriForm::{Normal, Opaque};
    for (expression, uri, form, expected) in [
        ("mcp.uri == 'note://s/x'", "note://s/x", Normal, "yes"),
        ("mcp.uri == 'note://s/x'", "note://S/x", Normal, "?"),
        ("mcp.uri == 'note://s/x'", "note://s/x?q", Normal, "?"),
        ("mcp.uri == 'note://s/x'", "note://s/y", Normal, "no"),
        ("mcp.uri == 'note://s/x'", "NOTE://s/x", Normal, "?"),
        ("mcp.uri != 'note://s/x'", "note://s/x/", Normal, "?"),
        ("'note://s/x' == mcp.uri", "note:s/x", Normal, "?"),
        (
            "mcp.uri in ['note://s/x', 'note://s/z']",
            "note:///s/z",
            Normal,
            "?",
        ),
        (
            "mcp.uri in ['note://s/x', 'note://s/z']",
            "note://s/y",
            Normal,
            "no",
        ),
        (
            "mcp.uri.startsWith('note://s/')",
            "note://s/x",
            Normal,
            "yes",
        ),
        ("mcp.uri.startsWith('note://s/')", "note:s/x", Normal, "?"),
        (
            "mcp.uri.startsWith('note://s/')",
            "note://t/x",
            Normal,
            "no",
        ),
        (
            "mcp.uri.contains('/secret')",
            "note://s/SECRET",
            Normal,
            "?",
        ),
        ("mcp.uri.endsWith('.md')", "note://s/a.md?x", Normal, "?"),
        ("glob(mcp.uri, 'note://s/*')", "note://s", Normal, "?"),
        ("glob(mcp.uri, 'note://s/*')", "note://t/x", Normal, "no"),
        ("has(mcp.uri)", "note://s/ x", Normal, "?"),
        ("has(mcp.uri)", "note://s/x", Normal, "yes"),
        (
            "mcp.uri_folded == 'note:s/x'",
            "note://S/x?q",
            Normal,
            "yes",
        ),
        (
            "mcp.uri_folded.startsWith('note:s/')",
            "note:///s/x/",
            Normal,
            "yes",
        ),
        ("mcp.uri == 'note://s/x'", "note://S/x", Opaque, "no"),
        ("mcp.uri == 'note://s/a b'", "note://s/a b", Opaque, "yes"),
        ("mcp.uri_folded == 'note:s/x'", "note://s/x", Opaque, "?"),
        (
            "mcp.uri in {'note://s/x': true}",
            "note://s/x",
            Normal,
            "yes",
        ),
        ("mcp.uri in {'note://s/x': true}", "note:s/x", Normal, "?"),
        (
            "(has(mcp.uri) ? mcp.uri : '').startsWith('note://s/')",
            "note:s/x",
            Normal,
            "?",
        ),
        (
            "[mcp.uri].exists(u, u.startsWith('note://s/'))",
            "note:s/x",
            Normal,
            "?",
        ),
        (
            "['note://s/x'].map(p, mcp.uri)[0] == 'note://s/x'",
            "note:s/x",
            Normal,
            "?",
        ),
        (
            "given(mcp.uri) && mcp.uri == 'note://s/x'",
            "NOTE://s/x",
            Normal,
            "?",
        ),
        ("mcp.uri + '' == 'note://s/x'", "note://S/x", Normal, "?"),
    ] {
        let subject = subject(Value::Map(Vec::new()));
        let arguments = Value::Map(Vec::new());
        let mut request = request(&subject, &arguments);
        request.resource = Resource::Uri(uri);
        request.context.uris = form;
        let compiled = Expression::compile(expression).unwrap();
        let found = compiled.evaluate(&Variables::new(&request, None));
        assert_eq!(shown(found), expected, "{expression} {uri} {form:?}");
    }
}

#[test]
fn a_text_that_no_folded_text_can_hold_is_refused() {
    for (expression, right) in [
        ("plain(args.a).contains('SECRET')", "secret"),
        ("fold(args.a) == 'Root'", "root"),
        ("'Root' == fold(args.a)", "root"),
        ("fold(args.a) in ['root', 'Admin']", "admin"),
        ("glob(plain(args.a), 'Release-*')", "release-*"),
        ("plain(args.a).startsWith('ｓecret')", "secret"),
        ("plain(args.a).endsWith('s\u{200b}x')", "sx"),
    ] {
        let errors = Expression::compile(expression).unwrap_err();
        assert_eq!(errors.len(), 1, "{expression}");
        assert_eq!(errors[0].help, format!("the folded form is `{right}`"));
    }
    for expression in [
        "plain(args.a).contains(' secret')",
        "fold(args.a) == 'strasse'",
        "args.a.contains('SECRET')",
        "plain(args.a) in ['grösse', '日本']",
    ] {
        assert!(Expression::compile(expression).is_ok(), "{expression}");
    }
}
