//! What is said to the server: the handshake of its revision, and requests for its tools, page after
//! page.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;

use super::exchange::Exchange;
use super::fault::Fault;
use crate::authz::Value;
use crate::catalog;
use crate::mcp::{LEGACY_REVISIONS, MODERN_REVISION};

/// The legacy revision that is asked for; the server may choose an older one.
const ASKED_REVISION: &str = "2025-11-25";
/// The most pages of a list.
const PAGES_MAX: usize = 1000;
/// How long a server has to say where messages go. A GET stream of another transport says nothing.
const ENDPOINT_TIME_MAX: Duration = Duration::from_secs(5);

/// What was listed.
pub(super) struct Listed {
    pub(super) tools: Vec<Value<'static>>,
    pub(super) revision: &'static str,
}

/// A request, and why it has no result.
#[derive(Debug, thiserror::Error)]
#[error("{request}: {fault}")]
pub(super) struct Failed {
    pub(super) request: &'static str,
    pub(super) fault: Fault,
}

impl Fault {
    fn of(self, request: &'static str) -> Failed {
        Failed {
            request,
            fault: self,
        }
    }
}

/// Lists the tools of a server: in a session, without one if the revision has none, or over the
/// HTTP+SSE transport, whichever the server knows.
pub(super) async fn list(
    server: &mut Exchange<'_>,
    capabilities: &serde_json::Value,
) -> Result<Listed, Failed> {
    let first = match begin(server, capabilities).await {
        Ok(revision) => return pages(server, revision, &json!({})).await,
        Err(failed) if failed.fault.may_be_modern() => failed,
        Err(failed) => return Err(failed),
    };
    let second = match modern(server, capabilities).await {
        Err(second) => second,
        listed @ Ok(_) => return listed,
    };
    if first.fault.may_be_old() && open_stream(server).await {
        let revision = begin(server, capabilities).await?;
        return pages(server, revision, &json!({})).await;
    }
    Err(if first.fault.is_modern() {
        second
    } else {
        first
    })
}

/// The handshake, and the revision that the server chose.
async fn begin(
    server: &mut Exchange<'_>,
    capabilities: &serde_json::Value,
) -> Result<&'static str, Failed> {
    let params = json!({
        "protocolVersion": ASKED_REVISION,
        "capabilities": capabilities,
        "clientInfo": client_info(),
    });
    let failed = |fault: Fault| fault.of("initialize");
    let result = server.call("initialize", params).await.map_err(failed)?;
    let chosen = result.member("protocolVersion").and_then(Value::as_str);
    let chosen = chosen.ok_or(failed(Fault::Answer(
        "the result names no `protocolVersion`",
    )))?;
    let known = LEGACY_REVISIONS.iter().find(|known| **known == chosen);
    let known = known.ok_or_else(|| failed(Fault::Revision(catalog::shown(chosen))))?;
    server.revision = Some(*known);
    let request = "notifications/initialized";
    let done = server.notify(request).await;
    done.map_err(|fault| fault.of(request))?;
    Ok(*known)
}

/// The tools by the revision without sessions.
async fn modern(
    server: &mut Exchange<'_>,
    capabilities: &serde_json::Value,
) -> Result<Listed, Failed> {
    server.revision = Some(MODERN_REVISION);
    server.names_methods = true;
    let meta = json!({"_meta": {
        "io.modelcontextprotocol/protocolVersion": MODERN_REVISION,
        "io.modelcontextprotocol/clientInfo": client_info(),
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    }});
    let listed = pages(server, MODERN_REVISION, &meta).await;
    server.revision = None;
    server.names_methods = false;
    listed
}

async fn open_stream(server: &mut Exchange<'_>) -> bool {
    let opened = tokio::time::timeout(ENDPOINT_TIME_MAX, server.open_stream()).await;
    matches!(opened, Ok(Ok(())))
}

async fn pages(
    server: &mut Exchange<'_>,
    revision: &'static str,
    params: &serde_json::Value,
) -> Result<Listed, Failed> {
    let failed = |fault: Fault| fault.of("tools/list");
    let wrong = |text| failed(Fault::Answer(text));
    let mut tools = Vec::new();
    let mut seen = HashSet::new();
    let mut params = params.clone();
    for _ in 0..PAGES_MAX {
        let page = server.call("tools/list", params.clone()).await;
        let Value::Map(members) = page.map_err(failed)? else {
            return Err(wrong("the result is not an object"));
        };
        let mut cursor = None;
        let mut listed = None;
        for (name, member) in members {
            match (&*name, member) {
                ("tools", Value::List(items)) => listed = Some(items),
                // Many that have no further page say so by an empty text.
                ("nextCursor", Value::String(text)) if !text.is_empty() => cursor = Some(text),
                ("nextCursor", Value::Null | Value::String(_)) => {}
                ("nextCursor", _) => return Err(wrong("`nextCursor` is not a text")),
                (_, _) => {}
            }
        }
        tools.extend(listed.ok_or(wrong("the result has no list `tools`"))?);
        let Some(cursor) = cursor else {
            return Ok(Listed { tools, revision });
        };
        if let Some(members) = params.as_object_mut() {
            members.insert("cursor".to_owned(), json!(cursor));
        }
        if !seen.insert(cursor) {
            return Err(wrong(
                "the list does not end: the server gives a cursor twice",
            ));
        }
    }
    Err(wrong("the list has more than 1000 pages"))
}

fn client_info() -> serde_json::Value {
    json!({"name": "mcp-authz", "version": env!("CARGO_PKG_VERSION")})
}
