//! What holds for requests that nobody thought of.

use std::cell::Cell;

use mcp_authz::envoy::proto::envoy::config::core::v3::{HeaderMap, HeaderValue};
use mcp_authz::envoy::proto::envoy::service::auth::v3::check_response::HttpResponse;
use mcp_authz::envoy::proto::envoy::service::auth::v3::{CheckRequest, CheckResponse};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use prost_types::value::Kind;
use serde_json::{Value, json};

use super::request;
use super::service::Service;
use super::table::Table;
use crate::harness::{Test, tests};

pub(super) fn tests() -> Vec<Test> {
    tests![
        nothing_passes_without_a_token,
        nothing_passes_for_a_stranger,
        a_damaged_body_that_passes_is_read_by_all_alike
    ]
    .into()
}

/// The table whose service is asked.
const TABLE: &str = "integrity.yaml";

/// Without a token that verifies nothing passes, whatever is sent.
fn nothing_passes_without_a_token() {
    let service = Service::start(Table::named(TABLE));
    let requests = (
        prop_oneof![
            "GET",
            "POST",
            "DELETE",
            "OPTIONS",
            "HEAD",
            "[A-Z]{1,8}",
            ".{0,4}"
        ],
        prop_oneof![
            "/strict/mcp",
            "/strict/mcp[/?].{0,8}",
            "/.{0,20}",
            ".{0,20}"
        ],
        prop_oneof!["mcp.example.com", "mcp.example.com:443", ".{0,20}"],
        headers(),
        prop_oneof![body(), prop::collection::vec(any::<u8>(), 0..200)],
        any::<bool>(),
    );
    run(&requests, |(method, path, host, headers, body, as_text)| {
        let mut check = asked(&json!({
            "method": method, "path": path, "host": host, "raw": "", "headers": [],
        }));
        let http = http(&mut check);
        let map = http.header_map.get_or_insert_with(HeaderMap::default);
        map.headers.extend(headers);
        if as_text {
            http.body = String::from_utf8_lossy(&body).into_owned();
        } else {
            http.raw_body = body.into();
        }
        let response = service.check(&check);
        prop_assert!(!is_allowed(&response), "{response:?}");
        Ok(())
    });
    service.stop();
}

/// A valid token whose subject no rule serves passes nothing either.
fn nothing_passes_for_a_stranger() {
    let service = Service::start(Table::named(TABLE));
    let stranger = token("stranger", "nobody");
    run(&(body(), headers()), |(body, headers)| {
        let mut check = asked(&json!({"raw": "", "token": stranger.clone()}));
        let http = http(&mut check);
        http.raw_body = body.into();
        http.header_map.as_mut().unwrap().headers.extend(headers);
        let response = service.check(&check);
        prop_assert!(!is_allowed(&response), "{response:?}");
        Ok(())
    });
    service.stop();
}

/// What is judged is what runs: a damaged body that still passes is, for readers who take the
/// first of equal keys, for those who take the last, and for those who ignore case, the call that
/// was judged and allowed.
fn a_damaged_body_that_passes_is_read_by_all_alike() {
    let service = Service::start(Table::named(TABLE));
    let alice = token("alice", "engineering");
    // The name stands first, so that what is put after it could hide it from some.
    let original = r#"{"id":7,"method":"tools/call","params":{"name":"get_note","arguments":{"title":"a","tags":[1]},"_meta":{}},"jsonrpc":"2.0"}"#;
    let passed = Cell::new(0_u32);
    run(&prop::collection::vec(damage(), 0..3), |damages| {
        let mut body = original.as_bytes().to_vec();
        for damage in damages {
            damage.apply(&mut body);
        }
        let mut check = asked(&json!({"raw": "", "token": alice.clone()}));
        http(&mut check).raw_body = body.clone().into();
        let response = service.check(&check);
        if !is_allowed(&response) {
            return Ok(());
        }
        passed.set(passed.get() + 1);
        let judged = (fact(&response, "method"), fact(&response, "name"));
        for read in [Reader::First, Reader::Last, Reader::Folding] {
            prop_assert_eq!(&read.call(&body), &judged, "{}", body.escape_ascii());
        }
        let plain: Value = serde_json::from_slice(&body).unwrap();
        prop_assert_eq!(plain["method"].as_str(), judged.0.as_deref());
        if judged.0.as_deref() == Some("tools/call") {
            prop_assert_eq!(plain["params"]["name"].as_str(), judged.1.as_deref());
        }
        Ok(())
    });
    assert!(
        passed.get() > CASES / 20,
        "too few passed to show anything: {}",
        passed.get()
    );
    service.stop();
}

const CASES: u32 = 2000;

fn run<S: Strategy>(strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    if let Err(error) = TestRunner::new(config).run(strategy, test) {
        panic!("{error}");
    }
}

/// A check as a row would describe it, without `content-length`.
fn asked(row: &Value) -> CheckRequest {
    let mut full = json!({
        "path": "/strict/mcp", "host": "mcp.example.com", "without": ["content-length"],
    });
    for (key, value) in row.as_object().unwrap() {
        full[key] = value.clone();
    }
    request::build(&full).check
}

fn token(subject: &str, group: &str) -> Value {
    json!({"claims": {
        "sub": subject, "aud": "https://mcp.example.com/strict/mcp", "groups": [group],
    }})
}

fn http(
    check: &mut CheckRequest,
) -> &mut mcp_authz::envoy::proto::envoy::service::auth::v3::attribute_context::HttpRequest {
    let attributes = check.attributes.as_mut().unwrap();
    attributes.request.as_mut().unwrap().http.as_mut().unwrap()
}

fn is_allowed(response: &CheckResponse) -> bool {
    let code = response.status.as_ref().map_or(0, |status| status.code);
    code == 0
        || matches!(
            response.http_response,
            Some(HttpResponse::OkResponse(_)) | None
        )
}

fn fact(response: &CheckResponse, key: &str) -> Option<String> {
    let fields = &response.dynamic_metadata.as_ref().unwrap().fields;
    match &fields.get(key)?.kind {
        Some(Kind::StringValue(text)) => Some(text.clone()),
        _ => None,
    }
}

fn headers() -> impl Strategy<Value = Vec<HeaderValue>> {
    let names = prop::sample::select(vec![
        "authorization",
        "Authorization",
        "content-type",
        "content-length",
        "content-encoding",
        "mcp-method",
        "mcp-name",
        "mcp-protocol-version",
        "mcp-session-id",
        "x-mcp-authz-subject",
        "x-envoy-auth-partial-body",
        "host",
        ":path",
    ]);
    let names = prop_oneof![names.prop_map(str::to_owned), ".{0,10}"];
    let values = prop_oneof![
        "Bearer [A-Za-z0-9_-]{0,20}[.][A-Za-z0-9_-]{0,20}[.][A-Za-z0-9_-]{0,20}",
        "tools/call",
        "2026-07-28",
        "application/json",
        ".{0,20}",
    ]
    .prop_map(String::into_bytes);
    let values = prop_oneof![4 => values, 1 => prop::collection::vec(any::<u8>(), 0..20)];
    let header = (names, values).prop_map(|(key, raw_value)| HeaderValue {
        key,
        value: String::new(),
        raw_value: raw_value.into(),
    });
    prop::collection::vec(header, 0..5)
}

/// Bodies that get as far as they can.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let methods = prop::sample::select(vec![
        "tools/call",
        "tools/list",
        "initialize",
        "ping",
        "notifications/initialized",
        "resources/read",
        "subscriptions/listen",
        "completion/complete",
        "vendor/thing",
        "GET",
    ]);
    let leaves = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
        Just(Value::from("get_note")),
    ];
    let keys = prop_oneof![
        Just("name".to_owned()),
        Just("uri".to_owned()),
        Just("arguments".to_owned()),
        Just("_meta".to_owned()),
        Just("ref".to_owned()),
        ".{0,4}",
    ];
    let any = leaves.prop_recursive(3, 12, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map(keys.clone(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    (methods, any.clone(), any).prop_map(|(method, id, params)| {
        json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
            .to_string()
            .into_bytes()
    })
}

/// One change to a body.
#[derive(Debug, Clone)]
enum Damage {
    /// Another byte somewhere.
    Byte(Index, u8),
    /// A further member of some object.
    Member(Index, &'static str),
    /// A text somewhere.
    Text(Index, &'static str),
    /// Bytes cut out.
    Cut(Index, usize),
}

impl Damage {
    fn apply(&self, body: &mut Vec<u8>) {
        if body.is_empty() {
            return;
        }
        match self {
            Damage::Byte(at, byte) => {
                let at = at.index(body.len());
                body[at] = *byte;
            }
            Damage::Member(at, text) => {
                let places: Vec<_> = (0..body.len())
                    .filter(|place| matches!(body[*place], b'{' | b','))
                    .collect();
                if !places.is_empty() {
                    let place = places[at.index(places.len())] + 1;
                    body.splice(place..place, text.bytes());
                }
            }
            Damage::Text(at, text) => {
                let at = at.index(body.len());
                body.splice(at..at, text.bytes());
            }
            Damage::Cut(at, length) => {
                let from = at.index(body.len());
                let to = (from + length).min(body.len());
                body.drain(from..to);
            }
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let members = prop::sample::select(vec![
        r#""name":"delete_note","#,
        r#""Name":"delete_note","#,
        r#""n\u0061me":"delete_note","#,
        r#""method":"tools/list","#,
        r#""Method":"tools/list","#,
        r#""params":{"name":"delete_note"},"#,
        r#""param\u017f":{"name":"delete_note"},"#,
        r#""arguments":{},"#,
        r#""other":1,"#,
        r#""result":{},"#,
        r#""id":8,"#,
    ]);
    let texts = prop::sample::select(vec![
        "\\u0000", "\\u006e", "\u{feff}", " ", "\n", "x", "!", "}", "[", "\"",
    ]);
    let at = any::<Index>;
    prop_oneof![
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        4 => (at(), members).prop_map(|(at, text)| Damage::Member(at, text)),
        1 => (at(), texts).prop_map(|(at, text)| Damage::Text(at, text)),
        1 => (at(), 1..4_usize).prop_map(|(at, length)| Damage::Cut(at, length)),
    ]
}

/// How a server reads an object with several candidates for a key.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Reader {
    First,
    Last,
    /// The last one whatever its case, as Go's `encoding/json` does.
    Folding,
}

impl Reader {
    /// Method and, of a tool call, tool.
    fn call(self, body: &[u8]) -> (Option<String>, Option<String>) {
        let Ok(Members(message)) = serde_json::from_slice(body) else {
            return (None, None);
        };
        let text = |raw: Option<&str>| raw.and_then(|raw| serde_json::from_str(raw).ok());
        let method = text(self.member(&message, "method"));
        let params = self.member(&message, "params");
        let params = params.and_then(|raw| serde_json::from_str(raw).ok());
        let Members(params) = params.unwrap_or_default();
        let is_tool_call = method.as_deref() == Some("tools/call");
        let name = text(self.member(&params, "name")).filter(|_| is_tool_call);
        (method, name)
    }

    fn member<'m>(self, members: &'m [(String, String)], key: &str) -> Option<&'m str> {
        let mut found = members.iter().filter(|(name, _)| match self {
            Reader::First | Reader::Last => name == key,
            Reader::Folding => unicase::eq(name.as_str(), key),
        });
        let found = match self {
            Reader::First => found.next(),
            Reader::Last | Reader::Folding => found.next_back(),
        };
        found.map(|(_, raw)| raw.as_str())
    }
}

/// The members of an object as they are written, all of them.
#[derive(Default)]
struct Members(Vec<(String, String)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> serde::de::Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) =
                    map.next_entry::<String, Box<serde_json::value::RawValue>>()?
                {
                    members.push((key, value.get().to_owned()));
                }
                Ok(Members(members))
            }
        }
        input.deserialize_map(Object)
    }
}
