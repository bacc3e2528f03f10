//! What a configuration can say and probably should not.

use std::collections::BTreeSet;

use super::Inspection;
use crate::yaml::{self, Findings, Node};

/// The client's token is handed on to the server.
const PASSED_TOKEN: &str = "passed-token";
/// A scope is asked for that no rule looks at.
const UNUSED_SCOPE: &str = "unused-scope";

/// The lints that a server can silence.
pub const LINTS: &[&str] = &[PASSED_TOKEN, UNUSED_SCOPE];

/// Reads `silence`: names of lints, all known.
pub(super) fn silenced(node: &Node, findings: &mut Findings) -> Option<Vec<&'static str>> {
    let words: Vec<(&'static str, &'static str)> =
        LINTS.iter().map(|name| (*name, *name)).collect();
    let read = yaml::choice(&words);
    yaml::list(node, findings, read)
}

/// Adds warnings about a configuration to its findings. `policy_scopes` are the scopes that rules
/// name; without a policy, nothing is said about scopes.
pub fn lint(inspection: &mut Inspection, policy_scopes: Option<&BTreeSet<String>>) {
    let servers = inspection
        .tree
        .as_ref()
        .and_then(|root| root.member("servers"));
    for server in servers.map_or(&[][..], Node::items) {
        let is_silent = |name: &str| {
            let silence = server.member("silence").map_or(&[][..], Node::items);
            silence.iter().any(|node| node.as_str() == Some(name))
        };
        let findings = &mut inspection.findings;
        let passed = server
            .member("upstream")
            .and_then(|upstream| upstream.member("authorization"));
        let passed =
            passed.filter(|node| node.as_str() == Some("pass") && !is_silent(PASSED_TOKEN));
        if let Some(node) = passed {
            let message = "the server gets the client's token and can use it elsewhere";
            let help = "`remove` keeps it, or silence this with `silence: [passed-token]`";
            findings.lint(node, PASSED_TOKEN, message, help);
        }
        let Some(used) = policy_scopes.filter(|_| !is_silent(UNUSED_SCOPE)) else {
            continue;
        };
        for node in server
            .member("scopes_supported")
            .map_or(&[][..], Node::items)
        {
            let Some(scope) = node.as_str().filter(|scope| !used.contains(*scope)) else {
                continue;
            };
            let message = format!("clients are told to ask for `{scope}`, and no rule looks at it");
            let help = "name it in a rule's `who.scopes` or `needs.scopes`, or leave it out";
            findings.lint(node, UNUSED_SCOPE, message, help);
        }
    }
}
