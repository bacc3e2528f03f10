//! A key of the configuration is known alike to the decoder, the schema, the effective
//! configuration and the reference text, and has one default.
//!
//! That the decoder and the schema know the same keys is tested in `schema.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::schema::schema;
use crate::source::{files, root};

/// Keys that say nothing about what is in force.
const SAID_TO_LINTS: &[&str] = &["issuers.silence", "servers.silence"];

/// Objects whose keys an operator names.
const OF_ANY_KEYS: &[&str] = &[
    "issuers.required_claims",
    "issuers.scopes.map",
    "servers.scopes.map",
];

fn effective(file: &str) -> Value {
    let folder = root().join("tests/data/configs");
    let text = fs::read_to_string(folder.join(file)).unwrap();
    match mcp_authz::config::decode(file.to_owned(), text, Path::new("")) {
        Ok(config) => config.effective(),
        Err(findings) => panic!("{:#?}", findings.to_lines()),
    }
}

/// The keys of a schema with what it says of each, by their way from the top.
fn keys_of_schema(at: &str, schema: &Value, found: &mut BTreeMap<String, Value>) {
    let object = schema.get("items").unwrap_or(schema);
    for (key, below) in object["properties"].as_object().into_iter().flatten() {
        let way = if at.is_empty() {
            key.clone()
        } else {
            format!("{at}.{key}")
        };
        keys_of_schema(&way, below, found);
        found.insert(way, below.clone());
    }
}

/// The same of an effective configuration; of several items of a list, what any has.
fn keys_of(at: &str, members: &Map<String, Value>, found: &mut BTreeMap<String, Value>) {
    for (key, value) in members {
        let way = if at.is_empty() {
            key.clone()
        } else {
            format!("{at}.{key}")
        };
        let items = value
            .as_array()
            .map_or(std::slice::from_ref(value), Vec::as_slice);
        let members = items.iter().filter_map(Value::as_object);
        for members in members.filter(|_| !OF_ANY_KEYS.contains(&&*way)) {
            keys_of(&way, members, found);
        }
        found.insert(way, value.clone());
    }
}

fn keys_in(file: &str) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    keys_of("", effective(file).as_object().unwrap(), &mut found);
    found
}

fn schema_keys() -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    keys_of_schema("", &schema("config"), &mut found);
    for key in SAID_TO_LINTS {
        found.remove(*key).unwrap();
    }
    found
}

#[test]
fn the_effective_configuration_has_every_key_of_the_schema() {
    let names = |keys: BTreeMap<String, Value>| keys.into_keys().collect::<BTreeSet<_>>();
    assert_eq!(names(keys_in("every-key.yaml")), names(schema_keys()));
}

#[test]
fn the_schema_has_the_defaults_that_are_in_force() {
    let required = [
        "listen",
        "issuers.issuer",
        "servers.name",
        "servers.resource",
        "policy",
    ];
    let by_other_keys = ["servers.issuers", "servers.authorization_servers"];
    let in_force: BTreeMap<String, Value> = keys_in("least.yaml")
        .into_iter()
        .filter(|(key, value)| {
            let is_list = |value: &Value| {
                value
                    .as_array()
                    .is_some_and(|all| all.iter().any(Value::is_object))
            };
            let is_leaf = !value.is_null() && !value.is_object() && !is_list(value);
            is_leaf && !required.contains(&&**key) && !by_other_keys.contains(&&**key)
        })
        .collect();
    let in_schema: BTreeMap<String, Value> = schema_keys()
        .into_iter()
        .filter_map(|(key, says)| Some((key, says.get("default")?.clone())))
        .collect();
    assert_eq!(json!(in_force), json!(in_schema), "{:#}", json!(in_force));
}

/// Every text for operators.
fn reference() -> String {
    let mut paths = vec![root().join("README.md")];
    paths.extend(
        ["src", "envoy"]
            .iter()
            .flat_map(|folder| files(folder, "md")),
    );
    let texts = paths.iter().map(|path| fs::read_to_string(path).unwrap());
    texts.collect()
}

#[test]
fn the_reference_text_names_every_key() {
    let reference = reference();
    let is_named = |key: &str| {
        let ends = ["`", ":", ".", " "];
        let mut before = ["`", " ", ".", "{", ", ", "\n"].into_iter();
        before.any(|start| {
            ends.iter()
                .any(|end| reference.contains(&format!("{start}{key}{end}")))
        })
    };
    let keys = schema_keys();
    let names = keys.keys().map(|way| way.rsplit('.').next().unwrap());
    let missing: BTreeSet<&str> = names.filter(|name| !is_named(name)).collect();
    assert_eq!(missing, BTreeSet::new());
}

/// A default as the reference text writes it, in the form of the schema.
fn read_default(written: &str) -> Value {
    let mut words = written.split([' ', ';', '(']);
    let first = words.next().unwrap();
    let Ok(number) = first.parse::<u64>() else {
        return json!(first);
    };
    match words.next() {
        Some("KiB") => json!(number << 10),
        Some("MiB") => json!(number << 20),
        _ => json!(number),
    }
}

#[test]
fn the_reference_text_has_the_defaults_of_limits() {
    let reference = reference();
    for (key, says) in schema_keys() {
        let Some(name) = key.strip_prefix("limits.") else {
            continue;
        };
        let row = format!("| `{name}` | ");
        let written = reference.split(&row).nth(1);
        let written = written.unwrap_or_else(|| panic!("no row for {name}"));
        let written = written.split(" |").next().unwrap();
        assert_eq!(read_default(written), says["default"], "{name}");
    }
}

/// What a list of claims is in the reference text.
fn written(claims: &Value) -> String {
    let list = |all: &Value| {
        let all = all.as_array().unwrap().iter();
        all.map(|one| match one.as_str() {
            Some(text) => text.to_owned(),
            None => one.to_string().replace('"', "").replace(':', ": "),
        })
        .collect::<Vec<_>>()
    };
    match claims.get("any") {
        Some(any) => format!("{{any: [{}]}}", list(any).join(", ")),
        None => match list(claims).as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        },
    }
}

/// What a provider sets, as the reference text writes it: claims, and required claims.
fn set_by(provider: &str) -> [String; 2] {
    let name = if provider == "spiffe" {
        "spiffe://a.test"
    } else {
        "https://a.test/v2.0"
    };
    let issuer = |key: &str| {
        let text = format!(
            "listen: 127.0.0.1:1\nissuers: [{{issuer: {name}, jwks_file: k{key}}}]\npolicy: p\nservers: \
             [{{name: a, resource: https://m.test}}]\n"
        );
        let config = mcp_authz::config::decode("c".to_owned(), text, Path::new("")).unwrap();
        config.effective()["issuers"][0].clone()
    };
    let (usual, own) = (issuer(""), issuer(&format!(", provider: {provider}")));
    assert_eq!(own["provider"], provider);
    let claims: BTreeMap<&String, &Value> = own["claims"].as_object().unwrap().iter().collect();
    let others = claims
        .iter()
        .filter(|(key, value)| usual["claims"][key] != ***value);
    let others: Vec<String> = others
        .map(|(key, value)| format!("`{key}: {}`", written(value)))
        .collect();
    let required = own["required_claims"].as_object().into_iter().flatten();
    let required: Vec<String> = required
        .map(|(key, value)| format!("`{key}: {}`", written(value)))
        .collect();
    [others.join(", "), required.join(", ")]
}

#[test]
fn the_reference_text_says_what_each_provider_sets() {
    let reference = fs::read_to_string(root().join("src/config/README.md")).unwrap();
    let provider = schema("config");
    let provider = &provider["properties"]["issuers"]["items"]["properties"]["provider"];
    for provider in provider["enum"].as_array().unwrap() {
        let provider = provider.as_str().unwrap();
        let named = format!("`{provider}`");
        let mut rows = reference.lines().filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let is_named = cells.get(1)?.split(", ").any(|name| name == named);
            (is_named && cells.len() == 5).then(|| [cells[2].to_owned(), cells[3].to_owned()])
        });
        let row = rows
            .next()
            .unwrap_or_else(|| panic!("no row for {provider}"));
        let mut set = set_by(provider);
        if provider == "spiffe" {
            set[0] = "none; `issuer` or `trust_domain` is the trust domain".to_owned();
        }
        assert_eq!(row, set, "{provider}");
    }
}
