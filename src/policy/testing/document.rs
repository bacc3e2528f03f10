//! Policy tests as written (`src/policy/README.md`, "Tests"): YAML to typed, located documents.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json, json};

use crate::authz::{PeerNames, Subject, Value};
use crate::yaml::{self, Data, Fields, Findings, Node, choice, list, list_or_one, string};

use super::super::lint;
use super::request::{History, INPUT, Listed, SampleAsk, SampleRequest, Situation};
use super::subject::AssumedSubject;
use super::{Expectation, Expected, ExpectedCall, OutcomeName, SampleCaller, SampleContext, Test};

/// When a test takes place that does not say: a Monday at noon, the same for ever.
const DEFAULT_AT: &str = "2026-01-05T12:00:00Z";

/// Reads `tests` of one file.
pub(super) fn read_tests(
    root: &Node,
    context: &SampleContext,
    findings: &mut Findings,
) -> Vec<Test> {
    let Some(mut fields) = Fields::open(root, "a file of policy tests", findings) else {
        return Vec::new();
    };
    let mut tests = Vec::new();
    fields.required("tests", findings, |node, findings| {
        list(node, findings, |node, findings| {
            tests.extend(read_test(node, context, findings));
            Some(())
        })
    });
    fields.finish(findings);
    tests
}

fn read_test(node: &Node, context: &SampleContext, findings: &mut Findings) -> Option<Test> {
    let mut fields = Fields::open(node, "a test", findings)?;
    let name = fields.required("name", findings, |node, findings| {
        Some((node.clone(), string(node, findings)?))
    });
    let request = fields.required("request", findings, |node, findings| {
        read_request(node, context, findings)
    });
    let listed = match request.as_ref().map(|request| &request.ask) {
        Some(SampleAsk::List(listed)) => Some(*listed),
        Some(SampleAsk::Message { .. } | SampleAsk::Bare(_)) | None => None,
    };
    let silence = fields
        .optional("silence", findings, lint::silenced)
        .unwrap_or_default();
    let whole = request.is_some();
    let expected = fields.required("expect", findings, |node, findings| {
        let read = read_expect(node, findings)?;
        if whole && listed.is_some() != matches!(read, Expected::List { .. }) {
            let help = "`visible` and `hidden` go with `list`, everything else without it";
            findings.error(node, "the expectation does not go with the request", help);
        }
        Some(read)
    });
    fields.finish(findings);
    let (name_node, name) = name?;
    Some(Test {
        silence,
        name,
        place: name_node,
        request: request?,
        expected: expected?,
    })
}

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
        read_subject(node, &context.issuer, findings)
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
        ..read_situation(&mut fields, findings)
    };
    fields.finish(findings);
    Some(SampleRequest {
        server: server?,
        subject: subject?,
        ask: ask?,
        at: at.or_else(|| DEFAULT_AT.parse().ok())?,
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
    let device = fields.optional("device", findings, |node, findings| {
        object(node, findings).map(|map| value(Json::Object(map)))
    });
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
        let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
        let help = format!("configured: {}", known.join(", "));
        findings.error(node, format!("unknown server `{name}`"), help);
        return None;
    }
    Some(name)
}

fn read_ask(fields: &mut Fields<'_>, findings: &mut Findings) -> Option<SampleAsk> {
    let listed = choice(&[
        ("tools", Listed::Tools),
        ("prompts", Listed::Prompts),
        ("resources", Listed::Resources),
    ]);
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

/// Reads `subject`.
pub(super) fn read_subject(node: &Node, issuer: &str, findings: &mut Findings) -> Option<Subject> {
    let mut fields = Fields::open(node, "`subject`", findings)?;
    let subject = subject_fields(&mut fields, findings);
    fields.finish(findings);
    Some(subject.assume(issuer))
}

/// Reads one of `subjects`: a subject with a name for the reader, and where it calls from.
pub(super) fn read_caller(
    node: &Node,
    issuer: &str,
    findings: &mut Findings,
) -> Option<SampleCaller> {
    let mut fields = Fields::open(node, "a subject", findings)?;
    let name = fields.optional("name", findings, string);
    let subject = subject_fields(&mut fields, findings).assume(issuer);
    let from = fields.optional("from", findings, address);
    let peer = fields.optional("peer", findings, peer);
    let at = fields.optional("at", findings, timestamp);
    fields.finish(findings);
    Some(SampleCaller {
        name: name.unwrap_or_else(|| subject.id.to_string()),
        subject,
        at: at.or_else(|| DEFAULT_AT.parse().ok())?,
        from,
        peer,
    })
}

impl SampleCaller {
    /// A caller from anywhere, at the time of tests that name none.
    #[must_use]
    pub fn new(name: String, subject: Subject) -> Option<Self> {
        Some(SampleCaller {
            name,
            subject,
            at: DEFAULT_AT.parse().ok()?,
            from: None,
            peer: None,
        })
    }
}

fn subject_fields(fields: &mut Fields<'_>, findings: &mut Findings) -> AssumedSubject {
    let mut texts = |key, findings: &mut Findings| {
        let Some(node) = fields.node_of(key) else {
            return Vec::new();
        };
        // A caller without groups is a caller worth testing.
        if node.data == Data::List(Vec::new()) {
            return Vec::new();
        }
        list_or_one(node, findings, string).unwrap_or_default()
    };
    let groups = texts("groups", findings);
    let roles = texts("roles", findings);
    let scopes = texts("scopes", findings);
    AssumedSubject {
        issuer: fields.optional("issuer", findings, string),
        id: fields.optional("id", findings, string),
        agent: fields.optional("agent", findings, string),
        groups,
        roles,
        scopes: scopes
            .iter()
            .flat_map(|text| text.split_ascii_whitespace().map(str::to_owned))
            .collect(),
        tenant: fields.optional("tenant", findings, string),
        claims: fields.optional("claims", findings, |node, findings| {
            object(node, findings).map(|map| value(Json::Object(map)))
        }),
    }
}

fn read_expected_headers(
    node: &Node,
    findings: &mut Findings,
) -> Option<Vec<(String, Expectation<String>)>> {
    let Data::Map(members) = &node.data else {
        findings.error(node, "`headers` must be a mapping", "");
        return None;
    };
    let read = |(key, node): &(Node, Node), findings: &mut Findings| {
        let name = string(key, findings)?.to_ascii_lowercase();
        let value = string(node, findings)?;
        let place = node.clone();
        Some((name, Expectation { place, value }))
    };
    let members: Vec<_> = members.iter().map(|one| read(one, findings)).collect();
    members.into_iter().collect()
}

fn read_expect(node: &Node, findings: &mut Findings) -> Option<Expected> {
    let mut fields = Fields::open(node, "`expect`", findings)?;
    let place_of = |node: &Node, text: String| Expectation {
        place: node.clone(),
        value: text,
    };
    let text = |node: &Node, findings: &mut Findings| {
        string(node, findings).map(|text| place_of(node, text))
    };
    let names = |node: &Node, findings: &mut Findings| list(node, findings, text);
    let words = OutcomeName::ALL.map(|name| (name.word(), name));
    let decision = fields.optional("decision", findings, |node, findings| {
        let value = choice(&words)(node, findings)?;
        Some(Expectation {
            place: node.clone(),
            value,
        })
    });
    let reason = fields.optional("reason", findings, text);
    let rule = fields.optional("rule", findings, text);
    let scopes = fields.optional("scopes", findings, |node, findings| {
        let scopes = list(node, findings, string)?;
        Some(Expectation {
            place: node.clone(),
            value: scopes,
        })
    });
    let expected_headers = fields.optional("headers", findings, read_expected_headers);
    let visible = fields.optional("visible", findings, names);
    let hidden = fields.optional("hidden", findings, names);
    let node = fields.node();
    fields.finish(findings);
    let has = |keys: &[&str]| keys.iter().any(|key| node.member(key).is_some());
    let is_list = has(&["visible", "hidden"]);
    let is_call = has(&["decision", "reason", "rule", "scopes", "headers"]);
    match (is_list, is_call) {
        (true, false) => Some(Expected::List {
            visible: visible.unwrap_or_default(),
            hidden: hidden.unwrap_or_default(),
        }),
        (false, true) => Some(Expected::Call(Box::new(ExpectedCall {
            decision,
            reason,
            rule,
            scopes,
            headers: expected_headers.unwrap_or_default(),
        }))),
        (true, true) => {
            let help = "a list shows or hides, a call is decided";
            findings.error(
                node,
                "the expectation is about a list and a call at once",
                help,
            );
            None
        }
        (false, false) => {
            let help = "such as `expect: {decision: allow}`";
            findings.error(node, "nothing is expected", help);
            None
        }
    }
}

/// Nothing of the peer is proved: a name is of the kind that it looks like.
fn peer(node: &Node, findings: &mut Findings) -> Option<PeerNames> {
    string(node, findings).map(|name| PeerNames::called(&name))
}

fn timestamp(node: &Node, findings: &mut Findings) -> Option<Timestamp> {
    let text = string(node, findings)?;
    let parsed = text.parse().ok();
    if parsed.is_none() {
        let help = "RFC 3339, such as `2026-11-20T10:00:00Z`";
        findings.error(node, format!("`{text}` is not a time"), help);
    }
    parsed
}

fn address(node: &Node, findings: &mut Findings) -> Option<IpAddr> {
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

type Headers = Vec<(Cow<'static, str>, Cow<'static, str>)>;

fn headers(node: &Node, findings: &mut Findings) -> Option<Headers> {
    let Data::Map(entries) = &node.data else {
        let message = format!("`headers` must be a mapping, found {}", node.kind());
        findings.error(node, message, "");
        return None;
    };
    let mut headers: Headers = Vec::new();
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

fn object(node: &Node, findings: &mut Findings) -> Option<Map<String, Json>> {
    match to_json(node) {
        Json::Object(map) => Some(map),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
            let message = format!("expected a mapping, found {}", node.kind());
            findings.error(node, message, "");
            None
        }
    }
}

/// The JSON that says the same. A number that JSON does not have becomes null.
fn to_json(node: &Node) -> Json {
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

/// A claim as a token would carry it.
fn value(json: Json) -> Value<'static> {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(truth),
        Json::Number(number) => number
            .as_i64()
            .map(Value::Int)
            .or_else(|| number.as_u64().map(Value::Uint))
            .or_else(|| number.as_f64().map(Value::Float))
            .unwrap_or(Value::Null),
        Json::String(text) => Value::String(Cow::Owned(text)),
        Json::Array(items) => Value::List(items.into_iter().map(value).collect()),
        Json::Object(map) => Value::Map(
            map.into_iter()
                .map(|(key, json)| (Cow::Owned(key), value(json)))
                .collect(),
        ),
    }
}
