use super::*;

fn normal(uri: &str) -> bool {
    normal::is_normal(uri)
}

#[test]
#[expect(clippy::too_many_lines, reason = "rows")]
fn normal_uris_are_those_that_no_reader_changes() {
    for uri in [
        "note://s/x",
        "note://s",
        "note://s/",
        "note:///s/x",
        "note://s:80/x",
        "note://S/X",
        "mem:a",
        "mem:a/b",
        "urn:isbn:0451450523",
        "data:text/plain,hi",
        "https://h/",
        "https://h/x",
        "https://h/x?q=1",
        "https://h:8080/x",
        "file:///etc/passwd",
        "file:///C:/a",
        "note://s/a%20b",
        "note://s/%C3%A9",
        "note://s/a@b",
        "note://s/a;v=1",
        "note://s/a:b",
        "note://s/?q=a/b",
        "note://s/a%2Cb",
        "logs://api?level=error",
        "http://[::1]/x",
        "http://127.0.0.1/x",
        "note://a%20b/x",
        "git+ssh://h/x",
        "note://s/~a-b._!$&'()*+,=",
    ] {
        assert!(normal(uri), "{uri}");
    }
    for uri in [
        "",
        ":",
        "note",
        "note:",
        "NOTE://s/x",
        "Note://s/x",
        " note://s/x",
        "note://s/x ",
        "note://s/x\n",
        "no\nte://s/x",
        "note:/s/x",
        "note:////s",
        "note://s//x",
        "note://s/../x",
        "note://s/./x",
        "note://s/..",
        "note://./x",
        "note://../x",
        "note://u@s/x",
        "note://@s/x",
        "note://s:/x",
        "note://s:x/x",
        "note://s:080/x",
        "note://s/x#f",
        "note://s/x#",
        "note://s/x?",
        "note://s/x?a?b",
        "note://s/x?a+b",
        "note://s/x?a'b",
        "note://s/%68",
        "note://s/%c3%a9",
        "note://s/%",
        "note://s/%4",
        "note://s/%2F",
        "note://s/%2f",
        "note://s/%25",
        "note://s/%5C",
        "note://s/%00",
        "note://s/%7F",
        "note://s/%FF",
        "note://s/%C3",
        "note://s/%EF%BF%BD",
        "note://s/%3F",
        "note://s/%23",
        "note://s/%2E%2E/x",
        "note://s/é",
        "note://s/a b",
        "note://s/a\\b",
        "note://s/a|b",
        "note://s/a\"b",
        "note://s/{a}",
        "note://s/<a>",
        "note://s/a^b",
        "note://s/[a]",
        "note://s/`",
        "https:h/x",
        "https:/h/x",
        "https:///h/x",
        "https://h",
        "https://H/x",
        "https://h:443/x",
        "https://h:/x",
        "https://h./x",
        "https://h%41/x",
        "https://127.1/x",
        "https://0x7f.1/x",
        "https://2130706433/x",
        "https://xn--a/x",
        "https://ｈ/x",
        "http://[0:0:0:0:0:0:0:1]/x",
        "file://localhost/a",
        "file:/a",
        "file:a",
        "file:////a",
        "file:///C|/a",
        "file://host/a",
        "mailto:a@b",
        "db:app\u{0}",
        "1note://s",
        "+note://s",
        "note://s/\u{ff0f}x",
        "mem:/a",
        "mem:a//b",
        "mem:../a",
    ] {
        assert!(!normal(uri), "{uri}");
    }
}

#[test]
fn no_reader_treats_two_strict_uris_as_equal() {
    for (uri, strict) in [
        ("note://s/x", true),
        ("https://h/", true),
        ("https://h/x", true),
        ("note://s", true),
        ("note://s/%3F", true),
        ("note://s/%23", true),
        ("data:text/plain;x,hi", true),
        ("file:///a", true),
        ("note://s/", false),
        ("https://h/x/", false),
        ("note://s/x?q", false),
        ("note://s/a%2Cb", false),
        ("note://S/x", false),
        ("note://a%20b/x", false),
        ("note://s/a;v", false),
        ("note://s/a:/b", false),
        ("mem:a:", false),
        ("urn:ISBN:1", false),
        ("urn:isbn:1", true),
        ("git:a/b", false),
        ("svn:a", false),
        ("mem:a", true),
        ("NOTE://s/x", false),
    ] {
        assert_eq!(normal::is_strict(uri), strict, "{uri}");
    }
}

#[test]
fn spellings_of_one_resource_have_one_fold() {
    for (uri, folded) in [
        ("note://s/x", "note:/s/x"),
        ("note:///s/x", "note:/s/x"),
        ("note:s/x", "note:/s/x"),
        ("note://S/X/", "note:/s/x"),
        ("note://s/x?q", "note:/s/x"),
        ("note://s/x;v=1", "note:/s/x"),
        ("note://s/x%3Bv", "note:/s/x"),
        ("note://s/a%2Cb:", "note:/s/a,b"),
        ("note://s:80/x", "note:/s:80/x"),
        ("note://s", "note:/s"),
        ("note://", "note:"),
        ("https://h/", "https:/h"),
        ("mem:a:b::", "mem:/a:b"),
    ] {
        assert_eq!(fold::fold(uri), folded, "{uri}");
    }
}

#[test]
fn a_pattern_that_matches_another_spelling_has_no_result() {
    use Match::{Indeterminate, No, Yes};
    for (pattern, uri, expected) in [
        ("note://s/x", "note://s/x", Yes),
        ("note://s/x", "note://s/x?q", Indeterminate),
        ("note://s/x", "note://S/x", Indeterminate),
        ("note://s/x", "note:s/x", Indeterminate),
        ("note://s/x", "note:///s/x", Indeterminate),
        ("note://s/x", "note://s/x/", Indeterminate),
        ("note://s/x", "note://s/x;v=1", Indeterminate),
        ("note://s/x", "note://s/y", No),
        ("note://s/x", "note://s/xy", No),
        ("note://s/*", "note://s/a@b", Yes),
        ("note://s/*", "note://s/a?b", Indeterminate),
        ("note://s/*", "note://s/a/b", No),
        ("note://s/**", "note://s/a/b", Yes),
        ("note://s/**", "note://s", Indeterminate),
        ("note://s/**", "note://s?x", Indeterminate),
        ("note://s/**", "note://sx", No),
        ("note://s/x/*", "note://s/x", Indeterminate),
        ("logs://api", "logs://api?level=error", Indeterminate),
        ("logs://api[?]**", "logs://api?level=error", Yes),
        ("logs://api[?]level=error", "logs://api?x=1", Indeterminate),
        ("logs://api[?]level=error", "logs://apix", No),
        ("https://intra.corp/**", "https://intra.corp/a", Yes),
        ("https://intra.corp/**", "https://evil.test/intra.corp", No),
        ("**/secret", "note://secret", Yes),
        ("**/secret", "note://secret?x", Indeterminate),
        ("**/secret", "note:secret", Indeterminate),
        ("**", "mem:a", Yes),
        ("*://s/x", "note://s/x", Yes),
        ("*://s/x", "note:s/x", Indeterminate),
        ("note://*/x", "note:///x", Yes),
        ("note://*/x", "note:x", Indeterminate),
        ("note:**/S", "note:S", Indeterminate),
        ("note:/*/x", "note:x", Indeterminate),
        (
            "logs://api**=error",
            "logs://api?level=error&x=1",
            Indeterminate,
        ),
        ("logs://api**.md", "logs://api?x", No),
        ("note:*", "note:a", Yes),
        ("note:*", "note://a", Indeterminate),
        ("*x", "mem:ax", Yes),
        ("*x", "mem://ax", Indeterminate),
        ("mem:a", "mem://A", Indeterminate),
        ("note://s/a?c", "note://s/abc", Yes),
        ("note://s/a?c", "note://s/a%2Cc", Indeterminate),
        ("note://s/A*", "note://s/ab", Indeterminate),
    ] {
        let uri = PlainUri::new(uri, UriForm::Normal).unwrap();
        assert_eq!(
            UriPattern::new(pattern).unwrap().matches(&uri),
            expected,
            "{pattern} {uri:?}"
        );
    }
}

#[test]
fn uris_that_are_not_normal_match_nothing_for_certain() {
    use Match::{Indeterminate, No};
    for (pattern, text, expected) in [
        ("note://s/x", " note://s/x", Indeterminate),
        ("note://s/x", "NOTE://s/x", Indeterminate),
        ("note://s/x", "no\nte://s/x", Indeterminate),
        ("note://s/x", "ｎote://s/x", Indeterminate),
        ("note://s/x", "file:/a", No),
        ("note://s/x", "FILE:/a", No),
        ("**", "file:/a", Indeterminate),
        ("note://s/x", "secret", Indeterminate),
        ("note://s/x", "%6eote://s/x", Indeterminate),
    ] {
        let pattern = UriPattern::new(pattern).unwrap();
        assert!(PlainUri::new(text, UriForm::Normal).is_none(), "{text}");
        assert_eq!(pattern.could_match(text), expected, "{pattern:?} {text}");
    }
}

#[test]
fn opaque_uris_are_compared_as_texts() {
    let pattern = UriPattern::new("note://s/*").unwrap();
    for (uri, expected) in [
        ("note://s/a b", Some(Match::Yes)),
        ("NOTE://s/a", Some(Match::No)),
        ("note://s/a?b", Some(Match::No)),
        ("note://s/é#x", Some(Match::Yes)),
        ("note://s/a\n", None),
    ] {
        let found = PlainUri::new(uri, UriForm::Opaque).map(|uri| pattern.matches(&uri));
        assert_eq!(found, expected, "{uri}");
    }
}

#[test]
fn a_template_stands_for_its_expansions() {
    use Match::{Indeterminate, No, Unknown, Yes};
    for (pattern, template, expected) in [
        ("note://secret/**", "note://{dir}/{name}", Unknown),
        ("note://secret/**", "note://pub/{name}", No),
        ("note://secret/**", "note://SECRET/{name}", Indeterminate),
        ("note://secret/**", "NOTE://{dir}/{name}", Indeterminate),
        ("note://secret/**", "note:secret/{name}", Indeterminate),
        ("note://secret/**", "note://secret{;q}", Indeterminate),
        ("tree://pub/*", "tree://pub/{path}", Yes),
        ("tree://pub/*", "tree://pub/{+path}", Unknown),
        ("tree://pub/*", "tree://pub/{path*}", Unknown),
        ("**", "{+url}", Yes),
        ("note://s/x", "file://{+path}", No),
        ("note://s/x", "note://s/x{?q}", Unknown),
        ("note://s/%68", "note://s/{a}", Unknown),
    ] {
        let found = UriPattern::new(pattern)
            .unwrap()
            .matches_template(template, UriForm::Normal);
        assert_eq!(found, expected, "{pattern} {template}");
    }
}

#[test]
fn patterns_that_no_strict_uri_matches_are_found() {
    for (pattern, never) in [
        ("logs://api[?]**", true),
        ("docs://H/**", true),
        ("docs://h/f/", true),
        ("docs://h/a;v=1", true),
        ("docs://h/**", false),
        ("docs://h/*", false),
    ] {
        let found = never_normal(&UriPattern::new(pattern).unwrap(), UriForm::Strict);
        assert_eq!(found.is_some(), never, "{pattern}");
    }
}

#[test]
fn patterns_that_no_normal_uri_matches_are_found() {
    for (pattern, right) in [
        ("NOTE://s/x", Some("note://s/x")),
        ("note://s/a b", Some("note://s/a%20b")),
        ("note://s/é", Some("note://s/%C3%A9")),
        ("note://s//*", Some("")),
        ("note://s/../*", Some("")),
        ("note://s/x#y", Some("")),
        ("https://h", Some("https://h/")),
        ("note://s/%2f*", Some("")),
        ("note://u@s/*", Some("")),
        ("*é*", Some("")),
        ("**#x", Some("")),
        ("note://*@*/x", Some("")),
        ("note://s/*//x", Some("")),
        ("note://s/*", None),
        ("note://s/**", None),
        ("**", None),
        ("file:///**", None),
        ("https://*/x", None),
        ("https://h:*/x", None),
        ("logs://api[?]*", None),
        ("*://s/x", None),
        ("note://s/a?b", None),
        ("note://**", None),
    ] {
        let found = never_normal(&UriPattern::new(pattern).unwrap(), UriForm::Normal);
        assert_eq!(found.as_deref(), right, "{pattern}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics_and_folding_is_stable(text in "[a-zA-Z:/?#\\[\\]@!$&'()*+,;=%. \\\\é\u{0}-\u{20}]{0,40}") {
        let _ = (normal::is_normal(&text), normal::is_strict(&text));
        let folded = fold::fold(&text);
        if let Some(uri) = PlainUri::new(&text, UriForm::Normal) {
            proptest::prop_assert_eq!(uri.folded(), &folded);
            // A pattern without wildcards that equals the URI matches it, and so does its fold.
            let pattern = Glob::literal(&text);
            let pattern = UriPattern::of(pattern).unwrap();
            proptest::prop_assert_eq!(pattern.matches(&uri), Match::Yes);
            proptest::prop_assert!(pattern.folded.iter().all(|glob| glob.matches(&folded)));
        }
    }

    #[test]
    fn the_fold_of_a_pattern_matches_the_fold_of_all_it_matches(
        pattern in "(note|n\\*|\\*|\\*\\*)?:?(//)?[a-cA-C*?;:/,]{0,12}",
        uri in "note:(//)?[a-cA-C;:/,]{0,12}(\\?x)?",
    ) {
        let (Ok(pattern), Some(uri)) = (UriPattern::new(&pattern), PlainUri::new(&uri, UriForm::Normal)) else {
            return Ok(());
        };
        // Parameters, colons and a query under a wildcard are the author's responsibility.
        let is_plain = !uri.as_str().contains([';', '?']) && !uri.as_str().ends_with(':') && !uri.as_str().contains(":/a");
        if is_plain && !uri.as_str().split('/').any(|part| part.ends_with(':') && part != "note:") && pattern.glob.matches(uri.as_str()) {
            let (folded, slash) = (uri.folded().to_owned(), format!("{}/", uri.folded()));
            let mut globs = pattern.folded.iter();
            proptest::prop_assert!(globs.any(|glob| glob.matches(&folded) || glob.matches(&slash)), "{:?} {:?}", pattern, uri);
        }
    }
}
