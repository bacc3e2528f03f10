//! Messages and what they want done.

use super::*;
use crate::authz::{ActionKind, Resource, Value};

#[test]
fn the_table_is_sorted_and_unique() {
    assert!(METHODS.is_sorted_by(|a, b| a.name < b.name));
}

#[test]
fn every_method_has_its_target() {
    use ActionKind::{Open, Unknown, Use};
    let rows: &[(&str, &str, ActionKind, Resource<'_>, Option<&str>)] = &[
        (
            "initialize",
            r#""protocolVersion":"2025-06-18""#,
            Open,
            Resource::Server,
            None,
        ),
        ("server/discover", "", Open, Resource::Server, None),
        ("ping", "", Open, Resource::Server, None),
        (
            "tools/list",
            r#""cursor":"x","name":5"#,
            Open,
            Resource::Server,
            None,
        ),
        (
            "tools/call",
            r#""name":"t","uri":"u""#,
            Use,
            Resource::Tool("t"),
            None,
        ),
        ("resources/list", "", Open, Resource::Server, None),
        ("resources/templates/list", "", Open, Resource::Server, None),
        (
            "resources/read",
            r#""uri":"u""#,
            Use,
            Resource::Uri("u"),
            None,
        ),
        (
            "resources/subscribe",
            r#""uri":"u""#,
            Use,
            Resource::Uri("u"),
            Some("resources/read"),
        ),
        (
            "resources/unsubscribe",
            r#""uri":"u""#,
            Use,
            Resource::Uri("u"),
            Some("resources/read"),
        ),
        (
            "resources/directory/read",
            r#""uri":"u""#,
            Use,
            Resource::Uri("u"),
            None,
        ),
        ("subscriptions/listen", "", Open, Resource::Server, None),
        (
            "subscriptions/listen",
            r#""notifications":{"toolsListChanged":true}"#,
            Open,
            Resource::Server,
            None,
        ),
        ("prompts/list", "", Open, Resource::Server, None),
        (
            "prompts/get",
            r#""name":"p""#,
            Use,
            Resource::Prompt("p"),
            None,
        ),
        (
            "completion/complete",
            r#""ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":"v"}"#,
            Use,
            Resource::Prompt("p"),
            Some("prompts/get"),
        ),
        (
            "completion/complete",
            r#""ref":{"type":"ref/resource","uri":"u/{x}"}"#,
            Use,
            Resource::Uri("u/{x}"),
            Some("resources/read"),
        ),
        (
            "logging/setLevel",
            r#""level":"info""#,
            Open,
            Resource::Server,
            None,
        ),
        (
            "tasks/get",
            r#""taskId":"i""#,
            Use,
            Resource::Task("i"),
            None,
        ),
        (
            "tasks/cancel",
            r#""taskId":"i""#,
            Use,
            Resource::Task("i"),
            None,
        ),
        (
            "tasks/result",
            r#""taskId":"i""#,
            Use,
            Resource::Task("i"),
            None,
        ),
        (
            "tasks/update",
            r#""taskId":"i""#,
            Use,
            Resource::Task("i"),
            None,
        ),
        ("tasks/list", "", Use, Resource::Server, None),
        ("skills/list", "", Use, Resource::Server, None),
        ("skills/get", r#""uri":"u""#, Use, Resource::Uri("u"), None),
        (
            "notifications/initialized",
            "",
            Open,
            Resource::Server,
            None,
        ),
        (
            "notifications/cancelled",
            r#""requestId":1"#,
            Open,
            Resource::Server,
            None,
        ),
        (
            "notifications/progress",
            r#""progressToken":1"#,
            Open,
            Resource::Server,
            None,
        ),
        (
            "notifications/roots/list_changed",
            "",
            Open,
            Resource::Server,
            None,
        ),
        (
            "notifications/tasks/status",
            r#""taskId":"i""#,
            Open,
            Resource::Server,
            None,
        ),
        ("notifications/vendor", "", Unknown, Resource::Server, None),
        ("vendor/x", r#""name":"n""#, Unknown, Resource::Server, None),
        (
            "Tools/call",
            r#""name":"n""#,
            Unknown,
            Resource::Server,
            None,
        ),
        (
            "tools/call ",
            r#""name":"n""#,
            Unknown,
            Resource::Server,
            None,
        ),
        ("", "", Unknown, Resource::Server, None),
    ];
    for (method, params, kind, resource, authorized_as) in rows {
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params}}}}}"#);
        let message = one(&body);
        let [target] = message.targets()[..] else {
            panic!("{body}: not one target")
        };
        assert_eq!(target.action.method, *method);
        let found = (target.action.kind, target.resource, target.authorized_as);
        assert_eq!(found, (*kind, *resource, *authorized_as), "{body}");
    }
    for entry in METHODS {
        assert!(
            rows.iter().any(|row| row.0 == entry.name),
            "no row for {}",
            entry.name
        );
    }
}

#[test]
fn notifications_and_responses_are_open_and_vendor_ones_are_not() {
    let rows = [
        (
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            "notifications/initialized",
            ActionKind::Open,
        ),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/vendor"}"#,
            "notifications/vendor",
            ActionKind::Open,
        ),
        (
            r#"{"jsonrpc":"2.0","method":"vendor/x"}"#,
            "vendor/x",
            ActionKind::Unknown,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            "response",
            ActionKind::Open,
        ),
        (
            r#"{"jsonrpc":"2.0","id":"s-1","error":{"code":1,"message":"m"}}"#,
            "response",
            ActionKind::Open,
        ),
    ];
    for (body, method, kind) in rows {
        let message = one(body);
        let [target] = message.targets()[..] else {
            panic!("{body}: not one target")
        };
        assert_eq!((target.action.method, target.action.kind), (method, kind));
        assert_eq!(message.kind.answer_id(), None);
    }
}

#[test]
fn a_subscription_reaches_each_uri_and_task() {
    let message = one(
        r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":
           {"resourceSubscriptions":["a","b"],"taskIds":["t"],"toolsListChanged":true}}}"#,
    );
    let found: Vec<_> = message
        .targets()
        .iter()
        .map(|target| (target.action.kind, target.resource, target.authorized_as))
        .collect();
    let expected = [
        (ActionKind::Use, Resource::Uri("a"), Some("resources/read")),
        (ActionKind::Use, Resource::Uri("b"), Some("resources/read")),
        (ActionKind::Use, Resource::Task("t"), Some("tasks/get")),
    ];
    assert_eq!(found, expected);
}

#[test]
fn targets_carry_the_arguments_that_will_be_used() {
    let rows = [
        ("tools/call", r#""name":"t","arguments":{"a":1}"#, true),
        ("tools/call", r#""name":"t","arguments":null"#, false),
        ("tools/call", r#""name":"t""#, false),
        ("prompts/get", r#""name":"t","arguments":{"a":1}"#, true),
        ("vendor/x", r#""arguments":{"a":1}"#, true),
        ("resources/read", r#""uri":"t","arguments":{"a":1}"#, false),
        (
            "completion/complete",
            r#""ref":{"type":"ref/prompt","name":"p"},"arguments":{"b":2},"context":{"arguments":{"a":1}}"#,
            true,
        ),
        (
            "completion/complete",
            r#""ref":{"type":"ref/prompt","name":"p"},"arguments":{"a":1},"context":{}"#,
            false,
        ),
    ];
    for (method, params, has_arguments) in rows {
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params}}}}}"#);
        let message = one(&body);
        let expected = Value::Map(vec![("a".into(), Value::Int(1))]);
        let found = message.targets()[0].arguments.cloned();
        assert_eq!(found, has_arguments.then_some(expected), "{body}");
    }
}
