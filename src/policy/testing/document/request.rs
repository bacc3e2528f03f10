//! `request`: a message, or a list, and what is known around it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::Map;

use super::subject::read_subject;
use super::values::{address, facts, object, peer, timestamp, to_json};
use crate::policy::testing::caller::default_time;
use crate::policy::testing::context::SampleContext;
use crate::policy::testing::request::{
    History, INPUT, SampleAsk, SampleRequest, Situation, sample_lists,
};
use crate::yaml::{self, Data, Fields, Findings, Node, choice, list_or_one, string, suggestion};

/// The name of a header, in lower case, and its value.
type SampleHeader = (Cow<'static, str>, Cow<'static, str>);

/// Reads a request: the `request` of a test, or the whole file of a single question.
pub(super) fn read_request(
    node: &Node,
    context: &SampleContext,
    findings: &mut Findings,
) -> Option<SampleRequest> {
    let mut fields = Fields::open(node, "a request", findings)?;
    let server = fields.required("server", findings, |node, findings| {
        known_server(node, context, findings)
    });
    let ask = read_ask(&mut fields, findings);
    let subject = fields.required("subject", findings, |node, findings| {
        read_subject(node, context, findings)
    });
    let at = fields.optional("at", findings, timestamp);
    let from = fields.optional("from", findings, address);
    let peer = fields.optional("peer", findings, peer);
    let session = fields.optional("session", findings, string);
    let protocol_version = fields.optional("protocol_version", findings, string);
    let host = fields.optional("host", findings, string);
    let path = fields.optional("path", findings, string);
    let headers = fields
        .optional("headers", findings, headers)
        .unwrap_or_default();
    let situation = Situation {
        hints: Arc::clone(&context.hints),
        uris: Arc::clone(&context.uris),
        defaults: Arc::clone(&context.defaults),
        indirect: Arc::clone(&context.indirect),
        ..read_situation(&mut fields, findings)
    };
    fields.finish(findings);
    let (server, subject) = (server?, subject?);
    let of_server = (server.clone(), subject.issuer.to_string());
    let names = context.scope_names.get(&of_server);
    let with_names = names.and_then(|names| names.with_advertised(&subject));
    Some(SampleRequest {
        server,
        subject: with_names.unwrap_or(subject),
        ask: ask?,
        at: at.or_else(default_time)?,
        from,
        peer,
        session,
        protocol_version,
        host: host
            .unwrap_or_else(|| "localhost".to_owned())
            .to_ascii_lowercase(),
        path: path.unwrap_or_else(|| "/".to_owned()),
        headers,
        situation,
    })
}

/// What the service would know around the request.
fn read_situation(fields: &mut Fields<'_>, findings: &mut Findings) -> Situation {
    let country = fields.optional("country", findings, string);
    let device = fields.optional("device", findings, facts);
    let purpose = fields.optional("purpose", findings, string);
    let session_age = yaml::duration(Duration::ZERO..=Duration::from_hours(24 * 365));
    let session_age = fields.optional("session_age", findings, session_age);
    let seen = fields.optional("seen", findings, read_seen);
    let exhausted = fields.optional("exhausted", findings, |node, findings| {
        list_or_one(node, findings, string)
    });
    Situation {
        country,
        device,
        purpose,
        session_age: session_age.and_then(|age| SignedDuration::try_from(age).ok()),
        seen: seen.unwrap_or_default(),
        exhausted: exhausted.unwrap_or_default(),
        ..Situation::default()
    }
}

fn read_seen(node: &Node, findings: &mut Findings) -> Option<History> {
    let mut fields = Fields::open(node, "`seen`", findings)?;
    let count = yaml::integer(0..=1_000_000_000);
    let mut read = |key| fields.optional(key, findings, &count).unwrap_or(0);
    let seen = History {
        calls: read("calls"),
        denials: read("denials"),
        distinct_tools: read("distinct_tools"),
    };
    fields.finish(findings);
    Some(seen)
}

fn known_server(node: &Node, context: &SampleContext, findings: &mut Findings) -> Option<String> {
    let name = string(node, findings)?;
    let known = context.servers.as_ref();
    if let Some(known) = known.filter(|known| !known.contains(&name)) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let help = suggestion(&name, &known);
        findings.error(node, format!("unknown server `{name}`"), help);
        return None;
    }
    Some(name)
}

fn read_ask(fields: &mut Fields<'_>, findings: &mut Findings) -> Option<SampleAsk> {
    let lists: Vec<_> = sample_lists().map(|kind| (kind.label(), kind)).collect();
    let listed = choice(&lists);
    let list_node = fields.node_of("list");
    let method_node = fields.node_of("method");
    let method = method_node.map(|node| string(node, findings));
    let selectors = [
        fields.node_of("name"),
        fields.node_of("uri"),
        fields.node_of("arguments"),
        fields.node_of("input"),
    ];
    let [name_node, uri_node, arguments_node, input_node] = selectors;
    let params_node = fields.node_of("params");
    if let Some(node) = list_node {
        let others = [
            method_node,
            name_node,
            uri_node,
            arguments_node,
            input_node,
            params_node,
        ];
        for other in others.into_iter().flatten() {
            findings.error(
                other,
                "a list has no method and no parameters",
                "leave it out",
            );
        }
        return listed(node, findings).map(SampleAsk::List);
    }
    let Some(method) = method else {
        let help = "such as `method: tools/call`, or `list: tools`";
        findings.error(
            fields.node(),
            "the request says neither `method` nor `list`",
            help,
        );
        return None;
    };
    let mut params = match params_node.map(|node| object(node, findings)) {
        Some(params) => params?,
        None => Map::new(),
    };
    for (key, node) in [
        ("name", name_node),
        ("uri", uri_node),
        ("arguments", arguments_node),
        (INPUT, input_node),
    ] {
        let Some(node) = node else { continue };
        if params.insert(key.to_owned(), to_json(node)).is_some() {
            findings.error(
                node,
                format!("`params` has `{key}` too"),
                "keep one of them",
            );
        }
    }
    let method = method?;
    match method.as_str() {
        "GET" => Some(SampleAsk::Bare("GET")),
        "DELETE" => Some(SampleAsk::Bare("DELETE")),
        _ => Some(SampleAsk::Message { method, params }),
    }
}

fn headers(node: &Node, findings: &mut Findings) -> Option<Vec<SampleHeader>> {
    let Data::Map(entries) = &node.data else {
        let message = format!("`headers` must be a mapping, found {}", node.kind());
        findings.error(node, message, "");
        return None;
    };
    let mut headers: Vec<SampleHeader> = Vec::new();
    for (key, value) in entries {
        let name = key.as_str().unwrap_or_default().to_ascii_lowercase();
        if headers.iter().any(|(other, _)| *other == name) {
            findings.error(key, format!("the header `{name}` is given twice"), "");
        }
        let text = string(value, findings)?;
        headers.push((Cow::Owned(name), Cow::Owned(text)));
    }
    Some(headers)
}
