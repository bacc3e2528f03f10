//! `set`: headers and metadata of an allow rule.

use std::sync::Arc;

use crate::authz::{Assignments, InvalidTemplate, REFERENCES, Template};
use crate::yaml::{Data, Findings, Node, quoted, string};

use super::block::open;

/// How long a name may be, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// Headers that frame, route or authenticate the request, or that MCP servers read.
const RESERVED_HEADERS: &[&str] = &[
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "dpop",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
const RESERVED_PREFIXES: &[&str] = &["x-mcp-authz-", "x-envoy-", "mcp-", "proxy-"];
/// The facts that are always present.
const RESERVED_FACTS: &[&str] = &[
    "agent",
    "class",
    "decision",
    "decision_id",
    "issuer",
    "method",
    "name",
    "reason",
    "response_context",
    "response_filter",
    "rule",
    "server",
    "subject",
    "tenant",
];

pub(super) fn read_set(node: &Node, findings: &mut Findings) -> Option<Assignments> {
    let mut fields = open(node, "`set`", findings)?;
    let headers = fields.optional("headers", findings, |node, findings| {
        read_members(node, "`headers`", header_name, findings)
    });
    let metadata = fields.optional("metadata", findings, |node, findings| {
        read_members(node, "`metadata`", fact_name, findings)
    });
    fields.finish(findings);
    Some(Assignments {
        headers: headers.unwrap_or_default(),
        metadata: metadata.unwrap_or_default(),
    })
}

type Members = Box<[(Arc<str>, Template)]>;

fn read_members(
    node: &Node,
    what: &str,
    name: fn(&str) -> Result<(), &'static str>,
    findings: &mut Findings,
) -> Option<Members> {
    let fields = open(node, what, findings)?;
    let Data::Map(entries) = &fields.node().data else {
        return None;
    };
    let mut members = Vec::new();
    for (key, value) in entries.iter().filter(|(_, value)| value.data != Data::Null) {
        let text = key.as_str().unwrap_or_default();
        if let Err(help) = name(text) {
            findings.error(key, format!("`{text}` cannot be set"), help);
        }
        let template = read_template(value, findings);
        members.extend(template.map(|template| (Arc::from(text), template)));
    }
    Some(members.into())
}

fn header_name(name: &str) -> Result<(), &'static str> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(plain) {
        return Err("a header in lower case: letters, digits and `-`, at most 64");
    }
    let reserved = RESERVED_HEADERS.contains(&name)
        || RESERVED_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix));
    if reserved {
        return Err("it frames, routes or authenticates the request");
    }
    Ok(())
}

fn fact_name(name: &str) -> Result<(), &'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(plain) {
        return Err("letters, digits, `-`, `_` and `.`, at most 64");
    }
    if RESERVED_FACTS.contains(&name) {
        return Err("it is set by the service itself");
    }
    Ok(())
}

fn read_template(node: &Node, findings: &mut Findings) -> Option<Template> {
    let text = string(node, findings)?;
    let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if !plain || text.trim() != text {
        let help = "visible ASCII, with spaces only inside";
        findings.error(node, "not a value that a header can carry", help);
        return None;
    }
    match Template::parse(&text) {
        Ok(template) => Some(template),
        Err(error) => {
            let help = match error {
                InvalidTemplate::Open => String::new(),
                InvalidTemplate::Reference(_) => {
                    format!("known here: {}", quoted(&REFERENCES))
                }
            };
            findings.error(node, error.to_string(), help);
            None
        }
    }
}
