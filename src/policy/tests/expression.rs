//! `if`.

use super::*;
use crate::authz::Value;

const EXPRESSIONS: &[(&str, &str)] = &[
    ("args.owner != 'acme'", "no"),
    ("args.owner == 'acme'", "yes"),
    ("args.missing == 'acme'", "?"),
    ("has(args.missing) && args.missing == 'acme'", "no"),
    ("has(args.owner)", "yes"),
    ("args['owner'] == 'acme'", "yes"),
    ("mcp.arguments.n == 5", "yes"),
    ("mcp.arguments.owner == 'acme'", "yes"),
    ("args.n > 4 && args.n < 6.5", "yes"),
    ("args.owner > 4", "?"),
    ("args.n + 9223372036854775807 > 0", "?"),
    ("1 / (args.n - 5) == 1", "?"),
    ("args.n == 5 || args.missing == 1", "yes"),
    ("args.missing == 1 || args.n == 5", "yes"),
    ("args.n", "?"),
    (
        "subject.id == 'alice' && subject.issuer == 'https://idp'",
        "yes",
    ),
    ("subject.tenant == 'acme'", "?"),
    ("has(subject.tenant)", "no"),
    ("has(subject.agent) && subject.agent == 'cursor'", "yes"),
    (
        "'oncall' in subject.groups && !('x' in subject.roles)",
        "yes",
    ),
    ("subject.scopes.exists(s, s.startsWith('repo:'))", "yes"),
    ("subject.claims.org.unit == 'core'", "yes"),
    ("has(subject.claims.org.none)", "no"),
    (
        "has(subject.claims.org) && subject.claims['https://x.y/level'] >= 3",
        "yes",
    ),
    ("subject.claims.tags.all(t, t in ['a', 'b'])", "yes"),
    (
        "mcp.server == 'github' && mcp.method == 'tools/call'",
        "yes",
    ),
    ("mcp.name == 'get_issue' && mcp.class == 'read'", "yes"),
    ("mcp.uri == 'x'", "?"),
    ("has(mcp.uri) || has(mcp.session)", "no"),
    ("mcp.protocol_version >= '2025-06-18'", "yes"),
    ("ip_in(source.ip, '10.0.0.0/8')", "yes"),
    ("ip_in(source.ip, '::/0')", "no"),
    ("ip_in(args.owner, '10.0.0.0/8')", "?"),
    ("ip_in(source.ip, args.owner)", "?"),
    ("source.principal == 'spiffe://td/agent'", "yes"),
    ("glob(args.owner, 'ac*') && !glob(mcp.name, 'set_*')", "yes"),
    ("glob(args.n, '5')", "?"),
    (
        "request.host == 'mcp.example.com' && request.path == '/github/mcp'",
        "yes",
    ),
    ("request.headers['user-agent'] == 'test'", "yes"),
    ("request.headers['cookie'] == 'test'", "?"),
    (
        "now > timestamp('2026-11-20T09:59:59Z') && now.getFullYear() == 2026",
        "yes",
    ),
    (
        "now - timestamp('2026-11-20T09:00:00Z') == duration('1h')",
        "yes",
    ),
    ("now.getHours('Europe/Berlin') == 11", "yes"),
    ("now.getHours(args.owner) == 11", "?"),
    ("args.owner.matches('^ac[a-z]+$')", "yes"),
    ("type(args.n) == int", "yes"),
];

#[test]
fn if_evaluates_expressions() {
    for (expression, expected) in EXPRESSIONS {
        check(
            &format!("if: {expression:?}"),
            &SampleCall::default(),
            expected,
        );
    }
    let none = SampleCall {
        arguments: None,
        ..SampleCall::default()
    };
    check(
        "if: has(args.owner) || has(mcp.arguments.owner)",
        &none,
        "no",
    );
    check("if: args.owner != 'acme'", &none, "?");
}

#[test]
fn an_expression_does_not_read_too_large_values() {
    let list = |length| Value::List(vec![Value::Int(1); length]);
    for (expression, length, expected) in [
        ("args.l.all(x, x == 1)", 9_000, "yes"),
        ("args.l.all(x, x == 1)", 10_001, "?"),
        ("args.l.all(x, args.l.all(y, y == x))", 100, "yes"),
        ("args.l.all(x, args.l.all(y, y == x))", 600, "?"),
        ("args.l.all(x, x in args.l)", 100, "yes"),
        ("args.l.all(x, x in args.l)", 600, "?"),
        ("args.l.all(x, x in [1, 2])", 9_000, "yes"),
    ] {
        let call = SampleCall::with(&[("l", list(length))]);
        check(&format!("if: {expression:?}"), &call, expected);
    }
}
