//! Headers compared with bodies.

use serde_json::json;

use super::*;

/// Bodies by name.
const BODIES: &str = r#"
call     | {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get"}}
list     | {"jsonrpc":"2.0","id":1,"method":"tools/list"}
open     | {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}
answer   | {"jsonrpc":"2.0","id":1,"result":{}}
batch    | [{"jsonrpc":"2.0","id":1,"method":"ping"}]
note     | {"jsonrpc":"2.0","method":"notifications/cancelled"}
vendor   | {"jsonrpc":"2.0","id":1,"method":"vendor/x","params":{"name":"n","uri":"u"}}
call26   | {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get",META}}
umlaut26 | {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"Grüße",META}}
read26   | {"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"x y",META}}
task26   | {"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"i",META}}
ping26   | {"jsonrpc":"2.0","id":1,"method":"server/discover","params":{META}}
note26   | {"jsonrpc":"2.0","method":"notifications/cancelled","params":{META}}
call25   | {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get",META-2025-11-25}}
call27   | {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get",META-2027-01-01}}
"#;

fn body(name: &str) -> String {
    let meta =
        |version| format!(r#""_meta":{{"io.modelcontextprotocol/protocolVersion":"{version}"}}"#);
    let [_, text] = rows(BODIES).find(|row: &[&str; 2]| row[0] == name).unwrap();
    text.replace("META-2025-11-25", &meta("2025-11-25"))
        .replace("META-2027-01-01", &meta("2027-01-01"))
        .replace("META", &meta("2026-07-28"))
}

/// `name=value` pairs between `&&`; `v` is the version header, `26` its modern value.
fn pairs(cell: &str) -> Vec<(&str, &str)> {
    let pair = |text| {
        let (name, value) = str::split_once(text, '=').unwrap();
        let header = match name {
            "v" => "mcp-protocol-version",
            "method" => "mcp-method",
            "name" => "mcp-name",
            "session" => "mcp-session-id",
            "param" => "mcp-param-x",
            "type" => "content-type",
            "encoding" => "content-encoding",
            "length" => "content-length",
            other => panic!("{other}"),
        };
        (header, if value == "26" { "2026-07-28" } else { value })
    };
    cell.split("&&")
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(pair)
        .collect()
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
    let headers = MessageHeaders::collect(pairs.iter().copied(), false);
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

/// Era, body and headers.
const AGREEING: &str = "
Legacy | call   |
Legacy | call   | v=2025-03-26
Legacy | call   | method=tools/call && name= get
Legacy | call   | name==?base64?Z2V0?=
Legacy | call   | param=a && param=b
Legacy | open   |
Legacy | open   | v=2025-06-18
Legacy | open   | v=2025-03-26
Legacy | open   | v=26
Legacy | open   | v=2031-01-01
Legacy | open   | v=1.0
Legacy | open   | v=
Legacy | open   | v=2025 03 26
Legacy | call   | name=get,get
Legacy | call   | name=get , get,get && name=get , get,get
Legacy | call   | name==?base64?Z2V0?=, =?base64?Z2V0?=
Legacy | call   | method=tools/call && method=tools/call
Legacy | call   | v=2025-03-26,2025-03-26
Legacy | call   | v=2025-03-26 && v=2025-03-26 , 2025-03-26
Modern | call26 | v=26 && v=26 && method=tools/call,tools/call && name=get,get
Legacy | answer | v=2024-11-05
Legacy | batch  | v=2025-03-26
Legacy | vendor | name=u
Modern | umlaut26 | v=26 && method=tools/call && name==?base64?R3LDvMOfZQ==?=
Modern | read26 | v=26 && method=resources/read && name=x y
Modern | task26 | v=26 && method=tasks/get && name=i
Modern | ping26 | v=26 && method=server/discover
Modern | note   | v=26
Modern | note26 | v=26
";

#[test]
fn accepts_headers_that_agree() {
    for [era, name, headers] in rows(AGREEING) {
        let (found, session) = route(&body(name), &pairs(headers)).unwrap();
        assert_eq!(
            (format!("{found:?}").as_str(), session),
            (era, None),
            "{name} {headers}"
        );
    }
}

/// Code, refusal, body and headers.
const DISAGREEING: &str = r#"
-32600 | HeaderMismatch(Method) | call   | method=tools/list
-32600 | HeaderMismatch(Method) | call   | method=Tools/call
-32600 | HeaderMismatch(Method) | call   | method==?base64?dG9vbHMvY2FsbA==?=
-32600 | HeaderMismatch(Method) | batch  | method=ping
-32600 | HeaderMismatch(Method) | answer | method=response
-32600 | HeaderMismatch(Name)   | call   | name=other
-32600 | HeaderMismatch(Name)   | list   | name=get
-32600 | HeaderMismatch(Name)   | batch  | name=ping
-32600 | HeaderRepeated(ProtocolVersion) | open | v=2025-03-26, 2025-06-18
-32600 | HeaderMalformed(ProtocolVersion) | call | v=2025 03 26
-32600 | HeaderMalformed(ProtocolVersion) | call | v=
-32600 | HeaderMismatch(Method) | open   | v=26 && method=tools/list
-32600 | HeaderMalformed(Name)  | call   | name=
-32600 | HeaderMalformed(Name)  | call   | name=gét
-32600 | HeaderMalformed(Name)  | call   | name==?base64?Z2V0=?=
-32600 | HeaderMalformed(Name)  | call   | name==?BASE64?Z2V0?=
-32600 | HeaderMalformed(Name)  | call   | name==?base64?Z2V0
-32600 | HeaderMalformed(Name)  | call   | name==?base64?/w==?=
-32600 | HeaderMalformed(SessionId) | call | session=a b
-32600 | HeaderRepeated(Name)   | call   | name=get,other
-32600 | HeaderRepeated(Name)   | call   | name=get,
-32600 | HeaderRepeated(Name)   | call   | name=,get
-32600 | HeaderRepeated(Name)   | call   | name=get,get,
-32600 | HeaderRepeated(Name)   | call   | name=get,GET
-32600 | HeaderRepeated(Name)   | call   | name=get && name=other
-32600 | HeaderRepeated(Name)   | call   | name=get && name==?base64?Z2V0?=
-32600 | HeaderRepeated(Name)   | call   | name==?base64?Z2V0?=,get
-32600 | HeaderMismatch(Name)   | call   | name=getget
-32600 | HeaderRepeated(Name)   | list   | name=get,get
-32600 | HeaderRepeated(Method) | call   | method=tools/call && method=tools/list
-32600 | HeaderRepeated(Method) | call   | method=tools/call,Tools/call
-32600 | HeaderMismatch(Method) | call   | method=tools/list,tools/list
-32600 | HeaderRepeated(ProtocolVersion) | call | v=2025-03-26,2025-06-18
-32600 | HeaderRepeated(ProtocolVersion) | call | v=2025-03-26,
-32600 | HeaderRepeated(ProtocolVersion) | call | v=,
-32600 | HeaderRepeated(SessionId) | call | session=a && session=b
-32600 | ProtocolVersionUnsupported { requested: Some("2025-06-19") } | call | v=2025-06-19
-32600 | ProtocolVersionUnsupported { requested: None } | call | v=latest<script>

-32020 | HeaderMissing(ProtocolVersion)  | call26 |
-32020 | HeaderMissing(ProtocolVersion)  | note26 |
-32020 | HeaderMissing(ProtocolVersion)  | call26 | method=tools/call && name=get
-32020 | HeaderMismatch(ProtocolVersion) | call26 | v=2025-11-25
-32020 | HeaderMissing(Method)  | call26 | v=26
-32020 | HeaderMissing(Name)    | call26 | v=26 && method=tools/call
-32020 | HeaderMismatch(Method) | call26 | v=26 && method=tools/list
-32020 | HeaderMismatch(Name)   | call26 | v=26 && method=tools/call && name=other
-32020 | HeaderRepeated(ProtocolVersion) | call26 | v=26 && v=2025-11-25
-32020 | HeaderRepeated(ProtocolVersion) | call26 | v=2025-11-25, 2026-07-28
-32020 | HeaderRepeated(ProtocolVersion) | call   | v=2025-11-25, 2026-07-28
-32600 | HeaderMalformed(SessionId) | call26 | v=26 && session=a b
-32602 | EnvelopeMissing | call | v=26
-32022 | ProtocolVersionUnsupported { requested: Some("2027-01-01") } | call   | v=2027-01-01
-32022 | ProtocolVersionUnsupported { requested: Some("2025-11-25") } | call25 | v=2025-11-25
-32022 | ProtocolVersionUnsupported { requested: Some("2027-01-01") } | call27 | v=2027-01-01
-32600 | ResponseModern | answer | v=26
-32600 | BatchModern    | batch  | v=26
"#;

#[test]
fn refuses_headers_that_disagree() {
    for [code, refusal, name, headers] in rows(DISAGREEING) {
        let (found, found_code) = route(&body(name), &pairs(headers)).unwrap_err();
        let found = format!("{found_code} {found:?}");
        assert_eq!(found, format!("{code} {refusal}"), "{name} {headers}");
    }
    let control = [("mcp-session-id", "a\u{7f}")];
    let expected = Refusal::HeaderMalformed(Header::SessionId);
    assert_eq!(route(&body("call"), &control), Err((expected, -32600)));
}

#[test]
fn a_comma_in_a_name_passes_only_if_repeats_are_kept_apart() {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a,b"}}"#;
    let message = Payload::One(one(body));
    let check = |name, kept_apart| {
        MessageHeaders::collect([("mcp-name", name)], kept_apart)
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
    assert_eq!(check("a,b, a,b", true), None);
    for (name, kept_apart) in [("a,b, a,b", false), ("a,a", true), ("b,b", true)] {
        let expected = Some(Refusal::HeaderRepeated(Header::Name));
        assert_eq!(check(name, kept_apart), expected, "{name}");
    }
}

/// What the upstream is told, body and headers.
const CORRECTED: &str = "
| call   | v=2025-03-26 && method=tools/call && name=get && session=a
mcp-protocol-version: 2025-03-26 | call | v=2025-03-26, 2025-03-26
mcp-name: get | call | name=get, get
mcp-name: =?base64?Z2V0?= | call | name==?base64?Z2V0?=,=?base64?Z2V0?=
mcp-method: tools/call && mcp-name: get | call | method=tools/call && method=tools/call && name=get && name=get
mcp-session-id: a | call | session=a,a
content-type: application/json; charset=utf-8 | call | type=application/json; charset=utf-8,application/json; charset=UTF-8
| open | v=2025-03-26
mcp-protocol-version | open | v=26
mcp-protocol-version | open | v=
mcp-protocol-version | open | v=2025 03 26
mcp-protocol-version | open | v=2031-01-01, 2031-01-01
";

#[test]
fn the_upstream_gets_one_value_of_each_header() {
    for [expected, name, headers] in rows(CORRECTED) {
        let text = body(name);
        let payload = Payload::One(one(&text));
        let headers = MessageHeaders::collect(pairs(headers), false);
        let found = headers.corrections(Some(&payload));
        let found = found.iter().map(|(header, value)| match value {
            Some(value) => format!("{header}: {value}"),
            None => header.to_string(),
        });
        assert_eq!(found.collect::<Vec<_>>().join(" && "), expected, "{name}");
    }
}

#[test]
fn a_handshake_speaks_the_version_of_its_body() {
    let text = body("open");
    let payload = Payload::One(one(&text));
    for (header, expected) in [("2025-06-18", Some("2025-06-18")), ("2026-07-28", None)] {
        let headers = MessageHeaders::collect([("mcp-protocol-version", header)], true);
        let routing = headers.check_routing(Some(&payload)).unwrap();
        assert_eq!(routing.protocol_version, expected);
    }
}

/// Whether they agree, header lines between `&&` and the argument as JSON; `-` is none.
const PARAMS: &str = r#"
Ok(None) | | -
Ok(None) | | null
Ok(None) | | [1]
Ok(None) | | 1.5
Ok(None) | eu | "eu"
Ok(None) | =?base64?R3LDvMOfZQ==?= | "Grüße"
Ok(None) | =?base64??= | ""
Ok(None) | a, b | "a, b"
Ok(None) | =?base64?SGVsbG8= | "=?base64?SGVsbG8="
Ok(Some("eu")) | eu && eu | "eu"
Err(HeaderRepeated(Param))  | eu, eu | "eu"
Err(HeaderRepeated(Param))  | 5,5 | 5
Ok(None) | 5 | 5
Ok(None) | 5.0 | 5
Ok(None) | 5 | 5.0
Ok(None) | -5 | -5
Ok(None) | 18446744073709551615 | 18446744073709551615
Ok(None) | true | true
Err(HeaderMissing(Param))   | | "eu"
Err(HeaderMissing(Param))   | | ""
Err(HeaderMissing(Param))   | | false
Err(HeaderMissing(Param))   | | "\ud800"
Err(HeaderMismatch(Param))  | eu | -
Err(HeaderMismatch(Param))  | eu | null
Err(HeaderMismatch(Param))  | null | null
Err(HeaderMismatch(Param))  | us | "eu"
Err(HeaderMismatch(Param))  | EU | "eu"
Err(HeaderMismatch(Param))  | True | true
Err(HeaderMismatch(Param))  | 6 | 5
Err(HeaderMismatch(Param))  | 05x | 5
Err(HeaderMismatch(Param))  | 9007199254740993.0 | 9007199254740993
Err(HeaderMismatch(Param))  | 1 | [1]
Err(HeaderMismatch(Param))  | x | "\ud800"
Err(HeaderRepeated(Param))  | eu, us | "eu"
Err(HeaderRepeated(Param))  | eu && us | "eu"
Err(HeaderMalformed(Param)) | =?base64?***?= | "eu"
"#;

#[test]
fn headers_repeat_arguments() {
    for [expected, lines, argument] in rows(PARAMS) {
        let arguments = match argument {
            "-" => "{}".to_owned(),
            argument => format!(r#"{{"a":{argument}}}"#),
        };
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t","arguments":{arguments}}}}}"#
        );
        let message = one(&body);
        let arguments = message.arguments.as_ref().unwrap();
        let lines = lines.split("&&").map(str::trim);
        let lines = lines.filter(|line| !line.is_empty());
        let found = check_param(lines, true, arguments.member("a"));
        assert_eq!(format!("{found:?}"), expected, "{argument}");
    }
}

#[test]
fn requests_without_a_body_keep_session_and_version() {
    let pairs = [
        ("mcp-session-id", "s-1"),
        ("mcp-protocol-version", "2025-06-18"),
    ];
    let routing = MessageHeaders::collect(pairs, true)
        .check_routing(None)
        .unwrap();
    let expected = Routing {
        era: Era::Legacy,
        protocol_version: Some("2025-06-18"),
        session: Some("s-1"),
    };
    assert_eq!(routing, expected);
    let refusal = MessageHeaders::collect([("mcp-method", "ping")], true)
        .check_routing(None)
        .err();
    assert_eq!(refusal, Some(Refusal::HeaderMismatch(Header::Method)));
}

#[test]
fn the_modern_era_has_no_session() {
    let body = body("ping26");
    let pairs = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "server/discover"),
        ("mcp-session-id", "s"),
    ];
    assert_eq!(route(&body, &pairs), Ok((Era::Modern, None)));
}

/// Refusal and headers, of a body of seven bytes; `PLAIN` is the plain content type.
const CONTENT: &str = r#"
                | PLAIN
                | type=Application/JSON; charset=UTF-8
                | type=application/json ;charset="utf-8" ;
                | type=application/json;;charset="ut\f-8"
                | type=application/json; charset=UTF8
                | type=application/json; charset="utf8"; profile="https://example.com/a,b"
                | type=application/json; boundary=x
                | type=application/json;odata.metadata=minimal;q=0.5
                | PLAIN && PLAIN
                | type=application/json, Application/JSON ,application/json
                | type=application/json; charset=utf-8, application/json; charset=UTF-8
                | type=application/json; x="a,b", application/json; x="a,b"
ContentType     |
ContentType     | type=text/plain
ContentType     | type=application/json-patch+json
ContentType     | type=application/json; charset*=utf-16''x
ContentType     | type=application/json; x="; charset=utf-16"
ContentType     | type=application/json; x=charset
ContentType     | type=application/json; xcharset=utf-16
ContentType     | type=application/json; Charset =utf-8
ContentType     | type=application/json; x
ContentType     | type=application/json; =x
ContentType     | type=application/json; "x"=y
ContentType     | type=application/json; charset
ContentType     | type=application/json; charset="utf-8
ContentType     | type=application/json; charset=utf-8 x
ContentType     | type=application/json; charset=utf-8; charset=utf-8
Charset         | type=application/json; charset=utf-16
Charset         | type=application/json; charset=
HeaderMalformed(ContentType) | type=
HeaderRepeated(ContentType) | PLAIN && type=text/plain
HeaderRepeated(ContentType) | type=application/json, application/json; charset=utf-8
HeaderRepeated(ContentType) | type=application/json,
HeaderRepeated(ContentType) | type=application/json; x="a", application/json; x="b"
ContentType     | type=text/plain, text/plain
Charset         | type=application/json; charset='utf-8'
HeaderRepeated(ContentType) | type=application/json, text/plain
                | PLAIN && encoding=Identity
ContentEncoding | PLAIN && encoding=gzip
HeaderRepeated(ContentEncoding)  | PLAIN && encoding=identity,gzip
HeaderRepeated(ContentEncoding)  | PLAIN && encoding=identity,identity
HeaderRepeated(ContentLength)    | PLAIN && length=7,7
HeaderRepeated(ContentLength)    | PLAIN && length=7 && length=7
HeaderMalformed(ContentEncoding) | PLAIN && encoding=
                | PLAIN && length=7
ContentLength   | PLAIN && length=8
ContentLength   | PLAIN && length=+7
ContentLength   | PLAIN && length=99999999999999999999999
"#;

#[test]
fn checks_the_headers_of_the_body() {
    for [expected, cell] in rows(CONTENT) {
        let cell = cell.replace("PLAIN", "type=application/json");
        let found = MessageHeaders::collect(pairs(&cell), true)
            .check_content(7)
            .err();
        let found = found
            .map(|refusal| format!("{refusal:?}"))
            .unwrap_or_default();
        assert_eq!(found, expected, "{cell}");
    }
}

#[test]
fn refusals_know_their_code_and_data() {
    assert_eq!(Refusal::TrailingData.rpc_code(Era::Legacy), -32700);
    assert_eq!(Refusal::DuplicateKey.rpc_code(Era::Modern), -32600);
    let refusal = Refusal::ProtocolVersionUnsupported {
        requested: Some("2027-01-01".into()),
    };
    assert_eq!(refusal.requested_version(), Some("2027-01-01"));
    assert_eq!(Refusal::Bom.requested_version(), None);
}

#[test]
fn answers_repeat_the_id_byte_for_byte() {
    let body = r#"{"jsonrpc":"2.0","id":"\u0061\/é","method":"ping"}"#;
    let id = one(body).kind.reply_id();
    assert_eq!(
        reply::error(id, 403, "denied", Some(&json!({"reason": "x\"y"}))),
        r#"{"jsonrpc":"2.0","id":"\u0061\/é","error":{"code":403,"data":{"reason":"x\"y"},"message":"denied"}}"#
    );
    let text = reply::error(None, -32700, "m", None::<&()>);
    assert_eq!(
        text,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}"#
    );
    let tool = reply::tool_error(id.unwrap(), "no", &json!({"reason": "r"}), true);
    assert_eq!(
        tool,
        r#"{"jsonrpc":"2.0","id":"\u0061\/é","result":{"_meta":{"reason":"r"},"content":[{"text":"no","type":"text"}],"isError":true,"resultType":"complete"}}"#
    );
    let legacy = reply::tool_error(id.unwrap(), "no", &json!({}), false);
    assert_eq!(
        legacy,
        r#"{"jsonrpc":"2.0","id":"\u0061\/é","result":{"_meta":{},"content":[{"text":"no","type":"text"}],"isError":true}}"#
    );
    assert_eq!(
        reply::batch(&[text.clone(), text.clone()]),
        format!("[{text},{text}]")
    );
    assert_eq!(reply::batch(&[]), "");
}

#[test]
fn a_session_id_has_a_maximum_length() {
    for (length, is_taken) in [(1, true), (1024, true), (1025, false)] {
        let id = "s".repeat(length);
        let headers = MessageHeaders::collect([("mcp-session-id", id.as_str())], true);
        let routed = headers.check_routing(None);
        let claimed = headers.claimed_routing().session;
        if is_taken {
            assert_eq!(routed.unwrap().session, Some(&*id));
            assert_eq!(claimed, Some(&*id));
        } else {
            let refused = Refusal::HeaderMalformed(Header::SessionId);
            assert_eq!(routed, Err(refused), "{length}");
            assert_eq!(claimed, None);
        }
    }
}
