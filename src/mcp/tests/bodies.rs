//! Bodies and their refusals.

use super::*;
use crate::authz::Value;

/// A request with these members in `params`.
fn call(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{{params}}}}}"#)
}

fn default(_: &mut DecodeOptions) {}

#[test]
fn refuses_what_is_no_json() {
    let rows: &[(&[u8], Refusal)] = &[
        (b"", Refusal::IncompleteJson),
        (b" \n", Refusal::IncompleteJson),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"pi"#,
            Refusal::IncompleteJson,
        ),
        (b"\xEF\xBB\xBF{}", Refusal::Bom),
        (b"\xFF\xFE{\0}\0", Refusal::NotUtf8),
        (b"{\"a\":\"\xC3\x28\"}", Refusal::NotUtf8),
        (b"{\"\xC3\x28\":1}", Refusal::NotUtf8),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":\"\xFF\",\"method\":\"ping\"}",
            Refusal::NotUtf8,
        ),
        (b"{} \xFF", Refusal::NotUtf8),
        (b"{\0\"\0", Refusal::InvalidJson),
        (b"{a:1}", Refusal::InvalidJson),
        (b"{\"a\":NaN}", Refusal::InvalidJson),
        (b"{\"a\":1e999}", Refusal::InvalidJson),
        (b"{\"a\":01}", Refusal::InvalidJson),
        (b"{\"a\":1,}", Refusal::InvalidJson),
        (b"{\"\\udc00\":1}", Refusal::InvalidJson),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":\"\\ud800\",\"method\":\"ping\"}",
            Refusal::InvalidJson,
        ),
        (b"/**/{}", Refusal::InvalidJson),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}{}",
            Refusal::TrailingData,
        ),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\0",
            Refusal::TrailingData,
        ),
        (b"1", Refusal::NotAnObject),
        (b"null", Refusal::NotAnObject),
        (b"\"tools/call\"", Refusal::NotAnObject),
    ];
    for (body, expected) in rows {
        let text = String::from_utf8_lossy(body);
        assert_eq!(refusal(body, default).as_ref(), Some(expected), "{text}");
    }
}

/// Refusal and the members of `params`.
const AMBIGUOUS: &str = r#"
DuplicateKey | "name":"a","name":"b"
DuplicateKey | "name":"a","n\u0061me":"b"
DuplicateKey | "name":"a","arguments":{"x":[{"y":1,"y":1}]}
DuplicateKey | "name":"a","other":{"x":1,"x":1}
DuplicateKey | "name":"a","arguments":{MANY"k7":1}
FoldedKey    | "name":"a","arguments":{MANY"K7":1}
FoldedKey    | "name":"a","arguments":{"owner":1,"Owner":1}
FoldedKey    | "name":"a","arguments":{"ſ":1,"s":1}
FoldedKey    | "name":"a","arguments":{"\u212a":1,"k":1}
FoldedKey    | "name":"a","arguments":{"K":1,"\u212a":1}
FoldedKey    | "name":"a","arguments":{"\u212a":1,"K":1}
FoldedKey    | "name":"a","arguments":{MANY"\u212a7":1}
FoldedKey    | "name":"a","arguments":{"Ä":1,"ä":1}
FoldedKey    | "name":"a","arguments":{"straße":1,"STRASSE":1}
FoldedKey    | "name":"a","x":{"y":{"B":1,"b":1}}
FoldedKey    | "name":"a","_meta":{"io.modelcontextprotocol/x":1,"io.modelcontextprotocol/X":1}
FoldedMember | "name":"a","Name":"b"
FoldedMember | "Name":"a"
FoldedMember | "name":"a","argumentſ":{}
FoldedMember | "name":"a","_META":{}
FoldedMember | "name":"a","_meta":{"ProgressToken":1}
FoldedMember | "name":"a","_meta":{"io.modelcontextprotocol/protocolversion":"x"}
FoldedMember | "name":"a","_meta":{"IO.modelcontextprotocol/x":"x"}
FoldedMember | "name":"a","ref":{"URI":"x"}
FoldedMember | "notifications":{"resourcesubscriptions":[]}
FoldedMember | "argument":{"Value":1}
FoldedMember | "context":{"Arguments":{}}
FoldedMember | "task":{"TTL":1}
NulInKey     | "name\u0000":"a"
NulInKey     | "name":"a","arguments":{"\u0000":1}
"#;

#[test]
fn refuses_ambiguous_keys() {
    let many: Vec<String> = (0..40).map(|n| format!(r#""k{n}":0,"#)).collect();
    for [expected, params] in rows(AMBIGUOUS) {
        let body = call(&params.replace("MANY", &many.concat()));
        let found = refusal(body.as_bytes(), default).unwrap();
        assert_eq!(format!("{found:?}"), expected, "{body}");
    }
    let body = br#"{"JSONRPC":"2.0","id":1,"method":"ping"}"#;
    assert_eq!(refusal(body, default), Some(Refusal::FoldedMember));
}

#[test]
fn accepts_folded_keys_only_inside_arguments_and_only_if_configured() {
    let rows = [
        (
            call(r#""name":"a","arguments":{"a":1,"A":{"b":1,"B":[{"c":1,"C":1}]}}"#),
            None,
        ),
        (
            call(r#""name":"a","arguments":{"a":1,"a":1}"#),
            Some(Refusal::DuplicateKey),
        ),
        (
            call(r#""name":"a","arguments":{"a":1,"\u0061":1}"#),
            Some(Refusal::DuplicateKey),
        ),
        (
            call(r#""name":"a","arguments":{"\u0000":1}"#),
            Some(Refusal::NulInKey),
        ),
        (
            call(r#""name":"a","x":{"a":1,"A":1}"#),
            Some(Refusal::FoldedKey),
        ),
        (
            call(r#""name":"a","Arguments":{}"#),
            Some(Refusal::FoldedMember),
        ),
        (
            call(r#""name":"a","_meta":{"a":1,"A":1}"#),
            Some(Refusal::FoldedKey),
        ),
    ];
    for (body, expected) in rows {
        let found = refusal(body.as_bytes(), |options| {
            options.accept_folded_arguments = true;
        });
        assert_eq!(found, expected, "{body}");
    }
    // Names of protocol members are ordinary keys in `arguments`.
    let body = call(r#""name":"a","arguments":{"Name":1,"METHOD":1}"#);
    assert_eq!(refusal(body.as_bytes(), default), None);
}

/// Refusal and body.
const ENVELOPES: &str = r#"
JsonrpcVersion | {"id":1,"method":"ping"}
JsonrpcVersion | {"jsonrpc":2.0,"id":1,"method":"ping"}
JsonrpcVersion | {"jsonrpc":"2","id":1,"method":"ping"}

MethodMissing    | {"jsonrpc":"2.0","id":1}
MethodMissing    | {"jsonrpc":"2.0","id":1,"error":null}
MethodNotString  | {"jsonrpc":"2.0","id":1,"method":7}
MethodNotString  | {"jsonrpc":"2.0","id":1,"method":null}
MethodReserved   | {"jsonrpc":"2.0","id":1,"method":"response"}
MethodReserved   | {"jsonrpc":"2.0","id":1,"method":"GET"}
MethodReserved   | {"jsonrpc":"2.0","id":1,"method":"DELETE"}
MethodWithResult | {"jsonrpc":"2.0","id":1,"method":null,"result":{}}
MethodWithResult | {"jsonrpc":"2.0","id":1,"method":"ping","result":{}}
MethodWithResult | {"jsonrpc":"2.0","id":1,"method":"ping","result":null}
MethodWithResult | {"jsonrpc":"2.0","id":1,"method":"ping","result":null,"error":null}
MethodWithResult | {"jsonrpc":"2.0","id":1,"method":"ping","error":{}}
MethodWithResult | {"jsonrpc":"2.0","id":1,"method":"ping","error":false}

ResponseMalformed | {"jsonrpc":"2.0","id":1,"result":{},"error":{}}
ResponseMalformed | {"jsonrpc":"2.0","result":{}}
ResponseMalformed | {"jsonrpc":"2.0","id":1,"result":[]}
ResponseMalformed | {"jsonrpc":"2.0","result":null}
ResponseMalformed | {"jsonrpc":"2.0","id":1,"error":"x"}
ResponseMalformed | {"jsonrpc":"2.0","id":1,"result":{},"params":{}}
IdInvalid         | {"jsonrpc":"2.0","id":null,"result":{}}

IdMissing | {"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"}}
IdMissing | {"jsonrpc":"2.0","method":"initialize"}

ParamsInvalid | {"jsonrpc":"2.0","id":1,"method":"ping","params":""}
ParamsInvalid | {"jsonrpc":"2.0","id":1,"method":"tools/list","params":[null]}
ParamsInvalid | {"jsonrpc":"2.0","id":1,"method":"ping","params":[]}
SelectorMissing | {"jsonrpc":"2.0","id":1,"method":"tools/call","params":null}
ProtocolVersionInvalid | {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}}
"#;

#[test]
fn refuses_malformed_envelopes() {
    for [expected, body] in rows(ENVELOPES) {
        let found = refusal(body.as_bytes(), default).unwrap();
        assert_eq!(format!("{found:?}"), expected, "{body}");
    }
}

/// Bodies in which a member of null is as one that is absent, with the bodies without it.
const NULLS: &str = r#"
{"jsonrpc":"2.0","id":1,"method":"ping","params":null} | {"jsonrpc":"2.0","id":1,"method":"ping"}
{"jsonrpc":"2.0","id":1,"method":"ping","error":null} | {"jsonrpc":"2.0","id":1,"method":"ping"}
{"jsonrpc":"2.0","method":"notifications/initialized","params":null} | {"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":null}} | {"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}
{"jsonrpc":"2.0","id":1,"method":"vendor/x","params":null} | {"jsonrpc":"2.0","id":1,"method":"vendor/x"}
{"jsonrpc":"2.0","id":1,"result":{"a":1},"error":null} | {"jsonrpc":"2.0","id":1,"result":{"a":1}}
{"jsonrpc":"2.0","id":1,"result":null,"error":{}} | {"jsonrpc":"2.0","id":1,"error":{}}
{"jsonrpc":"2.0","id":1,"result":null} | {"jsonrpc":"2.0","id":1,"error":{}}
{"jsonrpc":"2.0","id":1,"result":null,"error":null,"params":null} | {"jsonrpc":"2.0","id":1,"error":{}}
{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":null,"taskIds":null}}} | {"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":null}}
{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"a","uri":null}}} | {"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"a"}}}
"#;

#[test]
fn null_is_as_absent_where_nothing_runs_by_it() {
    for [with, without] in rows(NULLS) {
        assert_eq!(one(with), one(without), "{with}");
    }
}

/// Bodies with half of a surrogate pair where it decides something.
const HALVES: &str = r#"
{"jsonrpc":"2.0","id":1,"method":"tools/\ud800"}
{"jsonrpc":"2.0","id":"\ud800","method":"ping"}
{"jsonrpc":"2.0","id":"\ud800","result":{}}
{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a\udc00"}}
{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"x:\ud800"}}
{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"\ud800"}}
{"jsonrpc":"2.0","id":1,"method":"vendor/x","params":{"name":"\ud800"}}
{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"\ud800"}}}
{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["\ud800"]}}}
{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"\ud800":1}}}
{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"b":[{"\ud800":1}]}}}
{"jsonrpc":"2.0","id":1,"method":"ping","x":{"\ud800":1}}
{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"\ud800"}}
{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"\ud800"}}}
"#;

#[test]
fn half_of_a_surrogate_pair_is_refused_where_it_decides() {
    for body in HALVES.trim().lines() {
        let found = refusal(body.as_bytes(), default);
        assert_eq!(found, Some(Refusal::InvalidJson), "{body}");
    }
    let body = call(r#""name":"a","arguments":{"b":"x\ud800","c":"d"}"#);
    let message = one(&body);
    let arguments = message.arguments.unwrap();
    assert_eq!(
        arguments.member("b"),
        Some(&Value::Unsound("x\\ud800".into()))
    );
    assert_eq!(arguments.member("c").and_then(Value::as_str), Some("d"));
    // Nothing of it is looked at.
    one(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"\ud800"},"x":["\udfff"]}"#,
    );
}

/// Refusal, method and the members of `params`.
const PARAMS: &str = r#"
SelectorMissing   | tools/call | "arguments":{}
SelectorNotString | tools/call | "name":null
SelectorNotString | tools/call | "name":7
SelectorNotString | tools/call | "name":["a"]
ArgumentsInvalid  | tools/call | "name":"a","arguments":[]
ArgumentsInvalid  | tools/call | "name":"a","arguments":"{}"
ArgumentsInvalid  | vendor/x   | "arguments":1
MetaInvalid       | tools/call | "name":"a","_meta":[]
ProtocolVersionInvalid | tools/call | "name":"a","_meta":{"io.modelcontextprotocol/protocolVersion":1}

SelectorMissing   | prompts/get         | "uri":"x"
SelectorMissing   | resources/read      | "name":"x"
SelectorNotString | resources/subscribe | "uri":{}
SelectorNotString | tasks/get           | "taskId":1

SelectorMissing   | completion/complete |
ReferenceInvalid  | completion/complete | "ref":"x"
ReferenceInvalid  | completion/complete | "ref":{"type":"ref/tool","name":"x"}
ReferenceInvalid  | completion/complete | "ref":{"type":"ref/prompt","name":"x","uri":"y"}
SelectorNotString | completion/complete | "ref":{"type":1,"name":"x"}
SelectorMissing   | completion/complete | "ref":{"name":"x"}
SelectorMissing   | completion/complete | "ref":{"type":"ref/resource"}
ArgumentsInvalid  | completion/complete | "ref":{"type":"ref/prompt","name":"x"},"context":{"arguments":[]}

SelectorNotString | subscriptions/listen | "notifications":[]
SelectorNotString | subscriptions/listen | "notifications":{"resourceSubscriptions":"x"}
SelectorNotString | subscriptions/listen | "notifications":{"resourceSubscriptions":[null]}
SelectorNotString | subscriptions/listen | "notifications":{"taskIds":["x",1]}
"#;

#[test]
fn refuses_malformed_params() {
    for [expected, method, params] in rows(PARAMS) {
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params}}}}}"#);
        let found = refusal(body.as_bytes(), default).unwrap();
        assert_eq!(format!("{found:?}"), expected, "{body}");
    }
}

#[test]
fn echoes_ids_and_refuses_unsafe_ones() {
    let good = [
        "0",
        "-7",
        "9007199254740991",
        "-9007199254740991",
        r#""""#,
        r#""007""#,
        r#""\u0061\/\"é""#,
        r#""null""#,
    ];
    for id in good {
        let body = format!(r#"{{"method":"ping","id" : {id} ,"jsonrpc":"2.0"}}"#);
        let answered = one(&body).kind.reply_id().map(|id| id.lexeme().to_owned());
        assert_eq!(answered.as_deref(), Some(id));
    }
    let long = |bytes: usize| format!("\"{}\"", "x".repeat(bytes));
    let escaped = format!("\"{}\"", "\\u0061".repeat(43));
    for (id, refusal) in [
        (long(256), None),
        (long(257), Some(Refusal::IdTooLong)),
        (long(1 << 20), Some(Refusal::IdTooLong)),
        (escaped, Some(Refusal::IdTooLong)),
        ("9".repeat(257), Some(Refusal::IdInvalid)),
    ] {
        for rest in [r#""method":"ping""#, r#""result":{}"#] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":{id},{rest}}}"#);
            let decoded = decode(body.as_bytes(), &DecodeOptions::default());
            let refused = decoded.err();
            assert_eq!(refused.as_ref().and_then(|one| one.id), None, "{rest}");
            assert_eq!(refused.map(|one| one.refusal), refusal, "{rest}");
        }
    }
    let bad = [
        "null",
        "true",
        "{}",
        "[1]",
        "1.0",
        "1e3",
        "1E0",
        "-0",
        "0.5",
        "9007199254740992",
        "-9007199254740992",
        "123456789012345678901234567890",
    ];
    for id in bad {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        let refused = decode(body.as_bytes(), &DecodeOptions::default()).unwrap_err();
        let expected = RefusedBody {
            refusal: Refusal::IdInvalid,
            id: None,
            method: Some("ping".into()),
        };
        assert_eq!(refused, expected, "{id}");
    }
}

#[test]
fn limits_depth() {
    // The message and `params` are two levels; each array adds one.
    let nested = |levels: usize| {
        let arrays = levels - 2;
        call(&format!(
            r#""name":"a","x":{}{}"#,
            "[".repeat(arrays),
            "]".repeat(arrays)
        ))
    };
    let max = |n: usize| move |options: &mut DecodeOptions| options.json_depth_max = n;
    assert_eq!(refusal(nested(64).as_bytes(), default), None);
    assert_eq!(
        refusal(nested(65).as_bytes(), default),
        Some(Refusal::TooDeep)
    );
    assert_eq!(
        refusal(nested(10_000).as_bytes(), default),
        Some(Refusal::TooDeep)
    );
    assert_eq!(
        refusal(nested(3).as_bytes(), max(2)),
        Some(Refusal::TooDeep)
    );
    assert_eq!(refusal(nested(126).as_bytes(), max(1000)), None);
    assert_eq!(
        refusal(nested(127).as_bytes(), max(1000)),
        Some(Refusal::TooDeep)
    );
    assert_eq!(
        refusal(nested(200).as_bytes(), max(1000)),
        Some(Refusal::TooDeep)
    );
    let objects = call(&format!(
        r#""x":{}1{}"#,
        r#"{"y":"#.repeat(63),
        "}".repeat(63)
    ));
    assert_eq!(refusal(objects.as_bytes(), default), Some(Refusal::TooDeep));
}

#[test]
fn limits_lengths() {
    let request = |method: &str, params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params}}}}}"#)
    };
    let at = |n: usize| "x".repeat(n);
    let rows = [
        (request(&at(256), ""), None),
        (request(&at(257), ""), Some(Refusal::NameTooLong)),
        (call(&format!(r#""name":"{}""#, at(256))), None),
        (
            call(&format!(r#""name":"{}""#, at(257))),
            Some(Refusal::NameTooLong),
        ),
        (
            request("tasks/get", &format!(r#""taskId":"{}""#, at(257))),
            Some(Refusal::NameTooLong),
        ),
        (
            request("resources/read", &format!(r#""uri":"{}""#, at(8192))),
            None,
        ),
        (
            request("resources/read", &format!(r#""uri":"{}""#, at(8193))),
            Some(Refusal::UriTooLong),
        ),
        (
            request("vendor/x", &format!(r#""uri":"{}""#, at(8193))),
            Some(Refusal::UriTooLong),
        ),
        (
            request(
                "subscriptions/listen",
                &format!(
                    r#""notifications":{{"resourceSubscriptions":[{}"b"]}}"#,
                    r#""a","#.repeat(256)
                ),
            ),
            Some(Refusal::TooManySubscriptions),
        ),
    ];
    for (body, expected) in rows {
        assert_eq!(refusal(body.as_bytes(), default), expected, "{body}");
    }
}

#[test]
fn refuses_lost_bytes_in_names_but_not_in_values() {
    let rows = [
        (call(r#""name":"a!""#), true),
        (call(r#""name":"a\u0021""#), true),
        (call(r#""name":"a","arguments":{"b!":1}"#), true),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping!"}"#.to_owned(), true),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"!"}}"#.to_owned(),
            true,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/resource","uri":"!"}}}"#.to_owned(),
            true,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"taskIds":["!"]}}}"#.to_owned(),
            true,
        ),
        (call(r#""name":"a","arguments":{"b":"hello!"}"#), false),
        (r#"{"jsonrpc":"2.0","id":"!","method":"ping"}"#.to_owned(), false),
    ];
    for (body, is_refused) in rows {
        let replaced = [
            body.clone(),
            body.replace('!', "\u{fffd}"),
            body.replace('!', r"\ufffd").replace(r"\u0021", r"\uFFFD"),
        ];
        for body in replaced {
            let found = refusal(body.as_bytes(), |options| options.lossy = true);
            assert_eq!(found, is_refused.then_some(Refusal::LossyText), "{body}");
            assert_eq!(refusal(body.as_bytes(), default), None, "{body}");
        }
    }
}

#[test]
fn judges_batches() {
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    let modern = r#"{"jsonrpc":"2.0","id":2,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
    let rows = [
        (0, "[]".to_owned(), Some(Refusal::BatchNotAllowed)),
        (0, format!("[{ping}]"), Some(Refusal::BatchNotAllowed)),
        (2, "[]".to_owned(), Some(Refusal::BatchEmpty)),
        (2, format!("[{ping},{answer}]"), None),
        (2, format!("[{ping},{answer},{ping}]"), Some(Refusal::BatchTooLarge)),
        (2, format!("[{ping},{ping}]"), Some(Refusal::BatchDuplicateId)),
        (2, format!("[{answer},{answer}]"), Some(Refusal::BatchDuplicateId)),
        (
            2,
            r#"[{"jsonrpc":"2.0","id":"a","method":"ping"},{"jsonrpc":"2.0","id":"\u0061","method":"ping"}]"#
                .to_owned(),
            Some(Refusal::BatchDuplicateId),
        ),
        (2, format!("[{ping},{modern}]"), Some(Refusal::BatchModern)),
        (
            2,
            r#"[{"jsonrpc":"2.0","id":1,"method":"initialize"}]"#.to_owned(),
            Some(Refusal::BatchInitialize),
        ),
        (2, format!("[{ping},[{ping}]]"), Some(Refusal::NotAnObject)),
        (2, format!("[{ping},1]"), Some(Refusal::NotAnObject)),
        (2, format!("[{ping},{{}}]"), Some(Refusal::JsonrpcVersion)),
        (2, r#"[{"Method":"ping"}]"#.to_owned(), Some(Refusal::FoldedMember)),
        (2, format!("[{ping}"), Some(Refusal::IncompleteJson)),
        (2, format!("[{ping}]1"), Some(Refusal::TrailingData)),
    ];
    for (batch_max, body, expected) in rows {
        let options = DecodeOptions {
            batch_max,
            ..DecodeOptions::default()
        };
        match (decode(body.as_bytes(), &options), expected) {
            (Ok(Payload::Batch(messages)), None) => assert_eq!(messages.len(), 2),
            (Err(refused), Some(refusal)) => {
                assert_eq!(
                    refused,
                    RefusedBody {
                        refusal,
                        id: None,
                        method: None
                    },
                    "{body}"
                );
            }
            (found, expected) => panic!("{body}: {found:?}, not {expected:?}"),
        }
    }
}

#[test]
fn keeps_the_certain_parts_of_a_refused_body() {
    let rows = [
        // An id after the fault is found.
        (
            r#"{"method":"tools/call","params":{"a":1,"a":1},"jsonrpc":"2.0","id":7}"#,
            Some("7"),
            Some("tools/call"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call"}"#,
            Some("7"),
            Some("tools/call"),
        ),
        (r#"{"jsonrpc":"2.0","id":7}"#, Some("7"), None),
        (
            r#"{"id":1,"id":2,"method":"ping","jsonrpc":"2.0"}"#,
            None,
            Some("ping"),
        ),
        (
            r#"{"id":1,"ID":2,"method":"ping","jsonrpc":"2.0"}"#,
            None,
            Some("ping"),
        ),
        (
            r#"{"id":1,"id\u0000":2,"method":"ping","jsonrpc":"2.0"}"#,
            None,
            Some("ping"),
        ),
        (
            r#"{"id":1,"method":"ping","m\u0065thod":"tools/call"}"#,
            Some("1"),
            None,
        ),
        (
            r#"{"id":1,"method":"ping","Method":"tools/call"}"#,
            Some("1"),
            None,
        ),
        (r#"{"id":1,"method":"ping","x":"#, None, Some("ping")),
        (
            r#"{"id":1,"method":"ping","jsonrpc":"2.0"} x"#,
            None,
            Some("ping"),
        ),
        (
            r#"{"id":1,"result":{},"error":{},"jsonrpc":"2.0"}"#,
            None,
            None,
        ),
    ];
    for (body, id, method) in rows {
        let refused = decode(body.as_bytes(), &DecodeOptions::default()).unwrap_err();
        assert_eq!(refused.id.map(|id| id.lexeme()), id, "{body}");
        assert_eq!(refused.method.as_deref(), method, "{body}");
    }
}

#[test]
fn a_hundred_thousand_keys_cost_linear_time() {
    use std::fmt::Write as _;
    let mut body = String::from(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":{"#);
    for n in 0..100_000 {
        write!(body, r#""K{n}":0,"#).unwrap();
    }
    let good = format!(r#"{body}"z":0}}}}}}"#);
    let bad = format!(r#"{body}"k99999":0}}}}}}"#);
    let unlimited = |options: &mut DecodeOptions| options.json_values_max = usize::MAX;
    assert_eq!(refusal(good.as_bytes(), unlimited), None);
    assert_eq!(refusal(bad.as_bytes(), unlimited), Some(Refusal::FoldedKey));
    assert_eq!(
        refusal(bad.as_bytes(), default),
        Some(Refusal::TooManyValues)
    );
}

#[test]
fn counts_values_and_keys_wherever_they_stand() {
    // The total number, and the text.
    let rows = [
        (
            11,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":0}}"#,
        ),
        (
            12,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":[0]}}"#,
        ),
        (
            13,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":{"a":0}}}"#,
        ),
        (
            13,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":["a",{}]}}"#,
        ),
        (
            13,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":null,"y":1.5}}"#,
        ),
        (
            11,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","x":{"y":true}}"#,
        ),
        (
            13,
            r#"{"jsonrpc":"2.0","id":1,"result":{"x":{"y":"text, [1], {}"},"z":[]}}"#,
        ),
    ];
    for (count, body) in rows {
        let limited = |max| {
            let limit = |options: &mut DecodeOptions| options.json_values_max = max;
            refusal(body.as_bytes(), limit)
        };
        assert_eq!(limited(count), None, "{body}");
        assert_eq!(limited(count - 1), Some(Refusal::TooManyValues), "{body}");
    }
    let batch = format!("[{},{}]", rows[0].1, rows[5].1.replace('1', "2"));
    let batches = |max| {
        move |options: &mut DecodeOptions| {
            options.batch_max = 2;
            options.json_values_max = max;
        }
    };
    assert_eq!(refusal(batch.as_bytes(), batches(23)), None);
    assert_eq!(
        refusal(batch.as_bytes(), batches(22)),
        Some(Refusal::TooManyValues)
    );
}

#[test]
fn text_beyond_the_limit_on_values_is_not_read() {
    let head = r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":["#;
    let zeros = "0,".repeat(100);
    let limit = |options: &mut DecodeOptions| options.json_values_max = 50;
    for tail in ["0]}}", "0]", "NaN", "0]},\"id\":2}"] {
        let body = format!("{head}{zeros}{tail}");
        let found = refusal(body.as_bytes(), limit);
        assert_eq!(found, Some(Refusal::TooManyValues), "{tail}");
    }
    let body = format!("{head}{zeros}0]}}}}");
    let options = DecodeOptions {
        json_values_max: 50,
        ..DecodeOptions::default()
    };
    let refused = decode(body.as_bytes(), &options).unwrap_err();
    assert_eq!(refused.id.map(|id| id.lexeme()), Some("1"));
    assert_eq!(refused.method.as_deref(), Some("ping"));
}

#[test]
fn borrows_unescaped_strings() {
    let body = call(r#""name":"get","arguments":{"plain":"x","esc\u0061ped":"\n"}"#);
    let message = one(&body);
    assert!(matches!(
        message.method,
        std::borrow::Cow::Borrowed("tools/call")
    ));
    let Some(Value::Map(members)) = message.arguments else {
        panic!("no object")
    };
    let owned = |n: usize| matches!(members[n].0, std::borrow::Cow::Owned(_));
    assert_eq!((members.len(), owned(0), owned(1)), (2, false, true));
    assert_eq!(members[1], ("escaped".into(), Value::String("\n".into())));
}

#[test]
fn ids_that_some_server_treats_as_equal_fold_to_one() {
    let folded = |lexeme: &str| Id::new(lexeme).unwrap().folded();
    for lexeme in [
        "7",
        "\"7\"",
        "\" 7\\t\"",
        "\"07\"",
        "\"+7\"",
        "\"7.0\"",
        "\"7.\"",
        "\"0x7\"",
        "\"0X07\"",
        "\"0b111\"",
        "\"0o7\"",
        "\"\\u0037\"",
    ] {
        assert_eq!(folded(lexeme), "7", "{lexeme}");
    }
    assert_eq!(folded("\"1_000\""), "1000");
    assert_eq!(folded("\"-7\""), folded("-7"));
    assert_eq!(folded("\"-0\""), folded("0"));
    let others = [
        "7",
        "-7",
        "70",
        "\"7a\"",
        "\"7.5\"",
        "\"7 7\"",
        "\"a\"",
        "\"A\"",
        "\"\"",
        "\"9007199254740993\"",
        "\"9007199254740992\"",
        "\"\\\"7\"",
        "\"123e4567-e89b-12d3-a456-426614174000\"",
    ];
    let folded: std::collections::HashSet<String> = others.iter().map(|id| folded(id)).collect();
    assert_eq!(folded.len(), others.len());
}
