//! Real MCP clients, one session after the other, each row compared with what must come of it.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http::{HeaderName, HeaderValue};
use rmcp::model::{
    CallToolRequestParams, GetPromptRequestParams, JsonObject, ProtocolVersion,
    ReadResourceRequestParams,
};
use rmcp::service::{ClientInitializeError, RunningService, ServiceError};
use rmcp::transport::streamable_http_client::{
    AuthRequiredError, InsufficientScopeError, StreamableHttpClientTransportConfig,
};
use rmcp::transport::{DynamicTransportError, StreamableHttpClientTransport};
use rmcp::{ClientLifecycleMode, ClientServiceExt, RoleClient};
use serde::Serialize;
use serde_json::Value;

use crate::audit::{AuditLog, Judgement};
use crate::issuer::{Grant, Issuer};
use crate::rows::{Era, Expected, Session, Step, Token};
use crate::table::Line;

/// How long one step may take.
const STEP_LIMIT: Duration = Duration::from_secs(10);

/// How much of an answer the table shows, in characters.
const SHOWN: usize = 90;

/// A lifetime of a token, in seconds.
const HOUR: i64 = 3600;

/// Where the sessions go and who signs their tokens.
pub(crate) struct Target<'a> {
    /// The MCP endpoint behind Envoy.
    pub(crate) url: &'a str,
    /// The audience that tokens must have.
    pub(crate) resource: &'a str,
    pub(crate) issuer: &'a Issuer,
    /// Has the same name and key id as the issuer, and another key.
    pub(crate) forger: &'a Issuer,
    pub(crate) http: &'a reqwest::Client,
}

/// What a client saw: a text for the table, and the answer's machine-readable part.
pub(crate) struct Seen {
    pub(crate) text: String,
    pub(crate) answer: Value,
}

type Client = RunningService<RoleClient, ()>;

/// Runs one session and appends its lines.
pub(crate) async fn run(
    target: &Target<'_>,
    session: &Session,
    audit: &mut AuditLog,
    lines: &mut Vec<Line>,
) -> Result<()> {
    audit.mark();
    let connecting = tokio::time::timeout(STEP_LIMIT, connect(target, session)).await;
    let connected = connecting.with_context(|| format!("{} did not connect", session.who))?;
    let seen = match &connected {
        Ok(_) => Seen {
            text: "connected".to_owned(),
            answer: Value::Null,
        },
        Err(error) => refused_connection(error),
    };
    if let Some(expected) = &session.connect {
        let opening = session.era.opening();
        let target = (opening, "");
        lines.push(
            line(
                session.who,
                opening.to_owned(),
                target,
                seen,
                expected,
                audit,
            )
            .await,
        );
    } else if connected.is_err() {
        bail!("{} could not connect: {}", session.who, seen.text);
    }
    let Ok(client) = connected else { return Ok(()) };
    for (step, expected) in &session.steps {
        audit.mark();
        let taken = tokio::time::timeout(STEP_LIMIT, take(&client, step)).await;
        let seen = taken.unwrap_or_else(|_| Seen {
            text: "no answer".to_owned(),
            answer: Value::Null,
        });
        let (method, name) = step.target();
        let what = if let Step::Call(_, arguments) = step {
            format!("{method} {name} {}", brief(arguments))
        } else {
            format!("{method} {name}")
        };
        lines.push(line(session.who, what, (method, name), seen, expected, audit).await);
    }
    // The session's end is a DELETE that nobody waits for here.
    drop(client.cancel().await);
    Ok(())
}

/// Compares one row with what must come of it.
pub(crate) async fn line(
    who: &'static str,
    what: String,
    (method, name): (&str, &str),
    seen: Seen,
    expected: &Expected,
    audit: &AuditLog,
) -> Line {
    let judgement = if expected.decision.is_empty() {
        Judgement::default()
    } else {
        audit.judgement(method, name, &seen.answer).await
    };
    let mut wrong = Vec::new();
    if judgement.decision != expected.decision {
        wrong.push(format!("expected the decision `{}`", expected.decision));
    }
    if let Some(reason) = expected.reason
        && judgement.reason != reason
    {
        wrong.push(format!("expected the reason `{reason}`"));
    }
    if !seen.text.contains(expected.saw) {
        wrong.push(format!("expected the client to see `{}`", expected.saw));
    }
    Line {
        who,
        what: what.trim_end().to_owned(),
        decision: judgement.decision,
        reason: judgement.reason,
        saw: shortened(&seen.text),
        wrong: (!wrong.is_empty()).then(|| wrong.join(", ")),
    }
}

/// Connects as the session says. The trusted headers it sends are lies, to show that they go.
async fn connect(target: &Target<'_>, session: &Session) -> Result<Client, ClientInitializeError> {
    let mut config = StreamableHttpClientTransportConfig::with_uri(target.url);
    if let Some(token) = token(target, session) {
        config = config.auth_header(token);
    }
    let lie = HeaderValue::from_static("admin");
    let name = HeaderName::from_static("x-mcp-authz-subject");
    config = config.custom_headers(HashMap::from([(name, lie)]));
    let transport = StreamableHttpClientTransport::with_client(target.http.clone(), config);
    let lifecycle = match session.era {
        Era::Legacy => ClientLifecycleMode::Initialize,
        Era::Modern => ClientLifecycleMode::Discover {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        },
    };
    ().serve_with_lifecycle(transport, lifecycle).await
}

/// The session's token, or none.
fn token(target: &Target<'_>, session: &Session) -> Option<String> {
    let good = Grant {
        audience: target.resource,
        scope: session.scope,
        lifetime: HOUR,
    };
    let (issuer, grant) = match session.token {
        Token::None => return None,
        Token::Good => (target.issuer, good),
        Token::Expired => (
            target.issuer,
            Grant {
                lifetime: -HOUR,
                ..good
            },
        ),
        Token::OtherAudience => (
            target.issuer,
            Grant {
                audience: "https://other.example/mcp",
                ..good
            },
        ),
        Token::Forged => (target.forger, good),
    };
    issuer.token(session.person, &grant).ok()
}

/// Takes one step and says what came back.
async fn take(client: &Client, step: &Step) -> Seen {
    match step {
        Step::ListTools => client.list_all_tools().await.map_or_else(failed, |tools| {
            let names: Vec<_> = tools.iter().map(|tool| tool.name.as_ref()).collect();
            plain(format!("{}: {}", names.len(), names.join(", ")))
        }),
        Step::Read(uri) => {
            let params = ReadResourceRequestParams::new(*uri);
            client
                .read_resource(params)
                .await
                .map_or_else(failed, |result| plain(texts(&result)))
        }
        Step::Prompt(name) => {
            let arguments = JsonObject::from_iter([("words".to_owned(), Value::from("20"))]);
            let params = GetPromptRequestParams::new(*name).with_arguments(arguments);
            client
                .get_prompt(params)
                .await
                .map_or_else(failed, |result| plain(texts(&result)))
        }
        Step::Call(tool, arguments) => {
            let arguments = arguments.as_object().cloned().unwrap_or_default();
            let params = CallToolRequestParams::new(*tool).with_arguments(arguments);
            client
                .call_tool(params)
                .await
                .map_or_else(failed, |result| {
                    let prefix = if result.is_error == Some(true) {
                        "isError: "
                    } else {
                        ""
                    };
                    Seen {
                        text: format!("{prefix}{}", texts(&result)),
                        answer: serde_json::to_value(&result.meta).unwrap_or_default(),
                    }
                })
        }
    }
}

/// An answer that is only a text.
fn plain(text: String) -> Seen {
    Seen {
        text,
        answer: Value::Null,
    }
}

/// Every `text` in a result, whatever its type.
fn texts(result: &impl Serialize) -> String {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.extend(
                    members
                        .get("text")
                        .and_then(Value::as_str)
                        .map(str::to_owned),
                );
                members.values().for_each(|member| collect(member, found));
            }
            Value::Array(elements) => elements.iter().for_each(|element| collect(element, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = Vec::new();
    collect(
        &serde_json::to_value(result).unwrap_or_default(),
        &mut found,
    );
    found.join(" ")
}

/// What a client sees of a request that did not succeed.
fn failed(error: ServiceError) -> Seen {
    if let ServiceError::McpError(error) = error {
        return Seen {
            text: format!("error {}: {}", error.code.0, error.message),
            answer: error.data.unwrap_or_default(),
        };
    }
    if let ServiceError::TransportSend(error) = &error
        && let Some(text) = challenge_of(error)
    {
        return plain(text);
    }
    plain(format!("{error}"))
}

/// What a client sees of a connection that did not succeed.
fn refused_connection(error: &ClientInitializeError) -> Seen {
    if let ClientInitializeError::JsonRpcError(error) = error {
        return Seen {
            text: format!("error {}: {}", error.code.0, error.message),
            answer: error.data.clone().unwrap_or_default(),
        };
    }
    if let ClientInitializeError::TransportError { error, .. } = error
        && let Some(text) = challenge_of(error)
    {
        return plain(text);
    }
    plain(error.to_string())
}

/// The status and the challenge that a transport error was made of.
fn challenge_of(error: &DynamicTransportError) -> Option<String> {
    let mut source: Option<&(dyn StdError + 'static)> = Some(error.error.as_ref());
    while let Some(current) = source {
        if let Some(error) = current.downcast_ref::<AuthRequiredError>() {
            return Some(challenge(401, &error.www_authenticate_header));
        }
        if let Some(error) = current.downcast_ref::<InsufficientScopeError>() {
            return Some(challenge(403, &error.www_authenticate_header));
        }
        source = current.source();
    }
    None
}

/// A `WWW-Authenticate` value in few words.
fn challenge(status: u16, header: &str) -> String {
    let parameter = |name: &str| {
        let (_, rest) = header.split_once(&format!("{name}=\""))?;
        rest.split_once('"').map(|(value, _)| value)
    };
    let mut text = status.to_string();
    if let Some(error) = parameter("error") {
        text = format!("{text} {error}");
    }
    if let Some(scope) = parameter("scope") {
        text = format!("{text}, scope {scope}");
    }
    if let Some(metadata) = parameter("resource_metadata") {
        text = format!("{text}, see {metadata}");
    }
    text
}

/// Arguments without quotes and braces, for the table.
fn brief(arguments: &Value) -> String {
    let members = arguments.as_object().into_iter().flatten();
    let shown = members
        .filter(|(name, _)| name.as_str() != "text")
        .map(|(name, value)| {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            format!("{name}={value}")
        });
    shown.collect::<Vec<_>>().join(" ")
}

/// One line, not too long.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= SHOWN {
        return line;
    }
    let kept: String = line.chars().take(SHOWN.saturating_sub(1)).collect();
    format!("{kept}…")
}
