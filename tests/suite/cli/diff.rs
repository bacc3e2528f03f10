//! `mcp-authz diff`, in each of its formats.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{Ran, run};

const CONFIG: &str = "\
listen: 127.0.0.1:0
issuers: [{issuer: 'https://idp.example.com'}]
servers: [{name: github, resource: https://mcp.example.com/mcp}]
policy: old.yaml
";

const OLD: &str = "\
tools: {github: {read: [get_*], destructive: [delete_*, merge_pr]}}
rules:
- {id: readers, effect: allow, who: {groups: [staff]}, what: {servers: [github], classes: [read]}}
- id: deleters
  effect: allow
  who: {groups: [staff, interns]}
  what: {servers: [github], classes: [destructive]}
- {id: rate, effect: limit, what: {classes: [read]}, limit: {calls: 30, per: 1m, by: [subject]}}
";

/// Interns lose, contractors gain, and the limit is stricter.
const NEW: &str = "\
tools: {github: {read: [get_*], destructive: [delete_*, merge_pr]}}
rules:
- {id: readers, effect: allow, who: {groups: [staff]}, what: {servers: [github], classes: [read]}}
- id: deleters
  effect: allow
  who: {groups: [staff]}
  what: {servers: [github], classes: [destructive]}
- {id: guests, effect: allow, who: {groups: [guests]}, what: {servers: [github], tools: [get_issue]}, where: {networks: [10.0.0.0/8]}}
- {id: rate, effect: limit, what: {classes: [read]}, limit: {calls: 10, per: 1m, by: [subject]}}
";

/// A folder with a configuration and both policies.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Home(tempfile::tempdir().unwrap());
        for (name, text) in [("c.yaml", CONFIG), ("old.yaml", OLD), ("new.yaml", NEW)] {
            home.write(name, text);
        }
        home
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn diff(&self, rest: &[&str]) -> Ran {
        let config = self.path("c.yaml");
        let at = ["diff", "--config", &config, "--at", "2026-11-20T00:00:00Z"];
        run(&[&at, rest].concat())
    }

    fn both(&self, rest: &[&str]) -> Ran {
        let (old, new) = (self.path("old.yaml"), self.path("new.yaml"));
        self.diff(&[&[old.as_str(), &new], rest].concat())
    }
}

fn parsed(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{} {}", ran.out, ran.err))
}

#[test]
fn each_change_is_a_sentence_with_its_rule() {
    let ran = Home::new().both(&[]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let mut lines = ran.out.lines();
    let head = lines.next().unwrap();
    assert!(
        head.contains("old.yaml (revision ") && head.contains("new.yaml (revision "),
        "{head}"
    );
    let lines: Vec<&str> = lines.collect();
    for line in [
        "group guests may now call get_issue on github from 10.0.0.0/8 [guests: added]",
        "group interns may no longer call merge_pr and any other tool that fits delete_* on github, unless group staff [deleters: changed]",
    ] {
        assert!(lines.contains(&line), "no `{line}` in {}", ran.out);
    }
    let limits = lines.iter().filter(|line| line.contains("less often"));
    let limits: Vec<_> = limits.collect();
    assert!(!limits.is_empty(), "{}", ran.out);
    for limit in limits {
        assert!(limit.contains("get_"), "{limit}");
        assert!(limit.ends_with("[rate: changed]"), "{limit}");
    }
    assert!(
        lines.last().unwrap().ends_with("3 rule(s) differ"),
        "{}",
        ran.out
    );
}

#[test]
fn growth_and_any_change_can_fail_a_pull_request() {
    let home = Home::new();
    let (old, new) = (home.path("old.yaml"), home.path("new.yaml"));
    let without = NEW
        .lines()
        .filter(|line| !line.contains("guests"))
        .collect::<Vec<_>>();
    home.write("less.yaml", &without.join("\n"));
    let less = home.path("less.yaml");
    for (from, to, fail_on, code) in [
        (&old, &new, "growth", 1),
        (&old, &new, "any", 1),
        (&old, &less, "growth", 0),
        (&old, &less, "any", 1),
        (&less, &old, "growth", 1),
        (&old, &old, "any", 0),
    ] {
        let ran = home.diff(&[from, to, "--fail-on", fail_on]);
        assert_eq!(
            ran.code, code,
            "{from} {to} {fail_on}: {}{}",
            ran.out, ran.err
        );
    }
}

#[test]
fn the_json_has_facts_rules_and_both_revisions() {
    let whole = parsed(&Home::new().both(&["--format", "json"]));
    assert_ne!(
        whole["old"]["policy_revision"],
        whole["new"]["policy_revision"]
    );
    assert_eq!(whole["unknown"], json!([]));
    let changes = whole["changes"].as_array().unwrap();
    let lost = changes
        .iter()
        .find(|change| change["change"] == "lost")
        .unwrap();
    assert_eq!(
        lost["situations"],
        json!([{
            "all_of": [{"fact": "group", "value": "interns"}],
            "none_of": [{"fact": "group", "value": "staff"}],
            "only_where_allowed": false,
        }])
    );
    assert_eq!(
        (&lost["shrinks"], &lost["grows"]),
        (&json!(true), &json!(false))
    );
    let text = "id: deleters\neffect: allow\nwho: {groups: [staff, interns]}\nwhat: {servers: [github], classes: [destructive]}";
    assert_eq!(lost["old_rule"]["text"], text);
    assert_eq!(lost["new_rule"]["text"], text.replace(", interns", ""));
    let gained = changes
        .iter()
        .find(|change| change["change"] == "gained")
        .unwrap();
    assert_eq!(gained["old_rule"], Value::Null);
    assert_eq!(gained["things"][0]["name"], "get_issue");
}

#[test]
fn the_table_and_the_page_show_the_same() {
    let home = Home::new();
    let ran = home.both(&["--format", "table"]);
    let row = ran
        .out
        .lines()
        .find(|line| line.starts_with("gained"))
        .unwrap();
    for cell in [
        "group guests",
        "get_issue",
        "from 10.0.0.0/8",
        "guests: added",
    ] {
        assert!(row.contains(cell), "{row}");
    }
    let ran = home.both(&["--format", "html"]);
    let page = ran.out;
    assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
    for text in [
        "default-src 'none'",
        "group guests may now call get_issue",
        "who: {groups: [staff, interns]}",
        "before: no such rule",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn a_page_escapes_what_it_shows() {
    let home = Home::new();
    let hostile = NEW.replace("groups: [guests]", "groups: ['</pre><script>x</script>']");
    home.write("new.yaml", &hostile);
    let ran = home.both(&["--format", "html"]);
    assert!(ran.out.contains("&#60;script&#62;"), "{}", ran.out);
    assert!(!ran.out.contains("<script>"), "{}", ran.out);
}

#[test]
fn named_subjects_are_the_only_ones() {
    let home = Home::new();
    home.write(
        "who.yaml",
        "subjects: [{id: ida, groups: [interns]}, {id: sam, groups: [interns, staff]}, {id: gus, groups: [guests], from: 192.0.2.1}]",
    );
    let whole = parsed(&home.both(&["--subjects", &home.path("who.yaml"), "--format", "json"]));
    let told: Vec<(&str, &str)> = whole["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["subject"].as_str().unwrap(),
                one["change"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            // Whoever some rule could serve may connect, wherever it calls from.
            ("gus", "gained"),
            ("ida", "lost"),
            ("sam", "limit_stricter")
        ]
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "each record is a few")]
fn recorded_decisions_are_replayed_as_far_as_they_tell() {
    let home = Home::new();
    let whole = parsed(&home.both(&["--format", "json"]));
    let revision = whole["old"]["policy_revision"].as_str().unwrap();
    let record = |subject: &str, name: &str, rules: &[&str], more: Value| {
        let mut record = json!({
            "time": "2026-11-20T10:00:00Z", "decision_id": subject, "decision": "allow",
            "reason": "allowed", "rules": rules, "policy_revision": revision,
            "issuer": "https://idp.example.com", "subject": subject, "server": "github",
            "client.address": "10.1.2.3", "mcp.method.name": "tools/call", "name": name,
        });
        for (key, value) in more.as_object().unwrap() {
            record[key] = value.clone();
        }
        record.to_string()
    };
    let lines = [
        // In a group of interns or staff: which of them, the record does not say.
        record("a", "delete_repo", &["deleters"], json!({})),
        record(
            "b",
            "delete_repo",
            &["deleters"],
            json!({"groups": ["interns"]}),
        ),
        record(
            "c",
            "delete_repo",
            &["deleters"],
            json!({"groups": ["staff"]}),
        ),
        // The limit is another one.
        record(
            "d",
            "get_issue",
            &["readers", "rate"],
            json!({"groups": ["staff"]}),
        ),
        record(
            "e",
            "get_issue",
            &[],
            json!({"groups": ["guests"], "reason": "no_matching_rule", "decision": "deny"}),
        ),
        record(
            "f",
            "get_issue",
            &[],
            json!({"reason": "token_expired", "decision": "deny"}),
        ),
        record(
            "g",
            "delete_repo",
            &["deleters"],
            json!({"groups": ["staff"], "batch": 2}),
        ),
        json!({"event": "tool_changed", "name": "x"}).to_string(),
        "no json".to_owned(),
    ];
    home.write("audit.jsonl", &lines.join("\n"));
    let audit = home.path("audit.jsonl");
    let whole = parsed(&home.both(&["--format", "json", "--replay", &audit]));
    let told = |key: &str| -> Vec<(String, String)> {
        let records = whole["recorded"][key].as_array().unwrap();
        let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
        let each = records.iter();
        each.map(|one| (text(one, "decision_id"), text(one, "would_be")))
            .collect()
    };
    let pair = |id: &str, would_be: &str| (id.to_owned(), would_be.to_owned());
    assert_eq!(told("changed"), [pair("b", "deny"), pair("e", "allow")]);
    assert_eq!(
        told("unknown"),
        [
            pair("a", "unknown"),
            pair("d", "unknown"),
            pair("g", "unknown"),
            pair("", "unknown")
        ]
    );
    assert_eq!(whole["recorded"]["same"], 1);
    assert_eq!(whole["recorded"]["not_decided_by_policy"], 1);
    let ran = home.both(&["--replay", &audit]);
    let said =
        "recorded decisions: 2 would change, 1 would not, 4 unknown, 1 not decided by a policy\n";
    assert!(ran.out.ends_with(said), "{}", ran.out);
}

fn git(folder: &Path, arguments: &[&str]) {
    let ran = Command::new("git")
        .args(["-c", "user.name=n", "-c", "user.email=e@example.com"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{arguments:?}: {ran:?}");
}

#[test]
fn revisions_of_a_repository_are_policies() {
    let home = Home::new();
    let folder = home.0.path();
    let (first, rest) = OLD.split_at(OLD.find("- id: deleters").unwrap());
    home.write("policy/a.yaml", first);
    home.write("policy/b.yaml", &format!("rules:\n{rest}"));
    home.write("policy/a_test.yaml", "no: test\n");
    home.write("policy/deep/c.yaml", "no: policy\n");
    git(folder, &["init", "-q"]);
    git(folder, &["add", "."]);
    git(folder, &["commit", "-q", "-m", "one"]);
    home.write(
        "policy/b.yaml",
        &format!("rules:\n{rest}").replace(", interns", ""),
    );
    git(folder, &["commit", "-q", "-a", "-m", "two"]);
    // The commands run in the folder of the data, so this one says where the repository is.
    let diff = |old: &str, new: &str, below: &str| {
        let ran = Command::new(env!("CARGO_BIN_EXE_mcp-authz"))
            .args(["diff", "--config", &home.path("c.yaml"), old, new])
            .args(["--at", "2026-11-20T00:00:00Z"])
            .current_dir(folder.join(below))
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            ran.status.code().unwrap(),
            text(ran.stdout),
            text(ran.stderr),
        )
    };
    for (old, new, below) in [
        ("git:HEAD~1:policy/", "git:HEAD:policy", ""),
        ("git:HEAD~1:policy/*.yaml", "policy", ""),
        ("git:HEAD~1:policy/", "git:HEAD:./", "policy"),
        ("git:HEAD~1:../policy", "git:HEAD:./*.yaml", "policy"),
    ] {
        let (code, out, err) = diff(old, new, below);
        assert_eq!((code, err.as_str()), (0, ""), "{old} {new}");
        assert!(
            out.contains("group interns may no longer call"),
            "{old}: {out}"
        );
        assert!(out.contains("1 rule(s) differ"), "{out}");
    }
    for (old, says) in [
        ("git:HEAD~1", "give both a path, or none"),
        ("git:--all:policy", "is no revision of a policy"),
        ("git:nowhere:policy", "git: "),
        (
            "git:HEAD:none.yaml",
            "no policy file at `git:HEAD:none.yaml`",
        ),
        ("git:HEAD:../x", "is outside of the repository"),
        ("c.yaml", "is a configuration; compare policies"),
        ("gone.yaml", "no policy file at `gone.yaml`"),
    ] {
        let (code, _, err) = diff(old, "policy", "");
        assert!(code == 2 && err.contains(says), "{old}: {code} {err}");
    }
    let (code, _, err) = diff("policy/a.yaml", "git:HEAD:policy/deep/c.yaml", "");
    assert!(
        code == 1 && err.contains("git:HEAD:policy/deep/c.yaml:1:1"),
        "{code} {err}"
    );
}

/// Two rules are edited at once: each change names the one that causes it, and where it holds.
#[test]
fn each_change_is_told_with_what_really_causes_it() {
    let home = Home::new();
    let rules = |denied: &str, calls: u32| {
        format!(
            "rules:\n\
             - {{id: e, effect: allow, who: {{groups: [editors]}}, what: {{servers: [github], tools: [put]}}}}\n\
             {denied}\
             - {{id: cap, effect: limit, what: {{servers: [github], tools: [put]}}, limit: {{calls: {calls}, per: 1m, by: [subject]}}}}\n"
        )
    };
    let deny = "- {id: no-prod, effect: deny, what: {servers: [github], tools: [put], arguments: {name: prod}}}\n";
    home.write("a.yaml", &rules(deny, 5));
    home.write("b.yaml", &rules("", 5));
    home.write("c2.yaml", &rules("", 4));
    let [a, b, c] = ["a.yaml", "b.yaml", "c2.yaml"].map(|name| home.path(name));
    let gained = "everybody may now call put on github with argument name = prod or if argument name = prod cannot be told as far as a rule allows it [no-prod: removed]";
    let stricter = "everybody may call put on github less often as far as a rule allows it, unless with argument name = prod or if argument name = prod cannot be told [cap: changed]";
    let one = home.diff(&[&a, &b]).out;
    assert!(one.lines().any(|line| line == gained), "{one}");
    assert_eq!(one.lines().count(), 3, "{one}");
    let both = home.diff(&[&a, &c]).out;
    for line in [
        gained,
        stricter,
        "1 grow, 1 shrink, 0 differ otherwise; 2 rule(s) differ",
    ] {
        assert!(both.lines().any(|own| own == line), "no `{line}` in {both}");
    }
    let table = home.diff(&[&a, &c, "--format", "table"]).out;
    let row = table
        .lines()
        .find(|line| line.starts_with("gained"))
        .unwrap();
    assert!(
        row.contains("with argument name = prod") && row.ends_with("no-prod: removed"),
        "{row}"
    );
    let page = home.diff(&[&a, &c, "--format", "html"]).out;
    assert!(page.contains(gained) && page.contains(stricter), "{page}");
    let whole = parsed(&home.diff(&[&a, &c, "--format", "json"]));
    let causes: Vec<(&str, &str)> = whole["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            assert_eq!(one["causes"].as_array().unwrap().len(), 1, "{one}");
            (
                one["change"].as_str().unwrap(),
                one["causes"][0]["how"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        causes,
        [("gained", "removed"), ("limit_stricter", "changed")]
    );
}

/// Neither edit alone allows anything.
#[test]
fn edits_that_are_needed_together_are_named_together() {
    let home = Home::new();
    let allow = "- {id: e, effect: allow, who: {groups: [editors]}, what: {servers: [github], tools: [put]}}\n";
    let deny = "- {id: frozen, effect: deny, what: {servers: [github], tools: [put]}}\n";
    home.write("a.yaml", &format!("rules:\n{deny}"));
    home.write("b.yaml", &format!("rules:\n{allow}"));
    let out = home.diff(&[&home.path("a.yaml"), &home.path("b.yaml")]).out;
    let line = "group editors may now call put on github [e: added; frozen: removed]";
    assert!(out.lines().any(|own| own == line), "{out}");
    // Whoever some rule could serve may connect, denied or not.
    let line = "group editors may now connect on github [e: added; frozen: removed]";
    assert!(!out.lines().any(|own| own == line), "{out}");
}

#[test]
fn a_rule_with_another_name_is_no_change() {
    let home = Home::new();
    home.write("new.yaml", &OLD.replace("id: rate", "id: pace"));
    let ran = home.both(&["--fail-on", "any"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("rule rate is now called pace\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.ends_with("; 0 rule(s) differ\n"), "{}", ran.out);
}

#[test]
fn a_challenge_that_differs_says_what_it_asks_for() {
    let home = Home::new();
    let text = |scope: &str| {
        format!(
            "{OLD}- {{id: step, effect: require, what: {{classes: [destructive]}}, needs: {{scopes: [{scope}]}}}}\n"
        )
    };
    home.write("old.yaml", &text("a:b"));
    home.write("new.yaml", &text("c:d"));
    let out = home.both(&[]).out;
    assert!(
        out.contains(" must now have scope c:d instead of scope a:b to step up to call "),
        "{out}"
    );
    assert!(!out.contains("something else"), "{out}");
}

/// What the server refuses anyway is no change.
#[test]
fn tools_that_are_not_recorded_are_left_out_where_they_are_refused() {
    let home = Home::new();
    let snapshot = r#"{"tools": [{"name": "get_a", "inputSchema": {"type": "object"}}]}"#;
    home.write("tools.json", snapshot);
    let open = CONFIG.replace("/mcp}]", "/mcp, tools_snapshot: tools.json}]");
    home.write("c.yaml", &open);
    let line = "any other tool that fits get_*";
    assert!(home.both(&[]).out.contains(line));
    home.write(
        "c.yaml",
        &open.replace("tools.json}", "tools.json, unknown_tools: deny}"),
    );
    let out = home.both(&[]).out;
    assert!(!out.contains("any other tool"), "{out}");
    assert!(out.contains("may call get_a on github less often"), "{out}");
}

/// A repository with a configuration, a policy and a team, and one commit of it.
fn repository(home: &Home) {
    let teams = "policies: [{name: seven, files: teams/seven.yaml, servers: [github]}]\n";
    home.write("c.yaml", &format!("{CONFIG}{teams}"));
    home.write(
        "teams/seven.yaml",
        "rules: [{id: use, effect: allow, who: {groups: [ops]}, what: {tools: [chat_post]}}]\n",
    );
    let folder = home.0.path();
    git(folder, &["init", "-q"]);
    git(folder, &["add", "."]);
    git(folder, &["commit", "-q", "-m", "one"]);
}

fn in_folder(home: &Home, rest: &[&str]) -> (i32, String) {
    let ran = Command::new(env!("CARGO_BIN_EXE_mcp-authz"))
        .args(["diff", "--config", "c.yaml", "--at", "2026-11-20T00:00:00Z"])
        .args(rest)
        .current_dir(home.0.path())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        ran.status.code().unwrap(),
        text(ran.stdout) + &text(ran.stderr),
    )
}

#[test]
fn a_revision_without_a_path_is_all_that_the_configuration_named() {
    let home = Home::new();
    repository(&home);
    let (code, out) = in_folder(&home, &["git:HEAD", "--fail-on", "any"]);
    assert_eq!(code, 0, "{out}");
    let file = "teams/seven.yaml";
    home.write(
        file,
        "rules: [{id: use, effect: allow, who: {groups: [ops, dev]}, what: {tools: [chat_post]}}]\n",
    );
    let growth = "group dev may now call chat_post";
    let (code, out) = in_folder(&home, &["git:HEAD", "--fail-on", "growth"]);
    assert!(code == 1 && out.contains(growth), "{code} {out}");
    assert!(out.contains("[seven/use: changed]"), "{out}");
    git(home.0.path(), &["commit", "-q", "-a", "-m", "two"]);
    let (code, out) = in_folder(&home, &["git:HEAD~1", "git:HEAD:", "--fail-on", "growth"]);
    assert!(code == 1 && out.contains(growth), "{code} {out}");
    // The team's files are those of now on both sides, which the output says.
    let (code, out) = in_folder(
        &home,
        &[
            "git:HEAD~1:old.yaml",
            "git:HEAD:old.yaml",
            "--fail-on",
            "growth",
        ],
    );
    assert!(
        code == 1 && out.contains("not compared: the files of team seven differ"),
        "{code} {out}"
    );
    let (code, out) = in_folder(
        &home,
        &[
            "git:HEAD:old.yaml",
            "old.yaml",
            "--fail-on",
            "growth",
            "--format",
            "json",
        ],
    );
    assert_eq!(code, 0, "{out}");
    let whole: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(whole["not_compared"], json!([]));
    assert_eq!(whole["notes"].as_array().unwrap().len(), 1, "{out}");
    // The rest of the configuration.
    let config = fs::read_to_string(home.path("c.yaml")).unwrap();
    home.write(
        "c.yaml",
        &config.replace(
            "servers: [github]}]",
            "servers: [github], effects: [deny]}]",
        ),
    );
    let (code, out) = in_folder(&home, &["git:HEAD"]);
    assert!(code == 1 && out.contains("effect"), "{code} {out}");
    home.write("c.yaml", &format!("{config}issuers_strict: true\n"));
    let (code, out) = in_folder(&home, &["git:HEAD", "--fail-on", "growth"]);
    let said = "not compared: `issuers_strict` of the configuration differs";
    assert!(code == 1 && out.contains(said), "{code} {out}");
    let (code, out) = in_folder(&home, &["git:nowhere"]);
    assert!(code == 2 && out.contains("git: "), "{code} {out}");
    let (code, out) = in_folder(&home, &["old.yaml"]);
    assert!(code == 2 && out.contains("give NEW"), "{code} {out}");
}

/// A server that was not there before gives access, and one that is gone takes it away.
#[test]
fn servers_come_and_go_with_the_configuration() {
    let home = Home::new();
    home.write(
        "old.yaml",
        "rules: [{id: all, effect: allow, who: {groups: [staff]}, what: {tools: [t]}}]\n",
    );
    git(home.0.path(), &["init", "-q"]);
    git(home.0.path(), &["add", "."]);
    git(home.0.path(), &["commit", "-q", "-m", "one"]);
    let more = "{name: wiki, resource: https://wiki.example.com/mcp}]";
    home.write(
        "c.yaml",
        &CONFIG.replace("/mcp}]", &format!("/mcp}}, {more}")),
    );
    let (_, out) = in_folder(&home, &["git:HEAD"]);
    assert!(
        out.contains("group staff may now call t, connect on wiki [the server is new]"),
        "{out}"
    );
}

#[test]
fn the_files_of_teams_are_beside_both_policies() {
    let home = Home::new();
    let teams = "policies: [{name: seven, files: team.yaml, servers: [github]}]\n";
    home.write("c.yaml", &format!("{CONFIG}{teams}"));
    home.write(
        "team.yaml",
        "rules: [{id: use, effect: allow, who: {groups: [ops]}, what: {tools: [chat_post]}}]\n",
    );
    home.write(
        "frozen.yaml",
        "rules: [{id: freeze, effect: deny, what: {servers: [github]}}]\n",
    );
    home.write("free.yaml", "rules: []\n");
    let (frozen, free) = (home.path("frozen.yaml"), home.path("free.yaml"));
    let ran = home.diff(&[&frozen, &free, "--fail-on", "growth"]);
    assert!(ran.out.contains("may now call chat_post"), "{}", ran.out);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let ran = home.diff(&[&free, &free, "--fail-on", "any"]);
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    let ran = home.diff(&["-", "-"]);
    let message = "mcp-authz: standard input cannot be both policies\n";
    assert_eq!((ran.code, ran.err.as_str()), (2, message));
}

/// A policy with these class tables and rules.
fn text(tables: &str, rules: &str) -> String {
    let allow = "{id: all, effect: allow, who: {groups: [staff]}, what: {servers: [github]}}";
    format!("tools: {{github: {{{tables}}}}}\nrules:\n- {allow}\n{rules}\n")
}

#[test]
fn what_reads_a_class_changes_with_the_table() {
    let home = Home::new();
    let by_class =
        r#"- {id: nodel, effect: deny, what: {methods: [tools/call]}, if: mcp.class == "del"}"#;
    let either = r#"- {id: nodel, effect: deny, what: {methods: [tools/call]}, if: mcp.class == "del" || mcp.class == "read"}"#;
    let has = "- {id: nodel, effect: deny, what: {methods: [tools/call]}, if: '!has(mcp.class)'}";
    let flow = "- {id: flow, effect: deny, what: {tools: [send]}, why: {calls: {of: {classes: [del]}, more_than: 0, per: 1h, by: [subject]}}}";
    let set = "- {id: more, effect: allow, who: {groups: [staff]}, what: {servers: [github]}, set: {headers: {x-class: '${mcp.class}'}}}";
    let before = "read: [get_*], del: [del_*]";
    let after = "read: [get_*, del_a], del: [del_*]";
    for (rule, growth, any) in [
        (by_class, 1, 1),
        (either, 0, 0),
        (has, 0, 0),
        (flow, 1, 1),
        (set, 0, 1),
    ] {
        home.write("before.yaml", &text(before, rule));
        home.write("after.yaml", &text(after, rule));
        let (before, after) = (home.path("before.yaml"), home.path("after.yaml"));
        for (fail_on, code) in [("growth", growth), ("any", any)] {
            let ran = home.diff(&[&before, &after, "--fail-on", fail_on]);
            assert_eq!(ran.code, code, "{rule} {fail_on}: {}{}", ran.out, ran.err);
        }
    }
    home.write("before.yaml", &text(before, by_class));
    home.write("after.yaml", &text(after, by_class));
    let (before, after) = (home.path("before.yaml"), home.path("after.yaml"));
    let whole = parsed(&home.diff(&[&before, &after, "--format", "json"]));
    assert_eq!(whole["complete"], true);
    let revision = whole["old"]["policy_revision"].as_str().unwrap();
    let record = json!({
        "time": "2026-11-20T10:00:00Z", "decision_id": "a", "decision": "deny",
        "reason": "denied_by_rule", "rules": ["nodel"], "policy_revision": revision,
        "issuer": "https://idp.example.com", "subject": "ida", "groups": ["staff"],
        "server": "github", "mcp.method.name": "tools/call", "name": "del_a",
    });
    let audit = home.path("audit.jsonl");
    // Half a character and a line that is no record spoil no other one.
    let bytes = [
        b"\xc3\n".to_vec(),
        vec![b'['; 1 << 20],
        format!("\n{record}\n").into(),
    ];
    fs::write(&audit, bytes.concat()).unwrap();
    let whole = parsed(&home.diff(&[&before, &after, "--format", "json", "--replay", &audit]));
    let recorded = &whole["recorded"];
    assert_eq!(recorded["changed"][0]["would_be"], "allow", "{recorded}");
    let places = recorded["unknown"].as_array().unwrap();
    let places: Vec<&str> = places
        .iter()
        .map(|one| one["place"].as_str().unwrap())
        .collect();
    assert_eq!(places, [format!("{audit}:1"), format!("{audit}:2")]);
}

#[test]
fn what_says_the_same_is_no_change() {
    let home = Home::new();
    let rule = |acr: &str| format!("- {{id: strong, effect: require, needs: {{acr: [{acr}]}}}}");
    home.write("before.yaml", &text("read: [get_*]", &rule("gold, silver")));
    home.write("after.yaml", &text("read: [get_*]", &rule("silver, gold")));
    let (before, after) = (home.path("before.yaml"), home.path("after.yaml"));
    let ran = home.diff(&[&before, &after, "--fail-on", "any"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("0 rule(s) differ"), "{}", ran.out);
}

#[test]
fn two_subjects_of_one_name_are_an_error() {
    let home = Home::new();
    home.write(
        "who.yaml",
        "subjects: [{id: ida, groups: [interns]}, {id: ida, groups: [staff]}]",
    );
    let ran = home.both(&["--subjects", &home.path("who.yaml")]);
    assert_ne!(ran.code, 0, "{}", ran.out);
    assert!(ran.err.contains("two subjects called `ida`"), "{}", ran.err);
}
