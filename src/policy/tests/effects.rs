//! Requirements, limits and classes.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::authz::{Decision, HintedClass, Hints, Resource, TrustedHints, Value};

#[test]
fn limits_match_what_they_count() {
    let everything = "- {id: all, effect: allow, who: {anyone: true}, what: {servers: [github]}}";
    let call = SampleCall::default();
    let prompt = SampleCall::on("prompts/get", Resource::Prompt("review"));
    let open = SampleCall::open("initialize");
    for (rule, call, expected) in [
        ("limit: {calls: 1, per: 1s, by: [subject]}", &call, "limit"),
        (
            "limit: {calls: 1, per: 1s, by: [tool, agent]}",
            &call,
            "limit",
        ),
        ("limit: {calls: 1, per: 1s, by: [tool]}", &prompt, "allow"),
        ("limit: {calls: 1, per: 1s, by: [server]}", &prompt, "limit"),
        (
            "limit: {calls: 1, per: 1s, by: [tenant]}",
            &call,
            "indeterminate",
        ),
        (
            "limit: {calls: 1, per: 1s, by: [session]}",
            &call,
            "indeterminate",
        ),
        ("limit: {calls: 1, per: 1s, by: [session]}", &open, "allow"),
        (
            "what: {methods: [initialize]}, limit: {calls: 1, per: 1s, by: [subject]}",
            &open,
            "limit",
        ),
        (
            "what: {classes: [write]}, limit: {calls: 1, per: 1s, by: [subject]}",
            &call,
            "allow",
        ),
        (
            "mode: shadow, limit: {calls: 1, per: 1s, by: [tenant]}",
            &call,
            "allow",
        ),
    ] {
        let policy = policy(&format!(
            "{TOOLS}rules:\n{everything}\n- {{id: x, effect: limit, {rule}}}\n"
        ));
        assert_eq!(outcome(&call.decide(&policy)), expected, "{rule}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "rows")]
fn requirements_of_all_rules_are_requested_at_once() {
    let rules = "rules:
- {id: all, effect: allow, who: {anyone: true}, what: {servers: [github]}}
- {id: r1, effect: require, needs: {acr: [silver, gold], auth_age_max: 15m}}
- {id: r2, effect: require, needs: {acr: [gold, platinum], auth_age_max: 1h}}
- {id: r3, effect: require, what: {tools: [create_x]}, needs: {scopes: ['repo:write']}}
- {id: r4, effect: require, what: {tools: [delete_x]}, needs: {sender_constrained: true}, message: bind}
";
    let policy = policy(rules);
    let call = |tool, claims: &[(&'static str, Value<'static>)]| {
        let mut call = SampleCall {
            resource: Resource::Tool(tool),
            ..SampleCall::default()
        };
        call.subject.claims = object(claims);
        call.decide(&policy)
    };
    // 10:00 less ten minutes, and less half an hour.
    let fresh = ("auth_time", Value::Int(1_795_168_200));
    let stale = ("auth_time", Value::Int(1_795_167_000));
    let acr = |acr: &'static str| ("acr", text(acr));
    let quarter = Some(Duration::from_mins(15));
    for (tool, claims, scopes, acr_values, max_age, rules) in [
        ("get_x", vec![], vec![], vec!["gold"], quarter, "r1 r2"),
        (
            "get_x",
            vec![acr("silver"), fresh.clone()],
            vec![],
            vec!["gold", "platinum"],
            None,
            "r2",
        ),
        (
            "get_x",
            vec![acr("gold"), stale.clone()],
            vec![],
            vec![],
            quarter,
            "r1",
        ),
        (
            "create_x",
            vec![acr("gold"), stale],
            vec!["repo:write"],
            vec![],
            quarter,
            "r1 r3",
        ),
        (
            "create_x",
            vec![acr("gold"), fresh.clone()],
            vec!["repo:write"],
            vec![],
            None,
            "r3",
        ),
    ] {
        let evaluation = call(tool, &claims);
        let Decision::Challenge(challenge) = &evaluation.decision else {
            panic!("{tool} {claims:?} {evaluation:?}");
        };
        assert_eq!(challenge.missing, arcs(&scopes), "{tool} {claims:?}");
        assert_eq!(challenge.acr_values, arcs(&acr_values), "{tool} {claims:?}");
        assert_eq!(challenge.max_age, max_age, "{tool} {claims:?}");
        assert_eq!(evaluation.rules.join(" "), rules);
    }
    assert_eq!(
        outcome(&call("get_x", &[acr("gold"), fresh.clone()])),
        "allow"
    );
    let bound = call("delete_x", &[]);
    assert_eq!(outcome(&bound), "sender_constraint_required");
    let Decision::Deny(denial) = bound.decision else {
        panic!("not denied");
    };
    assert_eq!(
        (denial.rule.as_deref(), denial.message.as_deref()),
        (Some("r4"), Some("bind"))
    );
}

#[test]
fn trusted_hints_are_classes_without_a_table() {
    let servers = TrustedHints::default();
    let text = "tools: {github: {read: [get_*]}}\nrules:\n- {id: a, effect: allow, who: {anyone: true}, what: {servers: [SERVER], classes: [write]}}\n";
    let compiled = |server: &str, hints: &TrustedHints| {
        let context = CompileContext {
            hints: Arc::new(hints.clone()),
            ..CompileContext::default()
        };
        compile(&[source("p", &text.replace("SERVER", server))], &context)
    };
    assert!(compiled("github", &servers).is_err());
    let mut trusted = TrustedHints::default();
    trusted.insert("github", [("put".to_owned(), HintedClass::Write)].into());
    assert!(compiled("files", &trusted).is_err());
    let policy = compiled("github", &trusted).unwrap();
    for (tool, class) in [
        ("get_a", Some("read")),
        ("put", Some("write")),
        ("other", None),
    ] {
        let found = policy.class("github", tool, trusted.of("github", tool));
        assert_eq!(found.map(|class| &**class), class, "{tool}");
    }
    assert_eq!(trusted.of("files", "put"), Hints::Untrusted);
    let mut call = SampleCall::open("initialize");
    assert_eq!(outcome(&call.decide(&policy)), "no_matching_rule");
    call.context.hints = Hints::Trusted(None);
    assert_eq!(outcome(&call.decide(&policy)), "allow");
}
