//! Honest requests under typical rules: every rule has a result for every request, and the one
//! that its author would expect. `tests/data/honest/README.md` tells how to read the data.

use std::path::{Path, PathBuf};

use mcp_authz::authz::{
    self, AccessRequest, Context, Decision, DenialReason, Http, Peer, Policy, Resource, Subject,
    UnknownFacts, Value,
};
use mcp_authz::mcp::{DecodeOptions, decode};
use mcp_authz::policy::{CompileContext, compile};
use mcp_authz::yaml::Source;
use serde_json::json;

use crate::decisions::read_yaml;

fn data(below: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/data/honest").join(below)
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

#[test]
fn every_rule_has_its_result_for_every_honest_call() {
    let (mut objects, mut pairs, mut wrong) = (0, 0, Vec::new());
    let mut files: Vec<_> = std::fs::read_dir(data("arguments")).unwrap().collect();
    files.sort_by_key(|file| file.as_ref().unwrap().path());
    for file in files {
        let groups = read_yaml(&file.unwrap().path());
        for group in groups.as_array().unwrap() {
            let arguments = group["arguments"].as_array().unwrap();
            objects += arguments.len();
            for rule in group["rules"].as_array().unwrap() {
                let policy = policy("tools/call", &part(rule));
                for (at, arguments) in arguments.iter().enumerate() {
                    let params = json!({"name": group["tool"], "arguments": arguments});
                    pairs += 1;
                    let found = holds(&policy, "tools/call", &params);
                    if found != Some(is_match(rule, at)) {
                        wrong.push(format!("{found:?} {rule} {arguments}"));
                    }
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {pairs}\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(
        objects >= 300 && pairs >= 2000,
        "{objects} objects, {pairs} pairs"
    );
}

#[test]
fn every_pattern_has_its_result_for_every_honest_uri() {
    let (mut uris, mut wrong) = (0, Vec::new());
    for group in read_yaml(&data("uris.yaml")).as_array().unwrap() {
        let own = group["uris"].as_array().unwrap();
        uris += own.len();
        for rule in group["patterns"].as_array().unwrap() {
            let policy = policy("resources/read", &json!({"resources": [rule["pattern"]]}));
            for (at, uri) in own.iter().enumerate() {
                let found = holds(&policy, "resources/read", &json!({"uri": uri}));
                if found != Some(is_match(rule, at)) {
                    wrong.push(format!("{found:?} {rule} {uri}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
    assert!(uris >= 60, "{uris} URIs");
}
