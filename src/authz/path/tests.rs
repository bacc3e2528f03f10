use super::*;
use crate::json::Json;

fn value(text: &str) -> Value<'static> {
    let Json(value) = serde_json::from_str(text).unwrap();
    value.into_owned()
}

fn find(path: &str, root: &str, keys: KeyOrigin) -> String {
    let root = value(root);
    match ValuePath::new(path).unwrap().find(&root, keys) {
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
        let path = ValuePath::new(path).unwrap();
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
        ("a.0.b", InvalidPath::Form),
        ("a.*", InvalidPath::Form),
        ("$.a", InvalidPath::Form),
        ("/a/b", InvalidPath::Form),
        ("a.b.c.d.e.f.g.h.i", InvalidPath::TooLong),
    ] {
        assert_eq!(ValuePath::new(path).err(), Some(error), "{path}");
    }
    assert!(ValuePath::new("0").is_ok());
}

#[test]
fn claims_that_the_issuer_left_out_are_not_absent() {
    let claim = |claims: &str, path: &str| {
        let claims = value(claims);
        let path = ValuePath::new(path).unwrap();
        claim(&claims, &path).map(|found| found.is_some())
    };
    for (claims, path, found) in [
        (
            r#"{"_claim_names":{"groups":"src1"}}"#,
            "groups",
            Err(UnclearClaim),
        ),
        (r#"{"_claim_names":{"groups":"src1"}}"#, "roles", Ok(false)),
        (
            r#"{"_claim_names":{"realm_access":"src1"}}"#,
            "realm_access.roles",
            Err(UnclearClaim),
        ),
        (r#"{"hasgroups":true}"#, "groups", Err(UnclearClaim)),
        (r#"{"hasgroups":"true"}"#, "groups", Err(UnclearClaim)),
        (r#"{"hasgroups":false}"#, "groups", Ok(false)),
        (r#"{"hasgroups":true}"#, "roles", Ok(false)),
        (r#"{"_claim_names":"groups"}"#, "roles", Err(UnclearClaim)),
        (r#"{"groups":[],"_claim_names":{}}"#, "groups", Ok(true)),
        ("{}", "groups", Ok(false)),
    ] {
        assert_eq!(claim(claims, path), found, "{claims} {path}");
    }
}
