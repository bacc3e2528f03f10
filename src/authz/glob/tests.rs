use super::*;

#[test]
fn patterns_match_as_documented() {
    for (pattern, text, name, uri) in [
        ("get_*", "get_", true, true),
        ("get_*", "get_issue", true, true),
        ("get_*", "Get_issue", false, false),
        ("get_?", "get_", false, false),
        ("get_?", "get_ä", true, true),
        ("*", "", true, true),
        ("*", "a/b", true, false),
        ("**", "a/b", true, true),
        ("a?b", "a/b", true, false),
        ("a*c*e", "abcde", true, true),
        ("a*c*e", "abcd", false, false),
        ("*_issue", "get_issue_issue", true, true),
        ("file:///srv/*", "file:///srv/a", true, true),
        ("file:///srv/*", "file:///srv/a/b", true, false),
        ("file:///srv/**", "file:///srv/a/b", true, true),
        ("file:///**/x*.md", "file:///a/b/xy.md", true, true),
        ("file:///**/x*.md", "file:///a/xb/y.md", true, false),
        ("a**b*c", "a/b/b/c", true, false),
        ("a**b*c", "a/b/bxc", true, true),
        ("exact", "exact", true, true),
        ("exact", "exactly", false, false),
        ("a*c", "a?c", true, false),
        ("a**c", "a?c", true, true),
        ("a[?]c", "a?c", false, true),
        ("a[?]c", "a[xc", false, false),
        ("a[?]c", "a[x]c", true, false),
        ("a[?]*", "a?b", false, true),
    ] {
        assert_eq!(
            Glob::name(pattern).unwrap().matches(text),
            name,
            "{pattern} {text}"
        );
        assert_eq!(
            Glob::uri(pattern).unwrap().matches(text),
            uri,
            "{pattern} {text}"
        );
    }
}

#[test]
fn patterns_that_cannot_be_used_are_refused() {
    assert_eq!(Glob::name(""), Err(InvalidGlob::Empty));
    let long = format!("{}*{}", "a".repeat(1000), "b".repeat(254));
    assert!(Glob::name(&long).unwrap().matches(&long));
    assert_eq!(Glob::name(&format!("{long}b")), Err(InvalidGlob::TooLong));
}

#[test]
fn overlaps_are_found_with_a_witness() {
    for (left, right, witness) in [
        ("get_*", "*_admin", Some("get_admin")),
        ("get_*", "list_*", None),
        ("get_?", "get_*", Some("get_x")),
        ("*a", "*b", None),
        ("a*", "a", Some("a")),
        ("?", "??", None),
    ] {
        let found = Glob::name(left)
            .unwrap()
            .common_match(&Glob::name(right).unwrap());
        assert_eq!(found.as_deref(), witness, "{left} {right}");
    }
}
