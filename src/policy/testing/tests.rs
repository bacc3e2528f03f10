use std::collections::HashMap;
use std::fs;
use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::authz::{AccessRequest, DenialReason, Value};
use crate::policy::{CompileContext, LoadPolicyError, PolicyStore, compile, read, read_tests};
use crate::yaml::Source;

const POLICY: &str = "rules: [{id: a, effect: allow, who: {groups: [g]}, what: {servers: [s]}}]\n";

fn test_of(decision: &str) -> String {
    format!(
        "tests: [{{name: t, request: {{server: s, method: tools/call, name: x, subject: {{groups: [g]}}}}, expect: {{decision: {decision}}}}}]\n"
    )
}

#[test]
fn a_policy_that_fails_its_tests_is_not_taken_into_force() {
    let folder = tempfile::tempdir().unwrap();
    let (policy, tests) = (
        folder.path().join("policy.yaml"),
        folder.path().join("policy_test.yaml"),
    );
    fs::write(&policy, POLICY).unwrap();
    fs::write(&tests, test_of("allow")).unwrap();
    let open = || {
        PolicyStore::open(
            policy.clone(),
            CompileContext::default(),
            Timestamp::UNIX_EPOCH,
        )
    };
    let store = open().unwrap();
    let before = store.snapshot().revision().to_string();

    fs::write(&policy, POLICY.replace("[g]", "[h]")).unwrap();
    let refused = store.reload(Timestamp::UNIX_EPOCH).unwrap_err();
    assert!(matches!(refused, LoadPolicyError::Tests(_)));
    let lines = store.status().failing.unwrap().lines;
    assert!(
        lines[0].contains("test `t`: expected `allow`, got `deny (no_matching_rule)`"),
        "{lines:?}"
    );
    assert_eq!(**store.snapshot().revision(), *before);
    assert!(matches!(open(), Err(LoadPolicyError::Tests(_))));

    fs::write(&tests, "tests: [{}]").unwrap();
    assert!(matches!(
        store.reload(Timestamp::UNIX_EPOCH),
        Err(LoadPolicyError::Invalid(_))
    ));

    fs::write(&tests, test_of("deny")).unwrap();
    store.reload(Timestamp::UNIX_EPOCH).unwrap();
    assert_ne!(**store.snapshot().revision(), *before);
}

#[test]
fn tests_are_found_beside_the_policy_and_are_no_part_of_it() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "a.yaml",
        "b.yml",
        "a_test.yaml",
        "c_test.yml",
        ".hidden_test.yaml",
    ] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let names = |sources: Vec<Source>| -> Vec<String> {
        let short = |source: Source| source.name.rsplit('/').next().unwrap().to_owned();
        sources.into_iter().map(short).collect()
    };
    let both = |path: std::path::PathBuf| {
        (
            names(read(&path).unwrap()),
            names(read_tests(&path).unwrap()),
        )
    };
    let all = ["a_test.yaml", "c_test.yml"].map(str::to_owned).to_vec();
    for (path, policy, tests) in [
        (
            folder.path().to_owned(),
            vec!["a.yaml", "b.yml"],
            all.clone(),
        ),
        (folder.path().join("*.y*ml"), vec!["a.yaml", "b.yml"], all),
        (
            folder.path().join("a.yaml"),
            vec!["a.yaml"],
            vec!["a_test.yaml".to_owned()],
        ),
        (folder.path().join("b.yml"), vec!["b.yml"], vec![]),
    ] {
        assert_eq!(
            both(path.clone()),
            (policy.into_iter().map(str::to_owned).collect(), tests),
            "{path:?}"
        );
    }
}

/// The codes are those of `check::Reason`, which this module is below.
#[test]
fn reasons_are_named_as_clients_see_them() {
    for reason in [
        DenialReason::DeniedByRule,
        DenialReason::Indeterminate,
        DenialReason::NoMatchingRule,
        DenialReason::UnknownMethod,
        DenialReason::SenderConstraint,
        DenialReason::RateLimited,
        DenialReason::UnknownTool,
        DenialReason::ToolChanged,
        DenialReason::ArgumentsInvalid,
        DenialReason::InnerCallInvalid,
    ] {
        let code = crate::check::Reason::from(reason).code();
        assert_eq!(wording::denial_code(reason), code);
    }
    assert_eq!(crate::check::Reason::Allowed.code(), "allowed");
    assert_eq!(
        crate::check::Reason::StepUpRequired.code(),
        "step_up_required"
    );
    assert_eq!(
        crate::check::Reason::InsufficientScope.code(),
        "insufficient_scope"
    );
}

#[test]
fn requests_go_the_way_of_messages() {
    let context = SampleContext::default();
    let policy = compile(&[], &CompileContext::default()).unwrap();
    let ask = |text: &str| {
        let source = Source {
            name: "r".to_owned(),
            text: text.to_owned(),
        };
        let request = read_request(source, &context).unwrap();
        request.ask(&policy, |request| {
            format!("{:?} {:?}", request.action, request.resource)
        })
    };
    for (text, expected) in [
        (
            "{server: s, method: GET, subject: {}}",
            r#"Action { method: "GET", authorized_as: None, kind: Open } Server"#,
        ),
        (
            "{server: s, method: notifications/initialized, subject: {}}",
            r#"Action { method: "notifications/initialized", authorized_as: None, kind: Open } Server"#,
        ),
        (
            "{server: s, method: resources/subscribe, uri: 'a:b', subject: {}}",
            r#"Action { method: "resources/subscribe", authorized_as: Some("resources/read"), kind: Use } Uri("a:b")"#,
        ),
        (
            "{server: s, method: vendor/x, subject: {}}",
            r#"Action { method: "vendor/x", authorized_as: None, kind: Unknown } Server"#,
        ),
        (
            "{server: s, method: completion/complete, params: {ref: {type: ref/prompt, name: p}}, subject: {}}",
            r#"Action { method: "completion/complete", authorized_as: Some("prompts/get"), kind: Use } Prompt("p")"#,
        ),
    ] {
        assert_eq!(ask(text).as_deref(), Ok(expected), "{text}");
    }
    assert!(matches!(
        ask("{server: s, method: tools/call, name: 1, subject: {}}"),
        Err(Unasked::Rejected(_))
    ));
    let folded = "{server: s, method: tools/call, name: a, arguments: {a: 1, A: 2}, subject: {}}";
    assert!(matches!(ask(folded), Err(Unasked::Rejected(_))));
}

#[test]
fn a_call_of_a_recorded_tool_has_its_defaults() {
    let defaults = Value::Map(vec![("force".into(), Value::Bool(true))]);
    let of_tools = HashMap::from([("drop".to_owned(), defaults.clone())]);
    let context = SampleContext {
        defaults: Arc::new(HashMap::from([("s".to_owned(), of_tools)])),
        ..SampleContext::default()
    };
    let policy = compile(&[], &CompileContext::default()).unwrap();
    for (text, expected) in [
        (
            "{server: s, method: tools/call, name: drop, subject: {}}",
            Some(&defaults),
        ),
        (
            "{server: s, method: tools/call, name: other, subject: {}}",
            None,
        ),
        (
            "{server: t, method: tools/call, name: drop, subject: {}}",
            None,
        ),
        (
            "{server: s, method: prompts/get, name: drop, subject: {}}",
            None,
        ),
    ] {
        let source = Source {
            name: "r".to_owned(),
            text: text.to_owned(),
        };
        let request = read_request(source, &context).unwrap();
        let are_those = |request: &AccessRequest<'_>| request.context.defaults == expected;
        assert_eq!(request.ask(&policy, are_those), Ok(true), "{text}");
    }
}

#[test]
fn what_was_seen_counts_only_in_windows_that_may_have_counted_it() {
    let folder = tempfile::tempdir().unwrap();
    let (policy, tests) = (
        folder.path().join("policy.yaml"),
        folder.path().join("policy_test.yaml"),
    );
    for (by, of, seen, decision) in [
        ("subject", "servers: [other]", "calls: 5", "deny"),
        ("subject, server", "servers: [other]", "calls: 5", "allow"),
        ("subject, server", "servers: [s]", "calls: 5", "deny"),
        ("session", "servers: [other]", "calls: 5", "allow"),
        ("subject, tool", "tools: [y]", "calls: 5", "allow"),
        ("subject, tool", "tools: [x]", "calls: 5", "deny"),
        ("subject, tool", "tools: [x, y]", "tools: [y]", "allow"),
        ("subject", "tools: [x, y]", "tools: [y]", "deny"),
    ] {
        let rule = format!(
            "- {{id: d, effect: deny, why: {{calls: {{of: {{{of}}}, more_than: 1, per: 1h, by: [{by}]}}}}}}\n"
        );
        let rules = POLICY
            .replace("rules: [", "rules:\n- ")
            .replace("}]\n", "}\n");
        fs::write(&policy, rules + &rule).unwrap();
        let request = format!("request: {{session: abc, seen: {{{seen}}}, ");
        let test = test_of(decision).replace("request: {", &request);
        fs::write(&tests, test).unwrap();
        let opened = PolicyStore::open(
            policy.clone(),
            CompileContext::default(),
            Timestamp::UNIX_EPOCH,
        );
        assert!(opened.is_ok(), "{by}, {of}, {seen}: {:?}", opened.err());
    }
}
