use super::*;
use crate::mcp::decode;
use crate::mcp::message::{MessageKind, Payload};
use crate::mcp::options::DecodeOptions;
use proptest::prelude::*;

const NAME_BYTES_MAX: usize = 256;

fn seen(body: &[u8]) -> (Option<&str>, Option<String>) {
    let glance = glance(body, NAME_BYTES_MAX);
    let id = glance.id.map(|id| id.lexeme());
    (id, glance.method.map(Cow::into_owned))
}

/// Id, method and body; `-` for none.
const ROWS: &str = r#"
1    | ping | {"jsonrpc":"2.0","id":1,"method":"ping"}
1    | ping | {"method":"ping","params":{"a":[{"id":2,"method":"x"}],"b":"}"},"jsonrpc":"2.0","id":1}
"é"  | ping | {"id" : "é" , "method" : "ping"}
1    | ping | {"\u0069d":1,"m\u0065thod":"p\u0069ng"}
-    | ping | {"jsonrpc":"2.0","method":"ping"}
1    | -    | {"jsonrpc":"2.0","id":1}
1    | -    | {"jsonrpc":"2.0","id":1,"method":7}
-    | -    | {}
-    | ping | {"id":1,"id":2,"method":"ping"}
-    | ping | {"id":1,"ID":2,"method":"ping"}
-    | ping | {"\u0131d":1,"i\u0064\u0000":2,"method":"ping"}
-    | ping | {"Id":1,"method":"ping"}
1    | -    | {"id":1,"method":"ping","method":"tools/call"}
1    | -    | {"id":1,"method":"ping","Method":"tools/call"}
1    | -    | {"id":1,"method":null,"method":"ping"}
-    | ping | {"id":null,"method":"ping"}
-    | ping | {"id":1.0,"method":"ping"}
-    | ping | {"id":{"a":1},"method":"ping"}
-    | -    | {"jsonrpc":"2.0","id":1,"result":{}}
-    | -    | {"jsonrpc":"2.0","error":{},"id":1}
1    | ping | {"id":1,"method":"ping","result":{}}
-    | -    | [{"id":1,"method":"ping"}]
-    | -    | "ping"
-    | ping | {"id":1,"method":"ping"} {}
-    | ping | {"id":1,"method":"ping"
-    | ping | {"id":1,"method":"ping",}
-    | -    | {"id":1,"method":"ping
-    | -    | hello
"#;

#[test]
fn the_id_and_the_method_are_found() {
    for line in ROWS.lines().filter(|line| !line.is_empty()) {
        let columns: Vec<&str> = line.splitn(3, '|').map(str::trim).collect();
        let text = |column: &str| (column != "-").then(|| column.to_owned());
        let (id, method) = seen(columns[2].as_bytes());
        assert_eq!(id.map(str::to_owned), text(columns[0]), "{line}");
        assert_eq!(method, text(columns[1]), "{line}");
    }
    assert_eq!(seen(b""), (None, None));
    assert_eq!(seen(b"\xef\xbb\xbf{\"id\":1}"), (None, None));
    let lost = b"{\"id\":1,\"method\":\"ping\",\"a\":\"\xff\"}";
    assert_eq!(seen(lost), (None, Some("ping".to_owned())));
}

#[test]
fn text_after_the_beginning_is_not_read() {
    let ping = || Some("ping".to_owned());
    let long = "x".repeat(1 << 20);
    let early = format!(r#"{{"id":7,"method":"ping","params":{{"text":"{long}"}}}}"#);
    assert_eq!(seen(early.as_bytes()), (Some("7"), ping()));
    let late = format!(r#"{{"method":"ping","params":{{"text":"{long}"}},"id":7}}"#);
    assert_eq!(seen(late.as_bytes()), (None, ping()));
    // Faults after the beginning do not matter either.
    let odd = format!(r#"{{"id":7,"method":"ping","a":"{long}","id":8,}}"#);
    assert_eq!(seen(odd.as_bytes()), (Some("7"), ping()));
}

/// Wherever the text is cut, an id or a method that is cut with it is never reported.
#[test]
fn a_cut_member_is_not_taken_for_a_whole_one() {
    let members = r#""id":123456,"method":"ping","name":"é""#;
    for missing in 0..=members.len() + 2 {
        let blanks = " ".repeat(BYTES_SEEN - missing);
        let body = format!("{{{blanks}{members},\"rest\":[1,2,3]}}");
        let (id, method) = seen(body.as_bytes());
        assert!(matches!(id, None | Some("123456")), "{missing}: {id:?}");
        assert!(
            matches!(method.as_deref(), None | Some("ping")),
            "{missing}"
        );
        let is_seen = missing > r#""id":123456,"#.len();
        assert_eq!(id.is_some(), is_seen, "{missing}");
    }
}

#[test]
fn long_methods_and_ids_are_left_out() {
    let body = |id: usize, method: usize| {
        let (id, method) = ("i".repeat(id), "m".repeat(method));
        format!(r#"{{"id":"{id}","method":"{method}"}}"#)
    };
    let found = |id, method| {
        let body = body(id, method);
        let (id, method) = seen(body.as_bytes());
        (id.is_some(), method.is_some())
    };
    assert_eq!(found(256, 256), (true, true));
    assert_eq!(found(257, 257), (false, false));
}

proptest! {
    /// A message that decodes is seen as what it is. No other body gets an id that the decoder
    /// would not reply with.
    #[test]
    fn a_look_agrees_with_reading(
        members in prop::collection::vec(
            prop_oneof![
                Just(r#""jsonrpc":"2.0""#), Just(r#""id":1"#), Just(r#""id":"a""#),
                Just(r#""Id":2"#), Just(r#""id":null"#), Just(r#""method":"ping""#),
                Just(r#""method":"tools/call""#), Just(r#""method":1"#),
                Just(r#""params":{"name":"x"}"#), Just(r#""result":{}"#), Just(r#""x":1"#),
            ],
            0..6,
        ),
        end in prop_oneof![Just("}"), Just("} "), Just(""), Just("}x"), Just(",}")],
    ) {
        let body = format!("{{{}{end}", members.join(","));
        let glance = glance(body.as_bytes(), NAME_BYTES_MAX);
        match decode(body.as_bytes(), &DecodeOptions::default()) {
            Ok(Payload::One(message)) => {
                let is_response = matches!(message.kind, MessageKind::Response { .. });
                prop_assert_eq!(glance.id, message.kind.reply_id());
                prop_assert_eq!(glance.method, (!is_response).then_some(message.method));
            }
            Ok(Payload::Batch(_)) => prop_assert!(false, "a batch"),
            Err(refused) => {
                prop_assert_eq!(glance.id, refused.id, "{}", body);
            }
        }
    }
}
