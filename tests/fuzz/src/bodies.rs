//! JSON-RPC bodies and the headers that go with them.

use mcp_authz::authz::Value;
use mcp_authz::mcp::{
    self, DecodeOptions, Message, MessageHeaders, MessageKind, Payload, glance, media_type,
};
use serde_json::Value as Json;

/// The first bytes that `glance` looks at.
const GLANCED: usize = 4 << 10;

/// What is accepted is what `serde_json` reads, and a glance at a body never says anything else
/// than reading it does.
pub fn body(data: &[u8]) {
    let options = DecodeOptions {
        batch_max: 8,
        ..DecodeOptions::default()
    };
    let glimpse = glance(data, options.name_bytes_max);
    let theirs = serde_json::from_slice::<Json>(data);
    if let (Some(id), Ok(Json::Object(members))) = (glimpse.id, &theirs)
        && data.len() <= GLANCED
    {
        let id: Json = serde_json::from_str(id.lexeme()).unwrap();
        assert_eq!(Some(&id), members.get("id"));
    }
    match mcp::decode(data, &options) {
        Ok(payload) => {
            // It refuses half of a surrogate pair everywhere.
            let Ok(theirs) = theirs else {
                assert!(
                    data.windows(3)
                        .any(|part| part.eq_ignore_ascii_case(br"\ud"))
                );
                return;
            };
            let elements = theirs
                .as_array()
                .map_or(std::slice::from_ref(&theirs), Vec::as_slice);
            assert_eq!(payload.messages().len(), elements.len());
            for (message, element) in payload.messages().iter().zip(elements) {
                same_message(message, element);
                assert!(message.targets().len() <= options.subscriptions_max.max(1));
            }
            if let Payload::One(message) = &payload
                && data.len() <= GLANCED
            {
                let is_response = matches!(message.kind, MessageKind::Response { .. });
                assert_eq!(glimpse.id, message.kind.reply_id());
                assert_eq!(
                    glimpse.method.as_deref(),
                    (!is_response).then_some(&*message.method)
                );
            }
        }
        Err(refused) => {
            if let (Some(glimpsed), Some(read)) = (glimpse.id, refused.id) {
                assert_eq!(glimpsed, read);
            }
        }
    }
}

fn same_message(message: &Message<'_>, theirs: &Json) {
    match message.kind {
        MessageKind::Request { id } | MessageKind::Response { id } => {
            let id: Json = serde_json::from_str(id.lexeme()).unwrap();
            assert_eq!(&id, &theirs["id"]);
        }
        MessageKind::Notification => assert_eq!(theirs.get("id"), None),
    }
    if !matches!(message.kind, MessageKind::Response { .. }) {
        assert_eq!(theirs["method"].as_str(), Some(&*message.method));
    }
    if let Some(arguments) = &message.arguments {
        let theirs = &theirs["params"]["arguments"];
        assert!(is_same(arguments, theirs), "{arguments:?}, {theirs}");
    }
}

/// Whether a value is what `serde_json` reads.
fn is_same(ours: &Value<'_>, theirs: &Json) -> bool {
    match (ours, theirs) {
        (Value::Null, Json::Null) => true,
        (Value::Bool(ours), Json::Bool(theirs)) => ours == theirs,
        (Value::Int(ours), Json::Number(theirs)) => theirs.as_i64() == Some(*ours),
        (Value::Uint(ours), Json::Number(theirs)) => theirs.as_u64() == Some(*ours),
        (Value::Float(ours), Json::Number(theirs)) => {
            theirs.as_f64().map(f64::to_bits) == Some(ours.to_bits())
        }
        (Value::String(ours), Json::String(theirs)) => ours == theirs,
        (Value::List(ours), Json::Array(theirs)) => {
            let mut pairs = ours.iter().zip(theirs);
            ours.len() == theirs.len() && pairs.all(|(ours, theirs)| is_same(ours, theirs))
        }
        (Value::Map(ours), Json::Object(theirs)) => {
            let theirs = |key: &str| theirs.get(key).unwrap_or(&Json::Null);
            ours.iter()
                .all(|(key, value)| is_same(value, theirs(key.as_ref())))
        }
        _ => false,
    }
}

pub(super) fn body_seeds() -> Vec<Vec<u8>> {
    [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"b":[1,-2.5e3,{"c":"\u0064"}],"n":null}}}"#,
        r#"{"jsonrpc":"2.0","id":"x","method":"resources/read","params":{"uri":"note://s/x","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a:b","c:d"],"taskIds":["t"],"toolsListChanged":true}}}"#,
        r#"[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","method":"notifications/progress"}]"#,
        r#"{"jsonrpc":"2.0","id":18446744073709551615,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":"\ud83d\ude00"}}}"#,
        r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32601,"message":"no"}}"#,
        r#"{"jsonrpc":"2.0","id":3,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#,
        r#"{"ID":1,"\u0069d":1,"method\u0000":"x","jsonrpc":"2.0"}"#,
    ]
    .map(Vec::from)
    .to_vec()
}

/// Headers, one a line, then an empty line and a body: a media type is a part of its header and is
/// read the same again, and what the headers say of a message the upstream is told once.
pub fn headers(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (lines, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let lines: Vec<(&str, &str)> = lines
        .lines()
        .filter_map(|line| line.split_once(':'))
        .collect();
    for (_, value) in &lines {
        if let Ok(found) = media_type(value) {
            assert!(value.contains(found));
            assert_eq!(media_type(found), Ok(found));
        }
    }
    let options = DecodeOptions::default();
    let payload = mcp::decode(body.as_bytes(), &options).ok();
    for kept_apart in [false, true] {
        let headers = MessageHeaders::collect(lines.iter().copied(), kept_apart);
        let content = headers.check_content(body.len());
        let count = |name: &str| lines.iter().filter(|(own, _)| *own == name).count();
        // What came more than once is told the upstream once.
        let is_one = |name: &str, payload: Option<&Payload<'_>>| {
            let corrections = headers.corrections(payload);
            count(name) == 1
                || corrections
                    .iter()
                    .any(|(header, _)| header.as_str() == name)
        };
        assert!(content.is_err() || is_one("content-type", None));
        assert!(content.is_err() || count("content-length") <= 1);
        let claimed = headers.claimed_routing();
        for payload in [None, payload.as_ref()] {
            let era = headers.era(payload);
            let Ok(routing) = headers.check_routing(payload) else {
                continue;
            };
            assert_eq!(routing.era, era);
            if payload.is_none() {
                assert_eq!(routing.session, claimed.session);
                assert_eq!(routing.protocol_version, claimed.protocol_version);
            }
            for name in ["mcp-session-id", "mcp-protocol-version", "mcp-method"] {
                assert!(count(name) == 0 || is_one(name, payload), "{name}");
            }
        }
    }
}

pub(super) fn headers_seeds() -> Vec<Vec<u8>> {
    [
        "content-type:application/json; charset=\"utf-8\"\ncontent-length:2\n\n{}",
        "content-type:application/json\nmcp-session-id: s-1\nmcp-protocol-version:2025-11-25\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
        "content-type: Application/JSON;;charset=UTF-8\ncontent-encoding:identity\nmcp-method:tools/call\nmcp-name:=?base64?dG9vbA==?=\nmcp-protocol-version:2026-07-28\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"tool\",\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"}}}",
        "accept:text/event-stream, application/json\nmcp-session-id:a\nmcp-session-id:b\n\n",
    ]
    .map(Vec::from)
    .to_vec()
}
