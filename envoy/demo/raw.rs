//! Requests that no MCP client would send.

use anyhow::Result;
use serde_json::Value;

use crate::audit::AuditLog;
use crate::issuer::{ALICE, Grant};
use crate::rows::Expected;
use crate::session::{Seen, Target, line};
use crate::table::Line;

/// One byte more than `max_request_bytes` of envoy.yaml.
const TOO_LARGE: usize = 1_048_577;

/// What the duplicate key hides: a reader that keeps the last one would run it.
const TWO_NAMES: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_notes","name":"delete_note","arguments":{"id":1}}}"#;

/// Sends them all and appends their lines.
pub(crate) async fn run(
    target: &Target<'_>,
    audit: &mut AuditLog,
    lines: &mut Vec<Line>,
) -> Result<()> {
    let grant = Grant {
        audience: target.resource,
        scope: "notes",
        lifetime: 60,
    };
    let token = target.issuer.token(ALICE, &grant)?;
    let post = |body: String| {
        let request = target.http.post(target.url).bearer_auth(&token).body(body);
        request
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
    };

    let expected = Expected {
        decision: "reject",
        reason: Some("duplicate_key"),
        saw: "400 error -32600",
    };
    audit.mark();
    let seen = send(post(TWO_NAMES.to_owned())).await?;
    let what = "tools/call with two names".to_owned();
    lines.push(line("alice, raw", what, ("", ""), seen, &expected, audit).await);

    // Envoy refuses this by itself; there is no decision.
    let expected = Expected {
        decision: "",
        reason: None,
        saw: "413 {\"message\":",
    };
    audit.mark();
    let seen = send(post("x".repeat(TOO_LARGE))).await?;
    let what = "a body over 1 MiB".to_owned();
    lines.push(line("alice, raw", what, ("", ""), seen, &expected, audit).await);

    let expected = Expected {
        decision: "reply",
        reason: None,
        saw: "200",
    };
    let metadata = metadata_url(target.url)?;
    audit.mark();
    let seen = send(target.http.get(&metadata)).await?;
    let what = "protected resource metadata".to_owned();
    lines.push(line("no token", what, ("", ""), seen, &expected, audit).await);
    Ok(())
}

/// Where RFC 9728 §3.1 puts the metadata of an MCP endpoint.
fn metadata_url(endpoint: &str) -> Result<String> {
    let mut url = url::Url::parse(endpoint)?;
    let path = format!("/.well-known/oauth-protected-resource{}", url.path());
    url.set_path(&path);
    Ok(url.to_string())
}

/// Sends one request and puts its answer into few words.
async fn send(request: reqwest::RequestBuilder) -> Result<Seen> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let body = response.bytes().await?;
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = match (
        answer.pointer("/error/code"),
        answer.pointer("/error/message"),
    ) {
        (Some(code), Some(message)) => {
            format!(
                "{status} error {code}: {}",
                message.as_str().unwrap_or_default()
            )
        }
        _ => format!("{status} {}", String::from_utf8_lossy(&body)),
    };
    let answer = answer.pointer("/error/data").cloned().unwrap_or_default();
    Ok(Seen { text, answer })
}
