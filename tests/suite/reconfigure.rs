//! The configuration changes under a running service: all of it or nothing, with what is remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use envoy_types::pb::envoy::service::auth::v3 as auth;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_client::ExternalProcessorClient;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::handoff::{BODY, EMPTY, FILTERED, Shown, list, rest, whole_body};
use super::running::{
    Conduct, Home, HttpIssuer, ISSUER, PATIENCE, Running, SIGNER, call, call_with, check_over,
    policy,
};

const IN_FORCE: &str = ": configuration in force: ";
const STAYS: &str = "the configuration in force stays";
const PREPARED: &str = "the configuration has changed and is prepared";
const GIVEN_UP: &str = "the configuration is given up";
const OTHER_ISSUER: &str = "https://other.test";
const SERVERS_END: &str = "policy: policy.yaml";

/// The server `linear`, as an entry of `servers`.
const LINEAR: &str = "\
- name: linear
  match: {hosts: [linear.test]}
  resource: https://linear.test/mcp
  audiences: [https://mcp.test/mcp]
";

/// Waits for so many configurations to have been put in force after the first, and returns what the
/// last of them changed.
async fn changed(running: &Running, count: usize) -> String {
    let lines = running.logs.lines(IN_FORCE, count).await;
    let (_, change) = lines[count - 1].split_once(IN_FORCE).unwrap();
    change.to_owned()
}

fn at(host: &str, mut check: auth::CheckRequest) -> auth::CheckRequest {
    let attributes = check.attributes.as_mut().unwrap();
    let http = attributes.request.as_mut().unwrap().http.as_mut().unwrap();
    http.host = host.to_owned();
    check
}

async fn reason(running: &Running, check: auth::CheckRequest) -> String {
    running.check(check).await.fact("reason").to_owned()
}

async fn config_detail(running: &Running) -> Value {
    let (status, state) = running.readyz().await;
    assert_eq!(status, 200, "a reload takes nobody out of service");
    state["details"]["config"].clone()
}

/// A policy that allows the tool `a` of any server.
const ANY_SERVER: &str = "\
rules: [{id: any, effect: allow, who: {anyone: true}, what: {tools: [a]}}]
";

#[tokio::test]
async fn a_server_is_added_and_removed_while_it_runs() {
    let home = Home::new();
    home.write("policy.yaml", ANY_SERVER);
    let running = home.ready().await;
    let linear = || at("linear.test", call("a"));
    assert_eq!(reason(&running, linear()).await, "unknown_server");

    home.configure(SERVERS_END, &format!("{LINEAR}{SERVERS_END}"));
    let change = changed(&running, 1).await;
    assert!(change.starts_with("servers added: `linear`"), "{change}");
    assert_eq!(reason(&running, linear()).await, "allowed");
    assert_eq!(reason(&running, call("a")).await, "allowed");

    home.configure(LINEAR, "");
    let change = changed(&running, 2).await;
    assert!(change.starts_with("servers removed: `linear`"), "{change}");
    assert_eq!(reason(&running, linear()).await, "unknown_server");
    assert_eq!(reason(&running, call("a")).await, "allowed");
    // It is put in force once, and not again for the files that it names.
    running.signal("HUP");
    assert_eq!(changed(&running, 3).await, "nothing to apply");
    let reloads = r#"mcp_authz_config_reloads_total{result="ok"}"#;
    assert_eq!(running.metric(reloads).await.as_deref(), Some("4"));
}

#[tokio::test]
async fn an_issuer_is_added_and_its_tokens_end_with_it() {
    let home = Home::new();
    home.write("policy.yaml", ANY_SERVER);
    let running = home.ready().await;
    let token = SIGNER.token(OTHER_ISSUER, "k1");
    let theirs = || call_with("a", &token, &[]);
    assert_eq!(reason(&running, theirs()).await, "unknown_issuer");
    assert_eq!(reason(&running, call("a")).await, "allowed");

    let other = format!("issuers:\n- {{issuer: '{OTHER_ISSUER}', jwks_file: jwks.json}}");
    home.configure("issuers:", &other);
    let change = changed(&running, 1).await;
    let told = format!("servers changed: `notes`; issuers added: `{OTHER_ISSUER}`");
    assert_eq!(change, told, "the server takes tokens of every issuer");
    // Its keys are there with it.
    assert_eq!(reason(&running, theirs()).await, "allowed");
    let cached = running.metric("mcp_authz_tokens_cached").await;
    assert_ne!(cached.as_deref(), Some("0"), "it is remembered");
    let fetches = |issuer: &str| {
        format!("mcp_authz_key_refreshes_total{{issuer=\"{issuer}\",result=\"ok\"}}")
    };
    let known = running.metric(&fetches(OTHER_ISSUER)).await;
    assert!(known.is_some());

    home.configure(&other, "issuers:");
    let change = changed(&running, 2).await;
    let told = format!("servers changed: `notes`; issuers removed: `{OTHER_ISSUER}`");
    assert_eq!(change, told);
    assert_eq!(reason(&running, theirs()).await, "unknown_issuer");
    assert_eq!(running.metric(&fetches(OTHER_ISSUER)).await, None);
    assert_eq!(reason(&running, call("a")).await, "allowed");
}

/// What was verified by other settings of an issuer is verified again.
#[tokio::test]
async fn remembered_tokens_do_not_outlive_the_settings_of_their_issuer() {
    let home = Home::new();
    let running = home.ready().await;
    assert_eq!(reason(&running, call("a")).await, "allowed");
    let jwks = "jwks_file: jwks.json";
    home.configure(jwks, &format!("{jwks}\n  algorithms: [RS256]"));
    let change = changed(&running, 1).await;
    assert_eq!(change, format!("issuers changed: `{ISSUER}`"));
    assert_eq!(reason(&running, call("a")).await, "algorithm_not_allowed");
}

/// A server that takes no token of an issuer any more, or has another audience, takes no remembered
/// one either.
#[tokio::test]
async fn remembered_tokens_are_held_against_the_servers_of_now() {
    let home = Home::new();
    home.configure(
        "issuers:",
        "issuers:\n- issuer: https://b.test\n  jwks_file: jwks.json",
    );
    let running = home.ready().await;
    assert_eq!(reason(&running, call("a")).await, "allowed");
    let resource = "resource: https://mcp.test/mcp";
    home.configure(resource, "resource: https://mcp.test/other");
    assert_eq!(changed(&running, 1).await, "servers changed: `notes`");
    assert_eq!(reason(&running, call("a")).await, "audience_mismatch");
    let trusted = format!("{resource}\n  issuers: [https://b.test]");
    home.configure("resource: https://mcp.test/other", &trusted);
    changed(&running, 2).await;
    assert_eq!(reason(&running, call("a")).await, "unknown_issuer");
}

/// An issuer that is configured as before is not asked again, and its keys serve though it is away.
#[tokio::test]
async fn the_keys_of_an_unchanged_issuer_stay() {
    let home = Home::new();
    let issuer = HttpIssuer::start().await;
    HttpIssuer::configure(issuer.address, &home);
    let running = home.ready().await;
    let asked = *issuer.asked.borrow();
    issuer.conduct.send_replace(Conduct::Hang);
    home.configure(SERVERS_END, &format!("{LINEAR}{SERVERS_END}"));
    changed(&running, 1).await;
    assert_eq!(reason(&running, call("a")).await, "allowed");
    assert_eq!(*issuer.asked.borrow(), asked);
    // How its claims are read is no reason to ask either.
    home.configure("refresh: 1h}", "refresh: 1h}\n  claims: {groups: teams}");
    changed(&running, 2).await;
    assert_eq!(reason(&running, call("a")).await, "allowed");
    assert_eq!(*issuer.asked.borrow(), asked);
    // When they are fetched is, and until then those that were fetched last serve.
    home.configure("refresh: 1h", "refresh: 2h");
    home.configure("drain:", "limits: {fetch_timeout: 100ms}\ndrain:");
    changed(&running, 3).await;
    assert_eq!(reason(&running, call("a")).await, "allowed");
    assert!(*issuer.asked.borrow() > asked);
}

#[tokio::test]
async fn settings_of_servers_and_limits_change() {
    let home = Home::new();
    let running = home.ready().await;
    let denied = running.check(call("b")).await;
    assert!(denied.body.contains("not b but a"), "{}", denied.body);
    home.configure("disclose: rule", "disclose: reason");
    assert_eq!(changed(&running, 1).await, "servers changed: `notes`");
    let denied = running.check(call("b")).await;
    assert!(!denied.body.contains("not b but a"), "{}", denied.body);
    home.configure(
        "drain:",
        "limits: {name_bytes_max: 12, rules_max: 9}\ndrain:",
    );
    let change = changed(&running, 2).await;
    assert_eq!(
        change,
        "keys changed: `limits.name_bytes_max`, `limits.rules_max`"
    );
    let long = call("a-name-that-is-long");
    assert_eq!(reason(&running, long).await, "name_too_long");
}

#[tokio::test]
async fn a_broken_configuration_changes_nothing_and_is_reported() {
    let home = Home::new();
    let running = home.ready().await;
    let good = std::fs::read_to_string(home.path("config.yaml")).unwrap();
    let before = config_detail(&running).await;
    home.configure("policy:", "polices:");
    let line = running.logs.line(STAYS).await;
    for part in [" ERROR ", "the configuration has 2 errors"] {
        assert!(line.contains(part), "no `{part}` in {line}");
    }
    let unknown = "unknown key `polices` (did you mean `policy`?)";
    running.logs.line(unknown).await;
    assert_eq!(reason(&running, call("a")).await, "allowed");
    let detail = config_detail(&running).await;
    assert_eq!(detail["applied"], before["applied"]);
    let failing = &detail["failing"];
    assert!(
        failing["since"].as_str().unwrap().ends_with('Z'),
        "{failing}"
    );
    let errors = failing["errors"].as_array().unwrap();
    assert!(
        errors
            .iter()
            .any(|line| line.as_str().unwrap().contains(unknown)),
        "{failing}"
    );
    let failed = r#"mcp_authz_config_reloads_total{result="error"}"#;
    assert_eq!(running.metric(failed).await.as_deref(), Some("1"));
    let is_failing = async || running.metric("mcp_authz_config_failing").await;
    assert_eq!(is_failing().await.as_deref(), Some("1"));
    // A policy is still taken up, by the configuration in force.
    home.rename_over("policy.yaml", &policy("b", "a"));
    running.logs.lines(": policy in force ", 2).await;
    assert_eq!(reason(&running, call("b")).await, "allowed");

    home.write("config.yaml", &good);
    assert_eq!(changed(&running, 1).await, "nothing to apply");
    assert_eq!(config_detail(&running).await["failing"], Value::Null);
    assert_eq!(is_failing().await.as_deref(), Some("0"));
    assert_eq!(running.logs.count(STAYS), 1, "told of once");
}

/// Whatever has the file's name, the configuration in force stays until there is a good one.
#[tokio::test]
async fn a_configuration_that_cannot_be_read_changes_nothing() {
    let home = Home::new();
    let running = home.ready().await;
    let path = home.path("config.yaml");
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    running
        .logs
        .line("there is no such file; the configuration in force stays")
        .await;
    std::fs::create_dir(&path).unwrap();
    running
        .logs
        .line("it is a directory, not a regular file")
        .await;
    std::fs::remove_dir(&path).unwrap();
    std::fs::write(&path, b"\xff\xfe").unwrap();
    running.logs.line("it is not UTF-8").await;
    assert_eq!(reason(&running, call("a")).await, "allowed");
    home.write("config.yaml", &good);
    changed(&running, 1).await;
    let failed = r#"mcp_authz_config_reloads_total{result="error"}"#;
    assert_eq!(running.metric(failed).await.as_deref(), Some("3"));
}

/// A change to a good home, and what is then logged of it.
type Row = (&'static str, &'static str, &'static str);

/// What would keep the process from starting keeps the configuration from being put in force.
const REFUSED: [Row; 7] = [
    (
        "admin:",
        "tls: {cert_file: missing.pem, key_file: missing.key}\nadmin:",
        "missing.pem`: there is no such file",
    ),
    (
        "drain:",
        "handoff: {key_file: missing.keys}\ndrain:",
        "missing.keys`: there is no such file",
    ),
    (
        "drain:",
        "peers: {ca_file: missing.pem}\ndrain:",
        "missing.pem`: there is no such file",
    ),
    (
        "drain:",
        "geoip: {country_db_file: missing.mmdb}\ndrain:",
        "missing.mmdb`: there is no such file",
    ),
    (
        "  deny:",
        "  tools_snapshot: missing.json\n  on_tool_change: deny\n  deny:",
        "missing.json`: there is no such file",
    ),
    (
        "- issuer:",
        "- {issuer: 'https://new.test', ca_file: missing.pem}\n- issuer:",
        "`ca_file` of issuer `https://new.test`: there is no such file",
    ),
    (
        "policy: policy.yaml",
        "policy: missing.yaml",
        "no policy file at",
    ),
];

#[tokio::test]
async fn a_configuration_that_names_what_is_missing_is_refused_until_it_is_there() {
    let home = Home::new();
    let running = home.ready().await;
    let good = std::fs::read_to_string(home.path("config.yaml")).unwrap();
    for (index, (from, to, expected)) in REFUSED.into_iter().enumerate() {
        // The rest of it is not put in force either.
        home.write(
            "config.yaml",
            &good.replace(SERVERS_END, &format!("{LINEAR}{SERVERS_END}")),
        );
        changed(&running, 2 * index + 1).await;
        let refused = good.replace(from, to);
        assert_ne!(refused, good, "{from}");
        home.write("config.yaml", &refused);
        let lines = running.logs.lines(STAYS, index + 1).await;
        assert!(lines[index].contains(expected), "{}", lines[index]);
        let linear = at("linear.test", call("a"));
        assert_eq!(reason(&running, linear).await, "no_matching_rule", "{to}");
        home.write("config.yaml", &good);
        changed(&running, 2 * index + 2).await;
    }
    // Nobody touches the configuration once the file is there.
    home.configure("drain:", "handoff: {key_file: later.keys}\ndrain:");
    running.logs.lines(STAYS, REFUSED.len() + 1).await;
    home.write("later.keys", &format!("{}\n", "0a".repeat(32)));
    let change = changed(&running, 2 * REFUSED.len() + 1).await;
    assert_eq!(change, "keys changed: `handoff`");
    assert_eq!(config_detail(&running).await["failing"], Value::Null);
}

/// A policy names a server that only the new configuration has. Both are in force in the end, and no
/// check sees one without the other.
#[tokio::test]
async fn configuration_and_policy_may_change_in_either_order() {
    let with_linear = "\
rules:
- {id: any, effect: allow, who: {anyone: true}, what: {servers: [notes, linear], tools: [a]}}
";
    for policy_first in [true, false] {
        let home = Home::new();
        let running = home.ready().await;
        let policy_lines = "the policy in force stays";
        if policy_first {
            home.rename_over("policy.yaml", with_linear);
            running.logs.line(policy_lines).await;
            home.configure(SERVERS_END, &format!("{LINEAR}{SERVERS_END}"));
            changed(&running, 1).await;
        } else {
            home.configure(SERVERS_END, &format!("{LINEAR}{SERVERS_END}"));
            changed(&running, 1).await;
            home.rename_over("policy.yaml", with_linear);
            running.logs.lines(": policy in force ", 3).await;
        }
        let linear = at("linear.test", call("a"));
        assert_eq!(reason(&running, linear).await, "allowed");
        let (_, state) = running.readyz().await;
        assert_eq!(state["details"]["policy"]["failing"], Value::Null);

        // And the way back: the server goes first, which its policy does not let it.
        home.configure(LINEAR, "");
        running.logs.line(STAYS).await;
        let linear = at("linear.test", call("a"));
        assert_eq!(reason(&running, linear).await, "allowed");
        home.rename_over("policy.yaml", &policy("a", "b"));
        changed(&running, 2).await;
        let linear = at("linear.test", call("a"));
        assert_eq!(reason(&running, linear).await, "unknown_server");
        assert_eq!(reason(&running, call("b")).await, "denied_by_rule");
    }
}

/// Where no rule depends on what changes, the policy in place counts too, and not the one before it.
#[tokio::test]
async fn a_configuration_never_comes_without_the_policy_in_place() {
    let home = Home::new();
    let running = home.ready().await;
    home.rename_over("policy.yaml", "rules: [{}]\n");
    running.logs.line("the policy in force stays").await;
    let audience = "  audiences: [https://other.test/mcp]\n";
    home.configure(SERVERS_END, &format!("{audience}{SERVERS_END}"));
    running.logs.line(STAYS).await;
    let failing = &config_detail(&running).await["failing"];
    assert_ne!(*failing, Value::Null, "it would not start");
    assert_eq!(reason(&running, call("a")).await, "allowed");

    home.rename_over("policy.yaml", &policy("b", "a"));
    assert_eq!(changed(&running, 1).await, "servers changed: `notes`");
    assert_eq!(reason(&running, call("b")).await, "allowed");
    assert_eq!(reason(&running, call("a")).await, "denied_by_rule");
}

/// A policy whose tests take minutes.
fn endless(home: &Home) {
    let rule = |number: usize| {
        format!(
            "- {{id: r{number}, effect: deny, what: {{servers: [notes], tools: [a]}}, \
             if: 'args.x.contains(\"{number}a\") && size(args.x) > 3'}}\n"
        )
    };
    let rules: String = (0..1000).map(rule).collect();
    home.write("endless.yaml", &format!("rules:\n{rules}"));
    let test = |number: usize| {
        format!(
            "- {{name: t{number}, request: {{server: notes, method: tools/call, name: a, \
             arguments: {{x: b}}, subject: {{id: x}}}}, expect: {{decision: deny}}}}\n"
        )
    };
    let tests: String = (0..10_000).map(test).collect();
    home.write("endless_test.yaml", &format!("tests:\n{tests}"));
}

/// A mended configuration does not wait for the tests of the one before it.
#[tokio::test]
async fn a_configuration_whose_policy_is_tested_for_long_gives_way_to_a_newer_one() {
    let home = Home::new();
    endless(&home);
    let running = home.ready().await;
    let slow = "policy: endless.yaml";
    home.configure(SERVERS_END, slow);
    running.logs.line(PREPARED).await;
    assert_eq!(reason(&running, call("a")).await, "allowed");
    home.configure(slow, &format!("{LINEAR}{SERVERS_END}"));
    running.logs.line(GIVEN_UP).await;
    assert_eq!(changed(&running, 1).await, "servers added: `linear`");

    // One that was given up is tried anew, and what is in force may come back.
    home.configure(SERVERS_END, slow);
    running.logs.lines(PREPARED, 3).await;
    home.configure(slow, SERVERS_END);
    running.logs.lines(GIVEN_UP, 2).await;
    assert_eq!(changed(&running, 2).await, "nothing to apply");
    assert_eq!(config_detail(&running).await["failing"], Value::Null);
}

#[tokio::test]
async fn what_is_fixed_is_named_and_does_not_hold_up_the_rest() {
    let home = Home::new();
    let running = home.ready().await;
    let good = std::fs::read_to_string(home.path("config.yaml")).unwrap();
    assert_eq!(config_detail(&running).await["restart_required"], json!([]));
    home.write(
        "config.yaml",
        &good
            .replace("listen: 127.0.0.1:0", "listen: 127.0.0.1:1")
            .replace("disclose: rule", "disclose: reason")
            .replace("drain:", "limits: {bindings_max: 7, tools_max: 7}\ndrain:"),
    );
    let line = running.logs.line("wait for a restart").await;
    assert!(line.contains("keys=listen, limits.bindings_max"), "{line}");
    let change = changed(&running, 1).await;
    assert_eq!(
        change,
        "servers changed: `notes`; keys changed: `limits.tools_max`"
    );
    let restart = config_detail(&running).await["restart_required"].clone();
    assert_eq!(restart, json!(["listen", "limits.bindings_max"]));
    let metric = async || running.metric("mcp_authz_config_restart_required").await;
    assert_eq!(metric().await.as_deref(), Some("2"));
    let denied = running.check(call("b")).await;
    assert!(!denied.body.contains("not b but a"), "{}", denied.body);
    // It stands through other changes until it is undone.
    home.configure("limits: {bindings_max: 7, ", "limits: {");
    changed(&running, 2).await;
    let restart = config_detail(&running).await["restart_required"].clone();
    assert_eq!(restart, json!(["listen"]));
    home.write("config.yaml", &good);
    changed(&running, 3).await;
    assert_eq!(config_detail(&running).await["restart_required"], json!([]));
    assert_eq!(metric().await.as_deref(), Some("0"));
}

/// Limits, sessions, and what is known of tools.
#[tokio::test]
async fn what_is_remembered_survives() {
    let home = Home::new();
    let other = format!("issuers:\n- {{issuer: '{OTHER_ISSUER}', jwks_file: jwks.json}}");
    home.configure("issuers:", &other);
    home.write(
        "policy.yaml",
        "\
rules:
- {id: any, effect: allow, who: {anyone: true}, what: {servers: [notes]}}
- {id: twice, effect: limit, what: {tools: [limited]}, limit: {calls: 2, per: 1h, by: [subject]}}
",
    );
    let running = home.ready().await;
    let session = [("mcp-session-id", "s1")];
    let ours = || call_with("a", &SIGNER.token(ISSUER, "k1"), &session);
    let theirs = || call_with("a", &SIGNER.token(OTHER_ISSUER, "k1"), &session);
    assert_eq!(reason(&running, ours()).await, "allowed");
    assert_eq!(reason(&running, call("limited")).await, "allowed");
    let listed = list(&running).await;
    let shown = Shown::with(&listed.facts).show(&running, BODY).await;
    assert_eq!(shown, BODY);
    let tools = async || running.readyz().await.1["details"]["tools"][0].clone();
    assert_eq!(tools().await["seen"], 2);

    home.configure(SERVERS_END, &format!("{LINEAR}{SERVERS_END}"));
    home.configure("disclose: rule", "disclose: reason");
    changed(&running, 1).await;
    assert_eq!(reason(&running, call("limited")).await, "allowed");
    assert_eq!(reason(&running, call("limited")).await, "rate_limited");
    assert_eq!(reason(&running, theirs()).await, "session_mismatch");
    assert_eq!(reason(&running, ours()).await, "allowed");
    let (_, state) = running.readyz().await;
    let notes = &state["details"]["tools"][1];
    assert_eq!(
        (&notes["server"], &notes["seen"]),
        (&json!("notes"), &json!(2))
    );
    // Also where it is set otherwise what becomes of changed tools.
    home.configure("  deny:", "  on_tool_change: deny\n  deny:");
    changed(&running, 2).await;
    let (_, state) = running.readyz().await;
    assert_eq!(state["details"]["tools"][1]["seen"], 2);
    let counted = r#"mcp_authz_state_keys{kind="counter"}"#;
    assert_eq!(running.metric(counted).await.as_deref(), Some("1"));
}

/// The list of a request that was checked before the change is filtered after it, even by keys that
/// are in another file; and it is filtered once.
#[tokio::test]
async fn a_response_is_filtered_over_a_reload() {
    let home = Home::new();
    let running = home.ready().await;
    let (before, replayed) = (list(&running).await, list(&running).await);
    let shown = Shown::with(&replayed.facts).show(&running, BODY).await;
    assert_eq!(shown, FILTERED);
    home.write("handoff.keys", &format!("{}\n", "0b".repeat(32)));
    home.configure(
        "drain:",
        "handoff: {key_file: handoff.keys, max_age: 30m}\ndrain:",
    );
    assert_eq!(changed(&running, 1).await, "keys changed: `handoff`");
    let handoff = running.readyz().await.1["details"]["handoff"].clone();
    assert_eq!(handoff["shared"], true);
    let shown = Shown::with(&before.facts).show(&running, BODY).await;
    assert_eq!(shown, FILTERED);
    let after = list(&running).await;
    let shown = Shown::with(&after.facts).show(&running, BODY).await;
    assert_eq!(shown, FILTERED);
}

/// The server is removed between the head and the body of one response, and before the head of another.
#[tokio::test]
async fn a_response_that_has_begun_ends_as_it_began() {
    let home = Home::new();
    home.write("policy.yaml", ANY_SERVER);
    home.configure(SERVERS_END, &format!("{LINEAR}{SERVERS_END}"));
    let running = home.ready().await;
    let (begun, late) = (list(&running).await, list(&running).await);
    let (pieces, messages) = tokio::sync::mpsc::channel(1);
    pieces.send(Shown::with(&begun.facts).head()).await.unwrap();
    let messages = tokio_stream::wrappers::ReceiverStream::new(messages);
    let mut client = ExternalProcessorClient::new(running.channel().await);
    let replies = client.process(messages).await.unwrap().into_inner();
    // The head waits for the body, which may turn out not to be readable.
    let begun = async {
        while running
            .metric("mcp_authz_responses_begun_total")
            .await
            .as_deref()
            != Some("1")
        {}
    };
    tokio::time::timeout(PATIENCE, begun).await.unwrap();

    home.configure("- name: notes", "- name: renamed");
    changed(&running, 1).await;
    pieces.send(whole_body(BODY)).await.unwrap();
    drop(pieces);
    assert_eq!(rest(replies).await, FILTERED);
    let shown = Shown::with(&late.facts).show(&running, BODY).await;
    assert_eq!(shown, EMPTY);
    let refused = r#"mcp_authz_handoffs_refused_total{reason="other_server"}"#;
    assert_eq!(running.metric(refused).await.as_deref(), Some("1"));
    let notices = running.readyz().await.1["details"]["notices"].to_string();
    assert!(!notices.contains("context_forged"), "{notices}");
}

/// A Kubernetes volume: what is mounted links to `..data`, which links to a directory.
#[tokio::test]
async fn a_configuration_in_a_volume_that_is_swapped_is_taken_up() {
    let home = Home::new();
    let text = std::fs::read_to_string(home.path("config.yaml")).unwrap();
    let volume = home.path("volume");
    std::fs::create_dir(&volume).unwrap();
    let publish = |version: &str, config: &str, policy: &str| {
        let directory = volume.join(version);
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("config.yaml"), config).unwrap();
        std::fs::write(directory.join("policy.yaml"), policy).unwrap();
        let next = volume.join("..data_tmp");
        std::os::unix::fs::symlink(version, &next).unwrap();
        std::fs::rename(next, volume.join("..data")).unwrap();
    };
    // Relative to the name of the file, not to where its links lead.
    let text = text.replace("jwks.json", "../jwks.json");
    publish("..1", &text, &policy("a", "b"));
    for name in ["config.yaml", "policy.yaml"] {
        std::os::unix::fs::symlink(format!("..data/{name}"), volume.join(name)).unwrap();
    }
    std::fs::remove_file(home.path("config.yaml")).unwrap();
    std::os::unix::fs::symlink("volume/config.yaml", home.path("config.yaml")).unwrap();
    let text = text.replace("../jwks.json", "jwks.json");
    let text = text.replace(SERVERS_END, "policy: volume/policy.yaml");
    publish("..2", &text, &policy("a", "b"));
    let running = home.ready().await;
    let linear = text.replace("policy:", &format!("{LINEAR}policy:"));
    publish("..3", &linear, ANY_SERVER);
    let change = changed(&running, 1).await;
    assert_eq!(change, "servers added: `linear`");
    let check = at("linear.test", call("a"));
    assert_eq!(reason(&running, check).await, "allowed");
}

const SWAPS: usize = 12;

/// The configuration changes again and again under load. Each check is of one configuration and of
/// the policy that was compiled against it.
#[tokio::test]
async fn no_check_sees_the_servers_of_one_configuration_and_the_policy_of_another() {
    let home = Home::new();
    let good = std::fs::read_to_string(home.path("config.yaml")).unwrap();
    // Another policy in another file: each configuration names its own.
    home.write("other.yaml", &policy("b", "a").replace("notes", "linear"));
    let other = good
        .replace("- name: notes", "- name: linear")
        .replace(SERVERS_END, "policy: other.yaml");
    let running = home.ready().await;
    let done = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..4 {
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
        let text = if swap % 2 == 0 { &good } else { &other };
        home.rename_over("config.yaml", text);
        running.signal("HUP");
        changed(&running, swap).await;
    }
    done.store(true, Ordering::Relaxed);
    let answers: Vec<_> = clients.join_all().await.into_iter().flatten().collect();
    let mut seen = std::collections::BTreeSet::new();
    for (tool, answer) in answers {
        let facts = (
            answer.fact("server"),
            answer.fact("reason"),
            answer.fact("rule"),
        );
        let expected = match (answer.fact("server"), tool) {
            ("notes", "a") => ("notes", "allowed", "allow-a"),
            ("notes", _) => ("notes", "denied_by_rule", "deny-b"),
            (_, "a") => ("linear", "denied_by_rule", "deny-a"),
            (_, _) => ("linear", "allowed", "allow-b"),
        };
        assert_eq!(facts, expected);
        seen.insert(answer.fact("server").to_owned());
    }
    assert_eq!(seen.len(), 2, "both were seen");
}

/// An issuer that never answers is replaced before the process is ready, and then it is.
#[tokio::test]
async fn a_start_that_waits_for_an_issuer_is_mended_by_a_change() {
    let home = Home::new();
    let issuer = HttpIssuer::start().await;
    issuer.conduct.send_replace(Conduct::Hang);
    HttpIssuer::configure(issuer.address, &home);
    let running = home.start().await;
    assert_eq!(running.readyz().await.0, 503);
    home.configure(
        &format!("jwks_uri: http://{}/keys", issuer.address),
        "jwks_file: jwks.json",
    );
    running.logs.line("health: ready").await;
    assert_eq!(reason(&running, call("a")).await, "allowed");
}

/// The drain is that of the configuration in force.
#[tokio::test]
async fn the_end_is_as_configured_last() {
    let home = Home::new();
    home.configure("delay: 0s", "delay: 10m");
    let mut running = home.ready().await;
    home.configure("delay: 10m", "delay: 0s");
    assert_eq!(changed(&running, 1).await, "keys changed: `drain`");
    running.signal("TERM");
    let ended = tokio::time::timeout(PATIENCE, running.ended()).await;
    assert_eq!(ended.unwrap().code(), Some(0));
}
