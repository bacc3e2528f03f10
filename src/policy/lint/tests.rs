mod values;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::*;
use crate::authz::UriForm;
use crate::policy::issuers::Issuers;
use crate::policy::silence::*;
use crate::policy::testing::{SampleContext, Suite};
use crate::policy::{CompileContext, compile, compile_layers};

const TABLE: &str = "tools: {github: {read: [get_issue], write: [create_issue]}}\n";

fn source(name: &str, text: &str) -> Source {
    Source {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

fn lines(policy: &str, tests: &str) -> Vec<String> {
    lines_among(&Arc::default(), policy, tests)
}

fn lines_among(issuers: &Arc<Issuers>, policy: &str, tests: &str) -> Vec<String> {
    let sources = [source("p", policy)];
    let compiled = compile(&sources, &CompileContext::default())
        .unwrap_or_else(|findings| panic!("{:#?}", findings.to_lines()));
    let suite = (!tests.is_empty())
        .then(|| Suite::read(&[source("t", tests)], &SampleContext::default()).unwrap());
    let tools = BTreeMap::from([(
        "github".to_owned(),
        vec!["get_issue".to_owned(), "create_issue".to_owned()],
    )]);
    let property = |name: &str, below: &[&str]| {
        let below = below.iter();
        let below: BTreeMap<_, _> = below
            .map(|name| ((*name).to_owned(), DeclaredArguments::Anything))
            .collect();
        let below = if below.is_empty() {
            DeclaredArguments::Anything
        } else {
            DeclaredArguments::Properties(below)
        };
        (name.to_owned(), below)
    };
    let get = BTreeMap::from([property("owner", &[]), property("repo", &["name"])]);
    let create = BTreeMap::from([property("title", &[]), property("x", &[])]);
    let arguments = BTreeMap::from([
        ("get_issue".to_owned(), DeclaredArguments::Properties(get)),
        (
            "create_issue".to_owned(),
            DeclaredArguments::Properties(create),
        ),
    ]);
    let context = LintContext {
        required: BTreeMap::new(),
        destructive: BTreeMap::new(),
        claims: BTreeMap::new(),
        records_all: true,
        tools,
        arguments: BTreeMap::from([("github".to_owned(), arguments)]),
        uris: Arc::new(HashMap::from([("texts".to_owned(), UriForm::Opaque)])),
        hints: Arc::default(),
        indirect: Arc::default(),
        issuers: Arc::clone(issuers),
        peers_are_verified: false,
        suite: suite.as_ref(),
        now: "2026-11-20T10:00:00Z".parse().ok(),
    };
    let findings = lint(&sources, &compiled, &context);
    assert!(!findings.has_errors());
    let mut found = findings.to_lines();
    found.retain(|line| !line.contains(": note: "));
    found
}

/// Each lint finds its mistake, accepts the correct form, and can be silenced.
#[test]
fn lints_find_what_they_are_named_for() {
    let allow = "{id: a, effect: allow, who: {groups: [g, h]}, what: {servers: [github]}}";
    for (name, wrong, right) in [
        (
            SHADOWED_RULE,
            format!("- {allow}\n- {{id: b, effect: allow, who: {{groups: [g]}}, what: {{servers: [github], tools: [get_issue]}}SILENCE}}"),
            format!("- {allow}\n- {{id: b, effect: allow, who: {{groups: [i]}}, what: {{servers: [github], tools: [get_issue]}}}}"),
        ),
        (
            SHADOWED_RULE,
            "- {id: a, effect: deny, where: {networks: [10.0.0.0/8]}}\n- {id: b, effect: deny, where: {networks: [10.1.0.0/16]}SILENCE}".to_owned(),
            "- {id: a, effect: deny, where: {networks: [10.1.0.0/16]}, who: {groups: [g]}}\n- {id: b, effect: deny, where: {networks: [10.0.0.0/8]}, who: {groups: [h]}}".to_owned(),
        ),
        (
            UNREACHABLE_RULE,
            "- {id: b, effect: allow, who: {groups: [g]}, what: {servers: [github], tools: [get_issue]}SILENCE}\n- {id: a, effect: deny, what: {tools: [get_*]}}".to_owned(),
            "- {id: b, effect: allow, who: {groups: [g]}, what: {servers: [github]}}\n- {id: a, effect: deny, what: {tools: [get_*]}}".to_owned(),
        ),
        (
            UNKNOWN_TOOL,
            "- {id: a, effect: deny, what: {servers: [github], tools: [delete_*]}SILENCE}".to_owned(),
            "- {id: a, effect: deny, what: {servers: [github, other], tools: [delete_*]}}".to_owned(),
        ),
        (
            EMPTY_CLASS,
            "- {id: a, effect: deny, what: {servers: [github], classes: [danger]}SILENCE}".to_owned(),
            "- {id: a, effect: deny, what: {servers: [github], classes: [write, unclassified]}}".to_owned(),
        ),
        (
            FALLIBLE_DENY,
            "- {id: a, effect: deny, what: {methods: [tools/call]}, if: 'args.x == 1'SILENCE}".to_owned(),
            "- {id: a, effect: deny, what: {methods: [tools/call]}, if: 'has(args.x) && args.x == 1'}".to_owned(),
        ),
        (
            ARGUMENTS_EVERYWHERE,
            "- {id: a, effect: deny, if: 'has(args.x)'SILENCE}".to_owned(),
            "- {id: a, effect: deny, what: {classes: [write]}, if: 'has(args.x)'}".to_owned(),
        ),
        (
            SHADOWED_RULE,
            "- {id: a, effect: deny, when: {until: 2027-01-01T00:00:00Z}}\n- {id: b, effect: deny, when: {until: 2027-01-01T00:00:00Z}SILENCE}".to_owned(),
            "- {id: a, effect: deny, mode: shadow}\n- {id: b, effect: deny, why: {purposes: [x]}}".to_owned(),
        ),
        (
            EXPIRED_RULE,
            "- {id: a, effect: allow, who: {groups: [g]}, what: {servers: [github]}, when: {until: 2026-11-20T10:00:00Z}SILENCE}".to_owned(),
            "- {id: a, effect: allow, who: {groups: [g]}, what: {servers: [github]}, when: {until: 2026-11-20T10:00:01Z}}".to_owned(),
        ),
    ] {
        let table = TABLE.replace("]}}", "], danger: [nothing]}}");
        let table = if name == EMPTY_CLASS { format!("{table}silence: [unknown-tool]\n") } else { TABLE.to_owned() };
        let file = |rules: &str| format!("{table}rules:\n{rules}\n");
        let found = lines(&file(&wrong.replace("SILENCE", "")), "");
        assert_eq!(found.len(), 1, "{name}: {found:#?}");
        assert!(found[0].contains(&format!("warning[{name}]")), "{found:#?}");
        assert_eq!(lines(&file(&right), ""), [""; 0], "{name}");
        let silenced = wrong.replace("SILENCE", &format!(", silence: [{name}]"));
        assert_eq!(lines(&file(&silenced), ""), [""; 0], "{name}");
        let all = format!("{}silence: [{name}, unknown-tool]\n", file(&wrong.replace("SILENCE", "")));
        if name != EMPTY_CLASS {
            assert_eq!(lines(&all, ""), [""; 0], "{name}");
        }
    }
}

#[test]
fn destructive_tools_need_a_limit() {
    let policy = |more: &str| {
        format!(
            "tools: {{other: {{read: [x], destructive: [y]}}}}\nrules:\n- {{id: a, effect: allow, who: {{groups: [g]}}, what: {{servers: [other], classes: [destructive]}}{more}\n"
        )
    };
    let limit = |what: &str| {
        let limit = "limit: {calls: 1, per: 1m, by: [subject]}";
        policy(&format!("}}\n- {{id: b, effect: limit, {what}{limit}}}"))
    };
    let expected = "p:3:80: warning[unlimited-destructive]: destructive tools are allowed without a limit (add a rule with `effect: limit` for the class)";
    assert_eq!(lines(&policy("}"), ""), [expected]);
    assert_eq!(
        lines(&limit("what: {servers: [other], classes: [read]}, "), ""),
        [expected]
    );
    assert_eq!(lines(&limit("mode: shadow, "), ""), [expected]);
    assert_eq!(lines(&limit(""), ""), [""; 0]);
    assert_eq!(
        lines(&policy(", silence: [unlimited-destructive]}"), ""),
        [""; 0]
    );
}

#[test]
fn of_two_equal_rules_the_later_one_is_named() {
    let rules = "rules:\n- {id: a, effect: deny, who: {groups: [g]}}\n- {id: b, effect: deny, who: {groups: [g]}}\n";
    assert_eq!(
        lines(rules, ""),
        [
            "p:3:8: warning[shadowed-rule]: `a` already covers everything that this rule applies to (remove one of the two)"
        ]
    );
}

#[test]
fn class_tables_are_compared_with_the_recorded_tools() {
    assert_eq!(
        lines(
            "tools: {github: {read: [get_*, lost_*]}, other: {read: [x]}}\n",
            ""
        ),
        [
            "p:1:32: warning[unknown-tool]: no recorded tool of `github` matches `lost_*` (see `tools_snapshot` in the configuration)"
        ]
    );
}

#[test]
fn tests_are_compared_with_the_rules() {
    let policy = "rules:\n- {id: a, effect: deny, who: {groups: [engineering]}}\n- {id: b, effect: deny, who: {groups: [support]}}\n- {id: c, effect: allow, who: {groups: [readers]}, what: {servers: [s]}, silence: [untested-rule]}\n";
    let test = |group: &str, more: &str| {
        format!(
            "tests:\n- {{name: t, request: {{server: s, method: ping, subject: {{groups: [{group}]}}}}, expect: {{decision: deny}}{more}}}\n"
        )
    };
    assert_eq!(
        lines(policy, &test("support", "")),
        [
            "p:2:8: warning[untested-rule]: no test reaches this rule (add a test that expects this rule)"
        ]
    );
    let silent = policy.replace("[engineering]}", "[engineering]}, silence: [untested-rule]");
    assert_eq!(lines(&silent, &test("support", "")), [""; 0]);
    let slip = lines(&silent, &test("suport", ""));
    assert!(
        slip[1]
            .contains("warning[unknown-group]: no rule names `suport` (did you mean `support`?)"),
        "{slip:#?}"
    );
    assert_eq!(
        lines(&silent, &test("suport", ", silence: [unknown-group]")).len(),
        1
    );
    assert_eq!(lines(&silent, &test("strangers", "")).len(), 1);
}

#[test]
fn an_unknown_lint_cannot_be_silenced() {
    let wrong = compile(
        &[source(
            "p",
            "rules: [{id: a, effect: deny, silence: [untested]}]",
        )],
        &CompileContext::default(),
    );
    let lines = wrong.unwrap_err().to_lines();
    assert_eq!(
        lines[0].split(" (").next(),
        Some("p:1:41: error: unknown value `untested`"),
        "{lines:#?}"
    );
}

#[test]
fn a_global_rule_by_class_depends_on_who_writes_the_table() {
    let team = TeamSettings::new("seven", Path::new("t"), &["github"]);
    let granted = TeamSettings {
        classes: Some(vec!["read".to_owned(), "write".to_owned()]),
        ..team.clone()
    };
    let found = |team: &TeamSettings, global: &str, own: &str| {
        let (global, own) = ([source("g", global)], [source("o", own)]);
        let layers = [Layer::global(&global), Layer::of_team(team, Some(&own))];
        let policy = compile_layers(&layers, &CompileContext::default());
        let policy =
            policy.unwrap_or_else(|wrong| panic!("{:?}", wrong.into_findings().to_lines()));
        let found = lint_layers(&layers, &policy, &LintContext::default());
        let mut lines = found.to_lines();
        lines.retain(|line| line.contains("[team-table]"));
        lines
    };
    let rules = "rules: [{id: use, effect: deny, what: {classes: [write]}}]\n";
    let by_class = [
        "rules: [{id: n, effect: deny, what: {classes: [write]}}]\n",
        "rules: [{id: n, effect: deny, what: {servers: [github], not: {classes: [read]}}}]\n",
        "rules: [{id: n, effect: require, what: {classes: [write]}, needs: {scopes: [x]}}]\n",
        "rules: [{id: n, effect: deny, what: {methods: [tools/call]}, if: 'mcp.class == \"write\"'}]\n",
    ];
    let own = format!("{TABLE}{rules}");
    for global in by_class {
        let lines = found(&team, global, &own);
        assert_eq!(lines.len(), 1, "{global}");
        assert!(
            lines[0].starts_with("g:1:") && lines[0].contains("team `seven`"),
            "{lines:?}"
        );
        assert_eq!(
            found(&granted, global, &own),
            [""; 0],
            "the classes are the operator's"
        );
        let tabled = format!("{TABLE}{global}");
        assert_eq!(
            found(&team, &tabled, rules),
            [""; 0],
            "the table is the operator's"
        );
    }
    for global in [
        "rules: [{id: n, effect: allow, who: {groups: [g]}, what: {classes: [write]}}]\n",
        "rules: [{id: n, effect: deny, what: {tools: [create_issue]}}]\n",
        "tools: {gitlab: {write: [x]}}\n\
         rules: [{id: n, effect: deny, what: {servers: [gitlab], classes: [write]}}]\n",
        "silence: [team-table]\nrules: [{id: n, effect: deny, what: {classes: [write]}}]\n",
    ] {
        assert_eq!(found(&team, global, &own), [""; 0], "{global}");
    }
}
