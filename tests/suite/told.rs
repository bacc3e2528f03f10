//! What operators are told of once, in the log of a running service.

use envoy_types::pb::envoy::service::auth::v3 as auth;
use serde_json::json;

use super::handoff::{Shown, list};
use super::running::{Home, ISSUER, Running, SIGNER, call_with};

/// A GET of Alice's, who wants what she missed.
fn resuming(last: &str) -> auth::CheckRequest {
    let envoy = [
        (":method", "GET"),
        ("x-forwarded-proto", "https"),
        ("last-event-id", last),
    ];
    let mut check = call_with("a", &SIGNER.token(ISSUER, "k1"), &envoy);
    let attributes = check.attributes.as_mut().unwrap();
    let http = attributes.request.as_mut().unwrap().http.as_mut().unwrap();
    "GET".clone_into(&mut http.method);
    http.raw_body = Vec::new();
    check
}

const NOT_RESUMED: &str = "a client asked to resume a stream";

#[tokio::test]
async fn the_first_stream_that_is_not_resumed_is_told() {
    let running = Home::new().ready().await;
    for last in ["", "7", "8"] {
        let answer = running.check(resuming(last)).await;
        assert_eq!(answer.fact("reason"), "allowed");
    }
    let told = running.logs.line(NOT_RESUMED).await;
    for part in ["WARN", "server=\"notes\"", "`resume: on`"] {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
    assert_eq!(running.logs.count(NOT_RESUMED), 1);
    let ignored = "mcp_authz_resumptions_ignored_total{server=\"notes\"}";
    assert_eq!(running.metric(ignored).await.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_server_that_resumes_is_not_told_of() {
    let home = Home::new();
    home.configure("  deny:", "  resume: on\n  deny:");
    let running = home.ready().await;
    running.check(resuming("7")).await;
    // What comes after it is there.
    running.signal("TERM");
    running.logs.line("drain").await;
    assert_eq!(running.logs.count(NOT_RESUMED), 0);
}

/// A list with the tool of this page.
fn tools(page: &str) -> String {
    let tool = json!({"name": "a", "_meta": {"ui": {"resourceUri": page}}});
    json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [tool, {"name": "b"}]}}).to_string()
}

async fn show(running: &Running, body: &str) -> String {
    let asked = list(running).await;
    Shown::with(&asked.facts).show(running, body).await
}

const NO_PAGE: &str = "who may not read its page";

#[tokio::test]
async fn a_tool_is_told_of_whose_page_its_caller_may_not_read() {
    let running = Home::new().ready().await;
    for _ in 0..2 {
        let shown = show(&running, &tools("ui://notes/\u{1b}board.html")).await;
        assert!(
            shown.contains("board.html") && !shown.contains("\"b\""),
            "{shown}"
        );
    }
    let told = running.logs.line(NO_PAGE).await;
    for part in ["server=\"notes\"", "tool=a", "board.html", "tools_snapshot"] {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
    assert_eq!(running.logs.count(NO_PAGE), 1);
}

#[tokio::test]
async fn a_page_that_a_caller_may_read_is_not_told_of() {
    const PAGE: &str = "ui://notes/board.html";
    let allowed = "rules: [{id: a, effect: allow, who: {anyone: true}, what: {servers: [notes], tools: [a]}},\n\
                   {id: p, effect: allow, who: {anyone: true}, what: {servers: [notes], resources: ['ui://notes/**']}}]";
    let by_rule = Home::new();
    by_rule.write("policy.yaml", allowed);
    let by_record = Home::new();
    let tool = json!({"name": "a", "inputSchema": {"type": "object"}, "_meta": {"ui": {"resourceUri": PAGE}}});
    by_record.write("tools.json", &json!({"tools": [tool]}).to_string());
    by_record.configure("  deny:", "  tools_snapshot: tools.json\n  deny:");
    for home in [by_rule, by_record] {
        let running = home.ready().await;
        let shown = show(&running, &tools(PAGE)).await;
        assert!(shown.contains(PAGE), "{shown}");
        // Another tool has that page, which was not recorded.
        let other = tools("https://notes.test/board.html");
        assert!(show(&running, &other).await.contains("board.html"));
        assert_eq!(running.logs.count(NO_PAGE), 0);
    }
}

#[tokio::test]
async fn a_search_whose_result_cannot_be_filtered_is_named() {
    let home = Home::new();
    home.configure(
        "  deny:",
        "  indirect: [{tool: a, results: found}, {tool: other, results: rest}]\n  deny:",
    );
    let running = home.ready().await;
    let answer = running
        .check(call_with("a", &SIGNER.token(ISSUER, "k1"), &[]))
        .await;
    let body = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"tool b"}]}}"#;
    let shown = Shown::with(&answer.facts).show(&running, body).await;
    assert!(shown.contains("response_unreadable"), "{shown}");
    let told = running.logs.line("what a tool has found").await;
    assert!(told.contains("tool=\"a\""), "{told}");
}
