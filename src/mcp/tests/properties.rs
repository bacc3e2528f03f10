//! Properties of any body.

use serde_json::json;

use super::*;
use crate::authz::{Resource, Value};
use proptest::prelude::*;

/// Whether a value equals that of `serde_json`, whose maps are sorted.
fn is_same(ours: &Value<'_>, theirs: &serde_json::Value) -> bool {
    match (ours, theirs) {
        (Value::Null, serde_json::Value::Null) => true,
        (Value::Bool(ours), serde_json::Value::Bool(theirs)) => ours == theirs,
        (Value::Int(ours), serde_json::Value::Number(theirs)) => theirs.as_i64() == Some(*ours),
        (Value::Uint(ours), serde_json::Value::Number(theirs)) => {
            i64::try_from(*ours).is_err() && theirs.as_u64() == Some(*ours)
        }
        (Value::Float(ours), serde_json::Value::Number(theirs)) => {
            theirs.is_f64() && theirs.as_f64().map(f64::to_bits) == Some(ours.to_bits())
        }
        (Value::String(ours), serde_json::Value::String(theirs)) => ours == theirs,
        (Value::List(ours), serde_json::Value::Array(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .zip(theirs)
                    .all(|(ours, theirs)| is_same(ours, theirs))
        }
        (Value::Map(ours), serde_json::Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(key, value)| {
                    theirs
                        .get(key.as_ref())
                        .is_some_and(|theirs| is_same(value, theirs))
                })
        }
        _ => false,
    }
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>()
            .prop_filter("finite", |float| float.is_finite())
            .prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            // Keys with NUL are refused, and by default so are keys that differ only in case.
            prop::collection::hash_map("[^\\x00]{0,6}", inner, 0..20)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A nearly valid body, with bytes changed, cut or doubled.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let seeds = prop::sample::select(vec![
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"b":[1,{"c":"\u0064"}]}}}"#,
        r#"{"method":"resources/read","params":{"uri":"u","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}},"jsonrpc":"2.0","id":"x"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a"],"taskIds":["b"]}}}"#,
        r#"[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","method":"notifications/progress"}]"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"p"}}}"#,
    ]);
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 0..4);
    (seeds, edits).prop_map(|(seed, edits)| {
        let mut body = seed.as_bytes().to_vec();
        for (index, byte, kind) in edits {
            let at = index
                .index(body.len().max(1))
                .min(body.len().saturating_sub(1));
            match kind {
                0 if !body.is_empty() => body[at] = byte,
                1 => body.insert(at, byte),
                2 => body.truncate(at),
                _ => body.extend_from_within(at..),
            }
        }
        body
    })
}

/// `serde_json` reads every accepted body in the same way.
fn check_accepted(body: &[u8]) {
    let options = DecodeOptions {
        batch_max: 8,
        ..DecodeOptions::default()
    };
    let Ok(payload) = decode(body, &options) else {
        return;
    };
    let Ok(theirs) = serde_json::from_slice::<serde_json::Value>(body) else {
        // It refuses half of a surrogate pair everywhere.
        assert!(
            body.windows(3)
                .any(|part| part.eq_ignore_ascii_case(br"\ud"))
        );
        return;
    };
    let elements = theirs
        .as_array()
        .map_or(std::slice::from_ref(&theirs), Vec::as_slice);
    assert_eq!(payload.messages().len(), elements.len());
    for (message, theirs) in payload.messages().iter().zip(elements) {
        let method = theirs["method"].as_str().unwrap_or("response");
        assert_eq!(message.method, method);
        assert!(!message.targets().is_empty());
        for target in message.targets() {
            let member = match target.resource {
                Resource::Tool(name) => Some(("name", name)),
                Resource::Uri(uri) if method == "resources/read" => Some(("uri", uri)),
                Resource::Server
                | Resource::Prompt(_)
                | Resource::Uri(_)
                | Resource::Template(_)
                | Resource::Task(_) => None,
            };
            let named = member.is_none_or(|(key, name)| theirs["params"][key] == *name);
            assert!(named, "{theirs}");
        }
        if let Some(id) = message.kind.reply_id() {
            let id: serde_json::Value = serde_json::from_str(id.lexeme()).unwrap();
            assert_eq!(id, theirs["id"]);
        }
    }
}

proptest! {
    #[test]
    fn arguments_are_what_serde_json_reads(value in any_json()) {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "t", "arguments": {"value": value}}}).to_string();
        let theirs: serde_json::Value = serde_json::from_str(&body).unwrap();
        let options =
            DecodeOptions { accept_folded_arguments: true, ..DecodeOptions::default() };
        let Ok(Payload::One(message)) = decode(body.as_bytes(), &options) else {
            panic!("refused: {body}");
        };
        prop_assert!(is_same(&message.arguments.unwrap(), &theirs["params"]["arguments"]));
    }

    #[test]
    fn ids_come_back_byte_for_byte(text in any::<String>(), number in -(1_i64 << 53) + 1..1 << 53) {
        for id in [json!(text).to_string(), number.to_string()] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
            let answer = reply::error(one(&body).kind.reply_id(), 1, "m", None::<&()>);
            let head = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":"#);
            prop_assert!(answer.starts_with(&head));
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        check_accepted(&body);
    }

    #[test]
    fn nearly_right_bodies_are_read_as_serde_json_reads_them(body in mutated()) {
        check_accepted(&body);
    }

    #[test]
    fn any_headers_are_checked_without_panic(
        value in "\\PC{0,40}",
        kind in "(=\\?base64\\?|application/json;)?",
    ) {
        let value = format!("{kind}{value}");
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}"#;
        let payload = Payload::One(one(body));
        for name in ["mcp-name", "mcp-method", "mcp-protocol-version", "mcp-session-id"] {
            let headers = MessageHeaders::collect([(name, value.as_str())], true);
            let routing = headers.check_routing(Some(&payload));
            let is_known = name == "mcp-session-id" || ["a", "tools/call"].contains(&value.trim())
                || LEGACY_REVISIONS.contains(&value.trim());
            prop_assert!(routing.is_err() || is_known);
        }
        let headers = MessageHeaders::collect([("content-type", value.as_str())], true);
        if headers.check_content(0).is_ok() {
            prop_assert!(value.to_ascii_lowercase().starts_with("application/json"));
        }
    }
}
