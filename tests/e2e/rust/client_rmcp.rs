//! The client of rmcp, driven by lines of JSON as `tests/e2e/python/steps.py` says. It is built with
//! the demo, of the same version.

use std::io::{self, BufRead as _, Write as _};
use std::time::Duration;

use anyhow::Result;
use rmcp::model::{CallToolRequestParams, JsonObject};
use rmcp::service::{RunningService, ServiceError};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{RoleClient, ServiceExt as _};
use serde_json::{Value, json};

/// rmcp itself waits for an answer without end.
const STEP_TIME_MAX: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut lines = io::stdin().lock().lines();
    let Some(first) = lines.next() else {
        return Ok(());
    };
    let settings: Value = serde_json::from_str(&first?)?;
    let connecting = tokio::time::timeout(STEP_TIME_MAX, connect(&settings));
    let connected = match connecting.await {
        Ok(connected) => connected.map_err(|error| described(&*error)),
        Err(_) => Err(late()),
    };
    let dead = |error: &Value| json!({"ok": false, "dead": true, "error": error});
    match &connected {
        Ok(client) => {
            let name = client.peer_info().and_then(|info| info.server_info.clone());
            let name = name.map(|server| server.name);
            say(&json!({"ok": true, "result": {"server": name}}))?;
        }
        Err(error) => say(&dead(error))?,
    }
    for line in lines {
        let line: Value = serde_json::from_str(&line?)?;
        let reply = match &connected {
            Ok(client) => match tokio::time::timeout(STEP_TIME_MAX, step(client, &line)).await {
                Ok(Ok(result)) => json!({"ok": true, "result": result}),
                Ok(Err(error)) => json!({"ok": false, "error": error}),
                Err(_) => json!({"ok": false, "error": late()}),
            },
            Err(error) => dead(error),
        };
        say(&reply)?;
    }
    if let Ok(client) = connected {
        client.cancel().await?;
    }
    Ok(())
}

type Client = RunningService<RoleClient, ()>;

async fn connect(settings: &Value) -> Result<Client> {
    let text = |name: &str| settings.get(name).and_then(Value::as_str);
    let mut config = StreamableHttpClientTransportConfig::with_uri(text("url").unwrap_or_default());
    if let Some(token) = text("token") {
        config = config.auth_header(token);
    }
    let transport = StreamableHttpClientTransport::from_config(config);
    Ok(().serve(transport).await?)
}

async fn step(client: &Client, line: &Value) -> Result<Value, Value> {
    let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
    match text("do") {
        "list_tools" => {
            let tools = client.list_all_tools().await.map_err(failed)?;
            let mut names: Vec<_> = tools.into_iter().map(|tool| tool.name).collect();
            names.sort();
            Ok(json!(names))
        }
        "call_tool" => {
            let arguments = line.get("arguments").and_then(Value::as_object);
            let arguments: JsonObject = arguments.cloned().unwrap_or_default();
            let params =
                CallToolRequestParams::new(text("name").to_owned()).with_arguments(arguments);
            let result = client.call_tool(params).await.map_err(failed)?;
            Ok(json!(result))
        }
        unknown => Err(json!({"type": "unknown step", "message": unknown})),
    }
}

fn failed(error: ServiceError) -> Value {
    if let ServiceError::McpError(error) = error {
        return json!({
            "type": "McpError",
            "code": error.code.0,
            "message": error.message,
            "data": error.data,
        });
    }
    described(&error)
}

/// An error with its causes, as a program would log it.
fn described(error: &(dyn std::error::Error + 'static)) -> Value {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = causes.map(ToString::to_string).collect();
    json!({"type": "error", "code": null, "message": texts.join(": "), "data": null})
}

fn late() -> Value {
    json!({"type": "no answer", "code": null, "message": "no answer in time", "data": null})
}

fn say(reply: &Value) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{reply}")?;
    out.flush()?;
    Ok(())
}
