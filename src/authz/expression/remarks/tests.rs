use super::*;
use crate::authz::expression::{Expression, PathStep};

fn found(text: &str) -> Vec<String> {
    let expression = Expression::compile(text).unwrap();
    let remarks = expression.remarks().iter();
    remarks
        .map(|remark| match remark {
            Remark::Unanchored { pattern, sense } => format!("unanchored {pattern} {sense:?}"),
            Remark::BareDot { pattern, .. } => format!("bare dot {pattern}"),
            Remark::AllBut { of } => format!("all but {of}"),
            Remark::PartOfText {
                function,
                of,
                part,
                sense,
            } => format!("{function} {of} {part:?} {sense:?}"),
            Remark::PartOfUri {
                function,
                part,
                folded,
            } => format!("uri {function} {part} {folded}"),
            Remark::Converted { function, of } => format!("{function}({of})"),
        })
        .collect()
}

#[test]
fn patterns_that_match_whole_texts_are_anchored() {
    for (pattern, anchored) in [
        ("^a$", true),
        (r"\Aa\z", true),
        ("^(a|b)$", true),
        ("(?:^a$|^b$)", true),
        ("(?i)^a$", true),
        ("^a|b$", false),
        ("^a", false),
        ("a$", false),
        ("a", false),
        ("(?m)^a$", false),
        ("x?^a$", false),
        ("(^a$)?", false),
        ("", false),
    ] {
        assert_eq!(is_anchored(pattern), anchored, "{pattern}");
    }
}

#[test]
fn the_effect_of_a_test_on_the_expression_is_found() {
    for (text, expected) in [
        (
            r#"args.a.matches("x")"#,
            &["unanchored x Holds", r#"matches args.a Some("x") Holds"#][..],
        ),
        (
            r#"!(true && args.a.b.contains("x"))"#,
            &[r#"contains args.a.b Some("x") Fails"#],
        ),
        (
            r#"args.a.contains("x") ? args.b.endsWith("y") : true"#,
            &[
                r#"contains args.a Some("x") Either"#,
                r#"endsWith args.b Some("y") Holds"#,
            ],
        ),
        (
            r#"!args.list.exists(one, glob(one, "x*"))"#,
            &[r#"glob one Some("x*") Fails"#],
        ),
        (
            r#"string(args["a b"]).startsWith(subject.id)"#,
            &[r#"startsWith args["a b"] None Holds"#],
        ),
        (r#"plain(args.a).contains("x")"#, &[]),
        (r#"plain(args.a).matches("x")"#, &["unanchored x Holds"]),
        (r#"subject.claims.a.contains("x")"#, &[]),
        (r#"subject.claims.a.matches("x")"#, &["unanchored x Holds"]),
        (r#"subject.id.matches("x")"#, &["unanchored x Holds"]),
        (r#"subject.id.matches("^a.bc$")"#, &["bare dot ^a.bc$"]),
        (
            r#"mcp["uri"].startsWith("note://s/") && mcp.uri_folded.contains("x")"#,
            &["uri startsWith note://s/ false", "uri contains x true"],
        ),
        (r#"mcp.uri.startsWith("note://" + subject.id)"#, &[]),
        (r#"args.a != "x""#, &["all but args.a"]),
        (r#"!(args.a in ["x"])"#, &["all but args.a"]),
        (r#"!(args.a == "x")"#, &["all but args.a"]),
        (r#"!(args.a != "x")"#, &[]),
        (r#"args.a == "x""#, &[]),
        ("args.a != true && args.b != null", &[]),
        ("size(args.a) != 0", &[]),
        (r#"subject.id != "x""#, &[]),
        (
            "int(args.a) > 1 && bool(args.b)",
            &["int(args.a)", "bool(args.b)"],
        ),
        ("int(subject.id) > 1", &[]),
    ] {
        assert_eq!(found(text), expected, "{text}");
    }
}

#[test]
fn the_members_that_are_read_are_found() {
    let text = r#"has(args.a.b) && args["c"].d == 1 && "e" in args && given(args.f)
        && mcp["arguments"].g.exists(one, one.h == 1) && subject.claims.i == 1"#;
    let expression = Expression::compile(text).unwrap();
    let reads = expression.member_reads().iter();
    let paths: Vec<String> = reads
        .map(|read| {
            let steps = read.steps.iter().map(|step| match step {
                PathStep::Name(name) => name.as_str(),
                PathStep::Item => "*",
            });
            let root = if read.is_claim { "claims" } else { "args" };
            let names: Vec<&str> = [root].into_iter().chain(steps).collect();
            names.join(".")
        })
        .collect();
    let expected = [
        "args.a",
        "args.a.b",
        "args.c",
        "args.c.d",
        "args.e",
        "args.f",
        "args.g",
        "args.g.*.h",
        "claims.i",
    ];
    assert_eq!(paths, expected);
}
