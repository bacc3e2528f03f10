use crate::authz::expression::Expression;

#[test]
#[expect(clippy::too_many_lines, reason = "rows")]
fn names_are_said_whose_they_are_or_not() {
    // Whether it is said for the whole, whether names are read, whether it fails by them.
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
        let found = expression.issuer_names;
        let found = (found.is_said, found.reads_names, found.fails_by_names);
        assert_eq!(found, expected, "{text}");
    }
}

/// Tests that a caller may make fail by a name, whichever issuer gave it; and those that a name
/// can only make hold, or that only the names of a named issuer make fail.
#[test]
#[expect(clippy::too_many_lines, reason = "rows")]
fn names_make_a_test_fail_or_only_hold() {
    for (text, fails) in [
        // Who has none, or none but those.
        ("size(subject.groups) == 0", true),
        ("0 == size(subject.groups)", true),
        ("size(subject.groups) < 1", true),
        ("!(size(subject.groups) > 0)", true),
        ("size(subject.groups) != 1", true),
        ("subject.groups == []", true),
        ("[] == subject.groups", true),
        ("!(subject.groups != [])", true),
        (r#"subject.groups == ["x"]"#, true),
        (r#"subject.groups != ["x"]"#, true),
        (r#"subject.claims.teams == ["x"]"#, true),
        (r#"subject.groups in [["x"], ["y"]]"#, true),
        (r#"subject.groups + subject.roles == ["x"]"#, true),
        ("subject.groups + subject.roles == args.names", true),
        ("subject.groups == args.names", true),
        (r#"subject.tenant == """#, true),
        (r#""" == subject.tenant"#, true),
        (r#"subject.tenant + "" == """#, true),
        (r#"fold(subject.tenant) == """#, true),
        (r#"subject.tenant in ["", "x"]"#, true),
        (r#"subject.tenant in ["x"] + [""]"#, true),
        (r#""" in [subject.tenant]"#, true),
        ("subject.claims.x == null", true),
        ("subject.claims.x == false", true),
        ("subject.claims == {}", true),
        ("!subject.claims.x", true),
        ("!has(subject.agent)", true),
        ("has(subject.claims.x) == false", true),
        ("!given(subject.claims.x)", true),
        (r#"!("x" in subject.claims)"#, true),
        ("type(subject.claims.x) == null_type", true),
        (r#"subject.groups[0] == "x""#, true),
        (r#"subject.groups[0].startsWith("x")"#, true),
        (r#"string(size(subject.groups)).startsWith("0")"#, true),
        ("subject.claims.level < 5", true),
        // Patterns for all but something.
        (r#"subject.id.matches("^[^a]")"#, true),
        (r#"matches(subject.tenant, "^[^-]+$")"#, true),
        (r#"subject.id.matches("^$")"#, true),
        (r#"subject.id.matches("^.{0,3}$")"#, true),
        (r#"subject.id.matches("^\\W")"#, true),
        (r#"!subject.id.matches("^adm-")"#, true),
        // Loops.
        (r#"subject.groups.all(g, g != "adm")"#, true),
        (r#"subject.groups.all(g, g.startsWith("c-"))"#, true),
        (r#"!subject.groups.exists(g, g == "adm")"#, true),
        (r#"subject.groups.exists_one(g, g.startsWith("c-"))"#, true),
        (r#"size(subject.groups.filter(g, g == "adm")) == 0"#, true),
        (r#"subject.groups.filter(g, g == "adm") == []"#, true),
        (r#"subject.groups.map(g, g == "adm") == [false]"#, true),
        ("args.teams.exists(t, !(t in subject.groups))", true),
        ("!args.teams.all(t, t in subject.groups)", true),
        ("args.teams.exists_one(t, t in subject.groups)", true),
        (r#"["adm"].all(g, !(g in subject.groups))"#, true),
        ("args.teams.exists(t, subject.groups.all(g, g != t))", true),
        (r#"[subject.tenant].exists(t, t != "x")"#, true),
        (
            r#"([subject.tenant] + subject.groups).exists(t, t != "x")"#,
            true,
        ),
        (
            r#""x" in [subject.tenant].map(t, t == "adm" ? "y" : "x")"#,
            true,
        ),
        (
            r#""x" in subject.groups.filter(g, !("adm" in subject.roles))"#,
            true,
        ),
        (
            r#"subject.claims.exists(k, subject.claims[k] != "x")"#,
            true,
        ),
        // Branches.
        (r#""adm" in subject.groups ? false : mcp.name == "x""#, true),
        (r#""adm" in subject.groups ? mcp.name == "x" : true"#, true),
        (
            r#"mcp.name == "x" ? !("adm" in subject.groups) : true"#,
            true,
        ),
        (r#"(size(subject.groups) > 0 ? "a" : "b") == "b""#, true),
        (
            r#"subject.issuer == "https://a" ? true : !("adm" in subject.groups)"#,
            true,
        ),
        (
            r#"subject.issuer != "https://a" ? !("adm" in subject.groups) : true"#,
            true,
        ),
        // Another issuer's names, or all but one issuer's.
        (
            r#"subject.issuer != "https://a" && !("adm" in subject.groups)"#,
            true,
        ),
        (
            r#"subject.issuer == "https://a" || !("adm" in subject.groups)"#,
            true,
        ),
        (
            r#"(subject.issuer == "https://a" || mcp.name == "x") && !("adm" in subject.groups)"#,
            true,
        ),
        (
            r#"args.teams.all(t, subject.issuer == "https://a" && t == "x") || !("adm" in subject.groups)"#,
            true,
        ),
        // A name only makes these hold.
        (
            r#"subject.groups.exists(g, g.startsWith("contractor-"))"#,
            false,
        ),
        (r#"subject.groups.exists(g, g != "staff")"#, false),
        (r#"subject.groups.exists(g, !(g in ["a", "b"]))"#, false),
        (r#"!subject.groups.all(g, g != "x")"#, false),
        (r#"!subject.groups.all(g, g in ["a", "b"])"#, false),
        (
            r#"subject.claims.teams.exists(t, t.name == "x" && !t.off)"#,
            false,
        ),
        (r#"list(subject.claims.teams).exists(t, t == "x")"#, false),
        (
            r#"(subject.groups + subject.roles).exists(t, t == "x")"#,
            false,
        ),
        (r#""x" in subject.groups + subject.roles"#, false),
        (r#""x" in subject.groups + ["y"]"#, false),
        (r#""x" in [subject.tenant, subject.id]"#, false),
        (r#""x" in [subject.tenant] + subject.groups"#, false),
        (r#""x" in subject.groups.map(g, fold(g))"#, false),
        (r#""x" in subject.groups.filter(g, g != "y")"#, false),
        (r#""x" in subject.claims.teams"#, false),
        ("args.teams.exists(t, t in subject.groups)", false),
        ("args.teams.all(t, t in subject.groups)", false),
        (r#"["x", "y"].exists(t, t in subject.groups)"#, false),
        (r#"subject.tenant in ["x", "y"]"#, false),
        (r#"fold(subject.tenant) == "x""#, false),
        (r#"args.owner == "u/" + subject.id"#, false),
        (
            r#"args.path.startsWith("/home/" + subject.id + "/")"#,
            false,
        ),
        ("subject.claims.contractor", false),
        ("subject.claims.contractor == true", false),
        ("given(subject.claims.contractor)", false),
        (r#""contractor" in subject.claims"#, false),
        ("subject.claims.level == 5", false),
        (r#"subject.id.matches("^contractor-[^/]+$")"#, false),
        (r#"subject.id.matches("^[a-c]-.*$")"#, false),
        (r#""x" in subject.groups ? true : mcp.name == "y""#, false),
        (
            r#"!("x" in subject.groups) ? mcp.name == "y" : true"#,
            false,
        ),
        // Only the names of an issuer that is named exempt.
        (
            r#"subject.issuer != "https://a" || !("adm" in subject.groups)"#,
            false,
        ),
        (
            r#""https://a" != subject.claims.iss || size(subject.groups) == 0"#,
            false,
        ),
        (
            r#"mcp.name == "x" && (!("adm" in subject.groups) || subject.issuer != "https://a")"#,
            false,
        ),
        (
            r#"!(subject.issuer in ["https://a"]) || !("adm" in subject.groups)"#,
            false,
        ),
        (
            r#"!(subject.issuer == "https://a" && "x" in subject.groups) || !("adm" in subject.groups)"#,
            false,
        ),
        (
            r#"!(subject.issuer == "https://a" && size(subject.groups) > 0)"#,
            false,
        ),
        (
            r#"(subject.issuer != "https://a" || subject.tenant != "x") && (subject.issuer != "https://b" || subject.tenant != "y")"#,
            false,
        ),
        (
            r#"subject.issuer == "https://a" ? !("adm" in subject.groups) : true"#,
            false,
        ),
        (
            r#"subject.issuer != "https://a" ? true : !("adm" in subject.groups)"#,
            false,
        ),
        (
            r#"subject.groups.all(g, subject.issuer != "https://a" || g != "adm")"#,
            false,
        ),
    ] {
        let expression =
            Expression::compile(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        assert_eq!(expression.fails_by_anybodys_names(), fails, "{text}");
        let opposite = Expression::compile(&format!("!({text})")).unwrap();
        let may_fail = opposite.fails_by_anybodys_names();
        assert!(
            may_fail || fails || !expression.reads_anybodys_names(),
            "{text}"
        );
    }
}

/// An allow says whose names it means in any form that holds for named issuers alone.
#[test]
fn an_expression_holds_for_named_issuers_alone() {
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
