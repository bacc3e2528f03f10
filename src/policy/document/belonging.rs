//! Where a key belongs that stands in the wrong block.

use crate::yaml::{Fields, Findings};

/// The keys of each block of a rule. A key may be one of several blocks.
const KEYS: [(&str, &[&str]); 9] = [
    (
        "who",
        &[
            "issuers", "subjects", "groups", "roles", "scopes", "tenants", "agents", "claims",
            "peers", "anyone",
        ],
    ),
    (
        "what",
        &[
            "servers",
            "methods",
            "tools",
            "classes",
            "arguments",
            "resources",
            "prompts",
        ],
    ),
    (
        "when",
        &[
            "days",
            "between",
            "timezone",
            "from",
            "until",
            "auth_age_max",
            "session_age_max",
        ],
    ),
    ("where", &["networks", "countries", "device"]),
    ("why", &["purposes", "calls", "denials", "distinct_tools"]),
    (
        "needs",
        &["scopes", "acr", "auth_age_max", "sender_constrained"],
    ),
    ("limit", &["calls", "per", "by", "burst", "open"]),
    ("set", &["headers", "metadata"]),
    (RULE, &["id", "effect", "mode", "if", "message", "silence"]),
];
/// What stands in the rule itself.
pub(super) const RULE: &str = "rule";

/// Reports the unknown keys of a block of a rule, and where they belong.
pub(super) fn finish(fields: Fields<'_>, block: &str, findings: &mut Findings) {
    fields.finish_with(findings, |key| belongs(key, block));
}

/// What to say of a key that another block has.
fn belongs(key: &str, block: &str) -> Option<String> {
    let owners = KEYS.iter().filter(|(owner, keys)| {
        let is_block = key == *owner && key != RULE;
        *owner != block && (keys.contains(&key) || is_block)
    });
    let said: Vec<String> = owners
        .map(|(owner, _)| match *owner {
            RULE => format!("beside `{block}`, not into it"),
            owner if owner == key => format!("beside `{block}`, not into it"),
            owner => format!("into `{owner}`"),
        })
        .collect();
    (!said.is_empty()).then(|| format!("put it {}", said.join(" or ")))
}
