mod effect;

use crate::authz::Expression;

#[test]
#[expect(clippy::too_many_lines, reason = "rows")]
fn names_are_attributed_to_an_issuer_or_not() {
    // Whether the issuer is named for the whole, whether names are read, whether they make it fail.
    for (text, expected) in [
        (r#"mcp.name == "x""#, (false, false, false)),
        (r#"subject.issuer == "https://a""#, (true, false, false)),
        (r#""https://a" == subject.issuer"#, (true, false, false)),
        (r#"subject["issuer"] == "https://a""#, (true, false, false)),
        (r#"subject.claims.iss == "https://a""#, (true, false, false)),
        (
            r#"subject.claims["iss"] in ["https://a"]"#,
            (true, false, false),
        ),
        (
            r#"subject.issuer in ["https://a", "https://b"]"#,
            (true, false, false),
        ),
        (r#"subject.issuer != "https://a""#, (false, false, false)),
        ("subject.issuer == args.issuer", (false, false, false)),
        ("subject.issuer in [args.issuer]", (false, false, false)),
        (
            r#"subject.issuer.startsWith("https://a")"#,
            (false, false, false),
        ),
        (r#""x" in subject.groups"#, (false, true, false)),
        (r#"!("x" in subject.groups)"#, (false, true, true)),
        (r#"!!("x" in subject.groups)"#, (false, true, false)),
        (r#"subject.tenant == "x""#, (false, true, false)),
        (r#"subject.tenant != "x""#, (false, true, true)),
        (r#"!(subject.tenant != "x")"#, (false, true, false)),
        ("has(subject.agent)", (false, true, false)),
        ("!has(subject.claims.x)", (false, true, true)),
        (r#"subject.id.startsWith("x")"#, (false, true, false)),
        (r#"glob(subject.id, "x*")"#, (false, true, false)),
        (
            r#"subject.groups.exists(g, g == "x")"#,
            (false, true, false),
        ),
        ("size(subject.groups) > 1", (false, true, true)),
        ("args.owner == subject.id", (false, true, false)),
        (r#"args.owner != subject["id"]"#, (false, true, true)),
        (
            r#"subject.issuer == "https://a" && "x" in subject.groups"#,
            (true, false, false),
        ),
        (
            r#"mcp.name == "y" && ("x" in subject.groups && subject.issuer in ["https://a"])"#,
            (true, false, false),
        ),
        (
            r#"subject.issuer == "https://a" || "x" in subject.groups"#,
            (false, true, false),
        ),
        (
            r#"subject.issuer != "https://a" && "x" in subject.groups"#,
            (false, true, false),
        ),
        (
            r#"(subject.issuer == "https://a" && "x" in subject.groups) || (subject.issuer == "https://b" && "y" in subject.groups)"#,
            (true, false, false),
        ),
        (
            r#"(subject.issuer == "https://a" && "x" in subject.groups) || mcp.name == "y""#,
            (false, false, false),
        ),
        (
            r#"!(subject.issuer == "https://a" && "x" in subject.groups)"#,
            (false, false, false),
        ),
        (
            r#"subject.issuer == "https://a" ? "x" in subject.groups : mcp.name == "y""#,
            (false, false, false),
        ),
        (
            r#"subject.issuer == "https://a" ? mcp.name == "y" : "x" in subject.groups"#,
            (false, true, false),
        ),
        (
            r#"subject.tenant == "x" ? mcp.name == "y" : mcp.name == "z""#,
            (false, true, true),
        ),
    ] {
        let expression = Expression::compile(text).unwrap();
        let found = (
            expression.says_whose(),
            expression.reads_anybodys_names(false),
            expression.fails_by_anybodys_names(false),
        );
        assert_eq!(found, expected, "{text}");
    }
}

/// An allow names the issuer in any form that holds only for named issuers.
#[test]
fn an_expression_holds_only_for_named_issuers() {
    for (text, is_said) in [
        (
            r#"!(subject.issuer != "https://a") && "x" in subject.groups"#,
            true,
        ),
        (
            r#"!(subject.issuer != "https://a" || !("x" in subject.groups))"#,
            true,
        ),
        (
            r#"subject.issuer == "https://a" ? "x" in subject.groups : false"#,
            true,
        ),
        (
            r#"subject.issuer != "https://a" ? false : "x" in subject.groups"#,
            true,
        ),
        (
            r#"subject.groups.exists(g, subject.issuer == "https://a" && g == "x")"#,
            true,
        ),
        (
            r#"subject.groups.all(g, subject.issuer == "https://a" && g == "x")"#,
            false,
        ),
        (
            r#"subject.issuer == "https://a" ? "x" in subject.groups : true"#,
            false,
        ),
        (
            r#"subject.issuer != "https://a" || "x" in subject.groups"#,
            false,
        ),
        (
            r#"!(subject.issuer == "https://a" && "x" in subject.groups)"#,
            false,
        ),
    ] {
        let expression = Expression::compile(text).unwrap();
        assert_eq!(expression.says_whose(), is_said, "{text}");
    }
}

/// The device is a name if tokens describe it.
#[test]
fn the_device_is_a_name_or_not() {
    for (text, reads, fails) in [
        ("device.managed == true", true, false),
        ("device.managed", true, false),
        ("has(device.managed)", true, false),
        (r#""managed" in device"#, true, false),
        (r#"device.tags.exists(t, t == "managed")"#, true, false),
        ("!device.managed", true, true),
        ("device.managed != true", true, true),
        ("device.managed == false", true, true),
        (r#"!given(device["managed"])"#, true, true),
        ("!given(device.managed)", true, true),
        ("device == args.device", true, true),
        ("device.all(key, key != \"managed\")", true, true),
        (r#"mcp.name == "x""#, false, false),
        (r"args.exists(d, !args[d])", false, false),
        (
            r#"subject.issuer != "https://a" || device.managed != true"#,
            false,
            false,
        ),
    ] {
        let expression =
            Expression::compile(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        assert_eq!(expression.reads_anybodys_names(true), reads, "{text}");
        assert_eq!(expression.fails_by_anybodys_names(true), fails, "{text}");
        assert!(!expression.reads_anybodys_names(false), "{text}");
        assert!(!expression.fails_by_anybodys_names(false), "{text}");
    }
}
