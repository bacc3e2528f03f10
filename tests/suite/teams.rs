//! Policies of teams, and the last good policy, under a running service.

use serde_json::Value;

use super::running::{Home, Running, call, policy};

/// A service with a team that has the only server.
fn home() -> Home {
    let home = Home::new();
    home.write(
        "global.yaml",
        "rules: [{id: base, effect: deny, what: {tools: [z]}}]\n",
    );
    home.write("team.yaml", &team("a"));
    home.configure(
        "policy: policy.yaml",
        "policy: global.yaml\npolicies: [{name: seven, files: team.yaml, servers: [notes]}]",
    );
    home
}

fn team(tool: &str) -> String {
    format!(
        "rules: [{{id: use, effect: allow, who: {{anyone: true}}, what: {{tools: [{tool}]}}}}]\n"
    )
}

async fn reason(running: &Running, tool: &str) -> String {
    running.check(call(tool)).await.fact("reason").to_owned()
}

async fn policy_detail(running: &Running) -> Value {
    let (status, state) = running.readyz().await;
    assert_eq!(status, 200);
    state["details"]["policy"].clone()
}

async fn metric(running: &Running, name: &str) -> String {
    let name = format!("mcp_authz_{name}");
    running.metric(&name).await.unwrap_or_default()
}

/// The files stay as they are, and the configuration no longer names the team.
#[tokio::test]
async fn the_log_says_whose_access_another_configuration_changes() {
    let home = home();
    let running = home.ready().await;
    home.configure(
        "\npolicies: [{name: seven, files: team.yaml, servers: [notes]}]",
        "",
    );
    let line = running.logs.line(": access changed ").await;
    assert!(line.contains("seven/use"), "{line}");
    let shrinks = line.contains("grown=0 shrunk=") && !line.contains("shrunk=0");
    assert!(shrinks, "{line}");
}

#[tokio::test]
async fn a_teams_broken_file_is_its_own_fault() {
    let home = home();
    let running = home.ready().await;
    assert_eq!(reason(&running, "a").await, "allowed");
    let answer = running.check(call("a")).await;
    assert_eq!(answer.fact("rule"), "seven/use");

    home.rename_over(
        "team.yaml",
        "rules: [{id: use, effect: deny, what: {servers: [others]}}]\n",
    );
    let line = running.logs.line("its last good rules are in force").await;
    assert!(line.contains("team `seven`"), "{line}");
    running
        .logs
        .line("`others` is not a server of the team `seven`")
        .await;
    home.rename_over(
        "global.yaml",
        "rules: [{id: other, effect: deny, what: {tools: [y]}}]\n",
    );
    running.logs.lines(": policy in force ", 2).await;
    assert_eq!(reason(&running, "a").await, "allowed");
    let answer = running.check(call("y")).await;
    assert_eq!(
        answer.fact("rule"),
        "other",
        "the global change is in force"
    );
    let detail = policy_detail(&running).await;
    assert_eq!(detail["failing"], Value::Null);
    assert_eq!(detail["teams"][0]["team"], "seven");
    assert_eq!(detail["teams"][0]["rules"], "last_good");
    assert_eq!(
        metric(&running, "policy_team_failing{team=\"seven\"}").await,
        "1"
    );
    assert_eq!(
        metric(&running, "policy_team_denied{team=\"seven\"}").await,
        "0"
    );

    home.rename_over("team.yaml", &team("b"));
    running
        .logs
        .line("team `seven`: its files are in force again")
        .await;
    assert_eq!(reason(&running, "b").await, "allowed");
    assert_eq!(
        metric(&running, "policy_team_failing{team=\"seven\"}").await,
        "0"
    );
}

#[tokio::test]
async fn a_start_with_a_teams_broken_file_denies_on_its_servers() {
    let home = home();
    home.write("team.yaml", "rules: [");
    let running = home.ready().await;
    running
        .logs
        .line("team `seven`: the policy has 1 error; its servers deny everything")
        .await;
    let answer = running.check(call("a")).await;
    assert_eq!(answer.fact("reason"), "denied_by_rule");
    assert_eq!(answer.fact("rule"), "seven/no-usable-policy");
    assert!(
        answer.body.contains("cannot be used at the moment"),
        "{}",
        answer.body
    );
    assert_eq!(policy_detail(&running).await["teams"][0]["rules"], "denied");
    assert_eq!(
        metric(&running, "policy_team_denied{team=\"seven\"}").await,
        "1"
    );
    home.write("team.yaml", &team("a"));
    running.logs.line("its files are in force again").await;
    assert_eq!(reason(&running, "a").await, "allowed");
}

/// A file that never comes to rest holds up only its own team.
#[tokio::test]
async fn a_team_that_writes_without_end_holds_up_nobody() {
    let home = home();
    let running = home.ready().await;
    let written = async {
        for round in 0_u32.. {
            home.rename_over("team.yaml", &format!("{}# {round}\n", team("a")));
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    home.rename_over(
        "global.yaml",
        "rules: [{id: other, effect: deny, what: {tools: [y]}}]\n",
    );
    let taken = running.logs.lines(": policy in force ", 2);
    tokio::select! {
        () = written => {}
        _ = taken => {}
    }
    assert_eq!(running.check(call("y")).await.fact("rule"), "other");
}

fn kept(age: &str) -> Home {
    let home = Home::new();
    home.configure(
        "policy: policy.yaml",
        &format!("policy: policy.yaml\nstate_dir: state\nlast_good_max_age: {age}"),
    );
    home
}

/// Starts it once, kills it, and breaks the policy.
async fn killed(home: &Home) {
    let mut running = home.ready().await;
    home.rename_over("policy.yaml", &policy("b", "a"));
    running.logs.lines(": policy in force ", 2).await;
    running.signal("KILL");
    running.ended().await;
    home.write("policy.yaml", "rules: [{id: x, efect: deny}]\n");
}

#[tokio::test]
async fn a_restart_after_kill_with_a_broken_policy_begins_with_the_last_good_one() {
    let home = kept("1d");
    killed(&home).await;
    let running = home.ready().await;
    let line = running.logs.line("the last good policy is in force").await;
    assert!(line.contains("ERROR"), "{line}");
    running.logs.line("policy.yaml:1:").await;
    assert_eq!(reason(&running, "b").await, "allowed");
    assert_eq!(reason(&running, "a").await, "denied_by_rule");
    let detail = policy_detail(&running).await;
    assert!(detail["failing"]["errors"][0].is_string());
    assert_eq!(detail["last_good"]["in_force"], true);
    assert!(detail["last_good"]["confirmed"].is_string());
    assert_eq!(metric(&running, "policy_failing").await, "1");
    assert_eq!(
        metric(&running, "policy_last_good{state=\"in_force\"}").await,
        "1"
    );
    home.rename_over("policy.yaml", &policy("a", "b"));
    running.logs.lines(": policy in force ", 2).await;
    assert_eq!(reason(&running, "a").await, "allowed");
    let detail = policy_detail(&running).await;
    assert_eq!(detail["last_good"]["in_force"], false);
    assert_eq!(detail["failing"], Value::Null);
}

#[tokio::test]
async fn a_last_good_policy_that_is_too_old_or_spoilt_is_not_used() {
    let home = kept("1s");
    killed(&home).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let (status, lines) = home.refused().await;
    assert_eq!(status, 1, "{lines}");
    assert!(lines.contains("`last_good_max_age` is 1s"), "{lines}");

    let home = kept("1d");
    killed(&home).await;
    let file = home.path("state/last-good-policy");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("allow-b", "allow-z")).unwrap();
    let (status, lines) = home.refused().await;
    assert_eq!(status, 1, "{lines}");
    assert!(lines.contains("the digest differs"), "{lines}");
}

/// A candidate is not enforced, so it keeps nothing from starting.
#[tokio::test]
async fn a_broken_candidate_keeps_nothing_from_starting() {
    let home = Home::new();
    home.write("next.yaml", "rules: [{id: x, effect: alow}]\n");
    home.configure(
        "policy: policy.yaml",
        "policy: policy.yaml\ncandidate_policy: next.yaml",
    );
    let running = home.ready().await;
    let line = running.logs.line("nothing is compared with it").await;
    assert!(line.contains("candidate_policy"), "{line}");
    let line = running.logs.line("unknown value `alow`").await;
    assert!(line.contains("candidate_policy"), "{line}");
    let (_, state) = running.readyz().await;
    let candidate = &state["details"]["candidate_policy"];
    assert_eq!(candidate["revision"], "none");
    assert!(candidate["failing"].is_object(), "{candidate}");
    let answer = running.check(call("a")).await;
    assert_eq!(answer.fact("reason"), "allowed");
    let record = running.record(answer.fact("decision_id")).await;
    assert!(record["candidate"].is_null(), "{record}");

    home.rename_over("next.yaml", "rules: []\n");
    let line = running.logs.line("policy compared").await;
    assert!(line.contains("candidate_policy"), "{line}");
    let answer = running.check(call("a")).await;
    let record = running.record(answer.fact("decision_id")).await;
    assert_eq!(record["candidate"]["reason"], "no_matching_rule");
}

/// A candidate is not kept as the last good policy.
#[tokio::test]
async fn the_candidate_is_never_kept() {
    let home = kept("1d");
    home.write("next.yaml", &policy("c", "d"));
    home.configure(
        "policy: policy.yaml",
        "policy: policy.yaml\ncandidate_policy: next.yaml",
    );
    let mut running = home.ready().await;
    running.signal("TERM");
    running.ended().await;
    let text = std::fs::read_to_string(home.path("state/last-good-policy")).unwrap();
    assert!(text.contains("allow-a") && !text.contains("allow-c"));
}

/// Rules of which each may decide by itself: their comparison takes minutes.
fn star(changed: &str) -> String {
    let rule = |at: usize| {
        let effect = if at.is_multiple_of(3) {
            "deny"
        } else {
            "allow"
        };
        let group = if at.is_multiple_of(50) { changed } else { "g" };
        format!(
            "- {{id: r{at}, effect: {effect}, who: {{groups: [{group}{at}, h{at}]}}, what: \
                 {{tools: ['*']}}}}\n"
        )
    };
    let rules: String = (0..200).map(rule).collect();
    format!("rules:\n{rules}")
}

#[tokio::test]
async fn telling_what_has_changed_holds_up_no_later_policy() {
    let home = home();
    home.write("team.yaml", &star("a"));
    let running = home.ready().await;
    home.rename_over("team.yaml", &star("b"));
    running.logs.lines(": policy in force ", 2).await;
    let begun = std::time::Instant::now();
    home.rename_over(
        "global.yaml",
        "rules: [{id: stop, effect: deny, what: {servers: [notes]}}]\n",
    );
    running.logs.lines(": policy in force ", 3).await;
    assert!(begun.elapsed().as_secs() < 15, "{:?}", begun.elapsed());
    assert_eq!(running.check(call("y")).await.fact("rule"), "stop");
    let line = running.logs.line("grown=unknown").await;
    assert!(
        line.contains(": access changed ") && line.contains("given up"),
        "{line}"
    );
}

/// What is wrong with a candidate is told as the candidate's, and not as a team's.
#[tokio::test]
async fn an_unknown_class_in_a_candidate_is_told() {
    let home = home();
    home.write(
        "next.yaml",
        "rules: [{id: n, effect: deny, what: {classes: [zz]}}]\n",
    );
    home.configure(
        "policy: global.yaml",
        "policy: global.yaml\ncandidate_policy: next.yaml",
    );
    let running = home.ready().await;
    running.logs.line("unknown class `zz`").await;
    let (_, state) = running.readyz().await;
    let candidate = &state["details"]["candidate_policy"];
    assert!(candidate["failing"].is_object(), "{candidate}");
    assert_eq!(
        metric(&running, "file_failing{file=\"candidate_policy\"}").await,
        "1"
    );
    assert_eq!(
        policy_detail(&running).await["teams"][0]["rules"],
        "in_force"
    );
}

/// The rules of other owners are no reason to forget a misspelt class.
#[tokio::test]
async fn a_start_with_an_unknown_class_in_a_global_rule_is_refused() {
    let home = home();
    home.write(
        "global.yaml",
        "rules: [{id: n, effect: deny, what: {classes: [destructve]}}]\n",
    );
    let (status, lines) = home.refused().await;
    assert_eq!(status, 1, "{lines}");
    assert!(lines.contains("unknown class `destructve`"), "{lines}");
    assert!(!lines.contains("team `seven`"), "{lines}");
}
