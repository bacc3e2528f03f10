use crate::authz::Expression;

/// Tests that a caller may make fail by having a name, whichever issuer gave it; and tests that a
/// name can only make hold, or that only names of a named issuer make fail.
#[test]
#[expect(clippy::too_many_lines, reason = "rows")]
fn names_make_a_test_fail_or_only_hold() {
    for (text, fails) in [
        // Callers without a name, or without names other than those.
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
        ("size(subject.groups) <= 0", true),
        ("1 > size(subject.groups)", true),
        ("!(subject.groups.size() >= 1)", true),
        ("size(subject.groups) >= 0", true),
        (r#"!(subject.tenant != "")"#, true),
        ("subject.claims.level == 0", true),
        ("int(subject.claims.level) == 0", true),
        ("num(subject.claims.level) in [0.0, 1.0]", true),
        (r#"string(subject.claims.employee) == "false""#, true),
        (r#"text(subject.claims.employee) in ["No", "x"]"#, true),
        ("bool(subject.claims.employee) == false", true),
        ("!bool(subject.claims.employee)", true),
        (r#"subject.tenant in {"": 1, "x": 2}"#, true),
        (r#"subject.tenant in ["", "x"].filter(t, t != "y")"#, true),
        (r#"["", "x"].exists(t, t == subject.tenant)"#, true),
        ("[false].exists(t, subject.claims.employee == t)", true),
        ("subject.claims == args.claims", true),
        // Empty names, among others.
        (r#"("u-" + subject.tenant) == "u-""#, true),
        (r#""u-x" in ["u-" + subject.tenant + "x"]"#, true),
        (r#"("x" + subject.tenant + "y").contains("xy")"#, true),
        (r#"(subject.tenant + "-").endsWith("-")"#, true),
        (r#""acme".startsWith(subject.tenant)"#, true),
        (r#"("-" + subject.tenant + "-").matches("^--$")"#, true),
        (r#"glob("-" + subject.tenant, "-*")"#, true),
        // Patterns for everything except some texts.
        (r#"subject.id.matches("^[b-z]")"#, true),
        (r#"subject.id.matches("^[A-Za-z0-9]{4}$")"#, true),
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
        // Members of an element.
        (
            r#"subject.claims.orgs.exists(o, !("adm" in o.roles))"#,
            true,
        ),
        (r#"subject.claims.orgs.exists(o, !("adm" in o))"#, true),
        ("subject.claims.orgs.exists(o, !o.off)", true),
        (r#"subject.claims.orgs.exists(o, !o["off"])"#, true),
        ("subject.claims.orgs.exists(o, !has(o.off))", true),
        ("subject.claims.orgs.exists(o, !given(o.off))", true),
        ("subject.claims.orgs.exists(o, size(o) == 0)", true),
        ("subject.claims.orgs.exists(o, o.roles.size() == 0)", true),
        (
            r#"subject.claims.orgs.exists(o, o.roles.all(r, r != "adm"))"#,
            true,
        ),
        (
            r#"subject.claims.orgs.exists(o, o.all(r, r != "adm"))"#,
            true,
        ),
        (
            r#"subject.claims.orgs.exists(o, !o.exists(r, r == "adm"))"#,
            true,
        ),
        (
            r#""x" in subject.claims.orgs.filter(o, !o.off).map(o, o.name)"#,
            true,
        ),
        ("true in subject.claims.orgs.map(o, !o.off)", true),
        (
            r#"subject.claims.orgs.filter(o, o.name == "x").exists(o, !o.off)"#,
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
        // Another issuer's names, or those of all but one issuer.
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
        // A name can only make these hold.
        (
            r#"subject.groups.exists(g, g.startsWith("contractor-"))"#,
            false,
        ),
        (r#"subject.groups.exists(g, g != "staff")"#, false),
        (r#"subject.groups.exists(g, !(g in ["a", "b"]))"#, false),
        (r#"!subject.groups.all(g, g != "x")"#, false),
        (r#"!subject.groups.all(g, g in ["a", "b"])"#, false),
        (r#"subject.claims.teams.exists(t, t.name == "x")"#, false),
        ("subject.claims.teams.exists(t, has(t.off) && t.off)", false),
        (
            r#"subject.claims.teams.exists(t, "x" in t.roles && t.tags.exists(g, g != "y"))"#,
            false,
        ),
        (
            r#""x" in subject.claims.teams.filter(t, "y" in t.roles).map(t, fold(t.name))"#,
            false,
        ),
        (
            r#""x" in subject.groups.filter(g, "y" in subject.roles)"#,
            false,
        ),
        (
            r"args.teams.exists(t, subject.claims.x.exists(g, g == t.name && !t.off))",
            false,
        ),
        // Any name at all.
        ("size(subject.groups) > 0", false),
        ("subject.groups.size() >= 1", false),
        ("0 < size(subject.groups + subject.roles)", false),
        ("size(subject.claims.teams) != 0", false),
        ("!(size(subject.groups) == 0)", false),
        ("!(1 > size(subject.groups))", false),
        ("subject.groups != []", false),
        (r#"subject.tenant != """#, false),
        (r#"!("" == fold(subject.tenant))"#, false),
        ("subject.claims.contractor != false", false),
        ("null != subject.claims.contractor", false),
        ("bool(subject.claims.contractor)", false),
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
        // Only names of a named issuer exempt.
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
        assert_eq!(expression.fails_by_anybodys_names(false), fails, "{text}");
        let opposite = Expression::compile(&format!("!({text})")).unwrap();
        let may_fail = opposite.fails_by_anybodys_names(false);
        assert!(
            may_fail || fails || !expression.reads_anybodys_names(false),
            "{text}"
        );
    }
}
