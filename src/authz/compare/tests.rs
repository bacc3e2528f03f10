use std::borrow::Cow;

use super::*;
use crate::json::Json;

fn value(text: &str) -> Value<'static> {
    let Json(value) = serde_json::from_str(text).unwrap();
    value.into_owned()
}

fn compare(named: &str, sent: &str) -> Match {
    equals(&value(named), &value(sent))
}

#[test]
fn a_boolean_is_far_only_from_the_other_one() {
    for sent in [
        "1",
        "0",
        "5",
        "\"true\"",
        "\"false\"",
        "\"no\"",
        "\"x\"",
        "null",
        "[]",
        "[false]",
        "{}",
        "\"\"",
        "1.0",
    ] {
        assert_eq!(compare("true", sent), Match::Indeterminate, "{sent}");
        assert_eq!(compare("false", sent), Match::Indeterminate, "{sent}");
    }
    assert_eq!(compare("true", "true"), Match::Yes);
    assert_eq!(compare("true", "false"), Match::No);
}

#[test]
fn numbers_are_far_where_every_reading_differs() {
    use Match::{Indeterminate, No, Yes};
    for (named, sent, expected) in [
        ("5", "5", Yes),
        ("5", "5.0", Yes),
        ("5", "5e0", Yes),
        ("5", "6", No),
        ("5", "5.5", Indeterminate),
        ("5", "-5", No),
        ("5", "4.9", No),
        ("5", "\"5\"", Indeterminate),
        ("5", "\"x5\"", Indeterminate),
        ("5", "\"five\"", No),
        ("5", "\"٥\"", Indeterminate),
        ("5", "true", No),
        ("1", "true", Indeterminate),
        ("0", "false", Indeterminate),
        ("0", "null", Indeterminate),
        ("5", "null", No),
        ("0", "\"\"", Indeterminate),
        ("5", "\"\"", No),
        ("0", "\" \"", Indeterminate),
        ("0", "\"null\"", Indeterminate),
        ("0", "[]", Indeterminate),
        ("5", "[]", No),
        ("5", "[5]", Indeterminate),
        ("5", "[[\"5\"]]", Indeterminate),
        ("5", "[6]", No),
        ("5", "[5,5]", No),
        ("5", "{}", No),
        ("5", "{\"$eq\": 5}", Indeterminate),
        ("9007199254740992", "9007199254740993", Indeterminate),
        ("9007199254740992", "9007199254740999", No),
        ("9007199254740992", "9007199254740992.0", Yes),
        ("1152921504606846976", "1152921504606846980", Indeterminate),
        ("0.7", "0.7", Yes),
        ("0.7", "0.2", Indeterminate),
        ("0.7", "1.2", No),
        ("5", "0", No),
        ("0", "-0", Yes),
        ("0", "-0.0", Yes),
        ("18446744073709551615", "18446744073709551615", Yes),
        ("5", "\"Infinity\"", No),
    ] {
        assert_eq!(compare(named, sent), expected, "{named} {sent}");
    }
}

#[test]
fn texts_are_far_where_no_server_treats_them_as_equal() {
    use Match::{Indeterminate, No, Yes};
    for (named, sent, expected) in [
        ("\"root\"", "\"root\"", Yes),
        ("\"root\"", "\"Root\"", Indeterminate),
        ("\"root\"", "\" root\"", Indeterminate),
        ("\"root\"", "\"rooт\"", No),
        ("\"root\"", "\"alice\"", No),
        ("\"root\"", "[\"root\"]", Indeterminate),
        ("\"root\"", "[\"alice\"]", No),
        ("\"root\"", "[]", No),
        ("\"\"", "[]", Indeterminate),
        ("\"\"", "null", Indeterminate),
        ("\"null\"", "null", Indeterminate),
        ("\"root\"", "null", No),
        ("\"5\"", "5", Indeterminate),
        ("\"5\"", "5.0", Indeterminate),
        ("\"5.0\"", "5", Indeterminate),
        ("\"1000\"", "1e3", Indeterminate),
        ("\"1e+21\"", "1e21", Indeterminate),
        ("\"1.0E21\"", "1e21", Indeterminate),
        ("\"1000000000000000000000\"", "1e21", Indeterminate),
        ("\"5\"", "6", No),
        ("\"true\"", "true", Indeterminate),
        ("\"True\"", "true", Indeterminate),
        ("\"yes\"", "true", Indeterminate),
        ("\"a,b\"", "[\"a\",\"b\"]", Indeterminate),
        ("\"a\"", "[\"b\",[\"a\"]]", Indeterminate),
        ("\"root\"", "{\"root\":1}", Indeterminate),
        ("\"root\"", "{\"Root\":null}", Indeterminate),
        ("\"root\"", "[{\"a\":{\"root\":1}}]", Indeterminate),
        ("\"root\"", "{\"roots\":1}", No),
        ("\"root\"", "{\"$eq\":\"Root\"}", Indeterminate),
        ("\"root\"", "\"\\\"root\\\"\"", Indeterminate),
        ("\"größe\"", "\"GRÖSSE\"", Indeterminate),
        ("\"東京\"", "\"京都\"", No),
    ] {
        assert_eq!(compare(named, sent), expected, "{named} {sent}");
    }
}

#[test]
fn null_lists_and_objects_have_their_own_neighbours() {
    use Match::{Indeterminate, No, Yes};
    for (named, sent, expected) in [
        ("null", "null", Yes),
        ("null", "\"\"", Indeterminate),
        ("null", "\" \"", Indeterminate),
        ("null", "\"null\"", Indeterminate),
        ("null", "[]", Indeterminate),
        ("null", "[false]", Indeterminate),
        ("null", "0", No),
        ("null", "\"x\"", No),
        ("null", "{}", No),
        ("[\"root\"]", "[\"root\"]", Yes),
        ("[\"root\"]", "\"root\"", Indeterminate),
        ("[\"root\"]", "[\"root\",\"x\"]", Indeterminate),
        ("[\"root\"]", "[\"x\"]", No),
        ("[\"root\"]", "\"x\"", No),
        ("[\"root\"]", "\"x,root\"", Indeterminate),
        ("[\"root\"]", "\"[\\\"root\\\"]\"", Indeterminate),
        ("[\"root\",\"a\"]", "[\"a\",\"root\"]", Indeterminate),
        ("[\"root\",\"a\"]", "5", No),
        ("[\"root\"]", "null", Indeterminate),
        ("[\"a\",\"b\"]", "null", No),
        ("[\"\"]", "[]", Indeterminate),
        ("[null]", "[]", Indeterminate),
        ("[\"a\"]", "[]", No),
        ("[5]", "\"5\"", Indeterminate),
        ("[]", "[\"a\"]", Indeterminate),
        ("{\"a\":1}", "{\"a\":1}", Yes),
        ("{\"a\":1}", "{\"a\":1.0}", Yes),
        ("{\"a\":1}", "{\"A\":1}", Indeterminate),
        ("{\"a\":1}", "{\"a\":\"1\"}", Indeterminate),
        ("{\"a\":1}", "{\"a\":2}", No),
        ("{\"a\":1}", "{}", No),
        ("{\"a\":1}", "\"{\\\"a\\\":1}\"", Indeterminate),
        ("{\"a\":1}", "[{\"a\":1}]", Indeterminate),
        ("{\"a\":1}", "\"x\"", No),
        ("{\"a\":1}", "5", No),
        ("{\"a\":1}", "{\"a\":1,\"b\":2}", Indeterminate),
    ] {
        assert_eq!(compare(named, sent), expected, "{named} {sent}");
    }
}

#[test]
fn orderings_hold_for_every_reading_or_not_at_all() {
    let order = |one: &str, other: &str, test| {
        let other = NumberReadings::of(&value(other)).unwrap().plain();
        NumberReadings::of(&value(one))
            .unwrap()
            .compare(other, test)
    };
    for (one, other, less) in [
        ("4", "5", Match::Yes),
        ("5", "5", Match::No),
        ("4.5", "5", Match::Yes),
        ("5.5", "5", Match::No),
        ("4.5", "4.2", Match::Indeterminate),
        ("9007199254740993", "9007199254740993", Match::Indeterminate),
        ("9007199254740993", "9007199254740995", Match::Yes),
    ] {
        assert_eq!(
            order(one, other, std::cmp::Ordering::is_lt),
            less,
            "{one} < {other}"
        );
    }
}

#[test]
fn two_values_of_a_request_are_the_same_only_if_neither_may_be_converted() {
    for (one, other, expected) in [
        ("\"a\"", "\"a\"", Match::Yes),
        ("5", "\"5\"", Match::Indeterminate),
        ("\"a\"", "\"b\"", Match::No),
        ("true", "\"x\"", Match::Indeterminate),
        ("\"x\"", "true", Match::Indeterminate),
    ] {
        assert_eq!(
            equals_mutually(&value(one), &value(other)),
            expected,
            "{one} {other}"
        );
    }
}

fn any_value() -> impl proptest::strategy::Strategy<Value = Value<'static>> {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (0_i64..4).prop_map(Value::Int),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(Value::Float),
        "[a-cA-C0-2 \"\\[,é]{0,4}".prop_map(|text| Value::String(Cow::Owned(text))),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::List),
            proptest::collection::btree_map("[a-cA-C_]{1,2}", inner, 0..3).prop_map(|map| {
                Value::Map(
                    map.into_iter()
                        .map(|(key, value)| (Cow::Owned(key), value))
                        .collect(),
                )
            }),
        ]
    })
}

proptest::proptest! {
    #[test]
    fn a_value_is_itself_and_never_far_from_itself(value in any_value()) {
        proptest::prop_assert_eq!(equals(&value, &value), Match::Yes);
        proptest::prop_assert!(!is_far(&value, &value));
    }

    #[test]
    fn a_list_of_one_is_as_near_as_its_element(named in any_value(), value in any_value()) {
        let scalar = !matches!(named, Value::List(_) | Value::Map(_) | Value::Null);
        if scalar && equals(&named, &value) != Match::No {
            proptest::prop_assert_ne!(equals(&named, &Value::List(vec![value])), Match::No);
        }
    }
}

#[test]
fn blanks_do_not_make_texts_different() {
    for sent in [
        format!("{}root", "\u{1c}".repeat(5000)),
        format!("{}root\0", "\0".repeat(5000)),
        format!("\"{}root\"", " ".repeat(5000)),
        format!("\"{}root\"", "\\u0020".repeat(5000)),
        format!("\"{}root\"", " ".repeat(100_000)),
    ] {
        let found = equals(&value("\"root\""), &Value::String(Cow::Owned(sent)));
        assert_eq!(found, Match::Indeterminate);
    }
    let long = Value::String(Cow::Owned("lorem ipsum ".repeat(5000)));
    assert_eq!(equals(&value("\"root\""), &long), Match::No);
}
