//! Times, addresses and values in the requests of policy tests.

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use crate::authz::{PeerNames, Value};
use crate::yaml::{Data, Findings, Node, string};

/// Nothing of the peer is proved: a name is of the kind that it looks like.
pub(super) fn peer(node: &Node, findings: &mut Findings) -> Option<PeerNames> {
    string(node, findings).map(|name| PeerNames::called(&name))
}

pub(super) fn timestamp(node: &Node, findings: &mut Findings) -> Option<Timestamp> {
    let text = string(node, findings)?;
    let parsed = text.parse().ok();
    if parsed.is_none() {
        let help = "RFC 3339, such as `2026-11-20T10:00:00Z`";
        findings.error(node, format!("`{text}` is not a time"), help);
    }
    parsed
}

pub(super) fn address(node: &Node, findings: &mut Findings) -> Option<IpAddr> {
    let text = string(node, findings)?;
    let parsed = text.parse().ok();
    if parsed.is_none() {
        findings.error(
            node,
            format!("`{text}` is not an address"),
            "such as `10.1.2.3`",
        );
    }
    parsed
}

/// The parameters of a message.
pub(super) fn object(node: &Node, findings: &mut Findings) -> Option<Map<String, Json>> {
    let node = mapping(node, findings)?;
    match to_json(node) {
        Json::Object(members) => Some(members),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => None,
    }
}

/// The claims of a token, or what is known of a device.
pub(super) fn facts(node: &Node, findings: &mut Findings) -> Option<Value<'static>> {
    mapping(node, findings).map(to_value)
}

fn mapping<'n>(node: &'n Node, findings: &mut Findings) -> Option<&'n Node> {
    if let Data::Map(_) = node.data {
        return Some(node);
    }
    let message = format!("expected a mapping, found {}", node.kind());
    findings.error(node, message, "");
    None
}

/// The JSON that says the same. A number that JSON does not have becomes null.
pub(super) fn to_json(node: &Node) -> Json {
    match &node.data {
        Data::Null => Json::Null,
        Data::Bool(truth) => json!(truth),
        Data::Int(number) => json!(number),
        Data::Float(number) => json!(number),
        Data::String(text) => json!(text),
        Data::List(items) => Json::Array(items.iter().map(to_json).collect()),
        Data::Map(entries) => {
            let member = |(key, value): &(Node, Node)| {
                (key.as_str().unwrap_or_default().to_owned(), to_json(value))
            };
            Json::Object(entries.iter().map(member).collect())
        }
    }
}

/// A claim as a token would carry it. A number that JSON does not have becomes null.
fn to_value(node: &Node) -> Value<'static> {
    match &node.data {
        Data::Bool(truth) => Value::Bool(*truth),
        Data::Int(number) => Value::Int(*number),
        Data::Float(number) if number.is_finite() => Value::Float(*number),
        Data::Null | Data::Float(_) => Value::Null,
        Data::String(text) => Value::String(Cow::Owned(text.clone())),
        Data::List(items) => Value::List(items.iter().map(to_value).collect()),
        Data::Map(entries) => {
            let member = |(key, value): &(Node, Node)| {
                let key = key.as_str().unwrap_or_default().to_owned();
                (Cow::Owned(key), to_value(value))
            };
            Value::Map(entries.iter().map(member).collect())
        }
    }
}
