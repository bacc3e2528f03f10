use super::*;
use crate::json::Json;

fn value(text: &str) -> Value<'static> {
    let Json(value) = serde_json::from_str(text).unwrap();
    value.into_owned()
}

fn shown(found: &FoundClaims<'_, '_>) -> String {
    let values = found.values.as_ref().map(|values| {
        let texts = values.iter().map(|value| {
            let text = value.as_str().map(str::to_owned);
            text.unwrap_or_else(|| format!("{value:?}"))
        });
        texts.collect::<Vec<_>>().join(" ")
    });
    let values = values.unwrap_or_else(|| "absent".to_owned());
    let more = if found.are_incomplete { " +?" } else { "" };
    format!("{values}{more}")
}

#[test]
fn lists_on_the_way_stand_for_their_items() {
    for (path, claims, found) in [
        ("g.name", r#"{"g":[{"name":"a"},{"name":"b"}]}"#, "a b"),
        ("g.name", r#"{"g":[]}"#, ""),
        ("g.name", r#"{"g":{}}"#, "absent"),
        ("g.name", r#"{"g":null}"#, "absent"),
        ("g.name", r#"{"g":[{"name":"a"},{"id":1}]}"#, "a"),
        ("g.name", r#"{"g":[{"name":"a"},null]}"#, "a"),
        ("g.name", r#"{"g":[{"name":"a"},"b"]}"#, "a +?"),
        ("g.name", r#"{"g":"a"}"#, "absent +?"),
        ("g.name", r#"{"g":[[{"name":"a"}],{"name":"b"}]}"#, "a b"),
        ("g.a.b", r#"{"g":[{"a":[{"b":"x"}]},{"a.b":"y"}]}"#, "x y"),
        ("g.a.b", r#"{"g":[{"a":{"b":"x"},"a.b":"y"}]}"#, " +?"),
        (
            "g.name",
            r#"{"g":[{"name":"a"}],"g.name":"b"}"#,
            "absent +?",
        ),
        ("g.name", r#"{"g":[{"name":"a"}],"g.name":"a"}"#, "a"),
        ("a.b", r#"{"a":{"b":"x"},"a.b":"x"}"#, "x"),
        ("a", r#"{"a":null}"#, "absent"),
        ("g.n", r#"{"g":[{"n":null}]}"#, "absent"),
    ] {
        let path = ValuePath::of_claim(path).unwrap();
        let claims = value(claims);
        assert_eq!(
            shown(&claims_at(&claims, &path)),
            found,
            "{} {claims:?}",
            path.as_str()
        );
    }
}

#[test]
fn a_number_is_a_position_or_a_name() {
    for (path, claims, found) in [
        ("l.0", r#"{"l":["a","b"]}"#, "a"),
        ("l.1", r#"{"l":["a","b"]}"#, "b"),
        ("l.2", r#"{"l":["a","b"]}"#, "absent"),
        ("l.01", r#"{"l":["a","b"]}"#, " +?"),
        ("l.99999999999999999999", r#"{"l":["a"]}"#, " +?"),
        ("l.0.p", r#"{"l":[{"p":"a"},{"p":"b"}]}"#, "a"),
        ("l.0", r#"{"l":{"0":"a"}}"#, "a"),
        ("urn:oid:1.3.6", r#"{"urn:oid:1.3.6":"a"}"#, "a"),
    ] {
        let path = ValuePath::of_claim(path).unwrap();
        let claims = value(claims);
        assert_eq!(
            shown(&claims_at(&claims, &path)),
            found,
            "{} {claims:?}",
            path.as_str()
        );
    }
    // As an expression selects names, a number is a name.
    let path = ValuePath::of_names(&["l", "0"]).unwrap();
    let claims = value(r#"{"l":["a"]}"#);
    assert_eq!(shown(&claims_at(&claims, &path)), " +?");
}

#[test]
fn what_the_issuer_left_out_is_incomplete() {
    for (path, claims, found) in [
        ("groups", r#"{"_claim_names":{"groups":"s"}}"#, "absent +?"),
        (
            "groups",
            r#"{"groups":["a"],"_claim_names":{"groups":"s"}}"#,
            r#"List([String("a")]) +?"#,
        ),
        ("groups.0", r#"{"hasgroups":true}"#, "absent +?"),
        ("roles", r#"{"hasgroups":true}"#, "absent"),
        ("roles", r#"{"_claim_names":"groups"}"#, "absent +?"),
        ("a", "[]", "absent +?"),
    ] {
        let path = ValuePath::of_claim(path).unwrap();
        let claims = value(claims);
        assert_eq!(
            shown(&claims_at(&claims, &path)),
            found,
            "{} {claims:?}",
            path.as_str()
        );
    }
}
