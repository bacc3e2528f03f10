//! Messages and what they want done.

use super::*;
use crate::authz::{ActionKind, Resource, Value};

#[test]
fn the_table_is_sorted_and_unique() {
    assert!(METHODS.is_sorted_by(|a, b| a.name < b.name));
}

/// The methods whose results are lists, and the member that is the list. The skills are none of the
/// lists that are filtered.
const LISTS: &[(&str, Option<&str>)] = &[
    ("prompts/list", Some("prompts")),
    ("resources/directory/read", Some("resources")),
    ("resources/list", Some("resources")),
    ("resources/templates/list", Some("resourceTemplates")),
    ("skills/list", None),
    ("tasks/list", Some("tasks")),
    ("tools/list", Some("tools")),
];

#[test]
fn every_method_that_lists_says_what() {
    for entry in METHODS {
        let known = LISTS.iter().find(|(name, _)| *name == entry.name);
        let member = entry.lists.map(ListKind::member);
        assert_eq!(
            member,
            known.and_then(|(_, member)| *member),
            "{}",
            entry.name
        );
        let is_list = entry.name.ends_with("/list");
        assert!(
            known.is_some() || !is_list,
            "{}: what does it list?",
            entry.name
        );
        // What is not filtered needs a rule.
        let is_open = entry.kind == ActionKind::Open;
        assert!(!is_open || !is_list || member.is_some(), "{}", entry.name);
    }
}

/// Kind, resource, other way, method and the members of `params`.
const TARGETS: &str = r#"
Open | Server |  | initialize      | "protocolVersion":"2025-06-18"
Open | Server |  | server/discover |
Open | Server |  | ping            |
Open | Server |  | logging/setLevel | "level":"info"
Open | Server |  | tools/list      | "cursor":"x","name":5
Open | Server |  | prompts/list    |
Open | Server |  | resources/list  |
Open | Server |  | resources/templates/list |

Use | Tool("t")   |  | tools/call     | "name":"t","uri":"u"
Use | Prompt("p") |  | prompts/get    | "name":"p"
Use | Uri("u")    |  | resources/read | "uri":"u"
Use | Uri("u")    |  | resources/directory/read | "uri":"u"
Use | Uri("u") | resources/read | resources/subscribe   | "uri":"u"
Use | Uri("u") | resources/read | resources/unsubscribe | "uri":"u"

Open | Server  |                | subscriptions/listen |
Open | Server  |                | subscriptions/listen | "notifications":{"toolsListChanged":true}
Use  | Uri("u") | resources/read | subscriptions/listen | "notifications":{"resourceSubscriptions":["u"]}
Use  | Task("i") | tasks/get     | subscriptions/listen | "notifications":{"taskIds":["i"]}

Use | Prompt("p")  | prompts/get    | completion/complete | "ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":"v"}
Use | Uri("u/{x}") | resources/read | completion/complete | "ref":{"type":"ref/resource","uri":"u/{x}"}

Use | Task("i") |  | tasks/get    | "taskId":"i"
Use | Task("i") |  | tasks/cancel | "taskId":"i"
Use | Task("i") |  | tasks/result | "taskId":"i"
Use | Task("i") |  | tasks/update | "taskId":"i"
Use | Server    |  | tasks/list   |
Use | Server    |  | skills/list  |
Use | Uri("u")  |  | skills/get   | "uri":"u"

Open | Server |  | notifications/initialized |
Open | Server |  | notifications/cancelled   | "requestId":1
Open | Server |  | notifications/progress    | "progressToken":1
Open | Server |  | notifications/roots/list_changed |
Open | Server |  | notifications/tasks/status | "taskId":"i"

Unknown | Server |  | notifications/vendor |
Unknown | Server |  | vendor/x    | "name":"n"
Unknown | Server |  | Tools/call  | "name":"n"
Unknown | Server |  | tools/call/ | "name":"n"
Unknown | Server |  |             |
"#;

#[test]
fn every_method_has_its_target() {
    for [kind, resource, authorized_as, method, params] in rows(TARGETS) {
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params}}}}}"#);
        let message = one(&body);
        let [target] = message.targets()[..] else {
            panic!("{body}: not one target")
        };
        assert_eq!(target.action.method, method);
        let found = format!(
            "{:?} {:?} {}",
            target.action.kind,
            target.resource,
            target.action.authorized_as.unwrap_or_default()
        );
        assert_eq!(
            found,
            format!("{kind} {resource} {authorized_as}"),
            "{body}"
        );
    }
    for entry in METHODS {
        assert!(
            rows(TARGETS).any(|row: [&str; 5]| row[3] == entry.name),
            "{}",
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
        .map(|target| {
            (
                target.action.kind,
                target.resource,
                target.action.authorized_as,
            )
        })
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

#[test]
fn a_call_may_create_a_task_if_it_or_its_client_asks_for_one() {
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","#;
    let capabilities = r#""_meta":{"io.modelcontextprotocol/clientCapabilities":"#;
    for (params, may) in [
        (r#""arguments":{"task":{}}}}"#.to_owned(), false),
        (r#""task":{}}}"#.to_owned(), true),
        (r#""task":{"ttl":60000,"x":[1]}}}"#.to_owned(), true),
        // Whatever a server makes of these.
        (r#""task":null}}"#.to_owned(), true),
        (r#""task":"x"}}"#.to_owned(), true),
        (
            format!("{capabilities}{{\"extensions\":{{}}}}}}}}}}"),
            false,
        ),
        (
            format!(
                "{capabilities}{{\"extensions\":{{\"io.modelcontextprotocol/tasks\":{{}}}}}}}}}}}}"
            ),
            true,
        ),
    ] {
        let body = format!("{call}{params}");
        assert_eq!(one(&body).may_create_task(), may, "{body}");
    }
    let get = r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"a","task":{}}}"#;
    assert!(!one(get).may_create_task());
}
