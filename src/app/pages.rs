//! The pages of the admin endpoint that tell more than `/readyz` does. A new one is a row of [`all`].

use std::sync::Arc;

use serde_json::{Value, json};

use super::clock::CLOCK;
use super::parts::ServiceParts;
use crate::admin::Detail;
use crate::authz::{Hints, Policy};
use crate::catalog::{Catalog, ListedTool, ToolRefusal};

/// Every page.
pub(super) fn all(parts: &ServiceParts) -> Vec<Detail> {
    let live = Arc::clone(&parts.live);
    vec![Detail {
        name: "tools",
        state: Box::new(move || {
            let live = live.current();
            tools(&live.catalog, &live.policy.snapshot())
        }),
    }]
}

/// The tools that lists have shown. `mcp-authz matrix --live` reads it.
fn tools(catalog: &Catalog, policy: &Policy) -> Value {
    let servers = catalog.listed().into_iter().map(|listed| {
        let tools = listed.tools.iter();
        let tools: Vec<Value> = tools
            .map(|listed_tool| tool(policy, &listed.server, listed_tool))
            .collect();
        json!({"server": listed.server, "truncated": listed.is_truncated, "tools": tools})
    });
    json!({
        "at": CLOCK().to_string(),
        "policy_revision": &**policy.revision(),
        "servers": servers.collect::<Vec<_>>(),
    })
}

fn tool(policy: &Policy, server: &str, tool: &ListedTool) -> Value {
    let hint = match tool.hints {
        Hints::Untrusted | Hints::Trusted(None) => None,
        Hints::Trusted(Some(class)) => Some(class.name()),
    };
    let refused = tool.refusal.map(|refusal| match refusal {
        ToolRefusal::Unknown => "unknown",
        ToolRefusal::Changed => "changed",
    });
    json!({
        "name": &*tool.name,
        "class": policy.class(server, &tool.name, tool.hints).map(|class| &**class),
        "hint": hint,
        "recorded": tool.is_recorded,
        "changed": tool.is_changed,
        "refused": refused,
        "first_seen": tool.first_seen.to_string(),
        "last_seen": tool.last_seen.to_string(),
    })
}
