//! The tools that a running service has seen in lists, for `matrix --live`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::Deserialize;

use super::admin::AdminEndpoint;
use super::outcome::Stop;
use crate::app;
use crate::authz::{HintedClass, TrustedHints};
use crate::policy::matrix::{LiveRead, LiveTool, LiveTools, shown};

/// The page that is read, of which more may be there than is listed here.
const PAGE: &str = "tools";

#[derive(Debug, Deserialize)]
struct Page {
    policy_revision: String,
    servers: Vec<ServerTools>,
}

#[derive(Debug, Deserialize)]
struct ServerTools {
    server: String,
    truncated: bool,
    tools: Vec<Tool>,
}

#[derive(Debug, Deserialize)]
struct Tool {
    name: String,
    hint: Option<String>,
    refused: Option<String>,
}

/// What the configuration at hand says, against which the page is held.
pub(super) struct Configured<'c> {
    /// The servers that are shown.
    pub(super) shown: &'c [String],
    /// All of its servers.
    pub(super) servers: HashSet<&'c str>,
    /// The servers on which unrecorded tools are refused.
    pub(super) closed: &'c [&'c str],
    /// The recorded tools by server.
    pub(super) recorded: &'c BTreeMap<String, Vec<String>>,
}

/// Reads the tools. Their annotations count where the configuration trusts them.
pub(super) fn read(
    url: &str,
    insecure_http: bool,
    configured: &Configured<'_>,
    hints: &mut Arc<TrustedHints>,
) -> Result<LiveTools, Stop> {
    let endpoint = AdminEndpoint::of("--live", url, insecure_http)?;
    let place = endpoint.page(PAGE);
    let answer = endpoint.get(PAGE)?;
    if answer.status != 200 {
        let status = answer.status;
        return Err(Stop::Failed(format!(
            "`{place}` answers with http status {status}, so it is no admin endpoint of mcp-authz"
        )));
    }
    let page: Page = serde_json::from_slice(&answer.text).map_err(|error| {
        Stop::Failed(format!(
            "`{place}` does not answer as mcp-authz does: {error}"
        ))
    })?;
    let mut live = LiveTools {
        read: LiveRead {
            url: place.to_string(),
            at: app::now(),
            policy_revision: page.policy_revision,
            truncated: Vec::new(),
            unseen: Vec::new(),
            absent: Vec::new(),
            changed: Vec::new(),
            uncallable: Vec::new(),
        },
        tools: BTreeMap::new(),
    };
    let mut found = HashMap::new();
    for server in page.servers {
        if !configured.servers.contains(&*server.server) {
            return Err(Stop::Failed(format!(
                "the service at `{place}` has a server `{}` that the configuration lacks: is it the service of this configuration?",
                shown(&server.server)
            )));
        }
        if let Some(twice) = found.insert(server.server.clone(), server) {
            let name = shown(&twice.server);
            return Err(Stop::Failed(format!(
                "`{place}` does not answer as mcp-authz does: it names the server `{name}` twice"
            )));
        }
    }
    for name in configured.shown {
        match found.remove(name) {
            Some(server) => add(&mut live, server, configured, Arc::make_mut(hints)),
            None => live.read.absent.push(name.clone()),
        }
    }
    Ok(live)
}

fn add(
    live: &mut LiveTools,
    server: ServerTools,
    configured: &Configured<'_>,
    hints: &mut TrustedHints,
) {
    let ServerTools {
        server,
        truncated,
        tools,
    } = server;
    let recorded = configured.recorded.get(&server);
    let recorded: HashSet<&String> = recorded.into_iter().flatten().collect();
    let is_closed = configured.closed.contains(&server.as_str());
    if truncated {
        live.read.truncated.push(server.clone());
    } else if tools.is_empty() {
        live.read.unseen.push(server.clone());
    }
    let mut listed = Vec::new();
    for tool in tools {
        let is_recorded = recorded.contains(&tool.name);
        let class = HintedClass::ALL
            .into_iter()
            .find(|class| tool.hint.as_deref() == Some(class.name()));
        if let Some(class) = class {
            hints.add(&server, &tool.name, class);
        }
        if tool.refused.as_deref() == Some("changed") {
            live.read.changed.push((server.clone(), tool.name.clone()));
        }
        listed.push(LiveTool {
            is_refused: is_closed && !is_recorded,
            name: tool.name,
        });
    }
    live.tools.insert(server, listed);
}
