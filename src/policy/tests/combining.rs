//! Several rules for one call.

use super::*;
use crate::authz::{
    ActionKind, Allow, Challenge, Decision, Denial, DenialReason, Evaluation, Resource, Value,
};

#[test]
fn a_rule_that_is_over_serves_nobody() {
    // The time is in 2026. What ended serves nobody any more, what is to begin will.
    for (when, expected) in [
        ("until: 2026-01-01T00:00:00Z", "no_matching_rule"),
        ("until: 2036-01-01T00:00:00Z", "allow"),
        ("from: 2036-01-01T00:00:00Z", "allow"),
        ("days: [sun], timezone: UTC", "allow"),
        ("not: {from: 2026-01-01T00:00:00Z}", "no_matching_rule"),
        ("not: {from: 2036-01-01T00:00:00Z}", "allow"),
        (
            "not: {from: 2026-01-01T00:00:00Z, until: 2036-01-01T00:00:00Z}",
            "allow",
        ),
        (
            "not: {from: 2026-01-01T00:00:00Z, auth_age_max: 1h}",
            "allow",
        ),
    ] {
        let ending = format!(
            "- {{id: a, effect: allow, who: {{anyone: true}}, what: {{servers: [github]}}, when: {{{when}}}}}\n"
        );
        let policy = policy(&format!("{TOOLS}rules:\n{ending}"));
        assert_eq!(
            outcome(&SampleCall::open("initialize").decide(&policy)),
            expected,
            "{when}"
        );
    }
}

#[test]
fn open_actions_need_a_subject_whom_some_rule_could_serve() {
    let serving = |rules: &str, method: &'static str| {
        let policy = policy(&format!("{TOOLS}rules:\n{rules}"));
        outcome(&SampleCall::open(method).decide(&policy))
    };
    let tool = "- {id: a, effect: allow, who: {groups: [oncall]}, what: {tools: [x]}, if: subject.id == 'nobody'}\n";
    let sales = "- {id: a, effect: allow, who: {groups: [sales]}, what: {servers: [github]}}\n";
    let files = "- {id: a, effect: allow, who: {anyone: true}, what: {servers: [files]}}\n";
    let but = "- {id: a, effect: allow, who: {anyone: true}, what: {not: {servers: [github]}}}\n";
    let argument = "- {id: a, effect: allow, who: {anyone: true}, what: {arguments: {a: b}}, where: {networks: [1.1.1.1]}}\n";
    for (rules, expected) in [
        (tool.to_owned(), "allow"),
        (argument.to_owned(), "allow"),
        (sales.to_owned(), "no_matching_rule"),
        (files.to_owned(), "no_matching_rule"),
        (but.to_owned(), "no_matching_rule"),
        (
            format!("{tool}- {{id: d, effect: deny, what: {{methods: [initialize]}}}}\n"),
            "denied_by_rule",
        ),
        (
            format!("{tool}- {{id: d, effect: deny, what: {{methods: [ping]}}}}\n"),
            "allow",
        ),
        (
            format!("{tool}- {{id: d, effect: deny, what: {{tools: ['*']}}}}\n"),
            "allow",
        ),
        (
            format!("{tool}- {{id: d, effect: deny, who: {{subjects: [alice]}}}}\n"),
            "denied_by_rule",
        ),
        (
            format!("{tool}- {{id: d, effect: deny, if: args.a == 1}}\n"),
            "indeterminate",
        ),
        (
            format!(
                "{tool}- {{id: d, effect: require, what: {{servers: [github]}}, needs: {{scopes: [s]}}}}\n"
            ),
            "challenge",
        ),
        (
            format!(
                "{tool}- {{id: d, effect: require, what: {{tools: ['*']}}, needs: {{scopes: [s]}}}}\n"
            ),
            "allow",
        ),
    ] {
        assert_eq!(serving(&rules, "initialize"), expected, "{rules}");
    }
    let elsewhere = "tools: {files: {admin: [rm]}}\nrules:\n- {id: a, effect: allow, who: {anyone: true}, what: {classes: [admin]}}\n";
    assert_eq!(
        outcome(&SampleCall::open("GET").decide(&policy(elsewhere))),
        "no_matching_rule"
    );
}

#[test]
fn unknown_methods_need_a_rule_that_names_them() {
    let everything = "- {id: all, effect: allow, who: {anyone: true}, what: {servers: [github]}}\n";
    let call = SampleCall {
        method: "vendor/do",
        kind: ActionKind::Unknown,
        resource: Resource::Server,
        arguments: None,
        ..SampleCall::default()
    };
    for (rules, expected) in [
        ("", "unknown_method"),
        (
            "- {id: a, effect: allow, who: {anyone: true}, what: {methods: [vendor/do]}}\n",
            "allow",
        ),
        (
            "- {id: a, effect: allow, who: {anyone: true}, what: {methods: ['vendor/*']}}\n",
            "allow",
        ),
        (
            "- {id: a, effect: allow, who: {anyone: true}, what: {methods: ['other/*']}}\n",
            "unknown_method",
        ),
        (
            "- {id: a, effect: allow, who: {groups: [sales]}, what: {methods: [vendor/do]}}\n",
            "no_matching_rule",
        ),
        (
            "- {id: a, effect: allow, who: {anyone: true}, what: {methods: [vendor/do], servers: [files]}}\n",
            "unknown_method",
        ),
        (
            "- {id: a, effect: allow, who: {anyone: true}, what: {not: {methods: [vendor/x]}}}\n",
            "unknown_method",
        ),
        (
            "- {id: a, effect: deny, what: {methods: [vendor/do]}}\n",
            "denied_by_rule",
        ),
    ] {
        let policy = policy(&format!("rules:\n{everything}{rules}"));
        assert_eq!(outcome(&call.decide(&policy)), expected, "{rules}");
    }
}

#[test]
fn rules_combine_whatever_their_order() {
    let text = format!(
        "{TOOLS}rules:
- {{id: r1, effect: require, what: {{classes: [read]}}, needs: {{scopes: ['repo:read', a]}}, message: more}}
- {{id: all, effect: allow, who: {{anyone: true}}, what: {{servers: [github]}}}}
- {{id: r2, effect: require, what: {{methods: [tools/call]}}, needs: {{scopes: [b, a]}}}}
- {{id: met, effect: require, needs: {{scopes: ['repo:read']}}}}
- {{id: odd, effect: allow, who: {{anyone: true}}, what: {{tools: ['*']}}, if: args.none == 1}}
- {{id: d, effect: deny, what: {{tools: [get_token]}}, message: never}}
- {{id: i, effect: deny, what: {{tools: [get_user, get_token]}}, if: args.none == 1}}
"
    );
    let policy = policy(&text);
    let ids = |evaluation: &Evaluation| evaluation.rules.join(" ");
    let on = |name| {
        SampleCall {
            resource: Resource::Tool(name),
            ..SampleCall::default()
        }
        .decide(&policy)
    };

    let challenged = on("get_issue");
    let expected = Challenge {
        scopes: arcs(&["repo:read", "a", "b"]),
        missing: arcs(&["a", "b"]),
        held: Vec::new(),
        is_for_grant: false,
        acr_values: Vec::new(),
        max_age: None,
        rule: "r1".into(),
        message: Some("more".into()),
    };
    assert_eq!(challenged.decision, Decision::Challenge(expected));
    assert_eq!(ids(&challenged), "r1 r2");
    assert_eq!(challenged.indeterminate, arcs(&["odd"]));
    assert_eq!(challenged.class.as_deref(), Some("read"));

    let denied = on("get_token");
    let denial = Denial {
        reason: DenialReason::DeniedByRule,
        rule: Some("d".into()),
        message: Some("never".into()),
        retry_after: None,
    };
    assert_eq!(denied.decision, Decision::Deny(denial));
    assert_eq!(
        (ids(&denied), denied.indeterminate),
        ("d".to_owned(), arcs(&["i"]))
    );
    assert_eq!(denied.class.as_deref(), Some("write"));

    let indeterminate = on("get_user");
    assert_eq!(
        (outcome(&indeterminate), ids(&indeterminate).as_str()),
        ("indeterminate", "i")
    );

    let mut call = SampleCall::default();
    call.subject.scopes = arcs(&["b", "a", "repo:read"]);
    let allowed = call.decide(&policy);
    assert!(matches!(allowed.decision, Decision::Allow(Allow { .. })));
    assert_eq!(ids(&allowed), "r1 all r2 met");
}

#[test]
fn an_empty_policy_denies_everything() {
    for sources in [
        vec![],
        vec![source("a", "")],
        vec![source("a", "# nothing\n"), source("b", "rules: []\n")],
    ] {
        let policy = compile(&sources, &context()).unwrap();
        assert_eq!(
            outcome(&SampleCall::default().decide(&policy)),
            "no_matching_rule"
        );
        assert_eq!(
            outcome(&SampleCall::open("initialize").decide(&policy)),
            "no_matching_rule"
        );
    }
}

/// A policy of ordinary size, with each effect.
#[test]
fn the_specified_example_decides_as_documented() {
    let policy = policy(
        r#"
tools:
  github:
    read:        [get_*, list_*, search_*]
    write:       [create_*, update_*]
    destructive: [delete_*, merge_*]
rules:
- id: engineers-read                 # unique; it is what audit prints
  effect: allow
  who:   {groups: [engineering]}
  what:  {servers: [github], classes: [read, write]}
- id: only-our-org
  effect: deny
  what:  {servers: [github], methods: [tools/call]}
  if:    args.owner != "acme"
  message: "Only repositories of acme may be touched."
- id: writes-need-scope-and-fresh-login
  effect: require
  what:  {servers: [github], classes: [write, destructive]}
  needs: {scopes: [repo:write]}
"#,
    );
    for (tool, arguments, expected) in [
        ("get_issue", object(&[("owner", text("acme"))]), "allow"),
        (
            "get_issue",
            object(&[("owner", text("evil"))]),
            "denied_by_rule",
        ),
        (
            "get_issue",
            object(&[("owner", Value::List(vec![text("acme")]))]),
            "indeterminate",
        ),
        ("get_issue", object(&[]), "indeterminate"),
        (
            "create_issue",
            object(&[("owner", text("acme"))]),
            "challenge",
        ),
        (
            "delete_repo",
            object(&[("owner", text("acme"))]),
            "no_matching_rule",
        ),
        (
            "whoami",
            object(&[("owner", text("acme"))]),
            "no_matching_rule",
        ),
    ] {
        let arguments = Some(arguments);
        let call = SampleCall {
            resource: Resource::Tool(tool),
            arguments,
            ..SampleCall::default()
        };
        assert_eq!(outcome(&call.decide(&policy)), expected, "{tool}");
    }
    assert_eq!(
        outcome(&SampleCall::open("initialize").decide(&policy)),
        "allow"
    );
}
