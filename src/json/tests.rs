use aws_lc_rs::digest::SHA256;

use super::*;
use crate::authz::Value;

#[test]
fn values_keep_their_type() {
    let text = br#"{"a":[null,true,-1,9223372036854775808,1.5,"\u0061"],"b":{}}"#;
    let text_of_a = Value::String("a".into());
    assert_eq!(
        decode(text, 2),
        Ok(Value::Map(vec![
            (
                "a".into(),
                Value::List(vec![
                    Value::Null,
                    Value::Bool(true),
                    Value::Int(-1),
                    Value::Uint(9_223_372_036_854_775_808),
                    Value::Float(1.5),
                    text_of_a,
                ])
            ),
            ("b".into(), Value::Map(vec![])),
        ]))
    );
}

#[test]
fn faults_are_told_apart() {
    let rows: &[(&[u8], InvalidJson)] = &[
        (b"", InvalidJson::Syntax),
        (b"{} {}", InvalidJson::Syntax),
        (b"\xef\xbb\xbf{}", InvalidJson::Syntax),
        (b"{\"a\":NaN}", InvalidJson::Syntax),
        (b"{\"a\":1e999}", InvalidJson::Syntax),
        (b"{\"a\":\"\xff\"}", InvalidJson::Syntax),
        (b"[[[]]]", InvalidJson::TooDeep),
        (b"{\"a\":{\"b\":{}}}", InvalidJson::TooDeep),
        (b"{\"a\":1,\"a\":1}", InvalidJson::DuplicateKey),
        (b"{\"a\":1,\"\\u0061\":2}", InvalidJson::DuplicateKey),
        (b"[{\"b\":1,\"c\":2,\"b\":3}]", InvalidJson::DuplicateKey),
    ];
    for (text, fault) in rows {
        assert_eq!(
            decode(text, 2),
            Err(*fault),
            "{}",
            String::from_utf8_lossy(text)
        );
    }
}

#[test]
fn extreme_nesting_is_refused_without_deep_recursion() {
    assert_eq!(
        decode("[".repeat(100_000).as_bytes(), 64),
        Err(InvalidJson::TooDeep)
    );
}

#[test]
fn strings_are_digested_as_they_are_written() {
    for text in [
        "", "plain", "a\"b", "a\\b", "a/b", "\n", "\u{1f}", "\u{7f}", "é",
    ] {
        let written = serde_json::to_string(text).unwrap();
        let digest = aws_lc_rs::digest::digest(&SHA256, written.as_bytes());
        let mut room = [0; 64];
        let expected = format!("sha256:{}", hex(digest.as_ref(), &mut room));
        assert_eq!(
            super::digest(&Value::String(text.into())),
            expected,
            "{text:?}"
        );
    }
}

#[test]
fn the_length_of_a_string_is_that_of_its_json() {
    for character in ('\0'..='\u{100}').chain(['語', '\u{2028}', '\u{1f600}', char::MAX]) {
        let text = format!("a{character}");
        let written = serde_json::to_string(&text).unwrap();
        assert_eq!(written_length(&text), written.len() - 2, "{character:?}");
    }
    assert_eq!(written_length(""), 0);
}

#[test]
fn a_digest_is_of_the_canonical_text_however_long_it_is() {
    for length in [0, 1, 505, 510, 511, 512, 513, 1000, 1023, 1024, 1025, 5000] {
        let text = "x".repeat(length);
        let member = |number: usize| (format!("{number:02}").into(), Value::Int(1));
        let mut members: Vec<_> = (0..40).rev().map(member).collect();
        members.push(("z".into(), Value::String(text.clone().into())));
        let names = (0..40).map(|number| format!("\"{number:02}\":1,"));
        let names: String = names.collect();
        let canonical = format!("{{{names}\"z\":\"{text}\"}}");
        let expected = aws_lc_rs::digest::digest(&SHA256, canonical.as_bytes());
        let mut room = [0; 64];
        let expected = format!("sha256:{}", hex(expected.as_ref(), &mut room));
        assert_eq!(digest(&Value::Map(members)), expected, "{length}");
    }
    assert_eq!(hex(&[0x0f, 0xa0], &mut [0; 4]), "0fa0");
}
