//! Honest requests under typical rules: every rule has a result for every request, and the one
//! that its author would expect. `tests/data/honest/README.md` tells how to read the data.

use std::path::PathBuf;

use mcp_authz::authz::{
    self, AccessRequest, Context, Decision, DenialReason, Http, Peer, Policy, Resource, Subject,
    UnknownFacts, Value,
};
use mcp_authz::mcp::{DecodeOptions, decode};
use mcp_authz::policy::{CompileContext, compile};
use mcp_authz::yaml::Source;
use serde_json::json;

use crate::harness::{Run, Table, Test, files, read_yaml, tests};

/// A row for each group of a file: all its rules over all its requests.
pub(crate) fn tables() -> Vec<Table> {
    let arguments = files("honest/arguments", "yaml").into_iter();
    let arguments = arguments.map(|file| table(file, call));
    let uris = files("honest", "yaml").into_iter();
    arguments.chain(uris.map(|file| table(file, uri))).collect()
}

/// What is no row.
pub(crate) fn tests() -> Vec<Test> {
    tests![there_are_enough].into()
}

fn table(file: PathBuf, run: fn(&serde_json::Value) -> Vec<String>) -> Table {
    let serde_json::Value::Array(groups) = read_yaml(&file) else {
        panic!("{}", file.display());
    };
    let rows = groups.into_iter().map(|group| {
        // Two servers may have tools of one name.
        let source = group["source"].as_str().unwrap();
        let source = source.split_once(',').map_or(source, |(server, _)| server);
        let name = match group["tool"].as_str() {
            Some(tool) => format!("{tool}, {source}"),
            None => source.to_owned(),
        };
        let run: Run = Box::new(move || run(&group));
        (name, run)
    });
    let rows = rows.collect();
    Table { file, rows }
}

/// A policy that denies by one rule and allows everything else.
fn policy(method: &str, part: &serde_json::Value) -> Policy {
    let mut rule = json!({
        "id": "rule", "effect": "deny", "what": {"methods": [method]},
    });
    for (key, value) in part.as_object().unwrap() {
        match key.as_str() {
            "if" => rule["if"] = value.clone(),
            _ => rule["what"][key] = value.clone(),
        }
    }
    let text = json!({
        "rules": [{"id": "all", "effect": "allow", "who": {"anyone": true}, "what": {"servers": ["s"]}}, rule],
    });
    let source = Source {
        name: part.to_string(),
        text: text.to_string(),
    };
    let compiled = compile(&[source], &CompileContext::default());
    compiled.unwrap_or_else(|findings| panic!("{}", findings.render(false)))
}

/// Whether the rule holds for a message; nothing if that cannot be told.
fn holds(policy: &Policy, method: &str, params: &serde_json::Value) -> Option<bool> {
    let subject = Subject {
        issuer: "i".into(),
        id: "alice".into(),
        agent: None,
        groups: Vec::new(),
        roles: Vec::new(),
        scopes: Vec::new(),
        tenant: None,
        device: None,
        claims: Value::Map(Vec::new()),
        unknown: UnknownFacts::default(),
    };
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let payload = decode(body.as_bytes(), &DecodeOptions::default());
    let payload = payload.unwrap_or_else(|refused| panic!("{:?}: {body}", refused.refusal));
    let targets = payload.messages()[0].targets();
    let target = targets[0];
    assert!(matches!(
        target.resource,
        Resource::Tool(_) | Resource::Uri(_)
    ));
    let request = AccessRequest {
        subject: &subject,
        peer: Peer::Absent,
        server: "s",
        action: target.action,
        resource: target.resource,
        arguments: target.arguments,
        input: None,
        meta: None,
        protocol_version: None,
        session: None,
        source: None,
        http: Http {
            host: "h",
            path: "/",
            headers: &[],
        },
        now: jiff::Timestamp::UNIX_EPOCH,
        context: Context::default(),
    };
    match authz::evaluate(policy, &request).decision {
        Decision::Allow(_) => Some(false),
        Decision::Deny(denial) if denial.reason == DenialReason::DeniedByRule => Some(true),
        Decision::Deny(_) | Decision::Challenge(_) | Decision::Limit(_) => None,
    }
}

fn is_match(rule: &serde_json::Value, at: usize) -> bool {
    let matches = rule["matches"].as_array().unwrap();
    matches
        .iter()
        .any(|index| index.as_u64() == Some(at as u64))
}

fn part(rule: &serde_json::Value) -> serde_json::Value {
    let mut part = rule.clone();
    part.as_object_mut().unwrap().remove("matches");
    part
}

fn call(group: &serde_json::Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for rule in group["rules"].as_array().unwrap() {
        let policy = policy("tools/call", &part(rule));
        for (at, arguments) in group["arguments"].as_array().unwrap().iter().enumerate() {
            let params = json!({"name": group["tool"], "arguments": arguments});
            let found = holds(&policy, "tools/call", &params);
            if found != Some(is_match(rule, at)) {
                wrong.push(format!("{found:?} {rule} {arguments}"));
            }
        }
    }
    wrong
}

fn uri(group: &serde_json::Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for rule in group["patterns"].as_array().unwrap() {
        let policy = policy("resources/read", &json!({"resources": [rule["pattern"]]}));
        for (at, uri) in group["uris"].as_array().unwrap().iter().enumerate() {
            let found = holds(&policy, "resources/read", &json!({"uri": uri}));
            if found != Some(is_match(rule, at)) {
                wrong.push(format!("{found:?} {rule} {uri}"));
            }
        }
    }
    wrong
}

fn there_are_enough() {
    let (mut objects, mut pairs, mut uris) = (0, 0, 0);
    let count = |list: &serde_json::Value| list.as_array().unwrap().len();
    for file in files("honest/arguments", "yaml") {
        for group in read_yaml(&file).as_array().unwrap() {
            objects += count(&group["arguments"]);
            pairs += count(&group["arguments"]) * count(&group["rules"]);
        }
    }
    for file in files("honest", "yaml") {
        let groups = read_yaml(&file);
        uris += groups
            .as_array()
            .unwrap()
            .iter()
            .map(|group| count(&group["uris"]))
            .sum::<usize>();
    }
    assert!(
        objects >= 300 && pairs >= 2000,
        "{objects} objects, {pairs} pairs"
    );
    assert!(uris >= 60, "{uris} URIs");
}
