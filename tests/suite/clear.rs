//! `mcp-authz clear`: a caller who was shut out is let in again, and nobody else.

use std::process::Command;

use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::running::{Home, ISSUER, Running, SIGNER, call_with};

/// A tool that is denied, limits, and a quarantine after two denials.
const POLICY: &str = "\
rules:
- {id: all, effect: allow, who: {anyone: true}, what: {servers: [notes]}}
- {id: never, effect: deny, what: {servers: [notes], tools: [bad]}}
- {id: quarantine, effect: deny, why: {denials: {more_than: 1, per: 1h, by: [subject]}}}
- {id: also, effect: deny, mode: shadow, why: {denials: {more_than: 5, per: 1h, by: [subject]}}}
- {id: once, effect: limit, what: {servers: [notes], tools: [rare]}, limit: {calls: 1, per: 1d, by: [subject, tool]}}
- {id: shared, effect: limit, what: {servers: [notes], tools: [rare]}, limit: {calls: 100, per: 1d, by: [server]}}
- {id: few-at-once, effect: limit, what: {servers: [notes], tools: [rare]}, limit: {open: 100, by: [subject]}}
";

/// What the command left.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

async fn clear(running: &Running, more: &[&str]) -> Ran {
    let admin = format!("http://{}", running.admin);
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-authz"));
    command.args(["clear", "--admin", &admin]).args(more);
    let output = spawn_blocking(move || command.output().unwrap()).await;
    let output = output.unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

async fn clear_of(running: &Running, subject: &str, more: &[&str]) -> Ran {
    let named = [
        "--subject",
        subject,
        "--issuer",
        ISSUER,
        "--reason",
        "it was us",
    ];
    clear(running, &[&named[..], more].concat()).await
}

async fn reason(running: &Running, subject: &str, tool: &str) -> String {
    let token = SIGNER.token_of(subject, ISSUER, "k1");
    let answer = running.check(call_with(tool, &token, &[])).await;
    answer.fact("reason").to_owned()
}

async fn started() -> (Home, Running) {
    let home = Home::new();
    home.write("policy.yaml", POLICY);
    let running = home.ready().await;
    (home, running)
}

/// Two denials.
async fn quarantine(running: &Running, subject: &str) {
    for _ in 0..2 {
        assert_eq!(reason(running, subject, "bad").await, "denied_by_rule");
    }
    assert_eq!(reason(running, subject, "good").await, "denied_by_rule");
}

#[tokio::test]
async fn a_quarantined_caller_is_let_in_again() {
    let (_home, running) = started().await;
    for subject in ["alice", "bob"] {
        assert_eq!(reason(&running, subject, "rare").await, "allowed");
        quarantine(&running, subject).await;
    }
    let ran = clear_of(&running, "alice", &[]).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    for line in [
        "forgot 2 count(s)\n",
        "  quarantine, also: 1\n",
        "  once: ",
        "not touched: few-at-once counts by subject: these requests are open now, and hold their places until they end\n",
        "not touched: shared counts by server: several subjects share these counts\n",
    ] {
        assert!(ran.out.contains(line), "no `{line}` in {}", ran.out);
    }
    assert_eq!(reason(&running, "alice", "good").await, "allowed");
    assert_eq!(reason(&running, "bob", "good").await, "denied_by_rule");
    assert_eq!(reason(&running, "alice", "rare").await, "allowed");
    assert_eq!(reason(&running, "alice", "rare").await, "rate_limited");
    // It counts again from then on.
    quarantine(&running, "alice").await;

    let audit = running.audit.as_ref().unwrap();
    let line = audit.line("counts_cleared").await;
    let record: Value = serde_json::from_str(&line).unwrap();
    let expected = json!({
        "event": "counts_cleared", "client.address": "127.0.0.1", "reason": "it was us",
        "rules": ["also", "once", "quarantine"], "forgotten": 2,
        "issuer": ISSUER, "subject": "alice",
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&record[key], value, "{key} in {line}");
    }
    assert!(record["client.port"].as_u64().is_some_and(|port| port > 0));
    let logged = running.logs.line("cleared the counts of a subject").await;
    assert!(logged.contains("forgotten=2") && !logged.contains("alice"));
}

#[tokio::test]
async fn one_rule_is_cleared_alone() {
    let (_home, running) = started().await;
    assert_eq!(reason(&running, "alice", "rare").await, "allowed");
    quarantine(&running, "alice").await;
    let ran = clear_of(&running, "alice", &["--rule", "quarantine"]).await;
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "forgot 1 count(s)\n  quarantine, also: 1\n")
    );
    assert_eq!(reason(&running, "alice", "good").await, "allowed");
    assert_eq!(reason(&running, "alice", "rare").await, "rate_limited");
    let shared = clear_of(&running, "alice", &["--rule", "shared"]).await;
    assert_eq!(shared.code, 1);
    assert!(shared.out.contains("not touched: shared counts by server"));
    for (rule, why) in [
        ("quarantined", "there is no rule `quarantined`"),
        ("Quarantine", "there is no rule `Quarantine`"),
        ("a\u{1b}[2J", "there is no rule `a\\u{1b}[2J`"),
        ("never", "the rule `never` counts nothing"),
    ] {
        let ran = clear_of(&running, "alice", &["--rule", rule]).await;
        assert!(ran.code == 2 && ran.err.contains(why), "{}", ran.err);
    }
}

#[tokio::test]
async fn who_is_not_found_is_told_so() {
    let (_home, running) = started().await;
    let odd = "a'\"\u{202e}; \n/ü/ {alice}";
    quarantine(&running, "alice").await;
    quarantine(&running, odd).await;
    let long = "x".repeat(50_000);
    for subject in ["Alice", "alice ", "ALICE", "nobody", "", &long, "*"] {
        let ran = clear_of(&running, subject, &[]).await;
        assert_eq!((ran.code, ran.err.as_str()), (1, ""), "{subject}");
        assert!(ran.out.starts_with("forgot nothing: "), "{}", ran.out);
    }
    let other = [
        "--subject",
        "alice",
        "--issuer",
        "https://IDP.test",
        "--reason",
        "r",
    ];
    assert_eq!(clear(&running, &other).await.code, 1);
    assert_eq!(reason(&running, "alice", "good").await, "denied_by_rule");
    let ran = clear_of(&running, odd, &["--format", "json"]).await;
    let done: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &done["subject"]), (0, &json!(odd)));
    assert_eq!(
        (&done["forgotten"], &done["audited"]),
        (&json!(1), &json!(true))
    );
    assert_eq!(reason(&running, odd, "good").await, "allowed");
    let too_long = "x".repeat(100_000);
    let ran = clear_of(&running, &too_long, &[]).await;
    assert!(ran.code == 2 && ran.err.contains("413"), "{}", ran.err);
}

#[tokio::test]
async fn two_clears_at_once_tell_each_count_once() {
    let (_home, running) = started().await;
    quarantine(&running, "alice").await;
    let more = ["--format", "json"];
    let (one, two) = tokio::join!(
        clear_of(&running, "alice", &more),
        clear_of(&running, "alice", &more)
    );
    let mut codes = [one.code, two.code];
    codes.sort_unstable();
    assert_eq!(codes, [0, 1]);
    assert_eq!(reason(&running, "alice", "good").await, "allowed");
    let audit = running.audit.as_ref().unwrap();
    assert_eq!(audit.lines("counts_cleared", 2).await.len(), 2);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused() {
    let (_home, running) = started().await;
    quarantine(&running, "alice").await;
    let long = "x".repeat(257);
    for (body, why) in [
        (
            json!({"subject": "alice", "issuer": ISSUER}),
            "missing field `reason`",
        ),
        (
            json!({"subject": "alice", "reason": "r"}),
            "missing field `issuer`",
        ),
        (
            json!({"subject": "alice", "issuer": ISSUER, "reason": " "}),
            "`reason` has to say why",
        ),
        (
            json!({"subject": "alice", "issuer": ISSUER, "reason": long}),
            "256 characters",
        ),
        (
            json!({"subject": 7, "issuer": ISSUER, "reason": "r"}),
            "invalid type",
        ),
        (
            json!({"subject": "alice", "issuer": ISSUER, "reason": "r", "rul": "never"}),
            "unknown field `rul`",
        ),
        (json!([]), "the body cannot be used"),
    ] {
        let (status, text) = posted(&running, &body.to_string()).await;
        assert!(status == 400 && text.contains(why), "{body}: {text}");
    }
    let twice =
        format!(r#"{{"subject": "bob", "subject": "alice", "issuer": "{ISSUER}", "reason": "r"}}"#);
    let (status, text) = posted(&running, &twice).await;
    assert!(status == 400 && text.contains("duplicate field"), "{text}");
    assert_eq!(reason(&running, "alice", "good").await, "denied_by_rule");
    let audit = running.audit.as_ref().unwrap();
    assert_eq!(audit.count("counts_cleared"), 0);
}

async fn posted(running: &Running, body: &str) -> (u16, String) {
    let client = reqwest::Client::new();
    let request = client
        .post(format!("http://{}/clear", running.admin))
        .header("content-type", "application/json")
        .body(body.to_owned());
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn the_command_says_what_keeps_it_from_running() {
    let run = |url: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-authz"));
        command.args(["clear", "--admin", url, "--subject", "s", "--issuer", "i"]);
        let output = command.args(["--reason", "r"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{url}");
        String::from_utf8(output.stderr).unwrap()
    };
    for (url, why) in [
        (
            "http://authz.internal:9002",
            "over http it has to be on this host",
        ),
        (
            "https://authz.internal:9002",
            "`--admin` has to be on this host",
        ),
        ("http://u:p@127.0.0.1:1", "without user, password"),
        ("127.0.0.1:9002", "expected the URL of `admin.listen`"),
        (
            "http://127.0.0.1:1",
            "no answer from `http://127.0.0.1:1/clear`",
        ),
    ] {
        let said = run(url);
        assert!(said.contains(why), "{url}: {said}");
    }
    // Another service answers.
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let other =
        axum::Router::new().route("/clear", axum::routing::post(|| async { "{\"ok\": true}" }));
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { axum::serve(socket, other).await.unwrap() });
    let said = spawn_blocking(move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-authz"));
        command.args(["clear", "--admin", &url, "--subject", "s", "--issuer", "i"]);
        let output = command.args(["--reason", "r"]).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    });
    let (code, said) = said.await.unwrap();
    assert_eq!(code, Some(2));
    assert!(said.contains("nobody knows what was cleared"), "{said}");
}
