//! Headers beside bodies.

use serde_json::json;

use super::*;

const LEGACY_CALL: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get"}}"#;

fn modern(method: &str, params: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params}
           "_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}}}}"#
    )
}

/// Checks a body that decodes against headers.
fn route(body: &str, pairs: &[(&str, &str)]) -> Result<(Era, Option<String>), (Refusal, i32)> {
    let payload = decode(
        body.as_bytes(),
        &DecodeOptions {
            batch_max: 9,
            ..Default::default()
        },
    );
    let payload = payload.unwrap();
    let headers = Headers::collect(pairs.iter().copied(), false);
    let era = headers.era(Some(&payload));
    headers
        .check_routing(Some(&payload))
        .map(|routing| {
            assert_eq!(routing.era, era);
            (routing.era, routing.session.map(str::to_owned))
        })
        .map_err(|refusal| {
            let code = refusal.rpc_code(era);
            (refusal, code)
        })
}

#[test]
fn accepts_headers_that_agree() {
    let version = ("mcp-protocol-version", "2026-07-28");
    let call = modern("tools/call", r#""name":"Grüße","#);
    let read = modern("resources/read", r#""uri":"x y","#);
    let task = modern("tasks/get", r#""taskId":"i","#);
    let discover = modern("server/discover", "");
    let rows: &[(&str, &[(&str, &str)], Era)] = &[
        (LEGACY_CALL, &[], Era::Legacy),
        (
            LEGACY_CALL,
            &[("mcp-protocol-version", "2025-03-26")],
            Era::Legacy,
        ),
        (
            LEGACY_CALL,
            &[("mcp-method", "tools/call"), ("mcp-name", " get\t")],
            Era::Legacy,
        ),
        (LEGACY_CALL, &[("mcp-name", "=?base64?Z2V0?=")], Era::Legacy),
        (
            LEGACY_CALL,
            &[("mcp-param-x", "a"), ("mcp-param-x", "b")],
            Era::Legacy,
        ),
        (
            &call,
            &[
                version,
                ("mcp-method", "tools/call"),
                ("mcp-name", "=?base64?R3LDvMOfZQ==?="),
            ],
            Era::Modern,
        ),
        (
            &read,
            &[
                version,
                ("mcp-method", "resources/read"),
                ("mcp-name", "x y"),
            ],
            Era::Modern,
        ),
        (
            &task,
            &[version, ("mcp-method", "tasks/get"), ("mcp-name", "i")],
            Era::Modern,
        ),
        (
            &discover,
            &[version, ("mcp-method", "server/discover")],
            Era::Modern,
        ),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
            &[version],
            Era::Modern,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#,
            &[("mcp-protocol-version", "2025-06-18")],
            Era::Legacy,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2099-01-01"}}"#,
            &[],
            Era::Legacy,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, &[], Era::Legacy),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"vendor/x","params":{"name":"n","uri":"u"}}"#,
            &[("mcp-name", "u")],
            Era::Legacy,
        ),
    ];
    for (body, pairs, era) in rows {
        assert_eq!(route(body, pairs), Ok((*era, None)), "{body} {pairs:?}");
    }
}

#[test]
fn refuses_legacy_headers_that_disagree() {
    let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#;
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#;
    let rows: &[(&str, &[(&str, &str)], Refusal)] = &[
        (
            LEGACY_CALL,
            &[("mcp-method", "tools/list")],
            Refusal::HeaderMismatch(Header::Method),
        ),
        (
            LEGACY_CALL,
            &[("mcp-method", "Tools/call")],
            Refusal::HeaderMismatch(Header::Method),
        ),
        (
            LEGACY_CALL,
            &[("mcp-method", "=?base64?dG9vbHMvY2FsbA==?=")],
            Refusal::HeaderMismatch(Header::Method),
        ),
        (
            LEGACY_CALL,
            &[("mcp-name", "other")],
            Refusal::HeaderMismatch(Header::Name),
        ),
        (
            list,
            &[("mcp-name", "get")],
            Refusal::HeaderMismatch(Header::Name),
        ),
        (
            batch,
            &[("mcp-method", "ping")],
            Refusal::HeaderMismatch(Header::Method),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            &[("mcp-method", "response")],
            Refusal::HeaderMismatch(Header::Method),
        ),
        (
            initialize,
            &[("mcp-protocol-version", "2025-03-26")],
            Refusal::HeaderMismatch(Header::ProtocolVersion),
        ),
        (
            LEGACY_CALL,
            &[("mcp-name", "")],
            Refusal::HeaderMalformed(Header::Name),
        ),
        (
            LEGACY_CALL,
            &[("mcp-name", "gét")],
            Refusal::HeaderMalformed(Header::Name),
        ),
        (
            LEGACY_CALL,
            &[("mcp-name", "=?base64?Z2V0=?=")],
            Refusal::HeaderMalformed(Header::Name),
        ),
        (
            LEGACY_CALL,
            &[("mcp-name", "=?BASE64?Z2V0?=")],
            Refusal::HeaderMalformed(Header::Name),
        ),
        (
            LEGACY_CALL,
            &[("mcp-name", "=?base64?Z2V0")],
            Refusal::HeaderMalformed(Header::Name),
        ),
        (
            LEGACY_CALL,
            &[("mcp-name", "=?base64?/w==?=")],
            Refusal::HeaderMalformed(Header::Name),
        ),
        (
            LEGACY_CALL,
            &[("mcp-name", "get,get")],
            Refusal::HeaderRepeated(Header::Name),
        ),
        (
            LEGACY_CALL,
            &[("mcp-method", "tools/call"), ("mcp-method", "tools/call")],
            Refusal::HeaderRepeated(Header::Method),
        ),
        (
            LEGACY_CALL,
            &[("mcp-protocol-version", "2025-03-26,2025-03-26")],
            Refusal::HeaderRepeated(Header::ProtocolVersion),
        ),
        (
            LEGACY_CALL,
            &[("mcp-session-id", "a"), ("mcp-session-id", "b")],
            Refusal::HeaderRepeated(Header::SessionId),
        ),
        (
            LEGACY_CALL,
            &[("mcp-session-id", "a b")],
            Refusal::HeaderMalformed(Header::SessionId),
        ),
        (
            LEGACY_CALL,
            &[("mcp-session-id", "\u{7f}")],
            Refusal::HeaderMalformed(Header::SessionId),
        ),
        (
            LEGACY_CALL,
            &[("mcp-protocol-version", "2025-06-19")],
            Refusal::ProtocolVersionUnsupported {
                requested: Some("2025-06-19".into()),
            },
        ),
        (
            LEGACY_CALL,
            &[("mcp-protocol-version", "latest<script>")],
            Refusal::ProtocolVersionUnsupported { requested: None },
        ),
    ];
    for (body, pairs, expected) in rows {
        let found = route(body, pairs);
        assert_eq!(found, Err((expected.clone(), -32600)), "{body} {pairs:?}");
    }
}

#[test]
fn refuses_modern_headers_that_disagree() {
    const VERSION: (&str, &str) = ("mcp-protocol-version", "2026-07-28");
    const METHOD: (&str, &str) = ("mcp-method", "tools/call");
    let call = modern("tools/call", r#""name":"get","#);
    let old = call.replace("2026-07-28", "2025-11-25");
    let future = call.replace("2026-07-28", "2027-01-01");
    let unsupported = |text: &str| Refusal::ProtocolVersionUnsupported {
        requested: Some(text.into()),
    };
    let rows: &[(&str, &[(&str, &str)], Refusal, i32)] = &[
        (
            &call,
            &[],
            Refusal::HeaderMissing(Header::ProtocolVersion),
            -32020,
        ),
        (
            &call,
            &[METHOD, ("mcp-name", "get")],
            Refusal::HeaderMissing(Header::ProtocolVersion),
            -32020,
        ),
        (
            &call,
            &[("mcp-protocol-version", "2025-11-25")],
            Refusal::HeaderMismatch(Header::ProtocolVersion),
            -32020,
        ),
        (
            &call,
            &[VERSION],
            Refusal::HeaderMissing(Header::Method),
            -32020,
        ),
        (
            &call,
            &[VERSION, METHOD],
            Refusal::HeaderMissing(Header::Name),
            -32020,
        ),
        (
            &call,
            &[VERSION, METHOD, ("mcp-name", "other")],
            Refusal::HeaderMismatch(Header::Name),
            -32020,
        ),
        (
            &call,
            &[VERSION, ("mcp-method", "tools/list")],
            Refusal::HeaderMismatch(Header::Method),
            -32020,
        ),
        (
            &call,
            &[VERSION, VERSION],
            Refusal::HeaderRepeated(Header::ProtocolVersion),
            -32020,
        ),
        (
            &call,
            &[("mcp-protocol-version", "2025-11-25, 2026-07-28")],
            Refusal::HeaderRepeated(Header::ProtocolVersion),
            -32020,
        ),
        (
            &call,
            &[VERSION, METHOD, ("mcp-session-id", "a b")],
            Refusal::HeaderMalformed(Header::SessionId),
            -32600,
        ),
        (LEGACY_CALL, &[VERSION], Refusal::EnvelopeMissing, -32602),
        (
            LEGACY_CALL,
            &[("mcp-protocol-version", "2027-01-01")],
            unsupported("2027-01-01"),
            -32022,
        ),
        (
            &old,
            &[("mcp-protocol-version", "2025-11-25")],
            unsupported("2025-11-25"),
            -32022,
        ),
        (
            &future,
            &[("mcp-protocol-version", "2027-01-01")],
            unsupported("2027-01-01"),
            -32022,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            &[VERSION],
            Refusal::ResponseModern,
            -32600,
        ),
        (
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            &[VERSION],
            Refusal::BatchModern,
            -32600,
        ),
    ];
    for (body, pairs, refusal, code) in rows {
        assert_eq!(
            route(body, pairs),
            Err((refusal.clone(), *code)),
            "{body} {pairs:?}"
        );
    }
}

#[test]
fn a_comma_in_a_name_passes_only_if_repeats_are_kept_apart() {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a,b"}}"#;
    let message = Payload::One(one(body));
    let check = |name, kept_apart| {
        Headers::collect([("mcp-name", name)], kept_apart)
            .check_routing(Some(&message))
            .err()
    };
    assert_eq!(check("a,b", true), None);
    assert_eq!(
        check("a,b", false),
        Some(Refusal::HeaderRepeated(Header::Name))
    );
    assert_eq!(
        check("a,c", true),
        Some(Refusal::HeaderRepeated(Header::Name))
    );
    assert_eq!(check("=?base64?YSxi?=", false), None);
}

#[test]
fn requests_without_a_body_keep_session_and_version() {
    let pairs = [
        ("mcp-session-id", "s-1"),
        ("mcp-protocol-version", "2025-06-18"),
    ];
    let routing = Headers::collect(pairs, true).check_routing(None).unwrap();
    let expected = Routing {
        era: Era::Legacy,
        protocol_version: Some("2025-06-18"),
        session: Some("s-1"),
    };
    assert_eq!(routing, expected);
    let refusal = Headers::collect([("mcp-method", "ping")], true)
        .check_routing(None)
        .err();
    assert_eq!(refusal, Some(Refusal::HeaderMismatch(Header::Method)));
}

#[test]
fn the_modern_era_has_no_session() {
    let body = modern("ping", "");
    let pairs = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "ping"),
        ("mcp-session-id", "s"),
    ];
    assert_eq!(route(&body, &pairs), Ok((Era::Modern, None)));
}

#[test]
fn checks_how_the_body_is_written() {
    let json = ("content-type", "application/json");
    let rows: &[(&[(&str, &str)], Option<Refusal>)] = &[
        (&[json], None),
        (&[("content-type", "Application/JSON; charset=UTF-8")], None),
        (
            &[("content-type", "application/json ;charset=\"utf-8\" ;")],
            None,
        ),
        (
            &[("content-type", "application/json;;charset=\"ut\\f-8\"")],
            None,
        ),
        (&[], Some(Refusal::ContentType)),
        (
            &[("content-type", "text/plain")],
            Some(Refusal::ContentType),
        ),
        (
            &[("content-type", "application/json-patch+json")],
            Some(Refusal::ContentType),
        ),
        (
            &[("content-type", "application/json; charset*=utf-16''x")],
            Some(Refusal::ContentType),
        ),
        (
            &[("content-type", "application/json; boundary=x")],
            Some(Refusal::ContentType),
        ),
        (
            &[("content-type", "application/json; charset")],
            Some(Refusal::ContentType),
        ),
        (
            &[("content-type", "application/json; charset=\"utf-8")],
            Some(Refusal::ContentType),
        ),
        (
            &[("content-type", "application/json; charset=utf-8 x")],
            Some(Refusal::ContentType),
        ),
        (
            &[(
                "content-type",
                "application/json; charset=utf-8; charset=utf-8",
            )],
            Some(Refusal::ContentType),
        ),
        (
            &[("content-type", "application/json; charset=utf-16")],
            Some(Refusal::Charset),
        ),
        (
            &[("content-type", "application/json; charset=")],
            Some(Refusal::Charset),
        ),
        (
            &[json, json],
            Some(Refusal::HeaderRepeated(Header::ContentType)),
        ),
        (
            &[("content-type", "application/json, text/plain")],
            Some(Refusal::HeaderRepeated(Header::ContentType)),
        ),
        (&[json, ("content-encoding", "Identity")], None),
        (
            &[json, ("content-encoding", "gzip")],
            Some(Refusal::ContentEncoding),
        ),
        (
            &[json, ("content-encoding", "identity,gzip")],
            Some(Refusal::HeaderRepeated(Header::ContentEncoding)),
        ),
        (
            &[json, ("content-encoding", "")],
            Some(Refusal::HeaderMalformed(Header::ContentEncoding)),
        ),
        (&[json, ("content-length", "7")], None),
        (
            &[json, ("content-length", "8")],
            Some(Refusal::ContentLength),
        ),
        (
            &[json, ("content-length", "+7")],
            Some(Refusal::ContentLength),
        ),
        (
            &[json, ("content-length", "99999999999999999999999")],
            Some(Refusal::ContentLength),
        ),
    ];
    for (pairs, expected) in rows {
        let found = Headers::collect(pairs.iter().copied(), true)
            .check_content(7)
            .err();
        assert_eq!(found, *expected, "{pairs:?}");
    }
}

#[test]
fn refusals_know_their_status_and_data() {
    assert_eq!(Refusal::Charset.http_status(), 415);
    assert_eq!(Refusal::ContentType.http_status(), 415);
    assert_eq!(Refusal::ContentEncoding.http_status(), 415);
    assert_eq!(Refusal::TooDeep.http_status(), 400);
    assert_eq!(Refusal::TrailingData.rpc_code(Era::Legacy), -32700);
    assert_eq!(Refusal::DuplicateKey.rpc_code(Era::Modern), -32600);
    let refusal = Refusal::ProtocolVersionUnsupported {
        requested: Some("2027-01-01".into()),
    };
    let data = json!({"supported": ["2026-07-28"], "requested": "2027-01-01"});
    assert_eq!(
        serde_json::Value::Object(refusal.rpc_data(Era::Modern)),
        data
    );
    assert!(refusal.rpc_data(Era::Legacy).is_empty());
    assert!(Refusal::Bom.rpc_data(Era::Modern).is_empty());
}

#[test]
fn answers_repeat_the_id_byte_for_byte() {
    let body = r#"{"jsonrpc":"2.0","id":"\u0061\/é","method":"ping"}"#;
    let id = one(body).kind.answer_id();
    assert_eq!(
        answer::error(id, 403, "denied", json!({"reason": "x\"y"})),
        r#"{"jsonrpc":"2.0","id":"\u0061\/é","error":{"code":403,"data":{"reason":"x\"y"},"message":"denied"}}"#
    );
    let text = answer::error(None, -32700, "m", serde_json::Value::Null);
    assert_eq!(
        text,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}"#
    );
    let tool = answer::tool_error(id.unwrap(), "no", json!({"reason": "r"}), true);
    assert_eq!(
        tool,
        r#"{"jsonrpc":"2.0","id":"\u0061\/é","result":{"_meta":{"reason":"r"},"content":[{"text":"no","type":"text"}],"isError":true,"resultType":"complete"}}"#
    );
    let legacy = answer::tool_error(id.unwrap(), "no", serde_json::Value::Null, false);
    assert_eq!(
        legacy,
        r#"{"jsonrpc":"2.0","id":"\u0061\/é","result":{"content":[{"text":"no","type":"text"}],"isError":true}}"#
    );
    assert_eq!(
        answer::batch(&[text.clone(), text.clone()]),
        format!("[{text},{text}]")
    );
    assert_eq!(answer::batch(&[]), "");
}
