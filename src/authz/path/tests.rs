use super::*;
use crate::json::Json;

fn value(text: &str) -> Value<'static> {
    let Json(value) = serde_json::from_str(text).unwrap();
    value.into_owned()
}

fn find(path: &str, root: &str, keys: KeyOrigin) -> String {
    let root = value(root);
    match ValuePath::of_argument(path).unwrap().find(&root, keys) {
        FoundValue::Value(value) => format!("{value:?}"),
        FoundValue::Absent => "absent".to_owned(),
        FoundValue::Unclear => "unclear".to_owned(),
    }
}

#[test]
fn every_reading_of_a_path_is_tried() {
    for (path, root, found) in [
        ("a.b", r#"{"a":{"b":1}}"#, "Int(1)"),
        ("a.b", r#"{"a.b":1}"#, "Int(1)"),
        ("a.b", r#"{"a.b":1,"a":{"b":1}}"#, "Int(1)"),
        ("a.b", r#"{"a.b":1,"a":{"b":2}}"#, "unclear"),
        ("a.b", r#"{"a":{}}"#, "absent"),
        ("a.b", r#"{"a":null}"#, "absent"),
        ("a.b", r#"{"a":"{\"b\":1}"}"#, "unclear"),
        ("a.b", r#"{"a":[{"b":1}]}"#, "unclear"),
        (
            "kubernetes.io.namespace",
            r#"{"kubernetes.io":{"namespace":"x"}}"#,
            "String(\"x\")",
        ),
        (
            "resource_access.notes.example.com.roles",
            r#"{"resource_access":{"notes.example.com":{"roles":1}}}"#,
            "Int(1)",
        ),
        (
            "https://example.com/roles",
            r#"{"https://example.com/roles":1}"#,
            "Int(1)",
        ),
    ] {
        assert_eq!(find(path, root, KeyOrigin::Proven), found, "{path} {root}");
    }
}

#[test]
fn a_key_that_a_server_may_treat_as_the_named_one_makes_it_unclear() {
    for (path, root, sent, proven) in [
        ("force", r#"{"Force":1}"#, "unclear", "absent"),
        ("force", r#"{"Force":1,"force":2}"#, "unclear", "Int(2)"),
        ("dry_run", r#"{"dryRun":1}"#, "unclear", "absent"),
        ("a.force", r#"{"a":{"FORCE":1}}"#, "unclear", "absent"),
        ("a.force", r#"{"A":{"force":1}}"#, "unclear", "absent"),
        ("force", r#"{"forced":1}"#, "absent", "absent"),
        ("skip", r#"{"ſkip":1}"#, "unclear", "absent"),
    ] {
        assert_eq!(find(path, root, KeyOrigin::Sent), sent, "{path} {root}");
        assert_eq!(find(path, root, KeyOrigin::Proven), proven, "{path} {root}");
    }
}

#[test]
fn the_cause_of_an_unclear_path_is_reported() {
    let key = |key: &str| Some(Unclear::Key(key.to_owned()));
    for (path, root, expected) in [
        ("force", r#"{"Force":1}"#, key("Force")),
        ("force", r#"{"force":2,"FORCE":1}"#, key("FORCE")),
        ("a.force", r#"{"a":{"Force":1}}"#, key("Force")),
        ("a.b", r#"{"A.B":1}"#, key("A.B")),
        ("a.b", r#"{"a":"{\"b\":1}"}"#, Some(Unclear::NoObject)),
        ("a.b", r#"{"a.b":1,"a":2}"#, Some(Unclear::NoObject)),
        ("a.b", r#"{"a.b":1,"a":{"b":2}}"#, Some(Unclear::TwoPaths)),
        ("a.b", r#"{"a.b":1,"a":{"b":1}}"#, None),
        ("a.b", r#"{"a":null}"#, None),
        ("a", r#"{"a":1}"#, None),
    ] {
        let root = value(root);
        let path = ValuePath::of_argument(path).unwrap();
        let found = path.why_unclear(&root, KeyOrigin::Sent);
        assert_eq!(found, expected, "{} {root:?}", path.as_str());
    }
}

#[test]
fn paths_that_never_lead_to_a_value_are_refused() {
    for (path, error) in [
        ("", InvalidPath::Empty),
        ("a..b", InvalidPath::Empty),
        (".a", InvalidPath::Empty),
        ("a[0].b", InvalidPath::Form),
        ("a.0.b", InvalidPath::Position),
        ("a.*", InvalidPath::Form),
        ("$.a", InvalidPath::Form),
        ("/a/b", InvalidPath::Form),
        ("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q", InvalidPath::TooLong),
    ] {
        assert_eq!(ValuePath::of_argument(path).err(), Some(error), "{path}");
    }
    assert!(ValuePath::of_argument("0").is_ok());
    assert!(ValuePath::of_claim("a.0.b").is_ok());
    assert_eq!(ValuePath::of_claim("a[0].b"), Err(InvalidPath::Form));
}
