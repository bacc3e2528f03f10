//! `what`.

use super::*;
use crate::authz::{Resource, Value};

#[test]
fn what_selects_calls() {
    let prompt = SampleCall::on("prompts/get", Resource::Prompt("review"));
    let completion = SampleCall::on("completion/complete", Resource::Prompt("review"));
    let file = SampleCall::on("resources/read", Resource::Uri("file:///srv/a/b.md"));
    let task = SampleCall::on("tasks/get", Resource::Task("t1"));
    let call = SampleCall::default();
    for (call, selectors, expected) in [
        (&call, "what: {servers: [github]}", "yes"),
        (&call, "what: {servers: [files, github]}", "yes"),
        (&call, "what: {servers: [files]}", "no"),
        (&call, "what: {not: {servers: [files]}}", "yes"),
        (&call, "what: {not: {servers: [github]}}", "no"),
        (&call, "what: {methods: [tools/call]}", "yes"),
        (&call, "what: {methods: ['tools/*']}", "yes"),
        (&call, "what: {methods: [prompts/get]}", "no"),
        (&call, "what: {tools: [get_issue]}", "yes"),
        (&call, "what: {tools: ['list_*', 'get_?????']}", "yes"),
        (&call, "what: {tools: ['Get_*']}", "no"),
        (&call, "what: {not: {tools: ['get_*']}}", "no"),
        (&call, "what: {not: {tools: ['list_*']}}", "yes"),
        (&call, "what: {classes: [read]}", "yes"),
        (&call, "what: {classes: [write, unclassified]}", "no"),
        (&call, "what: {classes: [read], tools: ['list_*']}", "no"),
        (
            &call,
            "what: {classes: [read], tools: [get_issue, x]}",
            "yes",
        ),
        (&call, "what: {prompts: ['*']}", "no"),
        (&call, "what: {resources: ['**']}", "no"),
        (&prompt, "what: {prompts: ['rev*']}", "yes"),
        (&prompt, "what: {prompts: [other]}", "no"),
        (&prompt, "what: {tools: ['*']}", "no"),
        (&prompt, "what: {not: {tools: [x]}}", "no"),
        (&prompt, "what: {servers: [github]}", "yes"),
        (&completion, "what: {prompts: [review]}", "yes"),
        (
            &completion,
            "what: {prompts: [review], methods: [prompts/get]}",
            "no",
        ),
        (
            &completion,
            "what: {prompts: [review], arguments: {a: b}}",
            "no",
        ),
        (&file, "what: {resources: ['file:///srv/**']}", "yes"),
        (&file, "what: {resources: ['file:///srv/*']}", "no"),
        (&file, "what: {resources: ['file:///srv/a/b.md']}", "yes"),
        (&task, "what: {methods: ['tasks/*']}", "yes"),
        (&task, "what: {servers: [github]}", "yes"),
        (&task, "what: {tools: ['*']}", "no"),
    ] {
        check(selectors, call, expected);
    }
}

#[test]
fn an_ambiguous_uri_cannot_be_matched() {
    for (uri, expected) in [
        ("file:///srv/a", "yes"),
        ("file:///srv/a..b/.x/c%20e", "yes"),
        ("file:///srv/c%2Fd", "?"),
        ("file:///srv/a?x=../y", "yes"),
        ("file:///srv?x", "?"),
        ("file:///etc/passwd", "no"),
        (" file:///etc/passwd", "?"),
        ("file:///srv/a b", "?"),
        ("file:///srv/../etc/passwd", "?"),
        ("file:///srv/..", "?"),
        ("file:///srv/./a", "?"),
        ("file:///srv/%2e%2e/etc", "?"),
        ("file:///srv/..%2Fetc", "?"),
        ("file:///srv/%252e%252e/etc", "?"),
        ("file:///srv/..\\etc", "?"),
        ("file:///srv%5c..%5cetc", "?"),
        ("file:///%65tc", "?"),
        ("file:///srv/%0a", "?"),
        ("file:///srv/%zz", "?"),
        ("FILE:///srv/a", "?"),
        ("https://x/../y", "no"),
    ] {
        let call = SampleCall::on("resources/read", Resource::Uri(uri));
        check("what: {resources: ['file:///srv/**']}", &call, expected);
    }
    let odd = SampleCall::on("resources/read", Resource::Uri("file:///srv/../x"));
    check("what: {resources: ['file:///srv/a']}", &odd, "?");
    check("what: {servers: [github]}", &odd, "yes");
}

#[test]
#[expect(clippy::too_many_lines, reason = "rows")]
fn arguments_select_values() {
    let list = |items: &[Value<'static>]| Value::List(items.to_vec());
    let (acme, evil) = (text("acme"), text("evil"));
    let deep = object(&[("owner", acme.clone())]);
    for (selectors, value, expected) in [
        ("{a: acme}", acme.clone(), "yes"),
        ("{a: [x, 'ac*']}", acme.clone(), "yes"),
        ("{a: acme}", evil.clone(), "no"),
        ("{a: acme}", Value::Null, "no"),
        ("{a: acme, b: x}", acme.clone(), "no"),
        ("{b: x}", acme.clone(), "no"),
        ("{a: 5}", Value::Int(5), "yes"),
        ("{a: 5}", Value::Float(5.0), "yes"),
        ("{a: 5}", Value::Float(5.5), "?"),
        ("{a: 5}", Value::Float(6.5), "no"),
        ("{a: 5.5}", Value::Float(5.5), "yes"),
        ("{a: 5.0}", Value::Int(5), "yes"),
        ("{a: 5}", Value::Uint(u64::MAX), "no"),
        ("{a: 5}", Value::Float(1e300), "no"),
        ("{a: 5}", text("5"), "?"),
        ("{a: '5'}", Value::Int(5), "?"),
        ("{a: true}", Value::Bool(true), "yes"),
        ("{a: true}", Value::Bool(false), "no"),
        ("{a: true}", text("true"), "?"),
        ("{a: [5, five]}", text("5"), "?"),
        ("{a: [5, '5']}", text("5"), "yes"),
        ("{a: acme}", list(std::slice::from_ref(&acme)), "yes"),
        ("{a: acme}", list(&[acme.clone(), acme.clone()]), "yes"),
        ("{a: acme}", list(std::slice::from_ref(&evil)), "no"),
        ("{a: acme}", list(&[]), "no"),
        ("{a: acme}", list(&[acme.clone(), evil.clone()]), "?"),
        ("{a: acme}", list(&[evil.clone(), acme.clone()]), "?"),
        ("{a: acme}", list(&[list(std::slice::from_ref(&acme))]), "?"),
        ("{a: acme}", deep.clone(), "?"),
        ("{a: acme}", text("Acme"), "?"),
        ("{a: acme}", text(" acme\n"), "?"),
        ("{a: 'ac*'}", text("ACME"), "?"),
        ("{a: 'ac*'}", text("evil"), "no"),
        ("{a: 'drop ?able'}", text("DROP table"), "?"),
        ("{a: 'root?'}", text("ROOT "), "?"),
        ("{a: 'stra?e'}", text("STRAẞE"), "?"),
        ("{a: 'admin*'}", text("ADMIN\u{301}x"), "?"),
        ("{a: 'é*'}", text("École"), "?"),
        ("{a: 'é*'}", text("ecole"), "no"),
        ("{a: '5*'}", Value::Int(57), "?"),
        ("{a: '5*'}", Value::Int(75), "no"),
        ("{a: '*'}", list(&[]), "?"),
        ("{a: true}", Value::Null, "?"),
        ("{a: true}", list(&[Value::Bool(false)]), "?"),
        ("{a: false}", list(&[Value::Bool(false)]), "?"),
        ("{a: 'x,y'}", list(&[text("x"), text("y")]), "?"),
        ("{a.owner: acme}", deep.clone(), "yes"),
        ("{a.owner: acme}", acme.clone(), "?"),
        ("{a.owner: acme}", list(std::slice::from_ref(&deep)), "?"),
        ("{a.other: acme}", deep, "no"),
    ] {
        let call = SampleCall::with(&[("a", value)]);
        check(
            &format!("what: {{arguments: {selectors}}}"),
            &call,
            expected,
        );
    }
    let none = SampleCall {
        arguments: None,
        ..SampleCall::default()
    };
    check("what: {arguments: {a: acme}}", &none, "no");
    check("what: {not: {arguments: {a: acme}}}", &none, "yes");
    check(
        "what: {not: {arguments: {a: acme}}}",
        &SampleCall::on("prompts/get", Resource::Prompt("p")),
        "no",
    );
}
