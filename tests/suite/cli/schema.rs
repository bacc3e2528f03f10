//! The schemas against the decoders: what one knows, the other knows.

use std::collections::BTreeSet;
use std::path::Path;

use mcp_authz::policy::CompileContext;
use mcp_authz::policy::testing::{SampleContext, Suite};
use mcp_authz::yaml::{self, Data, Findings, Node, Source};
use mcp_authz::{config, policy};
use serde_json::{Map, Value, json};

use super::run;
use crate::source::{block, text};

const STRANGE: &str = "zzzzzzzz";

pub(super) fn schema(of: &str) -> Value {
    let ran = run(&["schema", of]);
    assert_eq!(ran.code, 0);
    serde_json::from_str(&ran.out).unwrap()
}

fn findings(of: &str, text: &str) -> Vec<String> {
    let source = Source {
        name: "f".to_owned(),
        text: text.to_owned(),
    };
    let sources = [source.clone()];
    let wrong = match of {
        "config" => config::decode(source.name, source.text, Path::new("")).err(),
        "policy" => policy::compile(&sources, &CompileContext::default()).err(),
        _ => Suite::read(&sources, &SampleContext::default()).err(),
    };
    wrong.map(|wrong| wrong.to_lines()).unwrap_or_default()
}

/// The keys that a decoder says it knows, when it meets one that it does not.
fn known(of: &str, text: &str) -> BTreeSet<String> {
    let lines = findings(of, text);
    let unknown = format!("unknown key `{STRANGE}`");
    let line = lines.iter().find(|line| line.contains(&unknown));
    let line = line.unwrap_or_else(|| panic!("not refused in {text}: {lines:?}"));
    let help = line.split("known here: ").nth(1).unwrap();
    help.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Every object in a schema, where it is, and a file with a strange key in that place.
const PLACES: &[(&str, &str, &str)] = &[
    ("config", "", "zzzzzzzz: 1"),
    ("config", "/properties/tls", "tls: {zzzzzzzz: 1}"),
    ("config", "/properties/admin", "admin: {zzzzzzzz: 1}"),
    ("config", "/properties/audit", "audit: {zzzzzzzz: 1}"),
    (
        "config",
        "/properties/telemetry",
        "telemetry: {zzzzzzzz: 1}",
    ),
    ("config", "/properties/drain", "drain: {zzzzzzzz: 1}"),
    ("config", "/properties/limits", "limits: {zzzzzzzz: 1}"),
    (
        "config",
        "/properties/policies/items",
        "policies: [{zzzzzzzz: 1}]",
    ),
    (
        "config",
        "/properties/issuers/items",
        "issuers: [{zzzzzzzz: 1}]",
    ),
    (
        "config",
        "/properties/issuers/items/properties/claims",
        "issuers: [{claims: {zzzzzzzz: 1}}]",
    ),
    (
        "config",
        "/$defs/listed_claims/anyOf/2",
        "issuers: [{claims: {scopes: {zzzzzzzz: 1}}}]",
    ),
    (
        "config",
        "/$defs/present",
        "issuers: [{required_claims: {a: {zzzzzzzz: 1}}}]",
    ),
    (
        "config",
        "/properties/issuers/items/properties/keys",
        "issuers: [{keys: {zzzzzzzz: 1}}]",
    ),
    (
        "config",
        "/properties/servers/items",
        "servers: [{zzzzzzzz: 1}]",
    ),
    (
        "config",
        "/properties/servers/items/properties/match",
        "servers: [{match: {zzzzzzzz: 1}}]",
    ),
    (
        "config",
        "/properties/issuers/items/properties/scopes",
        "issuers: [{scopes: {zzzzzzzz: 1}}]",
    ),
    (
        "config",
        "/properties/servers/items/properties/scopes",
        "servers: [{scopes: {zzzzzzzz: 1}}]",
    ),
    (
        "config",
        "/properties/servers/items/properties/challenge",
        "servers: [{challenge: {zzzzzzzz: 1}}]",
    ),
    (
        "config",
        "/properties/servers/items/properties/deny",
        "servers: [{deny: {zzzzzzzz: 1}}]",
    ),
    (
        "config",
        "/properties/servers/items/properties/indirect/items",
        "servers: [{indirect: [{zzzzzzzz: 1}]}]",
    ),
    (
        "config",
        "/properties/servers/items/properties/upstream",
        "servers: [{upstream: {zzzzzzzz: 1}}]",
    ),
    ("config", "/properties/purpose", "purpose: {zzzzzzzz: 1}"),
    ("config", "/properties/device", "device: {zzzzzzzz: 1}"),
    ("config", "/properties/geoip", "geoip: {zzzzzzzz: 1}"),
    ("config", "/properties/peers", "peers: {zzzzzzzz: 1}"),
    ("config", "/properties/fetch", "fetch: {zzzzzzzz: 1}"),
    ("config", "/properties/handoff", "handoff: {zzzzzzzz: 1}"),
    ("policy", "", "zzzzzzzz: 1"),
    ("policy", "/$defs/rule", "rules: [{zzzzzzzz: 1}]"),
    (
        "policy",
        "/$defs/rule/properties/needs",
        "rules: [{id: a, effect: require, needs: {zzzzzzzz: 1}}]",
    ),
    (
        "policy",
        "/$defs/rule/properties/limit",
        "rules: [{id: a, effect: limit, limit: {zzzzzzzz: 1}}]",
    ),
    (
        "policy",
        "/$defs/rule/properties/set",
        "rules: [{id: a, effect: allow, set: {zzzzzzzz: 1}}]",
    ),
    ("policy", "/$defs/when", "rules: [{when: {zzzzzzzz: 1}}]"),
    (
        "policy",
        "/$defs/when_not",
        "rules: [{when: {not: {zzzzzzzz: 1}}}]",
    ),
    ("policy", "/$defs/why", "rules: [{why: {zzzzzzzz: 1}}]"),
    (
        "policy",
        "/$defs/why_not",
        "rules: [{why: {not: {zzzzzzzz: 1}}}]",
    ),
    (
        "policy",
        "/$defs/behaviour",
        "rules: [{why: {calls: {zzzzzzzz: 1}}}]",
    ),
    (
        "policy",
        "/$defs/tool_behaviour",
        "rules: [{why: {distinct_tools: {zzzzzzzz: 1}}}]",
    ),
    ("policy", "/$defs/who", "rules: [{who: {zzzzzzzz: 1}}]"),
    (
        "policy",
        "/$defs/who_not",
        "rules: [{who: {not: {zzzzzzzz: 1}}}]",
    ),
    ("policy", "/$defs/what", "rules: [{what: {zzzzzzzz: 1}}]"),
    (
        "policy",
        "/$defs/what_not",
        "rules: [{what: {not: {zzzzzzzz: 1}}}]",
    ),
    ("policy", "/$defs/where", "rules: [{where: {zzzzzzzz: 1}}]"),
    (
        "policy",
        "/$defs/where_not",
        "rules: [{where: {not: {zzzzzzzz: 1}}}]",
    ),
    ("tests", "", "zzzzzzzz: 1"),
    ("tests", "/$defs/test", "tests: [{zzzzzzzz: 1}]"),
    (
        "tests",
        "/$defs/request",
        "tests: [{request: {zzzzzzzz: 1}}]",
    ),
    (
        "tests",
        "/$defs/request/properties/subject",
        "tests: [{request: {subject: {zzzzzzzz: 1}}}]",
    ),
    (
        "tests",
        "/$defs/request/properties/seen",
        "tests: [{request: {seen: {zzzzzzzz: 1}}}]",
    ),
    ("tests", "/$defs/expect", "tests: [{expect: {zzzzzzzz: 1}}]"),
];

#[test]
fn schemas_and_decoders_know_the_same_keys() {
    for (of, pointer, text) in PLACES {
        let schema = schema(of);
        let object = schema.pointer(pointer).unwrap();
        let own: BTreeSet<String> = object["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        assert_eq!(known(of, text), own, "{of}{pointer}");
        assert!(!accepts(&schema, &schema, &tree(text)), "{of}{pointer}");
    }
    for of in ["config", "policy", "tests"] {
        let mut closed = BTreeSet::new();
        closed_objects(&schema(of), "", &mut closed);
        let listed: BTreeSet<String> = PLACES
            .iter()
            .filter(|place| place.0 == of)
            .map(|place| place.1.to_owned())
            .collect();
        assert_eq!(closed, listed, "{of}");
    }
}

fn closed_objects(node: &Value, at: &str, found: &mut BTreeSet<String>) {
    if node["additionalProperties"] == json!(false) {
        found.insert(at.to_owned());
    }
    match node {
        Value::Object(members) => {
            for (key, value) in members {
                closed_objects(value, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                closed_objects(value, &format!("{at}/{index}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn what_the_decoder_accepts_the_schema_accepts() {
    for (of, text) in [
        ("config", text("envoy/mcp-authz.yaml")),
        ("config", text("tests/data/cli/good/mcp-authz.yaml")),
        ("config", block("src/config/README.md", "yaml", "listen:")),
        ("policy", text("envoy/policy.yaml")),
        ("policy", text("tests/data/cli/good/policy.yaml")),
        ("policy", block("src/policy/README.md", "yaml", "tools:")),
        ("policy", block("README.md", "yaml", "tools:")),
        ("tests", text("envoy/policy_test.yaml")),
        ("tests", block("src/policy/README.md", "yaml", "tests:")),
        ("tests", text("tests/data/cli/good/policy_test.yaml")),
    ] {
        assert_eq!(findings(of, &text), [""; 0], "{text}");
        let schema = schema(of);
        assert!(accepts(&schema, &schema, &tree(&text)), "{text}");
    }
    for (of, text) in [
        ("policy", "rules: [{id: a, effect: allow}]"),
        ("policy", "rules: [{id: a, effect: require}]"),
        (
            "policy",
            "rules: [{id: a, effect: deny, needs: {scopes: [a]}}]",
        ),
        ("policy", "rules: [{id: a, effect: deny, who: {}}]"),
        (
            "policy",
            "rules: [{id: a, effect: deny, who: {groups: []}}]",
        ),
        (
            "policy",
            "rules: [{id: a, effect: deny, silence: [everything]}]",
        ),
        (
            "tests",
            "tests: [{name: a, request: {server: a, subject: {}}, expect: {rule: a}}]",
        ),
        ("tests", "tests: []"),
        ("config", "listen: a:1"),
    ] {
        let schema = schema(of);
        assert!(!findings(of, text).is_empty(), "{text}");
        assert!(!accepts(&schema, &schema, &tree(text)), "{text}");
    }
}

fn tree(text: &str) -> Value {
    let mut findings = Findings::new();
    let id = findings.add_source(Source {
        name: "f".to_owned(),
        text: text.to_owned(),
    });
    json_of(&yaml::parse(id, &mut findings).unwrap())
}

fn json_of(node: &Node) -> Value {
    match &node.data {
        Data::Null => Value::Null,
        Data::Bool(truth) => json!(truth),
        Data::Int(number) => json!(number),
        Data::Float(number) => json!(number),
        Data::String(text) => json!(text),
        Data::List(items) => items.iter().map(json_of).collect(),
        Data::Map(entries) => {
            let member =
                |(key, value): &(Node, Node)| (key.as_str().unwrap().to_owned(), json_of(value));
            Value::Object(entries.iter().map(member).collect())
        }
    }
}

/// As much of JSON Schema as the schemas use; a keyword that is not known here fails the test.
fn accepts(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(keywords) = schema.as_object() else {
        return schema.as_bool().unwrap();
    };
    let all =
        |list: &Value, test: &dyn Fn(&Value) -> bool| list.as_array().unwrap().iter().all(test);
    let count = |list: &Value| {
        list.as_array()
            .unwrap()
            .iter()
            .filter(|one| accepts(root, one, value))
            .count()
    };
    keywords
        .iter()
        .all(|(keyword, says)| match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" | "pattern" | "format"
            | "then" | "else" => true,
            "minimum" => value
                .as_i64()
                .is_none_or(|number| number >= says.as_i64().unwrap()),
            "maximum" => value
                .as_i64()
                .is_none_or(|number| number <= says.as_i64().unwrap()),
            "minLength" => value.as_str().is_none_or(|text| !text.is_empty()),
            "maxLength" => value
                .as_str()
                .is_none_or(|text| text.len() as u64 <= says.as_u64().unwrap()),
            "$ref" => {
                let target = root
                    .pointer(says.as_str().unwrap().trim_start_matches('#'))
                    .unwrap();
                accepts(root, target, value)
            }
            "type" => is_type(value, says),
            "enum" => says.as_array().unwrap().contains(value),
            "const" => says == value,
            "anyOf" => count(says) > 0,
            "oneOf" => count(says) == 1,
            "allOf" => all(says, &|one| accepts(root, one, value)),
            "if" => {
                let branch = if accepts(root, says, value) {
                    "then"
                } else {
                    "else"
                };
                keywords
                    .get(branch)
                    .is_none_or(|branch| accepts(root, branch, value))
            }
            _ => accepts_members(root, keywords, keyword, value),
        })
}

/// The keywords about members and items.
fn accepts_members(
    root: &Value,
    keywords: &Map<String, Value>,
    keyword: &str,
    value: &Value,
) -> bool {
    let all =
        |list: &Value, test: &dyn Fn(&Value) -> bool| list.as_array().unwrap().iter().all(test);
    let (object, list) = (value.as_object(), value.as_array());
    let says = &keywords[keyword];
    match keyword {
        "required" => {
            object.is_none_or(|object| all(says, &|key| object.contains_key(key.as_str().unwrap())))
        }
        "minProperties" => object.is_none_or(|object| !object.is_empty()),
        "minItems" => list.is_none_or(|list| says.as_u64() <= Some(list.len() as u64)),
        "maxItems" => list.is_none_or(|list| says.as_u64() >= Some(list.len() as u64)),
        "uniqueItems" => list.is_none_or(|list| {
            let mut rest = list.iter().enumerate();
            rest.all(|(at, item)| !list.iter().skip(at + 1).any(|other| other == item))
        }),
        "items" => list.is_none_or(|list| list.iter().all(|item| accepts(root, says, item))),
        "properties" => object.is_none_or(|object| {
            object.iter().all(|(key, value)| {
                says.get(key)
                    .is_none_or(|schema| accepts(root, schema, value))
            })
        }),
        "additionalProperties" => object.is_none_or(|object| {
            let named = |key: &String| {
                keywords
                    .get("properties")
                    .is_some_and(|named| named.get(key).is_some())
            };
            object
                .iter()
                .all(|(key, value)| named(key) || accepts(root, says, value))
        }),
        other => panic!("unknown keyword {other}"),
    }
}

fn is_type(value: &Value, name: &Value) -> bool {
    if let Some(names) = name.as_array() {
        return names.iter().any(|name| is_type(value, name));
    }
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        other => panic!("unknown type {other}"),
    }
}
