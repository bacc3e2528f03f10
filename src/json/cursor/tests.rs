//! The grammar, compared with `serde_json` and by itself.

use serde_json::error::Category;

use super::*;
use crate::json::decode::Json;
use proptest::prelude::*;

/// Whether half of a surrogate pair stands somewhere in a value, which `serde_json` refuses.
fn is_unsound(value: &Value<'_>) -> bool {
    match value {
        Value::Unsound(_) => true,
        Value::List(items) => items.iter().any(is_unsound),
        Value::Map(members) => members.iter().any(|(_, value)| is_unsound(value)),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Uint(_)
        | Value::Float(_)
        | Value::String(_) => false,
    }
}

/// How `serde_json` decodes a text, in the same order and with the same kinds of numbers. `None` if
/// an object has a duplicate key, which a cursor does not check.
fn theirs(text: &str) -> Option<Result<Value<'static>, Syntax>> {
    match serde_json::from_str::<Json<'static>>(text) {
        Ok(json) => Some(Ok(json.0.into_owned())),
        Err(error) => match error.classify() {
            Category::Eof => Some(Err(Syntax::Incomplete)),
            Category::Syntax | Category::Io => Some(Err(Syntax::Invalid)),
            Category::Data => None,
        },
    }
}

/// How the cursor decodes it.
fn ours(text: &str) -> Result<Value<'_>, Syntax> {
    let mut cursor = Cursor::new(text, usize::MAX);
    let value = read(&mut cursor)?;
    if cursor.is_at_end() {
        Ok(value)
    } else {
        Err(Syntax::Invalid)
    }
}

fn read<'a>(cursor: &mut Cursor<'a>) -> Result<Value<'a>, Syntax> {
    if cursor.opens(b'{')? {
        let mut members = Vec::new();
        let mut goes_on = !cursor.takes(b'}')?;
        while goes_on {
            members.push((cursor.key()?, read(cursor)?));
            goes_on = cursor.goes_on(b'}')?;
        }
        return Ok(Value::Map(members));
    }
    if cursor.opens(b'[')? {
        let mut items = Vec::new();
        let mut goes_on = !cursor.takes(b']')?;
        while goes_on {
            items.push(read(cursor)?);
            goes_on = cursor.goes_on(b']')?;
        }
        return Ok(Value::List(items));
    }
    cursor.scalar(true)
}

/// Skipping a text, and reading it without keeping, must give the same result as reading it.
fn check(text: &str) {
    let Some(expected) = theirs(text) else {
        return;
    };
    let found = ours(text);
    if found.as_ref().is_ok_and(is_unsound) {
        assert!(expected.is_err(), "{text:?}");
    } else if text.contains("\\u") {
        // `serde_json` requires four bytes before it inspects the first.
        assert_eq!(found.clone().ok(), expected.clone().ok(), "{text:?}");
    } else {
        assert_eq!(found, expected, "{text:?}");
    }
    if let (Ok(Value::Float(found)), Ok(Value::Float(expected))) = (&found, &expected) {
        // Zeros of either sign are equal.
        assert_eq!(found.to_bits(), expected.to_bits(), "{text:?}");
    }
    let mut cursor = Cursor::new(text, usize::MAX);
    let skipped = cursor.skip().and_then(|spelling| {
        if cursor.is_at_end() {
            Ok(spelling)
        } else {
            Err(Syntax::Invalid)
        }
    });
    let space = [' ', '\n', '\r', '\t'];
    assert_eq!(skipped, found.map(|_| text.trim_matches(space)), "{text:?}");
}

#[test]
fn the_grammar_is_that_of_serde_json() {
    let texts = r#"
null|true|false|nul|nulL|truex|tru|fals|falsE|t|n
0|-0|1|-1|10|01|-01|00|-|+1|.5|1.|1.5|-1.5e|1e|1e+|1E-|1e5|1E+5|1e-5|1.0|0.0|-0.0|0e0|0e999|1e999|-1e999|1e-999|1x|1.x|1ex|1e+x|-x|--1|1 2|0x1|1_0|Infinity|NaN
9223372036854775807|9223372036854775808|18446744073709551615|18446744073709551616|-9223372036854775808|-9223372036854775809|123456789012345678901234567890|0.1234567890123456789012345678901234567890|2.2250738585072014e-308|4.9e-324|1.7976931348623157e308|1.7976931348623159e308
""|"a"|"abcdefg"|"abcdefgh"|"abcdefghi"|"ä"|"日本語"|"😀"|"\u00e4"|"\u00E4"|"\ud83d\ude00"|"a\ud83d\ude00b"|"\ud83d"|"\ud83dx"|"\ud83d\n"|"\ud83d\u0041"|"\ude00"|"\ud83d\ud83d"|"\u12"|"\u12g4"|"\u+123"|"\u 123"|"\x"|"\"|"\|"|"a|"abcdefgh|"\"\\\/\b\f\n\r\t"|"a\"b"|"\u0000"|"\u001f"|"ab\u"|"\ud83d\|"\ud83d\u|'a'
[]|[1]|[1,2]|[1,]|[,1]|[1 2]|[|[1|[1,|]|[[]]|[[[]]|[]]|[1]]|[}|{]|[{]}
{}|{"a":1}|{"a":1,"b":2}|{"a":1,}|{,}|{"a"}|{"a",1}|{"a":}|{a:1}|{1:1}|{"a":1|{"a":|{"a"|{"a|{|{"a":1 "b":2}|{"a":{"b":[{"c":null}]}}|{"a" : 1 , "b" : [ 1 , 2 ] }|{}{}|{"a":1}}|/**/1|1//|#1
"#;
    for text in texts.split(['|', '\n']) {
        check(text);
        for space in [" ", "\n", "\r\t", "\u{a0}", "\u{b}", "\u{0}"] {
            check(&format!("{space}{text}"));
            check(&format!("{text}{space}"));
        }
    }
}

#[test]
fn plain_characters_are_recognized_at_any_position() {
    for length in 0..40 {
        for at in 0..length {
            for mark in 0..=0x7f_u8 {
                let mut text = "\"".to_owned();
                for index in 0..length {
                    let character = if index == at { char::from(mark) } else { 'ÿ' };
                    text.push(if index % 3 == 0 || index == at {
                        character
                    } else {
                        'x'
                    });
                }
                text.push('"');
                check(&text);
            }
        }
    }
}

#[test]
fn depth_costs_no_stack() {
    let deep = "[".repeat(200_000) + "1" + &"]".repeat(200_000);
    assert_eq!(Cursor::new(&deep, usize::MAX).skip(), Ok(deep.as_str()));
    let unclosed = "{\"a\":".repeat(200_000);
    assert_eq!(
        Cursor::new(&unclosed, usize::MAX).skip(),
        Err(Syntax::Incomplete)
    );
}

/// Pieces that often combine into texts that are nearly JSON.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\\",
            "\\u",
            "\\n",
            "\\ud83d",
            "\\ude00",
            "00e4",
            "\"a\"",
            "\"b\":",
            "\"key\": ",
            "null",
            "true",
            "false",
            "0",
            "-",
            "1",
            ".",
            "e",
            "E+",
            "12345678901234567890",
            " ",
            "\n",
            "ä",
            "😀",
            "\u{1}",
            "abcdefgh",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_the_text_is_it_is_read_as_serde_json_reads_it(text in pieces()) {
        check(&text);
    }

    #[test]
    fn numbers_are_those_of_serde_json(text in "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?") {
        check(&text);
    }

    #[test]
    fn texts_are_those_of_serde_json(text in any::<String>()) {
        check(&serde_json::to_string(&text).unwrap());
    }
}

/// Texts, and how they are written if they have half of a surrogate pair.
const HALVES: &[(&str, Option<&str>)] = &[
    (r#""\ud83d\ude00""#, None),
    (r#""\ud83d""#, Some(r"\ud83d")),
    (r#""\uDE00""#, Some(r"\uDE00")),
    (r#""a\ud83dx""#, Some(r"a\ud83dx")),
    (r#""\ud83d\n""#, Some(r"\ud83d\n")),
    (r#""\ud83d\ud83d\ude00""#, Some(r"\ud83d\ud83d\ude00")),
    (r#""\ude00\ud83d""#, Some(r"\ude00\ud83d")),
    (r#""\ud83d\u0041""#, Some(r"\ud83d\u0041")),
    (r#""\\ud83d""#, None),
];

#[test]
fn half_of_a_surrogate_pair_is_kept_as_it_is_written() {
    for (text, spelling) in HALVES {
        let found = ours(text).unwrap();
        match spelling {
            Some(spelling) => assert_eq!(found, Value::Unsound(Cow::Borrowed(*spelling))),
            None => assert!(matches!(found, Value::String(_)), "{text}"),
        }
        let key = format!("{{{text}:1}}");
        assert_eq!(ours(&key).is_err(), spelling.is_some(), "{key}");
    }
    for text in [
        r#""\ud83d\""#,
        r#""\ud83d\u""#,
        r#""\ud83d\u12""#,
        r#""\ud83d\u12g4""#,
    ] {
        assert!(ours(text).is_err(), "{text}");
    }
}
