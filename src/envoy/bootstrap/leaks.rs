//! Where Envoy writes mcp-authz's metadata of a decision, which contains the caller's claims.

use super::{AuthzFilter, ConfigMessage, NAMESPACE, Report};
use crate::yaml::{Data, Node};

/// Checks of formats.
pub(super) const CHECKS: [fn(&AuthzFilter<'_, '_>, &mut Report); 1] = [formats];

/// Checks every format of the connection manager: of access logs, responses and headers.
fn formats(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    let mut found = Vec::new();
    look_for(gate.chain.manager.node(), &mut found);
    look_at(&found, report);
}

/// Checks the formats of a separate route table.
pub(super) fn look_at_table(table: ConfigMessage<'_>, report: &mut Report) {
    let mut found = Vec::new();
    look_for(table.node(), &mut found);
    look_at(&found, report);
}

fn look_at(found: &[&Node], report: &mut Report) {
    for node in found {
        let message = "this writes the caller's claims, which are in the metadata for ext_proc as \
                       `response_context`";
        let help = "name each field to be written: \
                    `%DYNAMIC_METADATA(envoy.filters.http.ext_authz:reason)%`";
        report.warn(ConfigMessage::of(node), message, help);
    }
}

fn look_for<'n>(node: &'n Node, found: &mut Vec<&'n Node>) {
    match &node.data {
        Data::String(text) if tells_all(text) => found.push(node),
        Data::Map(entries) => {
            for (_, value) in entries {
                look_for(value, found);
            }
        }
        Data::List(items) => {
            for item in items {
                look_for(item, found);
            }
        }
        Data::String(_) | Data::Null | Data::Bool(_) | Data::Int(_) | Data::Float(_) => {}
    }
}

/// Whether a format writes all metadata, or the member that contains the claims.
fn tells_all(format: &str) -> bool {
    ["DYNAMIC_METADATA(", "METADATA(DYNAMIC:"]
        .iter()
        .any(|command| {
            let mut rest = format.split(command).skip(1);
            rest.any(|rest| {
                let path = rest.split(')').next().unwrap_or_default();
                let member = path.strip_prefix(NAMESPACE);
                member.is_some_and(|member| {
                    member.is_empty() || member.starts_with(":response_context")
                })
            })
        })
}
