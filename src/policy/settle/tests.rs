use tempfile::TempDir;

use super::*;
use crate::policy::{OnError, PolicyStore, TeamStatus};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn context() -> CompileContext {
    CompileContext {
        servers: Some(["main", "a", "b"].map(str::to_owned).to_vec()),
        ..CompileContext::default()
    }
}

/// A directory of a global policy and of those of two teams, `a` and `b`, with a server each.
struct Home {
    directory: TempDir,
    places: PolicyPlaces,
}

const GLOBAL: &str = "
rules:
- {id: main, effect: allow, who: {anyone: true}, what: {servers: [main]}}
- {id: no-destruction, effect: deny, what: {classes: [destructive]}}
";

/// Who may use the team's server, beside a table with a destructive tool.
fn rules(team: &str, groups: &str) -> String {
    format!(
        "tools: {{{team}: {{destructive: [delete_*]}}}}\n\
         rules:\n- {{id: use, effect: allow, who: {{groups: [{groups}]}}, what: {{tools: ['*']}}}}\n"
    )
}

fn test(name: &str, server: &str, group: &str, tool: &str, expect: &str) -> String {
    format!(
        "- name: {name}\n  request: {{server: {server}, method: tools/call, name: {tool}, \
         subject: {{id: x, groups: [{group}]}}}}\n  expect: {{decision: {expect}}}\n"
    )
}

fn tests(all: &[String]) -> String {
    format!("tests:\n{}", all.concat())
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let team =
            |name: &str| TeamSettings::new(name, &path.join(format!("{name}.yaml")), &[name]);
        let places = PolicyPlaces {
            path: path.join("policy.yaml"),
            teams: vec![team("a"), team("b")],
            last_good: None,
            is_candidate: false,
        };
        let home = Home { directory, places };
        home.write("policy.yaml", GLOBAL);
        home.write("a.yaml", &rules("a", "devs"));
        home.write("b.yaml", &rules("b", "devs"));
        home
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join(name), text).unwrap();
    }

    fn open(&self) -> PolicyStore {
        PolicyStore::open(self.places.clone(), context(), at(1)).unwrap()
    }
}

/// How a call on a server comes out.
fn asked(store: &PolicyStore, server: &str, group: &str, tool: &str) -> &'static str {
    let text = format!(
        "{{server: {server}, method: tools/call, name: {tool}, subject: {{groups: [{group}]}}}}"
    );
    let source = crate::yaml::Source {
        name: "r".to_owned(),
        text,
    };
    let sample = crate::policy::testing::read_request(source, &context().samples()).unwrap();
    let decided = sample.decide(&store.snapshot()).unwrap();
    crate::policy::testing::NamedDecision::of(&decided.decision)
        .outcome
        .word()
}

fn team(store: &PolicyStore, name: &str) -> TeamStatus {
    let mut teams = store.status().teams.into_iter();
    teams.find(|team| team.name == name).unwrap()
}

fn faults(store: &PolicyStore, name: &str) -> String {
    team(store, name).failing.unwrap().lines.join("\n")
}

const BROKEN: [(&str, &str); 6] = [
    ("rules: [{id: use", "syntax"),
    (
        "rules: [{id: use, effect: allow, who: {anyone: true}, what: {servers: [b]}}]",
        "another team's server",
    ),
    (
        "rules: [{id: use, effect: deny, what: {servers: [a, b, main]}}]",
        "everybody",
    ),
    (
        "silence: [untested-rule]\nrules: [{id: use, effect: deny}]",
        "lints",
    ),
    ("tools: {b: {read: ['*']}}", "a foreign table"),
    (
        "rules: [{id: use, effect: deny, what: {classes: [unheard]}}]",
        "an unknown class",
    ),
];

#[test]
fn a_teams_broken_file_keeps_its_own_rules_and_holds_up_nobody() {
    for (text, what) in BROKEN {
        let home = Home::new();
        let store = home.open();
        assert_eq!(asked(&store, "a", "devs", "x"), "allow");
        home.write("a.yaml", text);
        home.write("b.yaml", &rules("b", "ops"));
        home.write("policy.yaml", &GLOBAL.replace("{id: main", "{id: more"));
        store.reload(at(2)).unwrap();
        assert_eq!(
            asked(&store, "a", "devs", "x"),
            "allow",
            "{what}: as before"
        );
        assert_eq!(asked(&store, "b", "devs", "x"), "deny", "{what}");
        assert_eq!(
            asked(&store, "b", "ops", "x"),
            "allow",
            "{what}: the new rules"
        );
        let policy = store.snapshot();
        assert!(policy.rules().iter().any(|rule| &*rule.id == "more"));
        let status = store.status();
        assert_eq!(status.failing, None, "{what}");
        assert_eq!(team(&store, "a").state, TeamState::LastGood, "{what}");
        assert!(faults(&store, "a").contains("team `a`"), "{what}");
        assert_eq!(team(&store, "b").failing, None);

        home.write("a.yaml", &rules("a", "ops"));
        store.reload(at(3)).unwrap();
        assert_eq!(asked(&store, "a", "ops", "x"), "allow", "{what}: mended");
        assert_eq!(team(&store, "a").failing, None);
    }
}

#[test]
fn at_the_start_only_the_servers_of_a_broken_team_deny() {
    for (text, what) in BROKEN {
        let home = Home::new();
        home.write("a.yaml", text);
        // It is about rules that nobody can read, so nobody can ask it.
        let global = [
            test("a", "a", "devs", "x", "allow"),
            test("b", "b", "devs", "x", "allow"),
        ];
        home.write("policy_test.yaml", &tests(&global));
        let store = home.open();
        assert_eq!(team(&store, "a").state, TeamState::Denied, "{what}");
        assert_eq!(asked(&store, "a", "devs", "x"), "deny", "{what}");
        assert_eq!(asked(&store, "b", "devs", "x"), "allow", "{what}");
        assert_eq!(asked(&store, "main", "devs", "x"), "allow", "{what}");
        let policy = store.snapshot();
        let denial = |rule: &&crate::authz::Rule| &*rule.id == "a/no-usable-policy";
        assert!(
            policy
                .rules()
                .iter()
                .find(denial)
                .unwrap()
                .message
                .is_some()
        );
        home.write("a.yaml", &rules("a", "devs"));
        store.reload(at(2)).unwrap();
        assert_eq!(asked(&store, "a", "devs", "x"), "allow", "{what}: mended");
    }
}

#[test]
fn a_missing_file_of_a_team_is_broken_too() {
    let home = Home::new();
    let store = home.open();
    std::fs::remove_file(home.directory.path().join("a.yaml")).unwrap();
    store.reload(at(2)).unwrap();
    assert_eq!(team(&store, "a").state, TeamState::LastGood);
    assert_eq!(asked(&store, "a", "devs", "x"), "allow");
    assert_eq!(team(&home.open(), "a").state, TeamState::Denied);
}

#[test]
fn a_team_may_deny_while_its_files_are_broken() {
    let mut home = Home::new();
    home.places.teams[0].on_error = OnError::Deny;
    let store = home.open();
    assert_eq!(asked(&store, "a", "devs", "x"), "allow");
    home.write("a.yaml", "rules: [");
    store.reload(at(2)).unwrap();
    assert_eq!(asked(&store, "a", "devs", "x"), "deny");
    assert_eq!(asked(&store, "b", "devs", "x"), "allow");
    home.write("a.yaml", &rules("a", "devs"));
    store.reload(at(3)).unwrap();
    assert_eq!(asked(&store, "a", "devs", "x"), "allow");
}

#[test]
fn a_teams_failing_tests_hold_up_the_team_alone() {
    let home = Home::new();
    let store = home.open();
    home.write(
        "a_test.yaml",
        &tests(&[test("t", "a", "devs", "x", "deny")]),
    );
    home.write("b.yaml", &rules("b", "ops"));
    store.reload(at(2)).unwrap();
    assert_eq!(team(&store, "a").state, TeamState::LastGood);
    assert!(faults(&store, "a").contains("expected `deny`"));
    assert_eq!(asked(&store, "b", "ops", "x"), "allow");
}

/// Nobody knows then whether the team has changed something or the operator has.
#[test]
fn a_teams_failing_test_alone_does_not_deny_it_at_the_start() {
    let home = Home::new();
    home.write(
        "a_test.yaml",
        &tests(&[test("t", "a", "devs", "x", "deny")]),
    );
    let store = home.open();
    let status = team(&store, "a");
    assert_eq!((status.state, status.failing), (TeamState::InForce, None));
    assert!(status.failing_tests.unwrap().lines[0].contains("test `t`"));
    assert_eq!(asked(&store, "a", "devs", "x"), "allow");
    // From now on it is known who changes what.
    home.write("a.yaml", &rules("a", "ops"));
    store.reload(at(2)).unwrap();
    assert_eq!(team(&store, "a").state, TeamState::InForce, "it passes");
    home.write("a.yaml", &rules("a", "devs"));
    store.reload(at(3)).unwrap();
    assert_eq!(team(&store, "a").state, TeamState::LastGood);
    assert_eq!(asked(&store, "a", "devs", "x"), "deny");
}

#[test]
fn a_teams_tests_ask_about_its_servers_and_call_its_rules_by_their_own_ids() {
    let home = Home::new();
    let named = test("own", "a", "devs", "x", "allow").replace("allow}", "allow, rule: use}");
    let whole = test("whole", "a", "devs", "x", "allow").replace("allow}", "allow, rule: a/use}");
    home.write("a_test.yaml", &tests(&[named, whole]));
    let store = home.open();
    assert_eq!(team(&store, "a").failing, None, "{:?}", team(&store, "a"));
    home.write(
        "a_test.yaml",
        &tests(&[test("t", "b", "devs", "x", "allow")]),
    );
    store.reload(at(2)).unwrap();
    let lines = faults(&store, "a");
    assert!(
        lines.contains("`b` is not a server of the team `a`"),
        "{lines}"
    );
}

#[test]
fn a_global_test_blocks_the_change_of_a_team_that_fails_it() {
    let home = Home::new();
    let global = test("devs use a", "a", "devs", "x", "allow");
    home.write("policy_test.yaml", &tests(&[global]));
    let store = home.open();
    home.write("a.yaml", &rules("a", "ops"));
    home.write("policy.yaml", &GLOBAL.replace("{id: main", "{id: more"));
    store.reload(at(2)).unwrap();
    assert_eq!(
        store.status().failing,
        None,
        "the global change is in force"
    );
    let policy = store.snapshot();
    assert!(policy.rules().iter().any(|rule| &*rule.id == "more"));
    assert_eq!(asked(&store, "a", "devs", "x"), "allow");
    assert_eq!(team(&store, "a").state, TeamState::LastGood);
    assert!(faults(&store, "a").contains("devs use a"));
}

#[test]
fn a_global_test_that_fails_whatever_a_team_does_refuses_the_global_change() {
    let home = Home::new();
    let store = home.open();
    let global = test("nobody knows", "a", "devs", "x", "deny");
    home.write("policy_test.yaml", &tests(&[global]));
    home.write("policy.yaml", &GLOBAL.replace("{id: main", "{id: more"));
    home.write("a.yaml", &rules("a", "devs, ops"));
    assert!(store.reload(at(2)).is_err());
    assert!(store.status().failing.is_some());
    let policy = store.snapshot();
    assert!(policy.rules().iter().any(|rule| &*rule.id == "main"));
    assert_eq!(
        asked(&store, "a", "ops", "x"),
        "allow",
        "the team does not wait"
    );
    assert_eq!(team(&store, "a").failing, None);
}

#[test]
fn global_and_team_may_change_together() {
    let home = Home::new();
    let global = test("who uses a", "a", "devs", "x", "allow");
    home.write("policy_test.yaml", &tests(&[global]));
    let store = home.open();
    let global = test("who uses a", "a", "ops", "x", "allow");
    home.write("policy_test.yaml", &tests(&[global]));
    home.write("a.yaml", &rules("a", "ops"));
    store.reload(at(2)).unwrap();
    assert_eq!(asked(&store, "a", "ops", "x"), "allow");
    assert_eq!(team(&store, "a").failing, None);
}

#[test]
fn a_team_vetoes_no_global_change() {
    let home = Home::new();
    home.write(
        "a_test.yaml",
        &tests(&[test("t", "a", "devs", "x", "allow")]),
    );
    let store = home.open();
    let lock = "- {id: lock, effect: deny, what: {servers: [a]}}\n";
    home.write("policy.yaml", &format!("{GLOBAL}{lock}"));
    store.reload(at(2)).unwrap();
    assert_eq!(asked(&store, "a", "devs", "x"), "deny");
    let status = team(&store, "a");
    assert_eq!((status.state, status.failing), (TeamState::InForce, None));
    assert!(status.failing_tests.unwrap().lines[0].contains("test `t`"));
    home.write("policy.yaml", GLOBAL);
    store.reload(at(3)).unwrap();
    assert_eq!(team(&store, "a").failing_tests, None);
}

/// A global deny of a class must not come to nothing because a team calls its class otherwise.
#[test]
fn a_team_cannot_take_a_class_away_from_a_global_rule() {
    let home = Home::new();
    home.write("b.yaml", "rules: []");
    let store = home.open();
    assert_eq!(asked(&store, "a", "devs", "delete_x"), "deny");
    home.write("a.yaml", &rules("a", "devs").replace("destructive", "mild"));
    store.reload(at(2)).unwrap();
    assert_eq!(asked(&store, "a", "devs", "delete_x"), "deny");
    assert_eq!(team(&store, "a").state, TeamState::LastGood);
    assert!(faults(&store, "a").contains("unknown class `destructive`"));
    assert_eq!(store.status().failing, None);
}

#[test]
fn a_broken_global_file_holds_up_no_team() {
    let home = Home::new();
    let store = home.open();
    home.write("policy.yaml", "rules: [");
    home.write("a.yaml", &rules("a", "ops"));
    assert!(store.reload(at(2)).is_err());
    assert!(store.status().failing.is_some());
    assert_eq!(asked(&store, "a", "ops", "x"), "allow");
    assert_eq!(asked(&store, "main", "devs", "x"), "allow");
    assert!(PolicyStore::open(home.places.clone(), context(), at(3)).is_err());
}

/// What was revoked is not kept in force as the last good.
#[test]
fn a_grant_that_is_revoked_is_not_kept() {
    let home = Home::new();
    let store = home.open();
    let mut places = home.places.clone();
    places.teams[0].effects = vec![crate::policy::TeamEffect::Deny];
    let found = FoundPolicy::read(&places);
    let kept = AtomicBool::new(false);
    let next = store.next(places, context(), found, at(2), &kept).unwrap();
    assert_eq!(team(&next, "a").state, TeamState::Denied);
    assert_eq!(asked(&next, "a", "devs", "x"), "deny");
    assert_eq!(asked(&next, "b", "devs", "x"), "allow");
}

#[test]
fn the_last_good_rules_outlast_a_change_of_the_configuration() {
    let home = Home::new();
    let store = home.open();
    home.write("a.yaml", "rules: [");
    let found = FoundPolicy::read(&home.places);
    let kept = AtomicBool::new(false);
    let next = store.next(home.places.clone(), context(), found, at(2), &kept);
    let next = next.unwrap();
    assert_eq!(asked(&next, "a", "devs", "x"), "allow");
    assert_eq!(team(&next, "a").state, TeamState::LastGood);
}

/// Rules that come to nothing if the class is written wrongly, with the class left open.
const BY_CLASS: [&str; 5] = [
    "{id: n, effect: deny, what: {classes: [CLASS]}}",
    "{id: n, effect: require, what: {classes: [CLASS]}, needs: {scopes: [zz]}}",
    "{id: n, effect: limit, what: {classes: [CLASS]}, limit: {calls: 1, per: 1h, by: [subject]}}",
    "{id: n, effect: deny, what: {methods: [tools/call]}, if: 'mcp.class == \"CLASS\"'}",
    "{id: n, effect: deny, what: {tools: [x]}, why: {calls: {of: {classes: [CLASS]}, more_than: 0, \
     per: 1h, by: [subject]}}}",
];

/// A global policy with a table of `main` and one rule by class.
fn by_class(rule: &str, class: &str) -> String {
    format!(
        "tools: {{main: {{destructive: [delete_*]}}}}\nrules:\n- {{id: main, effect: allow, who: \
         {{anyone: true}}, what: {{servers: [main]}}}}\n- {}\n",
        rule.replace("CLASS", class)
    )
}

const TABLELESS: &str =
    "rules: [{id: use, effect: allow, who: {groups: [devs]}, what: {tools: [x]}}]\n";

fn opened(home: &Home) -> Result<PolicyStore, String> {
    let opened = PolicyStore::open(home.places.clone(), context(), at(1));
    opened.map_err(|error| error.lines().join("\n"))
}

#[test]
fn an_unknown_class_in_a_global_rule_is_no_teams_fault() {
    for rule in BY_CLASS {
        for (a, what) in [
            (TABLELESS, "good"),
            ("rules: [", "broken"),
            (
                "rules: [{id: use, effect: deny, what: {servers: [b]}}]",
                "beyond its reach",
            ),
        ] {
            let home = Home::new();
            home.write("a.yaml", a);
            home.write("b.yaml", TABLELESS);
            home.write("policy.yaml", &by_class(rule, "destructive"));
            let store = opened(&home).unwrap();
            assert_eq!(team(&store, "b").state, TeamState::InForce);
            home.write("policy.yaml", &by_class(rule, "destructve"));
            let lines = opened(&home).unwrap_err();
            assert!(lines.contains("destructve"), "{what}, {rule}: {lines}");
            assert!(!lines.contains("team `b`"), "{lines}");
            store.reload(at(2)).unwrap_err();
            assert!(store.status().failing.is_some(), "{what}, {rule}");
            assert_eq!(team(&store, "b").state, TeamState::InForce);
        }
    }
}

#[test]
fn no_rule_loses_its_class_while_a_team_is_denied() {
    for rule in BY_CLASS {
        let mut home = Home::new();
        home.places.teams[0].on_error = OnError::Deny;
        home.write("a.yaml", TABLELESS);
        home.write("b.yaml", TABLELESS);
        home.write("policy.yaml", &by_class(rule, "destructive"));
        let store = home.open();
        home.write("a.yaml", "rules: [");
        store.reload(at(2)).unwrap();
        assert_eq!(team(&store, "a").state, TeamState::Denied);
        home.write("policy.yaml", &by_class(rule, "destructve"));
        store.reload(at(3)).unwrap_err();
        assert!(store.status().failing.is_some(), "{rule}");
        home.write("a.yaml", TABLELESS);
        store.reload(at(4)).unwrap_err();
        assert_eq!(
            team(&store, "a").state,
            TeamState::InForce,
            "it does not wait"
        );
    }
}

/// The operator's rules stay while the files of the team whose class they name are broken.
#[test]
fn the_classes_of_a_denied_team_stay_known() {
    let table = "tools: {a: {risky: [delete_*]}}\n";
    let rule = "{id: n, effect: deny, what: {classes: [CLASS]}}";
    for broken in [
        format!("{table}rules: [{{id: use}}]\n"),
        "rules: [".to_owned(),
    ] {
        let mut home = Home::new();
        home.places.teams[0].on_error = OnError::Deny;
        home.write("b.yaml", TABLELESS);
        home.write("a.yaml", &format!("{table}{TABLELESS}"));
        home.write("policy.yaml", &by_class(rule, "risky"));
        let store = home.open();
        home.write("a.yaml", &broken);
        store.reload(at(2)).unwrap();
        assert_eq!(team(&store, "a").state, TeamState::Denied);
        assert_eq!(store.status().failing, None);
        home.write(
            "policy.yaml",
            &by_class(rule, "risky").replace("id: n", "id: m"),
        );
        store.reload(at(3)).unwrap();
        // At a start only what the broken file itself shows is known.
        let is_shown = broken.contains("risky");
        match opened(&home) {
            Ok(store) => {
                assert!(is_shown, "{broken}");
                assert_eq!(team(&store, "a").state, TeamState::Denied);
            }
            Err(lines) => {
                assert!(!is_shown, "{lines}");
                assert!(
                    lines.contains("the classes of `a` are not known"),
                    "{lines}"
                );
            }
        }
        // A rule about nothing but the servers that deny everything loses nothing.
        let own = rule.replace("classes", "servers: [a], classes");
        home.write("policy.yaml", &by_class(&own, "risky"));
        assert_eq!(team(&opened(&home).unwrap(), "a").state, TeamState::Denied);
    }
}

/// A candidate is a draft of the operator: what is wrong with it is told, and is no team's fault.
#[test]
fn what_is_wrong_with_a_candidate_is_its_own() {
    let mut home = Home::new();
    home.places.is_candidate = true;
    home.write(
        "policy.yaml",
        &by_class("{id: n, effect: deny, what: {classes: [CLASS]}}", "zz"),
    );
    assert!(opened(&home).unwrap_err().contains("unknown class `zz`"));
    home.write("policy.yaml", GLOBAL);
    let store = home.open();
    let failing = test("draft", "a", "devs", "x", "deny");
    home.write("policy_test.yaml", &tests(&[failing]));
    assert!(opened(&home).unwrap_err().contains("draft"));
    store.reload(at(2)).unwrap_err();
    assert!(store.status().failing.is_some());
    assert_eq!(team(&store, "a").failing, None);
}

/// A team's file that the global files include would not be confined to anything.
#[test]
fn a_file_of_a_team_is_never_a_global_one() {
    let mut home = Home::new();
    let path = home.directory.path().join("all");
    std::fs::create_dir_all(path.join("team")).unwrap();
    home.places.path = path.join("**/*.yaml");
    home.places.teams[0].files = path.join("team/*.yaml");
    home.write("all/global.yaml", GLOBAL);
    // With nothing there, the team denies, and the global files are alone.
    let store = home.open();
    let beyond = "rules: [{id: any, effect: allow, who: {anyone: true}, what: {servers: [b]}}]";
    home.write("all/team/a.yaml", beyond);
    let error = store.reload(at(2)).unwrap_err();
    assert!(
        error.lines()[0].contains("one of the team `a` too"),
        "{error:?}"
    );
    assert_eq!(asked(&store, "b", "others", "x"), "deny");
    assert!(opened(&home).is_err());
}

/// The test of the operator fails because the operator has renamed the team.
#[test]
fn a_renamed_team_has_changed_nothing() {
    let mut home = Home::new();
    let named = test("named", "a", "devs", "x", "allow").replace("allow}", "allow, rule: a/use}");
    home.write("policy_test.yaml", &tests(&[named]));
    let store = home.open();
    home.places.teams[0].name = "z".to_owned();
    let found = FoundPolicy::read(&home.places);
    let kept = AtomicBool::new(false);
    let next = store.next(home.places.clone(), context(), found, at(2), &kept);
    assert!(next.unwrap_err().lines()[0].contains("named"));
}
