//! Calls inside calls.

use std::sync::Arc;

use super::*;
use crate::authz::{Resource, Value, ValuePath};

fn path(text: &str) -> ValuePath {
    ValuePath::of_argument(text).unwrap()
}

fn options() -> DecodeOptions {
    let tool = |tool: &str, calls: Option<&str>, form| IndirectTool {
        tool: tool.to_owned(),
        inner: Some(InnerPaths {
            calls: calls.map(path),
            server: None,
            name: path("name"),
            arguments: path("arguments"),
            form,
        }),
        results: None,
    };
    let tools = [
        tool("one", None, InnerForm::Object),
        tool("text", None, InnerForm::Json),
        tool("many", Some("calls"), InnerForm::Json),
        IndirectTool {
            tool: "routed".to_owned(),
            inner: Some(InnerPaths {
                calls: None,
                server: Some(path("at.server")),
                name: path("name"),
                arguments: path("arguments"),
                form: InnerForm::Object,
            }),
            results: None,
        },
        IndirectTool {
            tool: "find".to_owned(),
            inner: None,
            results: Some(FoundPaths {
                list: path("found"),
                server: None,
            }),
        },
    ];
    DecodeOptions {
        indirect: Some(Arc::from(tools)),
        json_values_max: 60,
        batch_max: 4,
        ..DecodeOptions::default()
    }
}

fn body(tool: &str, arguments: &str) -> String {
    let params = format!(r#"{{"name":"{tool}","arguments":{arguments},"_meta":{{"k":1}}}}"#);
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#)
}

/// The resources of a call and of those inside it, or what is wrong and where.
fn read(tool: &str, arguments: &str) -> String {
    let body = body(tool, arguments);
    let Ok(Payload::One(message)) = decode(body.as_bytes(), &options()) else {
        panic!("{body}");
    };
    let targets = message.targets();
    for target in &targets {
        let (method, meta) = (target.action.method, target.meta);
        assert_eq!((method, meta.is_some()), ("tools/call", true));
        assert_eq!(target.name, target.resource.name());
    }
    let nested: Vec<_> = targets.iter().map(|target| target.nesting).collect();
    if let [Nesting::Unreadable(fault)] = nested[..] {
        return format!("{} {}", fault.place, fault.kind);
    }
    let expected = [Nesting::Outer, Nesting::FirstInner, Nesting::Inner];
    for (at, nesting) in nested.iter().enumerate().filter(|_| nested.len() > 1) {
        assert_eq!(*nesting, expected[at.min(2)], "{body}");
    }
    let shown = targets.iter().map(|target| {
        let Resource::Tool(name) = target.resource else {
            panic!("{body}");
        };
        let count = |arguments: &Value<'_>| {
            let Value::Map(members) = arguments else {
                panic!("{arguments:?}");
            };
            members.len().to_string()
        };
        format!(
            "{name}:{}",
            target.arguments.map_or_else(|| "-".to_owned(), count)
        )
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[test]
fn inner_calls_are_targets_behind_the_outer_one() {
    for (tool, arguments, expected) in [
        ("other", r#"{"name":"a"}"#, "other:1"),
        ("find", r#"{"name":"a"}"#, "find:1"),
        ("one", r#"{"name":"a"}"#, "one:1 a:-"),
        ("one", r#"{"name":"a","arguments":null}"#, "one:2 a:-"),
        ("one", r#"{"name":"a","arguments":{}}"#, "one:2 a:0"),
        (
            "one",
            r#"{"name":"a","arguments":{"x":{"name":"b"}},"y":1}"#,
            "one:3 a:1",
        ),
        (" ONE", r#"{"name":"a"}"#, " ONE:1 a:-"),
        (
            "text",
            r#"{"name":"a","arguments":" {\"x\":1,\"y\":2} "}"#,
            "text:2 a:2",
        ),
        ("text", r#"{"name":"a","arguments":{"x":1}}"#, "text:2 a:1"),
        ("text", r#"{"name":"a","arguments":""}"#, "text:2 a:-"),
        ("many", r#"{"calls":[{"name":"a"}]}"#, "many:1 a:-"),
        (
            "many",
            r#"{"calls":[{"name":"a"},{"name":"b","arguments":"{}"},{"name":"a","arguments":{"x":1}}]}"#,
            "many:1 a:- b:0 a:1",
        ),
    ] {
        assert_eq!(read(tool, arguments), expected, "{tool} {arguments}");
    }
}

#[test]
fn what_is_no_call_for_sure_is_a_fault() {
    for (tool, arguments, expected) in [
        ("one", "null", "/name missing"),
        ("one", "{}", "/name missing"),
        ("one", r#"{"name":null}"#, "/name missing"),
        ("one", r#"{"name":true}"#, "/name type"),
        ("one", r#"{"name":{}}"#, "/name type"),
        ("one", r#"{"name":""}"#, "/name empty"),
        ("one", r#"{"NAME":"a"}"#, "/name unclear"),
        ("one", r#"{"name":"a","n_a_m_e":"b"}"#, "/name unclear"),
        ("one", r#"{"name":"one"}"#, "/name nested"),
        ("one", r#"{"name":"TEXT"}"#, "/name nested"),
        ("one", r#"{"name":"\"many\""}"#, "/name nested"),
        ("one", r#"{"name":"find"}"#, "/name nested"),
        ("one", r#"{"name":"a","arguments":[]}"#, "/arguments type"),
        ("one", r#"{"name":"a","arguments":"{}"}"#, "/arguments type"),
        ("one", r#"{"name":"a","arguments":""}"#, "/arguments type"),
        (
            "one",
            r#"{"name":"a","arguments":false}"#,
            "/arguments type",
        ),
        (
            "one",
            r#"{"name":"a","Arguments":{}}"#,
            "/arguments unclear",
        ),
    ] {
        assert_eq!(read(tool, arguments), expected, "{tool} {arguments}");
    }
}

#[test]
fn texts_and_lists_that_are_no_calls_for_sure_are_faults() {
    for (tool, arguments, expected) in [
        ("text", r#"{"name":"a","arguments":7}"#, "/arguments type"),
        ("text", r#"{"name":"a","arguments":" "}"#, "/arguments json"),
        (
            "text",
            r#"{"name":"a","arguments":"null"}"#,
            "/arguments json",
        ),
        (
            "text",
            r#"{"name":"a","arguments":"[]"}"#,
            "/arguments json",
        ),
        (
            "text",
            r#"{"name":"a","arguments":"{\"x\":1,\"x\":2}"}"#,
            "/arguments json",
        ),
        (
            "text",
            r#"{"name":"a","arguments":"{\"x\":1,\"X\":2}"}"#,
            "/arguments json",
        ),
        (
            "text",
            r#"{"name":"a","arguments":"{\"x\\u0000\":1}"}"#,
            "/arguments json",
        ),
        (
            "text",
            r#"{"name":"a","arguments":"{\"x\":1"}"#,
            "/arguments json",
        ),
        (
            "text",
            r#"{"name":"a","arguments":"\ufeff{}"}"#,
            "/arguments json",
        ),
        ("many", "{}", "/calls missing"),
        ("many", r#"{"calls":null}"#, "/calls missing"),
        ("many", r#"{"calls":[]}"#, "/calls empty"),
        ("many", r#"{"calls":{}}"#, "/calls type"),
        ("many", r#"{"Calls":[]}"#, "/calls unclear"),
        ("many", r#"{"calls":[{"name":"a"},7]}"#, "/calls/1 type"),
        (
            "many",
            r#"{"calls":[{"name":"a"},{}]}"#,
            "/calls/1/name missing",
        ),
        (
            "many",
            r#"{"calls":[{"name":"a","arguments":3}]}"#,
            "/calls/0/arguments type",
        ),
    ] {
        assert_eq!(read(tool, arguments), expected, "{tool} {arguments}");
    }
}

/// What a task finds would come as the result of `tasks/result`.
#[test]
fn a_tool_that_finds_does_not_run_as_a_task() {
    for (tool, expected) in [
        ("find", true),
        ("Find", true),
        ("one", false),
        ("other", false),
    ] {
        let body = body(tool, r#"{"name":"a"}"#).replace(r#""_meta""#, r#""task":{},"_meta""#);
        let Ok(Payload::One(message)) = decode(body.as_bytes(), &options()) else {
            panic!("{body}");
        };
        let targets = message.targets();
        let fault = if let Nesting::Unreadable(fault) = targets[0].nesting {
            Some((&*fault.place, fault.kind))
        } else {
            None
        };
        assert_eq!(fault, expected.then_some(("", "task")), "{tool}");
    }
}

#[test]
fn texts_share_the_values_that_a_body_may_have() {
    let call = |values: usize| {
        let list = vec!["1"; values].join(",");
        format!(r#"{{"name":"a","arguments":"{{\"x\":[{list}]}}"}}"#)
    };
    // An object, a key and a list, and their values.
    for (values, expected) in [
        (vec![57], "many:1 a:1"),
        (vec![58], "/calls/0/arguments json"),
        (vec![27, 27], "many:1 a:1 a:1"),
        (vec![27, 28], "/calls/1/arguments json"),
    ] {
        let calls: Vec<String> = values.iter().map(|values| call(*values)).collect();
        let arguments = format!(r#"{{"calls":[{}]}}"#, calls.join(","));
        assert_eq!(read("many", &arguments), expected, "{values:?}");
    }
}

#[test]
fn a_tool_that_finds_is_known_by_its_call_and_never_in_a_batch() {
    for (tool, expected) in [
        ("find", Some("found")),
        ("FIND", Some("found")),
        ("one", None),
    ] {
        let body = body(tool, r#"{"name":"a"}"#);
        let Ok(Payload::One(message)) = decode(body.as_bytes(), &options()) else {
            panic!("{body}");
        };
        let found = message.results.as_ref().map(|found| found.list.as_str());
        assert_eq!(found, expected);
        let batch = format!("[{body}]");
        let read = decode(batch.as_bytes(), &options()).map_err(|refused| refused.refusal);
        assert_eq!(read.err(), expected.map(|_| Refusal::BatchSearch), "{tool}");
    }
}

#[test]
fn a_tool_of_a_server_behind_this_one_is_called_after_it() {
    let long = format!(
        r#"{{"at":{{"server":"{}"}},"name":"get"}}"#,
        "x".repeat(253)
    );
    for (arguments, expected) in [
        (r#"{"at":{"server":"a"},"name":"get"}"#, "routed:2 a/get:-"),
        (r#"{"at":{"server":"a"},"name":"b/c"}"#, "routed:2 a/b/c:-"),
        (r#"{"name":"get"}"#, "/at/server missing"),
        (
            r#"{"at":{"server":null},"name":"get"}"#,
            "/at/server missing",
        ),
        (r#"{"at":{"server":""},"name":"get"}"#, "/at/server empty"),
        (r#"{"at":{"server":["a"]},"name":"get"}"#, "/at/server type"),
        (r#"{"at":"a","name":"get"}"#, "/at/server unclear"),
        (
            r#"{"at":{"Server":"a"},"name":"get"}"#,
            "/at/server unclear",
        ),
        // The tool `b/get` of `a` is another one.
        (
            r#"{"at":{"server":"a/b"},"name":"get"}"#,
            "/at/server unclear",
        ),
        (r#"{"at":{"server":"a"},"name":"one"}"#, "/name nested"),
        (r#"{"at":{"server":"a"}}"#, "/name missing"),
        (&long, "/at/server length"),
    ] {
        assert_eq!(read("routed", arguments), expected, "{arguments}");
    }
}
