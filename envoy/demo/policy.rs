//! Tells what becomes of each edit of the policy while everything is up.

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

/// How often mcp-authz is asked what is in force.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// What mcp-authz says of its policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Status {
    revision: String,
    rules: u64,
    /// Why the file as it is now is refused.
    errors: Vec<String>,
}

/// Prints a line for each change, until the task is dropped.
pub(crate) async fn tell(http: &reqwest::Client, readyz: &str) {
    let mut last = None;
    loop {
        if let Some(status) = ask(http, readyz).await
            && let Some(before) = last.replace(status.clone())
        {
            for line in news(&before, &status) {
                println!("{line}");
            }
        }
        sleep(ASK_EVERY).await;
    }
}

async fn ask(http: &reqwest::Client, readyz: &str) -> Option<Status> {
    let answer = http.get(readyz).timeout(Duration::from_secs(5)).send();
    let answer = answer.await.ok()?.bytes().await.ok()?;
    let answer: Value = serde_json::from_slice(&answer).ok()?;
    let policy = answer.pointer("/details/policy")?;
    let errors = policy.pointer("/failing/errors").and_then(Value::as_array);
    let errors = errors.into_iter().flatten().filter_map(Value::as_str);
    Some(Status {
        revision: policy.get("revision")?.as_str()?.to_owned(),
        rules: policy.get("rules")?.as_u64()?,
        errors: errors.map(str::to_owned).collect(),
    })
}

/// What is to be said after a change.
fn news(before: &Status, now: &Status) -> Vec<String> {
    if !now.errors.is_empty() && now.errors != before.errors {
        let stays = format!("policy refused; revision {} stays in force:", now.revision);
        let errors = now.errors.iter().map(|error| format!("  {error}"));
        return std::iter::once(stays).chain(errors).collect();
    }
    let is_mended = now.errors.is_empty() && !before.errors.is_empty();
    if now.revision != before.revision || is_mended {
        let Status {
            revision, rules, ..
        } = now;
        return vec![format!(
            "policy in force: revision {revision}, {rules} rules"
        )];
    }
    Vec::new()
}
