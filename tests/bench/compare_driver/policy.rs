//! A hundred rules of the kinds that policies have, for mcp-authz and, as far as they can say it,
//! for Envoy's own filters.
//!
//! Eight of the rules are about the measured calls; the rest are other people's.

use serde_json::{Map, Value, json};

/// What a member of `engineering` may call.
pub(crate) const ALLOWED_TOOL: &str = "create_note";
/// What only `admins` may call.
pub(crate) const DENIED_TOOL: &str = "delete_note";

/// How many rules of other people there are of each kind; with those about the calls, a hundred.
const TEAMS: usize = 60;
const CLIENTS: usize = 12;
const PUBLISHED: usize = 10;
const SCOPED: usize = 6;
const LIMITED: usize = 4;

/// The policy for mcp-authz, as a document.
pub(crate) fn document() -> Value {
    let mut rules = rules_about_the_calls();
    let notes = |tools: String| json!({"servers": ["notes"], "tools": [tools]});
    rules.extend((0..TEAMS).map(|n| {
        json!({"id": format!("team-{n}"), "effect": "allow",
            "who": {"groups": [format!("team-{n}")]}, "what": notes(format!("team{n}_*"))})
    }));
    rules.extend((0..CLIENTS).map(|n| {
        json!({"id": format!("client-{n}"), "effect": "allow",
            "who": {"agents": [format!("client-{n}")]}, "what": notes(format!("export_{n}"))})
    }));
    rules.extend((0..PUBLISHED).map(|n| {
        json!({"id": format!("publish-{n}"), "effect": "deny", "what": notes(format!("publish_{n}")),
            "if": "args.visibility == \"public\""})
    }));
    rules.extend((0..SCOPED).map(|n| {
        json!({"id": format!("scope-{n}"), "effect": "require",
            "what": notes(format!("admin_{n}")), "needs": {"scopes": [format!("admin:{n}")]}})
    }));
    rules.extend((0..LIMITED).map(|n| {
        json!({"id": format!("limit-{n}"), "effect": "limit", "what": notes(format!("bulk_{n}")),
            "limit": {"calls": 30, "per": "1m", "by": ["subject", "tool"]}})
    }));
    json!({
        "tools": {"notes": {
            "read": ["list_*", "get_*"], "write": ["create_*", "update_*"],
            "destructive": ["delete_*"],
        }},
        "rules": rules,
    })
}

/// The rules that the measured calls meet; three of them have a CEL expression.
fn rules_about_the_calls() -> Vec<Value> {
    let classes = |classes: &[&str]| json!({"servers": ["notes"], "classes": classes});
    vec![
        json!({"id": "engineers-read", "effect": "allow", "who": {"groups": ["engineering"]},
            "what": classes(&["read"])}),
        json!({"id": "engineers-write-into-projects", "effect": "allow",
            "who": {"groups": ["engineering"]}, "what": classes(&["write"]),
            "if": "has(args.folder) && args.folder.startsWith(\"projects/\")"}),
        json!({"id": "admins-delete", "effect": "allow", "who": {"groups": ["admins"]},
            "what": classes(&["destructive"])}),
        json!({"id": "deleting-is-for-admins", "effect": "deny",
            "who": {"not": {"groups": ["admins"]}}, "what": classes(&["destructive"])}),
        json!({"id": "no-secrets-in-notes", "effect": "deny",
            "what": {"servers": ["notes"], "tools": [ALLOWED_TOOL]},
            "if": "args.title.matches(\"(?i)^\\\\s*secret\")"}),
        json!({"id": "titles-are-short", "effect": "deny", "mode": "shadow",
            "what": {"servers": ["notes"], "tools": [ALLOWED_TOOL]},
            "if": "size(args.title) > 200"}),
        json!({"id": "writing-needs-its-scope", "effect": "require", "what": classes(&["write"]),
            "needs": {"scopes": ["notes:write"]}}),
        json!({"id": "known-networks", "effect": "deny", "what": {"servers": ["notes"]},
            "where": {"not": {"networks": ["127.0.0.0/8", "::1/128", "10.0.0.0/8"]}}}),
    ]
}

/// The arguments that Envoy's `mcp` filter has to extract for the policies below.
pub(crate) const EXTRACTED: [&str; 4] = [
    "params.name",
    "params.arguments.folder",
    "params.arguments.title",
    "params.arguments.visibility",
];

/// What of the policy Envoy's `rbac` filter can deny by.
pub(crate) fn rbac_denials() -> Value {
    let mut all = Map::new();
    let mut deny = |id: String, permission: Value, principal: Value| {
        all.insert(id, policy(permission, principal));
    };
    let title = argument(
        "title",
        json!({"safe_regex": {"regex": "(?i)^\\s*secret.*"}}),
    );
    deny(
        "deleting-is-for-admins".to_owned(),
        tool(json!({"prefix": "delete_"})),
        json!({"not_id": group("admins")}),
    );
    deny(
        "no-secrets-in-notes".to_owned(),
        json!({"and_rules": {"rules": [tool(json!({"exact": ALLOWED_TOOL})), title]}}),
        json!({"any": true}),
    );
    deny(
        "writing-needs-its-scope".to_owned(),
        tool(json!({"prefix": "create_"})),
        json!({"not_id": claim("scope", json!({"string_match": {"contains": "notes:write"}}))}),
    );
    let networks = [("127.0.0.0", 8), ("::1", 128), ("10.0.0.0", 8)].map(
        |(prefix, len)| json!({"direct_remote_ip": {"address_prefix": prefix, "prefix_len": len}}),
    );
    deny(
        "known-networks".to_owned(),
        json!({"any": true}),
        json!({"not_id": {"or_ids": {"ids": networks}}}),
    );
    for n in 0..PUBLISHED {
        let public = argument("visibility", json!({"exact": "public"}));
        let tool = tool(json!({"exact": format!("publish_{n}")}));
        let both = json!({"and_rules": {"rules": [tool, public]}});
        deny(format!("publish-{n}"), both, json!({"any": true}));
    }
    for n in 0..SCOPED {
        let scope = json!({"string_match": {"contains": format!("admin:{n}")}});
        let tool = tool(json!({"exact": format!("admin_{n}")}));
        deny(
            format!("scope-{n}"),
            tool,
            json!({"not_id": claim("scope", scope)}),
        );
    }
    Value::Object(all)
}

/// What of the policy Envoy's `rbac` filter can allow by.
pub(crate) fn rbac_allows() -> Value {
    let mut all = Map::new();
    let mut allow = |id: String, permission: Value, principal: Value| {
        all.insert(id, policy(permission, principal));
    };
    let reading = ["list_", "get_"].map(|prefix| tool(json!({"prefix": prefix})));
    let writing = ["create_", "update_"].map(|prefix| tool(json!({"prefix": prefix})));
    let folder = argument("folder", json!({"prefix": "projects/"}));
    let writing = json!({"or_rules": {"rules": writing}});
    allow(
        "engineers-read".to_owned(),
        json!({"or_rules": {"rules": reading}}),
        group("engineering"),
    );
    allow(
        "engineers-write-into-projects".to_owned(),
        json!({"and_rules": {"rules": [writing, folder]}}),
        group("engineering"),
    );
    allow(
        "admins-delete".to_owned(),
        tool(json!({"prefix": "delete_"})),
        group("admins"),
    );
    for n in 0..TEAMS {
        let tools = tool(json!({"prefix": format!("team{n}_")}));
        allow(format!("team-{n}"), tools, group(&format!("team-{n}")));
    }
    for n in 0..CLIENTS {
        let client = claim(
            "client_id",
            json!({"string_match": {"exact": format!("client-{n}")}}),
        );
        let tool = tool(json!({"exact": format!("export_{n}")}));
        allow(format!("client-{n}"), tool, client);
    }
    Value::Object(all)
}

fn policy(permission: Value, principal: Value) -> Value {
    Value::Object(Map::from_iter([
        ("permissions".to_owned(), Value::Array(vec![permission])),
        ("principals".to_owned(), Value::Array(vec![principal])),
    ]))
}

/// A permission by the name of the tool that is called.
fn tool(text: Value) -> Value {
    parameter(&["params", "name"], text)
}

/// A permission by an argument of the call.
fn argument(name: &str, text: Value) -> Value {
    parameter(&["params", "arguments", name], text)
}

fn parameter(path: &[&str], text: Value) -> Value {
    let path: Vec<_> = path.iter().map(|key| json!({"key": key})).collect();
    let mut value = Map::new();
    value.insert("string_match".to_owned(), text);
    json!({"metadata": {"filter": "envoy.filters.http.mcp", "path": path, "value": value}})
}

/// A principal by a group of the token.
fn group(name: &str) -> Value {
    claim(
        "groups",
        json!({"list_match": {"one_of": {"string_match": {"exact": name}}}}),
    )
}

fn claim(name: &str, value: Value) -> Value {
    let mut metadata = Map::new();
    metadata.insert("filter".to_owned(), json!("envoy.filters.http.jwt_authn"));
    metadata.insert("path".to_owned(), json!([{"key": "claims"}, {"key": name}]));
    metadata.insert("value".to_owned(), value);
    json!({"metadata": metadata})
}
