//! `mcp-authz explain --decision`: one recorded decision, judged again.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::{Ran, run, run_with};

const CONFIG: &str = "\
listen: 127.0.0.1:0
issuers: [{issuer: 'https://idp.example.com'}]
servers:
- {name: github, resource: https://mcp.example.com/mcp}
policy: policy.yaml
candidate_policy: candidate.yaml
";

const POLICY: &str = "\
tools: {github: {read: [get_*], destructive: [delete_*]}}
rules:
- {id: readers, effect: allow, who: {groups: [staff]}, what: {servers: [github], classes: [read]}}
- {id: deleters, effect: allow, who: {groups: [staff]}, what: {servers: [github], classes: [destructive]}}
- {id: only-acme, effect: deny, what: {servers: [github], classes: [destructive]}, if: '!has(args.owner) || args.owner != \"acme\"'}
- {id: office, effect: deny, what: {servers: [github], classes: [destructive]}, when: {not: {between: ['09:00', '18:00'], timezone: UTC}}}
- {id: rate, effect: limit, what: {classes: [read]}, limit: {calls: 30, per: 1m, by: [subject]}}
";

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Home(tempfile::tempdir().unwrap());
        home.write("c.yaml", CONFIG);
        home.write("policy.yaml", POLICY);
        home.write(
            "candidate.yaml",
            "rules: [{id: none, effect: deny, what: {servers: [github]}}]\n",
        );
        home
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.0.path().join(name), bytes).unwrap();
    }

    fn explain(&self, id: &str, rest: &[&str]) -> Ran {
        let config = self.path("c.yaml");
        run(&[&["explain", "--config", &config, "--decision", id], rest].concat())
    }

    /// The one decision in JSON.
    fn judged(&self, record: &Value, rest: &[&str]) -> Value {
        self.write("one.jsonl", record.to_string());
        let audit = self.path("one.jsonl");
        let id = record["decision_id"].as_str().unwrap();
        let ran = self.explain(
            id,
            &[&["--audit", &audit, "--format", "json"], rest].concat(),
        );
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
        let whole: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(whole["decisions"].as_array().unwrap().len(), 1);
        whole["decisions"][0].clone()
    }

    fn revision(&self) -> String {
        self.judged(&record(json!({})), &[]);
        let audit = self.path("one.jsonl");
        let ran = self.explain("one", &["--audit", &audit, "--format", "json"]);
        let whole: Value = serde_json::from_str(&ran.out).unwrap();
        whole["policy_revision"].as_str().unwrap().to_owned()
    }
}

/// A call of `delete_repo` by alice at ten.
#[expect(clippy::needless_pass_by_value, reason = "rows are shorter")]
fn record(more: Value) -> Value {
    let mut record = json!({
        "time": "2026-11-20T10:00:00Z", "decision_id": "one", "decision": "allow",
        "reason": "allowed", "rules": ["deleters"], "policy_revision": "0000000000000000",
        "issuer": "https://idp.example.com", "subject": "alice", "agent": "cli",
        "tenant": "acme", "groups": ["staff"], "roles": ["dev"], "scopes": ["repo"],
        "client.address": "10.1.2.3", "http.request.method": "POST", "server": "github",
        "mcp.method.name": "tools/call", "name": "delete_repo", "class": "destructive",
        "arguments": {"names": ["owner"], "digest": "sha256:00"},
    });
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    record
}

/// The record without some of its members.
fn without(mut record: Value, keys: &[&str]) -> Value {
    for key in keys {
        record.as_object_mut().unwrap().remove(*key);
    }
    record
}

fn words(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_str().unwrap())
        .collect()
}

fn phrases(list: &Value) -> Vec<&str> {
    let each = list.as_array().unwrap().iter();
    each.map(|one| one["phrase"].as_str().unwrap()).collect()
}

const IF: &str = r#"if `!has(args.owner) || args.owner != "acme"`"#;

/// What the record is about, the decision, what it depends on, and whether they agree.
type Row = (
    &'static str,
    Value,
    &'static str,
    &'static [&'static str],
    Option<bool>,
);

#[test]
#[expect(clippy::too_many_lines, reason = "each row is a few")]
fn what_a_record_does_not_hold_leaves_the_decision_open() {
    let home = Home::new();
    let read =
        json!({"name": "get_issue", "class": "read", "arguments": {"names": [], "digest": "d"}});
    let rows: [Row; 13] = [
        (
            "the values of arguments",
            record(json!({})),
            "depends",
            &[IF],
            None,
        ),
        (
            "no group",
            record(json!({"groups": ["guests"], "decision": "deny", "reason": "no_matching_rule"})),
            "deny",
            &[],
            Some(true),
        ),
        (
            "no group, allowed all the same",
            record(json!({"groups": ["guests"]})),
            "deny",
            &[],
            Some(false),
        ),
        (
            "groups that are left out",
            without(record(json!({})), &["groups"]),
            "depends",
            &["group staff", IF],
            None,
        ),
        (
            "at night",
            record(json!({"time": "2026-11-20T20:00:00Z"})),
            "deny",
            &[],
            Some(false),
        ),
        (
            "at night, in a batch: one denied message denies all",
            record(json!({"time": "2026-11-20T20:00:00Z", "batch": 3})),
            "deny",
            &[],
            Some(false),
        ),
        (
            "room in a limit",
            record(read.clone()),
            "depends",
            &["whether limit rate had room"],
            None,
        ),
        (
            "room in a limit, in a batch",
            without(
                record(json!({"name": "get_issue", "batch": 3})),
                &["arguments"],
            ),
            "depends",
            &[
                "whether limit rate had room",
                "the 2 other message(s) of the batch",
            ],
            None,
        ),
        (
            "a name that may be cut",
            record(json!({"name": "x".repeat(256), "cut": true})),
            "unknown",
            &[],
            None,
        ),
        (
            "lists that may be cut",
            record(json!({"groups": ["guests"], "cut": true})),
            "depends",
            &["group staff", IF],
            None,
        ),
        (
            "no caller",
            without(record(json!({})), &["subject"]),
            "unknown",
            &[],
            None,
        ),
        (
            "a call inside the call",
            record(
                json!({"name": "get_all", "inner": {"name": "delete_repo", "class": "destructive"}, "time": "2026-11-20T20:00:00Z"}),
            ),
            "deny",
            &[],
            Some(false),
        ),
        (
            "a completion, which may reach several things",
            record(json!({"mcp.method.name": "completion/complete"})),
            "unknown",
            &[],
            None,
        ),
    ];
    for (what, record, decision, depends_on, agrees) in rows {
        let one = home.judged(&record, &[]);
        let judged = &one["judged"];
        assert_eq!(judged["decision"], decision, "{what}: {one:#}");
        assert_eq!(
            phrases(&judged["depends_on"]),
            depends_on,
            "{what}: {one:#}"
        );
        assert_eq!(one["agrees"], json!(agrees), "{what}");
        assert_eq!(one["same_revision"], false, "{what}");
        assert_eq!(one["decided_by"], "policy", "{what}");
    }
}

#[test]
fn what_is_missing_is_listed_and_what_is_there_is_not() {
    let home = Home::new();
    let missing = |record: &Value| -> Vec<String> {
        let one = home.judged(record, &[]);
        let all = one["unrecorded"].as_array().unwrap();
        let each = all
            .iter()
            .map(|one| one["what"].as_str().unwrap().to_owned());
        each.collect()
    };
    let always = [
        "claims",
        "device",
        "country",
        "purpose",
        "headers",
        "session_age",
        "counts",
    ];
    let whole = missing(&record(json!({})));
    assert_eq!(whole, [&["arguments", "peer"][..], &always].concat());
    let bare = without(
        record(json!({"batch": 2, "cut": true})),
        &[
            "groups",
            "roles",
            "scopes",
            "agent",
            "tenant",
            "client.address",
            "arguments",
        ],
    );
    let lists = [
        "groups",
        "roles",
        "scopes",
        "agent",
        "tenant",
        "client.address",
        "peer",
    ];
    assert_eq!(
        missing(&bare),
        [&["cut", "batch"][..], &lists, &always].concat()
    );
}

/// A peer with one recorded name may have others.
#[test]
fn a_peer_may_have_more_names_than_the_recorded_one() {
    let home = Home::new();
    let rule = |peer: &str| {
        format!(
            "rules: [{{id: p, effect: allow, who: {{peers: ['{peer}']}}, what: {{servers: [github]}}}}]\n"
        )
    };
    for (rule_names, recorded, expected) in [
        ("gw.internal", Some("gw.internal"), "allow"),
        ("b.internal", Some("gw.internal"), "depends"),
        ("spiffe://a/gw", Some("spiffe://a/gw"), "allow"),
        ("spiffe://a/b", Some("spiffe://a/gw"), "deny"),
        ("spiffe://a/b", None, "depends"),
        (
            "spiffe://a/b",
            Some("spiffe://a/gw spiffe://a/b"),
            "depends",
        ),
    ] {
        home.write("peers.yaml", rule(rule_names));
        let mut record = record(json!({}));
        if let Some(recorded) = recorded {
            record["peer"] = recorded.into();
        }
        let one = home.judged(&record, &["--policy", &home.path("peers.yaml")]);
        let said = &one["judged"]["decision"];
        assert_eq!(said, expected, "{rule_names} {recorded:?}: {one:#}");
    }
}

#[test]
fn the_rules_are_shown_selector_by_selector() {
    let home = Home::new();
    let revision = home.revision();
    let record = record(json!({
        "time": "2026-11-20T20:00:00Z", "decision": "deny", "reason": "denied_by_rule",
        "rules": ["office", "gone"], "policy_revision": revision, "class": "write",
    }));
    home.write("a.jsonl", record.to_string());
    let ran = home.explain("one", &["--audit", &home.path("a.jsonl")]);
    for part in [
        "a.jsonl:1: decision one at 2026-11-20T20:00:00Z\nalice asked github for tools/call `delete_repo`\n",
        &format!("recorded: deny (denied_by_rule) by office, gone, policy revision {revision}\n"),
        &format!("judged by: policy revision {revision}, the one that is recorded\n"),
        "rules that this policy does not have: gone\n",
        "class: destructive, recorded as write\n",
        "   deleters (allow): matches\n     + who.groups: matches\n",
        "     - what.classes: does not match\n",
        &format!("     ? if: depends on {IF}\n"),
        "=> office (deny): matches\n",
        "\ndeny (denied_by_rule) by office\nagrees with the record\nnot in the record, and so neither absent nor there:\n  the values of the arguments; it has their names (owner) and a digest\n",
    ] {
        assert!(ran.out.contains(part), "no `{part}` in {}", ran.out);
    }
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

#[test]
fn another_policy_can_judge() {
    let home = Home::new();
    let record = record(json!({}));
    let one = home.judged(&record, &["--candidate"]);
    assert_eq!(one["judged"]["decision"], "deny");
    assert_eq!(words(&one["judged"]["reasons"]), ["denied_by_rule"]);
    assert_eq!(words(&one["rules_gone"]), ["deleters"]);
    let folder = home.0.path();
    let git = |arguments: &[&str]| {
        let ran = Command::new("git")
            .args(["-c", "user.name=n", "-c", "user.email=e@example.com"])
            .args(arguments)
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(ran.status.success(), "{ran:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "policy.yaml"]);
    git(&["commit", "-q", "-m", "one"]);
    home.write("policy.yaml", "rules: []\n");
    home.write("one.jsonl", record.to_string());
    let ran = Command::new(env!("CARGO_BIN_EXE_mcp-authz"))
        .args(["explain", "--config", "c.yaml", "--decision", "one"])
        .args(["--audit", "one.jsonl", "--policy", "git:HEAD:policy.yaml"])
        .current_dir(folder)
        .output()
        .unwrap();
    let out = String::from_utf8(ran.stdout).unwrap();
    assert!(out.contains("deleters (allow): matches"), "{out}");
}

#[test]
fn who_was_refused_before_a_policy_is_told_what_was_at_fault() {
    let home = Home::new();
    for (more, by, said) in [
        (
            json!({"reason": "audience_mismatch", "detail": "aud: at host h expected is x", "aud": ["y"]}),
            "authentication",
            "at fault: aud: at host h expected is x\naudiences of the token: y\nthe caller was not authenticated, so no policy was asked\n",
        ),
        (
            json!({"reason": "unknown_issuer", "detail": "iss", "unverified": {"issuer": "https://other", "kid": "k"}}),
            "authentication",
            "the token says of itself, unproved: issuer https://other\nthe token says of itself, unproved: key id k\nthe caller",
        ),
        (
            json!({"decision": "reject", "reason": "duplicate_key"}),
            "request",
            "the request was rejected for its form, so no policy decided\n",
        ),
        (
            json!({"reason": "session_unknown"}),
            "session",
            "the session or the task was refused, so no policy was asked\n",
        ),
        (
            json!({"decision": "fail", "reason": "cancelled"}),
            "nothing",
            "no decision was possible",
        ),
        (
            json!({"reason": "of_tomorrow"}),
            "unknown",
            "this version does not know the reason",
        ),
    ] {
        let mut all = without(record(json!({"decision": "deny"})), &["rules"]);
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let one = home.judged(&all, &[]);
        assert_eq!(one["decided_by"], by);
        assert_eq!(one.get("judged"), None, "{by}");
        let ran = home.explain("one", &["--audit", &home.path("one.jsonl")]);
        assert!(ran.out.contains(said), "no `{said}` in {}", ran.out);
        assert!(!ran.out.contains("(allow)"), "{}", ran.out);
    }
    // The check of tools stands beside the policy.
    let refused = record(json!({"decision": "deny", "reason": "unknown_tool"}));
    let one = home.judged(&refused, &[]);
    assert_eq!(
        (&one["decided_by"], &one["agrees"]),
        (&json!("tools"), &Value::Null)
    );
    assert_eq!(one["judged"]["decision"], "depends");
}

#[test]
#[expect(clippy::too_many_lines, reason = "each line of a file is a few")]
fn lines_are_found_in_several_files_whatever_stands_between_them() {
    let home = Home::new();
    let line = |id: &str| record(json!({"decision_id": id})).to_string();
    let event =
        json!({"event": "list_filtered", "decision_id": "two", "list": "tools", "visible": 3});
    let mut first = format!("{}\n\nno record\n[1]\n{event}\n", line("one")).into_bytes();
    // A record that a full disk has cut off within a character.
    first.extend(b"{\"decision_id\":\"two\",\"name\":\"\xc3\n");
    first.extend(format!("{}\r\n", line("TWO")).into_bytes());
    home.write("a.jsonl", &first);
    home.write("a.jsonl.1", format!("{}\n{}", line("two"), line("three")));
    home.write("empty.jsonl", "");
    let [a, b, empty] = ["a.jsonl", "a.jsonl.1", "empty.jsonl"].map(|name| home.path(name));
    let ran = home.explain("two", &["--audit", &a, "--audit", &b, "--audit", &empty]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let broken = format!("mcp-authz: 3 line(s) are no records: {a}:3, {a}:4, {a}:6\n");
    assert_eq!(ran.err, broken);
    let places: Vec<usize> = [
        format!("{a}:7: decision TWO at"),
        format!("{b}:1: decision two at"),
        format!("{a}:5: event list_filtered: {{"),
    ]
    .iter()
    .map(|place| {
        ran.out
            .find(place.as_str())
            .unwrap_or_else(|| panic!("no {place}: {}", ran.out))
    })
    .collect();
    assert!(places.is_sorted(), "{places:?}");
    let several = home.explain("two", &["--audit", &a, &b, "--format", "json"]);
    let whole: Value = serde_json::from_str(&several.out).unwrap();
    assert_eq!(whole["decisions"].as_array().unwrap().len(), 2);
    assert_eq!(whole["events"][0]["event"]["list"], "tools");
    assert_eq!(whole["read"][0], json!({"file": a, "lines": 6}));
    assert_eq!(whole["no_records"].as_array().unwrap().len(), 3);

    let ran = home.explain("four", &["--audit", &b, &empty]);
    let said = format!("mcp-authz: no decision four in {b} (2 line(s)), {empty} (0 line(s))\n");
    assert_eq!((ran.code, ran.out.as_str(), ran.err), (1, "", said));
    // An event is no decision.
    home.write("events.jsonl", event.to_string());
    let ran = home.explain("two", &["--audit", &home.path("events.jsonl")]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("event list_filtered"), "{}", ran.out);

    let ran = home.explain("one", &["--audit", &home.path("gone.jsonl")]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("gone.jsonl"), "{}", ran.err);

    let config = home.path("c.yaml");
    let at = [
        "explain",
        "--config",
        &config,
        "--decision",
        "three",
        "--audit",
        "-",
    ];
    let ran = run_with(&at, &line("three"));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("-:1: decision three"), "{}", ran.out);
    let ran = run_with(&[&at[..], &["--audit", "-"]].concat(), &line("three"));
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (2, "mcp-authz: standard input can be read only once\n")
    );
    for wrong in [
        &["explain", "--config", &config][..],
        &["explain", "--config", &config, "--decision", "one"],
        &["explain", "--config", &config, "--audit", &a],
        &[
            "explain", "--config", &config, "--policy", "p.yaml", "r.yaml",
        ],
        &[&at[..], &["--at", "2026-01-01T00:00:00Z"]].concat(),
        &[&at[..], &["--candidate", "--policy", "p.yaml"]].concat(),
    ] {
        assert_eq!(run(wrong).code, 2, "{wrong:?}");
    }
}

/// What a terminal would act upon is not printed, whoever has written the file.
#[test]
fn a_record_moves_no_terminal() {
    let home = Home::new();
    let subject = "eve\u{1b}[2J\u{202e}";
    home.write("a.jsonl", record(json!({"subject": subject})).to_string());
    let ran = home.explain("one", &["--audit", &home.path("a.jsonl")]);
    assert!(
        ran.out.contains("eve\u{fffd}[2J\u{fffd} asked"),
        "{}",
        ran.out
    );
}
