//! Lints about how values are spelled and read.

use super::*;

/// The findings about one rule, without those about expressions that can fail.
fn about(rule: &str) -> Vec<String> {
    let file = format!("silence: [fallible-deny, shadowed-rule]\n{TABLE}rules:\n- {rule}\n");
    let found = lines(&file, "");
    for line in &found {
        let (_, name) = line.split_once("warning[").unwrap();
        let (name, _) = name.split_once(']').unwrap();
        let silenced = file.replace("id: a", &format!("id: a, silence: [{name}]"));
        let left = lines(&silenced, "");
        assert!(!left.contains(line), "{line} is not silenced: {left:#?}");
    }
    let text = |line: String| line.split_once("warning").unwrap().1.to_owned();
    found.into_iter().map(text).collect()
}

fn allow(text: &str) -> String {
    format!(
        "{{id: a, effect: allow, who: {{groups: [g]}}, what: {{servers: [github], methods: [tools/call]}}, if: '{text}'}}"
    )
}

fn deny(text: &str) -> String {
    format!(
        "{{id: a, effect: deny, what: {{servers: [github], methods: [tools/call]}}, if: '{text}'}}"
    )
}

#[test]
fn allows_that_grant_more_than_they_seem_to_are_found() {
    let anchor = "describe the whole text between `^` and `$`; where a part is meant, say `startsWith`, `endsWith` or `contains`";
    for (rule, expected) in [
        (
            allow(r#"args.owner.matches("^acme")"#),
            vec![format!(
                "[unanchored-regex]: `^acme` also matches a part of a text ({anchor})"
            )],
        ),
        (
            deny(r#"!args.owner.matches("acme") || !args.owner.matches("x")"#),
            vec![format!(
                "[unanchored-regex]: `acme` also matches a part of a text ({anchor})"
            )],
        ),
        (
            allow(r#"subject.claims.mail.matches("@acme[.]example$")"#),
            vec![format!(
                "[unanchored-regex]: `@acme[.]example$` also matches a part of a text ({anchor})"
            )],
        ),
        (allow(r#"args.owner.matches("^(acme|emca)$")"#), vec![]),
        (deny(r#"plain(args.title).matches("secret")"#), vec![]),
        (
            allow(r#"args.owner != "evil" && !(args.owner in ["bad"])"#),
            vec![
                "[negated-allow]: this allows every value except the named ones (name the allowed values: `args.owner == …` or `args.owner in […]`)".to_owned(),
            ],
        ),
        (
            allow(r#"args.owner in ["acme"] && args.repo != null && args.x != true"#),
            vec![],
        ),
        (deny(r#"args.owner != "acme""#), vec![]),
    ] {
        assert_eq!(about(&rule), expected, "{rule}");
    }
}

#[test]
fn denies_that_depend_on_a_spelling_are_found() {
    for (rule, expected) in [
        (
            deny(r#"args.title.contains("Secret")"#),
            vec![
                "[spelled-text]: `args.title` can be spelled differently: in capitals, full width or with characters that nobody sees (`plain(args.title).contains(\"secret\")`)".to_owned(),
            ],
        ),
        (
            deny(r#"args.title.matches("(?i)^\\s*secret")"#),
            vec![
                "[spelled-text]: `args.title` can be spelled differently: in capitals, full width or with characters that nobody sees (`plain(args.title).matches(\"…\")`, with a pattern in lower case)".to_owned(),
            ],
        ),
        (
            deny(r#"glob(args.title, "*.KEY")"#),
            vec![
                "[spelled-text]: `args.title` can be spelled differently: in capitals, full width or with characters that nobody sees (`glob(plain(args.title), \"*.key\")`)".to_owned(),
            ],
        ),
        (deny(r#"plain(args.title).contains("secret")"#), vec![]),
        (deny(r#"!args.title.startsWith("ok:")"#), vec![]),
        (allow(r#"args.title.startsWith("ok:")"#), vec![]),
        (
            deny("int(args.x) > 5"),
            vec![
                "[conversion-in-deny]: where `int` does not accept `args.x`, the request is denied (compare `args.x` itself)".to_owned(),
            ],
        ),
        (allow("int(args.x) > 5"), vec![]),
        (deny("args.x > 5"), vec![]),
    ] {
        assert_eq!(about(&rule), expected, "{rule}");
    }
}

#[test]
fn resources_that_are_allowed_by_an_expression_are_found() {
    let rule = |text: &str| {
        format!(
            "{{id: a, effect: allow, who: {{groups: [g]}}, what: {{servers: [github], methods: [resources/read]}}, if: '{text}'}}"
        )
    };
    for (text, pattern) in [
        (r#"mcp.uri.startsWith("note://s/")"#, Some("note://s/**")),
        (r#"mcp.uri.endsWith(".md")"#, Some("**.md")),
        (r#"mcp.uri.contains("/public/")"#, Some("**/public/**")),
        (
            r#"mcp.uri.matches("^note://s/.*$")"#,
            Some("scheme://host/**"),
        ),
        (r#"glob(mcp.uri, "note://s/*")"#, Some("note://s/**")),
        (
            r#"mcp.uri_folded.startsWith("note:s/")"#,
            Some("note://s/**"),
        ),
        (r#"mcp.uri == "note://s/x""#, None),
        (r#"mcp.uri.startsWith("note://" + subject.id + "/")"#, None),
    ] {
        let expected = pattern.map(|pattern| {
            format!("[uri-in-expression]: this allows resources by a part of their URI's text (name them in `what`: `resources: [\"{pattern}\"]`)")
        });
        assert_eq!(about(&rule(text)), expected.as_slice(), "{text}");
    }
    let deny = "{id: a, effect: deny, what: {servers: [github], methods: [resources/read]}, if: 'mcp.uri.startsWith(\"note://s/\")'}";
    assert_eq!(about(deny), [""; 0]);
}

#[test]
fn patterns_that_match_other_texts_than_they_seem_to_are_found() {
    let allow = |pattern: &str, server: &str| {
        format!(
            "{{id: a, effect: allow, who: {{groups: [g]}}, what: {{servers: [{server}], resources: [\"{pattern}\"]}}}}"
        )
    };
    let deny = |pattern: &str| {
        format!("{{id: a, effect: deny, what: {{servers: [github], resources: [\"{pattern}\"]}}}}")
    };
    let never = |pattern: &str, help: &str| {
        vec![format!(
            "[uri-never-normal]: no URI in normal form matches `{pattern}`, and no other is evaluated ({help})"
        )]
    };
    let forms = "scheme and host in small letters, no blank, `//`, `.` or `..` in the path, no escape that needs none; or say `uris: opaque` of the server";
    for (rule, expected) in [
        (allow("NOTE://s/x", "github"), never("NOTE://s/x", "write `note://s/x`")),
        (deny("https://example.com"), never("https://example.com", "write `https://example.com/`")),
        (allow("note://s/a b/*", "github"), never("note://s/a b/*", forms)),
        (
            "{id: a, effect: deny, what: {servers: [github], not: {resources: [\"note://s/../x\"]}}}".to_owned(),
            never("note://s/../x", "write `note://s/x`"),
        ),
        (allow("NOTE://s/x", "texts"), vec![]),
        (allow("note://s/x", "github"), vec![]),
        (allow("**/x", "github"), vec![]),
        (
            deny("logs://api/x[?]level=error"),
            vec!["[uri-query]: `logs://api/x` is denied with any query, and without one (servers read a query in any order and skip what they do not know, so no query can be told from another: write `logs://api/x`)".to_owned()],
        ),
        (
            allow("logs://api/x[?]level=error", "github"),
            vec!["[uri-query]: the query `level=error` is allowed only in exactly this text (`logs://api/x[?]**` allows any query)".to_owned()],
        ),
        (allow("logs://api/x[?]**", "github"), vec![]),
        (allow("logs://api/x[?]level=error", "texts"), vec![]),
    ] {
        assert_eq!(about(&rule), expected, "{rule}");
    }
}

#[test]
fn arguments_that_no_recorded_tool_declares_are_found() {
    let unknown = |path: &str, help: &str| {
        vec![format!(
            "[unknown-argument]: no recorded tool that the rule applies to declares the argument `{path}` ({help})"
        )]
    };
    for (what, condition, expected) in [
        (
            "tools: [get_issue], arguments: {ownr: x}",
            "",
            unknown("ownr", "did you mean `owner`?"),
        ),
        (
            "tools: [get_issue], not: {arguments: {title: x}}",
            "",
            unknown("title", "known here: `owner`, `repo`"),
        ),
        (
            "classes: [write]",
            r#"has(args.owner) && args.owner == "x""#,
            unknown("owner", "known here: `title`, `x`"),
        ),
        (
            "tools: [get_issue], arguments: {repo.id: x}",
            "",
            unknown("repo.id", "known here: `owner`, `repo`"),
        ),
        (
            "methods: [tools/call]",
            "has(args.force)",
            unknown("force", "known here: `owner`, `repo`, `title`, `x`"),
        ),
        (
            "tools: [get_issue], arguments: {owner: x, repo.name: x}",
            "",
            vec![],
        ),
        (
            "tools: [get_issue], arguments: {owner.any.thing: x}",
            "",
            vec![],
        ),
        (
            "methods: [tools/call]",
            "has(args.owner) && has(args.title)",
            vec![],
        ),
        ("prompts: [p]", "has(args.force)", vec![]),
        (
            "methods: [prompts/get, tools/call]",
            "has(args.force)",
            vec![],
        ),
    ] {
        let condition = if condition.is_empty() {
            String::new()
        } else {
            format!(", if: '{condition}'")
        };
        let rule =
            format!("{{id: a, effect: deny, what: {{servers: [github], {what}}}{condition}}}");
        assert_eq!(about(&rule), expected, "{rule}");
    }
    let other =
        "{id: a, effect: deny, what: {servers: [other], tools: [x], arguments: {force: true}}}";
    assert_eq!(about(other), [""; 0]);
}

#[test]
fn a_schema_that_leaves_properties_open_declares_anything() {
    use std::borrow::Cow;

    use crate::authz::{PathStep, Value};

    let text = |text: &str| Value::String(Cow::Owned(text.to_owned()));
    let object = |members: Vec<(&str, Value<'static>)>| {
        let members = members.into_iter();
        Value::Map(
            members
                .map(|(key, value)| (Cow::Owned(key.to_owned()), value))
                .collect(),
        )
    };
    let properties = || {
        let inner = object(vec![("c", object(vec![("type", text("string"))]))]);
        let b = object(vec![("properties", inner)]);
        (
            "properties",
            object(vec![("a", object(vec![])), ("b.x", b)]),
        )
    };
    let named = DeclaredArguments::of(Some(&object(vec![properties()])));
    for (path, declared) in [
        ("a", true),
        ("a.any", true),
        ("b.x", true),
        ("b.x.c", true),
        ("b.x.d", false),
        ("b", false),
        ("c", false),
    ] {
        assert_eq!(named.has(path), declared, "{path}");
    }
    let closed = ("additionalProperties", Value::Bool(false));
    let same = DeclaredArguments::of(Some(&object(vec![properties(), closed])));
    assert_eq!(same, named);
    for open in [
        vec![],
        vec![("type", text("object"))],
        vec![properties(), ("$ref", text("#/x"))],
    ] {
        assert_eq!(
            DeclaredArguments::of(Some(&object(open))),
            DeclaredArguments::Anything
        );
    }
    for open in [
        ("additionalProperties", Value::Bool(true)),
        ("additionalProperties", object(vec![])),
        ("patternProperties", object(vec![])),
        ("allOf", Value::List(vec![])),
    ] {
        let open = DeclaredArguments::of(Some(&object(vec![properties(), open])));
        assert!(open.has("zzz") && open.has("b.x.c"));
        let steps = |path: &[&str]| -> Vec<PathStep> {
            let path = path.iter();
            path.map(|name| PathStep::Name((*name).to_owned()))
                .collect()
        };
        assert!(open.along(&steps(&["zzz", "y"])).is_some());
        assert!(open.along(&steps(&["b.x", "c"])).is_some());
        assert!(open.along(&steps(&["b.x", "d"])).is_none());
    }
    assert_eq!(DeclaredArguments::of(None), DeclaredArguments::Anything);
}
