//! A row's request to the `CheckRequest` that Envoy would send for it.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mcp_authz::envoy::proto::envoy::config::core::v3::{
    Address, HeaderMap, HeaderValue, SocketAddress, address,
};
use mcp_authz::envoy::proto::envoy::service::auth::v3::attribute_context::{
    HttpRequest, Peer, Request,
};
use mcp_authz::envoy::proto::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::issuer::TokenSpec;

/// A request as a row describes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestSpec {
    #[serde(default = "post")]
    method: String,
    path: String,
    host: String,
    /// `name: value`, in order, repeats kept. `{token}` in a value is the row's token.
    #[serde(default)]
    headers: Vec<String>,
    /// Headers that would otherwise be added, and are not.
    #[serde(default)]
    without: Vec<String>,
    /// The bearer token; `null` for none.
    #[serde(default)]
    token: Option<TokenSpec>,
    /// The whole `authorization` header instead of a token.
    authorization: Option<String>,
    /// `modern` adds the envelope and the headers of 2026-07-28.
    #[serde(default)]
    era: Era,
    /// A JSON-RPC request; `jsonrpc` and `id: 1` are added.
    call: Option<Map<String, Value>>,
    /// A notification; `jsonrpc` is added.
    notify: Option<Map<String, Value>>,
    /// Any JSON.
    body: Option<Value>,
    /// Any text. `@` is what `repeat` says.
    raw: Option<String>,
    repeat: Option<Repeat>,
    /// Any bytes.
    hex: Option<String>,
    #[serde(default)]
    envoy: EnvoySpec,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Era {
    #[default]
    Legacy,
    Modern,
}

/// `unit`, so many times, with `between` between.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeat {
    unit: String,
    times: usize,
    #[serde(default)]
    between: String,
}

/// How Envoy describes the request.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct EnvoySpec {
    /// One value for each header name, repeats joined by a comma, instead of a list
    /// (`encode_raw_headers: false`).
    #[serde(default)]
    joined_headers: bool,
    /// The body as a string, with `!` for each byte that is not UTF-8 (`pack_as_bytes: false`).
    #[serde(default)]
    string_body: bool,
    /// `x-envoy-auth-partial-body`; by default `false` where there is a body.
    partial: Option<bool>,
    /// How many bytes of body Envoy has received; by default those of the body.
    size: Option<i64>,
    /// The route's context extensions.
    #[serde(default)]
    context: HashMap<String, String>,
    /// The address of Envoy's TCP peer.
    source: Option<String>,
    /// The name of Envoy's TLS peer.
    #[serde(default)]
    principal: String,
    /// Its certificate, by the name that the tables give it.
    #[serde(default)]
    certificate: Option<String>,
    /// Pseudo-headers other than those of the request.
    #[serde(default)]
    pseudo: BTreeMap<String, String>,
    /// So many further headers.
    #[serde(default)]
    more_headers: usize,
    /// A further header of so many quotes, each of which takes two bytes in JSON.
    #[serde(default)]
    quotes: usize,
    /// What a check lacks or says twice.
    broken: Option<Broken>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Broken {
    NoAttributes,
    NoRequest,
    NoHttp,
    TwoBodies,
}

/// A check, and what must not be seen again after it.
pub(super) struct Built {
    pub(super) check: CheckRequest,
    pub(super) body: Vec<u8>,
    /// Credentials, argument values and session ids.
    pub(super) secrets: Vec<String>,
}

fn post() -> String {
    "POST".to_owned()
}

/// Builds the check of a row.
pub(super) fn build(row: &Value) -> Built {
    let mut row = row.clone();
    let members = row.as_object_mut().unwrap();
    members.retain(|key, value| key == "body" || !value.is_null());
    // A body may be `null` itself.
    let explicit = members.remove("body");
    let mut spec: RequestSpec =
        serde_json::from_value(row.clone()).unwrap_or_else(|error| panic!("{error} in {row}"));
    spec.body = None;
    let message = message(&spec, explicit);
    let body = match &message {
        Some(message) => message.to_string().into_bytes(),
        None => plain_body(&spec),
    };
    let token = spec.token.as_ref().map(TokenSpec::sign);
    let headers = headers(&spec, token.as_deref(), message.as_ref(), &body);
    let mut secrets: Vec<String> = token.into_iter().collect();
    let credentials = spec
        .authorization
        .iter()
        .flat_map(|value| value.split(' ').skip(1));
    secrets.extend(credentials.map(str::to_owned));
    secrets.extend(
        headers
            .iter()
            .filter(|(name, _)| name == "mcp-session-id")
            .map(|(_, value)| value.clone()),
    );
    argument_values(&body, &mut secrets);
    let query = spec.path.split_once('?').map_or("", |(_, query)| query);
    let values = query
        .split(['&', ';'])
        .filter_map(|pair| pair.split_once('='));
    secrets.extend(values.map(|(_, value)| value.to_owned()));
    // Short texts occur in anything.
    secrets.retain(|secret| secret.len() >= 6);
    Built {
        check: check(spec, headers, &body),
        body,
        secrets,
    }
}

/// The JSON of a body that is not given as text or bytes.
fn message(spec: &RequestSpec, explicit: Option<Value>) -> Option<Value> {
    let mut message = match (explicit, &spec.call, &spec.notify) {
        (Some(body), None, None) => return Some(body),
        (None, Some(call), None) => {
            let mut message = json!({"jsonrpc": "2.0", "id": 1});
            message.as_object_mut().unwrap().extend(call.clone());
            message
        }
        (None, None, Some(notify)) => {
            let mut message = json!({"jsonrpc": "2.0"});
            message.as_object_mut().unwrap().extend(notify.clone());
            message
        }
        (None, None, None) => return None,
        (Some(_), _, _) | (None, Some(_), Some(_)) => panic!("a row has one body"),
    };
    if spec.era == Era::Modern && spec.call.is_some() {
        let meta = &mut message["params"]["_meta"];
        meta["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
        meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
    }
    Some(message)
}

fn plain_body(spec: &RequestSpec) -> Vec<u8> {
    match (&spec.raw, &spec.hex) {
        (Some(raw), None) => match &spec.repeat {
            Some(repeat) => {
                let units = vec![repeat.unit.as_str(); repeat.times];
                raw.replace('@', &units.join(&repeat.between)).into_bytes()
            }
            None => raw.clone().into_bytes(),
        },
        (None, Some(hex)) => {
            let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
            digits
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect()
        }
        (None, None) => Vec::new(),
        (Some(_), Some(_)) => panic!("a row has one body"),
    }
}

/// The headers as Envoy has them: the row's own, and what clients add to every request.
fn headers(
    spec: &RequestSpec,
    token: Option<&str>,
    message: Option<&Value>,
    body: &[u8],
) -> Vec<(String, String)> {
    let own = spec.headers.iter().map(|header| {
        let (name, value) = header.split_once(": ").unwrap_or((header, ""));
        let value = value.replace("{token}", token.unwrap_or_default());
        (name.to_owned(), value)
    });
    let mut headers: Vec<(String, String)> = own.collect();
    let mut added = Vec::new();
    if let Some(authorization) = &spec.authorization {
        added.push(("authorization", authorization.clone()));
    }
    if let Some(token) = token {
        added.push(("authorization", format!("Bearer {token}")));
    }
    if spec.method == "POST" {
        added.push(("content-type", "application/json".to_owned()));
        added.push(("content-length", body.len().to_string()));
    }
    if let (Era::Modern, Some(message)) = (spec.era, message) {
        added.push(("mcp-protocol-version", "2026-07-28".to_owned()));
        let text = |value: &Value| value.as_str().map(str::to_owned);
        if let Some(method) = text(&message["method"]) {
            added.push(("mcp-method", method));
        }
        let params = &message["params"];
        let name = ["name", "uri", "taskId"]
            .iter()
            .find_map(|key| text(&params[*key]));
        if let Some(name) = name {
            added.push(("mcp-name", mirrored(&name)));
        }
    }
    let partial = spec.envoy.partial.or((!body.is_empty()).then_some(false));
    if let Some(partial) = partial {
        added.push(("x-envoy-auth-partial-body", partial.to_string()));
    }
    for (name, value) in added {
        let is_given = headers.iter().any(|(own, _)| own == name);
        if !is_given && !spec.without.iter().any(|without| without == name) {
            headers.push((name.to_owned(), value));
        }
    }
    for number in 0..spec.envoy.more_headers {
        headers.push((format!("x-more-{number}"), "1".to_owned()));
    }
    if spec.envoy.quotes > 0 {
        headers.push(("x-quotes".to_owned(), "\"".repeat(spec.envoy.quotes)));
    }
    headers
}

/// A name as a modern client mirrors it (MCP 2026-07-28, Streamable HTTP, Value Encoding).
fn mirrored(name: &str) -> String {
    if name.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        name.to_owned()
    } else {
        format!("=?base64?{}?=", STANDARD.encode(name))
    }
}

#[expect(clippy::too_many_lines, reason = "one line for each field")]
fn check(spec: RequestSpec, headers: Vec<(String, String)>, body: &[u8]) -> CheckRequest {
    let RequestSpec {
        method,
        path,
        host,
        envoy,
        ..
    } = spec;
    let mut described = HttpRequest {
        method: method.clone(),
        path: path.clone(),
        host: host.clone(),
        ..HttpRequest::default()
    };
    let mut pseudo = BTreeMap::from([
        (":method".to_owned(), method),
        (":path".to_owned(), path),
        (":authority".to_owned(), host),
        (":scheme".to_owned(), "https".to_owned()),
    ]);
    pseudo.extend(envoy.pseudo);
    let all = pseudo.into_iter().chain(headers);
    if envoy.joined_headers {
        for (name, value) in all {
            let joined = described.headers.entry(name).or_default();
            if !joined.is_empty() {
                joined.push(',');
            }
            joined.push_str(&value);
        }
    } else {
        let one = |(key, value): (String, String)| HeaderValue {
            key,
            value: String::new(),
            raw_value: value.into_bytes().into(),
        };
        described.header_map = Some(HeaderMap {
            headers: all.map(one).collect(),
        });
    }
    described.size = envoy
        .size
        .unwrap_or_else(|| i64::try_from(body.len()).expect("a body in memory"));
    if envoy.string_body {
        described.body = lossy(body);
    } else {
        described.raw_body = body.to_vec().into();
    }
    if envoy.broken == Some(Broken::TwoBodies) {
        described.body = lossy(body);
    }
    let socket = envoy.source.map(|address| Address {
        address: Some(address::Address::SocketAddress(SocketAddress {
            address,
            ..SocketAddress::default()
        })),
    });
    let attributes = AttributeContext {
        source: Some(Peer {
            address: socket,
            principal: envoy.principal,
            certificate: envoy
                .certificate
                .map_or_else(String::new, |name| super::peers::encoded(&name)),
        }),
        request: Some(Request {
            http: Some(described),
        }),
        context_extensions: envoy.context,
    };
    CheckRequest {
        attributes: damaged(attributes, envoy.broken),
    }
}

fn damaged(mut attributes: AttributeContext, broken: Option<Broken>) -> Option<AttributeContext> {
    match broken {
        Some(Broken::NoAttributes) => return None,
        Some(Broken::NoRequest) => attributes.request = None,
        Some(Broken::NoHttp) => attributes.request = Some(Request::default()),
        Some(Broken::TwoBodies) | None => {}
    }
    Some(attributes)
}

/// What Envoy makes of bytes that it puts into a string.
fn lossy(body: &[u8]) -> String {
    body.utf8_chunks()
        .flat_map(|chunk| [chunk.valid().to_owned(), "!".repeat(chunk.invalid().len())])
        .collect()
}

/// The texts and numbers among the arguments of a body, as far as it can be read.
fn argument_values(body: &[u8], values: &mut Vec<String>) {
    let Ok(message) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    let messages = match &message {
        Value::Array(messages) => messages.as_slice(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            std::slice::from_ref(&message)
        }
    };
    for message in messages {
        leaves(&message["params"]["arguments"], values);
        leaves(&message["params"]["argument"]["value"], values);
    }
}

fn leaves(value: &Value, values: &mut Vec<String>) {
    match value {
        Value::String(text) => values.push(text.clone()),
        Value::Number(number) => values.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, values)),
        Value::Object(members) => members.values().for_each(|member| leaves(member, values)),
        Value::Null | Value::Bool(_) => {}
    }
}
