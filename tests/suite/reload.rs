//! The policy changes under a running service: only whole, only good, and never within a check.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tokio::task::JoinSet;

use super::running::{Home, Running, call, check_over, policy};

const IN_FORCE: &str = ": policy in force ";

/// Waits for so many policies to have been taken into force, the first included.
async fn in_force(running: &Running, count: usize) {
    running.logs.lines(IN_FORCE, count).await;
}

async fn reason(running: &Running, tool: &str) -> String {
    running.check(call(tool)).await.fact("reason").to_owned()
}

#[tokio::test]
async fn a_good_policy_is_in_force_within_a_second() {
    let home = Home::new();
    let running = home.ready().await;
    assert_eq!(reason(&running, "a").await, "allowed");
    let written = std::time::Instant::now();
    home.rename_over("policy.yaml", &policy("b", "a"));
    in_force(&running, 2).await;
    assert!(
        written.elapsed().as_millis() < 1000,
        "{:?}",
        written.elapsed()
    );
    assert_eq!(reason(&running, "a").await, "denied_by_rule");
    let reloads = r#"mcp_authz_policy_reloads_total{result="ok"}"#;
    assert_eq!(running.metric(reloads).await.as_deref(), Some("2"));
}

/// Two tools of one caller change places.
#[tokio::test]
async fn the_log_says_whose_access_has_changed() {
    let home = Home::new();
    let running = home.ready().await;
    home.rename_over("policy.yaml", &policy("b", "a"));
    let line = running.logs.line(": access changed ").await;
    for part in [
        " INFO ",
        "revision_before=",
        "grown=1 shrunk=1 rules_added=",
    ] {
        assert!(line.contains(part), "no `{part}` in {line}");
    }
}

#[tokio::test]
async fn a_broken_policy_changes_nothing_and_is_reported() {
    let home = Home::new();
    let running = home.ready().await;
    let (_, before) = running.readyz().await;
    home.rename_over("policy.yaml", "rules:\n- id: x\n  efect: deny\n");
    let line = running.logs.line("the policy in force stays").await;
    let revision = before["details"]["policy"]["revision"].as_str().unwrap();
    for part in [" ERROR ", "the policy has 2 errors", revision] {
        assert!(line.contains(part), "no `{part}` in {line}");
    }
    let at = format!("{}:3:3: error: ", home.path("policy.yaml").display());
    running.logs.line(&at).await;
    assert_eq!(reason(&running, "a").await, "allowed");

    let (status, state) = running.readyz().await;
    assert_eq!(status, 200, "it goes on serving");
    let detail = &state["details"]["policy"];
    assert_eq!(detail["revision"], revision);
    assert_eq!(detail["applied"], before["details"]["policy"]["applied"]);
    let failing = &detail["failing"];
    assert!(
        failing["since"].as_str().unwrap().ends_with('Z'),
        "{failing}"
    );
    let errors = failing["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 2);
    assert!(errors[1].as_str().unwrap().starts_with(&at), "{failing}");
    let failed = r#"mcp_authz_policy_reloads_total{result="error"}"#;
    assert_eq!(running.metric(failed).await.as_deref(), Some("1"));
    assert_eq!(
        running.metric("mcp_authz_policy_failing").await.as_deref(),
        Some("1")
    );

    // Mended to what is in force anyway: nothing changes but the report.
    home.rename_over("policy.yaml", &policy("a", "b"));
    in_force(&running, 2).await;
    let (_, state) = running.readyz().await;
    assert_eq!(state["details"]["policy"]["failing"], Value::Null);
    assert_eq!(
        running.metric("mcp_authz_policy_failing").await.as_deref(),
        Some("0")
    );
}

#[tokio::test]
async fn a_policy_that_is_gone_stays_in_force() {
    let home = Home::new();
    let running = home.ready().await;
    std::fs::remove_file(home.path("policy.yaml")).unwrap();
    let line = running.logs.line("the policy in force stays").await;
    assert!(line.contains("no policy file at"), "{line}");
    assert_eq!(reason(&running, "a").await, "allowed");
    assert_eq!(reason(&running, "b").await, "denied_by_rule");
    home.write("policy.yaml", &policy("b", "a"));
    in_force(&running, 2).await;
    assert_eq!(reason(&running, "b").await, "allowed");
    assert_eq!(running.logs.count("the policy in force stays"), 1);
}

#[tokio::test]
async fn a_hangup_reloads_whether_or_not_anything_changed() {
    let home = Home::new();
    let running = home.ready().await;
    running.signal("HUP");
    in_force(&running, 2).await;
    home.write("policy.yaml", "nonsense");
    running.signal("HUP");
    running.logs.line("the policy in force stays").await;
    assert_eq!(reason(&running, "a").await, "allowed");
    assert_eq!(running.readyz().await.0, 200);
}

/// A Kubernetes volume: what is mounted links to `..data`, which links to a directory.
#[tokio::test]
async fn a_volume_that_is_swapped_is_taken_up() {
    let home = Home::new();
    let volume = home.path("volume");
    std::fs::create_dir(&volume).unwrap();
    let publish = |version: &str, text: &str| {
        let directory = volume.join(version);
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("policy.yaml"), text).unwrap();
        let next = volume.join("..data_tmp");
        std::os::unix::fs::symlink(version, &next).unwrap();
        std::fs::rename(next, volume.join("..data")).unwrap();
    };
    publish("..1", &policy("a", "b"));
    std::os::unix::fs::symlink("..data/policy.yaml", volume.join("policy.yaml")).unwrap();
    for (configured, swaps) in [("volume/policy.yaml", 2), ("volume", 3)] {
        let home_config = std::fs::read_to_string(home.path("config.yaml")).unwrap();
        home.configure("policy: policy.yaml", &format!("policy: {configured}"));
        let running = home.ready().await;
        publish(&format!("..{swaps}0"), &policy("b", "a"));
        in_force(&running, 2).await;
        assert_eq!(reason(&running, "b").await, "allowed", "{configured}");
        publish(&format!("..{swaps}1"), &policy("a", "b"));
        in_force(&running, 3).await;
        assert_eq!(reason(&running, "a").await, "allowed", "{configured}");
        home.write("config.yaml", &home_config);
    }
}

#[tokio::test]
async fn files_that_come_and_go_are_noticed() {
    for configured in ["policies", "policies/*.yaml"] {
        let home = Home::new();
        std::fs::create_dir(home.path("policies")).unwrap();
        home.write("policies/10.yaml", &policy("a", "b"));
        home.configure("policy: policy.yaml", &format!("policy: {configured:?}"));
        let running = home.ready().await;
        assert_eq!(reason(&running, "c").await, "no_matching_rule");
        home.write("policies/20.yaml", &policy("c", "a"));
        in_force(&running, 2).await;
        assert_eq!(reason(&running, "c").await, "allowed");
        assert_eq!(reason(&running, "a").await, "denied_by_rule");
        std::fs::remove_file(home.path("policies/20.yaml")).unwrap();
        in_force(&running, 3).await;
        assert_eq!(reason(&running, "a").await, "allowed");
        // The same rule in two files is a mistake of the whole.
        home.write("policies/30.yaml", &policy("a", "d"));
        let line = running.logs.line("the policy in force stays").await;
        assert!(line.contains("the policy has 1 error"), "{line}");
        assert_eq!(reason(&running, "d").await, "no_matching_rule");
    }
}

const SWAPS: usize = 12;
const CLIENTS: usize = 4;

/// Two policies that agree on nothing take turns under load. What a check was answered and what
/// was recorded of it have to be of the one policy whose revision the record has.
#[tokio::test]
async fn no_check_sees_two_policies() {
    let home = Home::new();
    let mut running = home.ready().await;
    let done = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (channel, done) = (running.channel().await, Arc::clone(&done));
        clients.spawn(async move {
            let mut answers = Vec::new();
            while !done.load(Ordering::Relaxed) {
                for tool in ["a", "b"] {
                    answers.push((tool, check_over(channel.clone(), call(tool)).await.unwrap()));
                }
            }
            answers
        });
    }
    for swap in 1..=SWAPS {
        let (allowed, denied) = if swap % 2 == 0 {
            ("a", "b")
        } else {
            ("b", "a")
        };
        home.rename_over("policy.yaml", &policy(allowed, denied));
        running.signal("HUP");
        in_force(&running, swap + 1).await;
    }
    done.store(true, Ordering::Relaxed);
    let answers: Vec<_> = clients.join_all().await.into_iter().flatten().collect();
    running.signal("TERM");
    assert_eq!(running.ended().await.code(), Some(0));

    let records: HashMap<String, Value> = running
        .audit
        .as_ref()
        .unwrap()
        .all()
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|record| (record["decision_id"].as_str().unwrap().to_owned(), record))
        .collect();
    assert_eq!(records.len(), answers.len(), "one record for each answer");

    // Which tool each revision allows.
    let mut revisions: HashMap<&str, &str> = HashMap::new();
    for (tool, answer) in &answers {
        let record = &records[answer.fact("decision_id")];
        let other = if *tool == "a" { "b" } else { "a" };
        let (allowed, rule) = match answer.fact("reason") {
            "allowed" => (*tool, format!("allow-{tool}")),
            "denied_by_rule" => {
                let message = format!("not {tool} but {other}");
                assert!(answer.body.contains(&message), "{}", answer.body);
                (other, format!("deny-{tool}"))
            }
            reason => panic!("{tool}: {reason}"),
        };
        assert_eq!(answer.fact("rule"), rule);
        assert_eq!(record["reason"], answer.fact("reason"));
        assert_eq!(record["rules"], serde_json::json!([rule]));
        let revision = record["policy_revision"].as_str().unwrap();
        assert_eq!(*revisions.entry(revision).or_insert(allowed), allowed);
    }
    let mut allowed: Vec<_> = revisions.into_values().collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["a", "b"], "both policies were seen");
}

#[tokio::test]
async fn recorded_tools_are_read_again_when_they_change() {
    let home = Home::new();
    home.configure(
        "  deny: {disclose: rule}",
        "  deny: {disclose: rule}\n  tools_snapshot: tools.json\n  on_tool_change: deny",
    );
    let (status, line) = home.refused().await;
    assert_eq!(status, 2);
    assert!(line.contains("cannot read the recorded tools"), "{line}");
    home.write("tools.json", r#"[{"name": "a"}]"#);
    let running = home.ready().await;
    let tools = async |running: &Running| running.readyz().await.1["details"]["tools"][0].clone();
    let recorded = |count: u64| serde_json::json!({"server": "notes", "recorded": count, "seen": 0, "changed": 0, "failing": null});
    assert_eq!(tools(&running).await, recorded(1));

    // By itself, and the old ones stay.
    home.write("tools.json", "[");
    let line = running.logs.line("those in force stay").await;
    assert!(line.contains("it is not JSON"), "{line}");
    let told = tools(&running).await;
    let error = told["failing"]["error"].as_str().unwrap();
    assert_eq!(
        (&told["recorded"], error.contains("it is not JSON")),
        (&1.into(), true)
    );
    let failing = r#"mcp_authz_tools_snapshot_failing{server="notes"}"#;
    assert_eq!(running.metric(failing).await.as_deref(), Some("1"));
    assert_eq!(reason(&running, "a").await, "allowed");

    // And at once when told to.
    home.write("tools.json", r#"[{"name": "a"}, {"name": "b"}]"#);
    running.signal("HUP");
    running.logs.line("recorded tools in force").await;
    assert_eq!(tools(&running).await, recorded(2));
    assert_eq!(running.metric(failing).await.as_deref(), Some("0"));
}

/// The tests of a policy see the hints that are recorded now.
#[tokio::test]
async fn a_policy_is_tested_with_the_hints_that_are_in_force() {
    let home = Home::new();
    home.configure(
        "  deny: {disclose: rule}",
        "  deny: {disclose: rule}\n  tools_snapshot: tools.json\n  trust_tool_hints: true",
    );
    home.write("tools.json", r#"[{"name": "a"}]"#);
    let running = home.ready().await;
    home.write(
        "policy_test.yaml",
        "tests:
- name: look
  request: {server: notes, method: tools/call, name: look, subject: {id: x}}
  expect: {decision: allow}
",
    );
    home.rename_over(
        "policy.yaml",
        "rules: [{id: r, effect: allow, who: {anyone: true}, what: {servers: [notes], classes: [read]}}]",
    );
    running.logs.line("the policy in force stays").await;
    assert_eq!(reason(&running, "look").await, "no_matching_rule");
    home.write(
        "tools.json",
        r#"[{"name": "a"}, {"name": "look", "annotations": {"readOnlyHint": true}}]"#,
    );
    in_force(&running, 2).await;
    assert_eq!(reason(&running, "look").await, "allowed");
}

/// A denial that cannot be read is not one that is gone: whatever has its name.
#[tokio::test]
async fn a_directory_keeps_the_denials_that_cannot_be_read() {
    let home = Home::new();
    std::fs::create_dir(home.path("policies")).unwrap();
    home.write("policies/allow.yaml", ALLOW_ALL);
    home.write("denials.yaml", DENY_B);
    let deny = home.path("policies/deny.yaml");
    std::os::unix::fs::symlink("../denials.yaml", &deny).unwrap();
    home.configure("policy: policy.yaml", "policy: policies");
    let running = home.ready().await;
    let made = std::process::Command::new("mkfifo")
        .arg(home.path("pipe"))
        .status();
    assert!(made.unwrap().success());
    for (round, target) in ["../nothing", "deny.yaml", "../pipe", "/dev/zero", ".."]
        .into_iter()
        .enumerate()
    {
        let next = home.path("policies/.next");
        std::os::unix::fs::symlink(target, &next).unwrap();
        std::fs::rename(next, &deny).unwrap();
        let lines = running
            .logs
            .lines("the policy in force stays", round + 1)
            .await;
        let line = lines.last().unwrap();
        assert!(line.contains("deny.yaml`: "), "{line}");
        assert_eq!(reason(&running, "b").await, "denied_by_rule", "{target}");
        assert_eq!(reason(&running, "a").await, "allowed", "{target}");
        let failing = running.metric("mcp_authz_policy_failing").await;
        assert_eq!(failing.as_deref(), Some("1"), "{target}");
        let (status, line) = home.refused().await;
        assert_eq!(status, 2, "{line}");
    }
    std::fs::remove_file(&deny).unwrap();
    home.write("policies/deny.yaml", DENY_B);
    in_force(&running, 2).await;
    let failing = running.metric("mcp_authz_policy_failing").await;
    assert_eq!(failing.as_deref(), Some("0"));
}

const ALLOW_ALL: &str =
    "rules: [{id: all, effect: allow, who: {anyone: true}, what: {servers: [notes]}}]\n";
const DENY_B: &str = "rules: [{id: b, effect: deny, what: {servers: [notes], tools: [b]}}]\n";
