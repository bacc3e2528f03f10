//! Messages and their targets.

use super::*;
use crate::authz::{ActionKind, Resource, Value};

#[test]
fn the_table_is_sorted_and_unique() {
    assert!(METHODS.is_sorted_by(|a, b| a.name < b.name));
}

/// The methods whose results are lists, and the member that holds the list. The skills are not a
/// filtered list.
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
fn every_listing_method_declares_its_list() {
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
        // A list that is not filtered needs a rule.
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
Use | Uri("u/x") | resources/read | completion/complete | "ref":{"type":"ref/resource","uri":"u/x"}
Use | Template("u/{x}") | resources/read | completion/complete | "ref":{"type":"ref/resource","uri":"u/{x}"}

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
        assert_eq!(message.kind.reply_id(), None);
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

/// The completed template, the template, the variable to be completed, and the known values of
/// others.
const COMPLETIONS: &str = r#"
Uri("n://pub/x")          | n://{dir}/x        | "name"  | {"dir":"pub"}
Uri("n://a.b_c~d-1/x")    | n://{dir}/x        | "name"  | {"dir":"a.b_c~d-1"}
Uri("n://pub/pub")        | n://{dir}/{dir}    | "name"  | {"dir":"pub"}
Uri("n://a/b")            | n://{x}/{Y_1}      | "name"  | {"x":"a","Y_1":"b"}
Uri("n://pub}")           | n://{dir}}         | "name"  | {"dir":"pub"}
Template("n://pub/{name}") | n://{dir}/{name}  | "name"  | {"dir":"pub"}
Template("n://{dir}/a")    | n://{dir}/{name}  | "dir"   | {"dir":"pub","name":"a"}
Template("n://{dir}/a")    | n://{dir}/{name}  | "D i-r" | {"dir":"pub","name":"a"}
Template("n://{dir}/x")    | n://{dir}/x       | "name"  | {}
Template("n://{dir}/x")    | n://{dir}/x       | "name"  | null
Template("n://{dir}/x")    | n://{dir}/x       | 5       | {"dir":"pub"}
Template("n://{dir}/x")    | n://{dir}/x       | null    | {"dir":"pub"}
Template("n://{dir}/x")    | n://{dir}/x       | "name"  | {"dir":""}
Template("n://{dir}/x")    | n://{dir}/x       | "name"  | {"dir":"."}
Template("n://{dir}/x")    | n://{dir}/x       | "name"  | {"dir":".."}
Template("n://{dir}/x")    | n://{dir}/x       | "name"  | {"dir":"a/b"}
Template("n://{dir}/x")    | n://{dir}/x       | "name"  | {"dir":"a b"}
Template("n://{dir}/x")    | n://{dir}/x       | "name"  | {"dir":"a%62"}
Template("n://{dir}/x")    | n://{dir}/x       | "name"  | {"dir":"é"}
Template("n://{dir}/x")    | n://{dir}/x       | "name"  | {"dir":"{name}"}
Template("n://{dir}/x")    | n://{dir}/x       | "name"  | {"dir":5}
Template("n://{dir}/x")    | n://{dir}/x       | "name"  | {"dir":["pub"]}
Template("n://{dir}/x")    | n://{dir}/x       | "name"  | {"Dir":"pub"}
Template("n://{dir}/x")    | n://{dir}/x       | "name"  | {"dir":"pub","d_i-r ":"secret"}
Template("n://{disk}/x")   | n://{disk}/x      | "name"  | {"disk":"pub","di_\u017f\u212a":"secret"}
Template("n://{+dir}/x")   | n://{+dir}/x      | "name"  | {"dir":"pub"}
Template("n://pub{/dir}")  | n://{dir}{/dir}   | "name"  | {"dir":"pub"}
Template("n://{dir*}")     | n://{dir*}        | "name"  | {"dir":"pub"}
Template("n://{dir:2}")    | n://{dir:2}       | "name"  | {"dir":"pub"}
Template("n://{dir,name}") | n://{dir,name}    | "x"     | {"dir":"pub","name":"a"}
Template("n://{ dir}")     | n://{ dir}        | "name"  | {"dir":"pub"}
Template("n://{}")         | n://{}            | "name"  | {"":"pub"}
Template("n://{{dir}}")    | n://{{dir}}       | "name"  | {"dir":"pub"}
Template("n://pub/{dir")   | n://{dir}/{dir    | "name"  | {"dir":"pub"}
"#;

#[test]
fn a_template_is_completed_as_far_as_it_is_not_known() {
    for [resource, template, argument, known] in rows(COMPLETIONS) {
        let body = completion(template, argument, known);
        let message = one(&body);
        let [target] = message.targets()[..] else {
            panic!("{body}: not one target")
        };
        assert_eq!(format!("{:?}", target.resource), resource, "{body}");
        assert_eq!(target.name, Some(template), "{body}");
        assert_eq!(message.names()[..], [template]);
    }
}

fn completion(template: &str, argument: &str, known: &str) -> String {
    let params = format!(
        r#"{{"ref":{{"type":"ref/resource","uri":"{template}"}},"argument":{{"name":{argument},"value":"v"}},"context":{{"arguments":{known}}}}}"#
    );
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{params}}}"#)
}

/// However often a long value occurs in a template, the result is no longer than a URI may be.
#[test]
fn a_template_grows_no_longer_than_a_uri() {
    let known = |length: usize| format!(r#"{{"a":"{}"}}"#, "v".repeat(length));
    let longest = DecodeOptions::default().uri_bytes_max;
    let is_filled = |template: &str, known: &str| {
        let body = completion(template, r#""name""#, known);
        let message = one(&body);
        matches!(message.targets()[0].resource, Resource::Uri(_))
    };
    assert!(is_filled("{a}", &known(longest)));
    assert!(!is_filled("{a}", &known(longest + 1)));
    assert!(!is_filled("{a}x", &known(longest)));
    assert!(!is_filled(&"{a}".repeat(2000), &known(100_000)));
    let many = |count: usize| {
        let others: Vec<String> = (1..count).map(|n| format!(r#""b{n}":0"#)).collect();
        format!(r#"{{"a":"v",{}}}"#, others.join(","))
    };
    assert!(is_filled("{a}", &many(64)));
    assert!(!is_filled("{a}", &many(65)));
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

#[test]
fn every_kind_of_list_has_its_methods() {
    let methods = ListKind::ALL.map(|kind| {
        let call = kind.call().map(|call| call.method);
        (kind.method(), call)
    });
    let expected = [
        (Some("tools/list"), Some("tools/call")),
        (Some("prompts/list"), Some("prompts/get")),
        (Some("resources/list"), Some("resources/read")),
        (Some("resources/templates/list"), Some("resources/read")),
        (Some("tasks/list"), None),
    ];
    assert_eq!(methods, expected);
    let all = ListKind::ALL.into_iter().collect::<ListKinds>();
    assert_eq!(all, ListKinds::ALL);
}
