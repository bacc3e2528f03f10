//! Invalid policies, and policies of several files.

use super::*;
use crate::authz::Hints;

#[test]
fn exceeded_limits_are_reported_with_their_values() {
    let rule = |id: usize| format!("- {{id: r{id}, effect: deny, if: \"args.a == 'xxxx'\"}}\n");
    let text = format!("rules:\n{}{}{}", rule(0), rule(1), rule(2));
    let context = CompileContext {
        rules_max: 2,
        cel_bytes_max: 15,
        ..CompileContext::default()
    };
    let expected = [
        "p.yaml:2:30: error: the expression has 16 bytes (`cel_bytes_max` is 15)",
        "p.yaml:3:30: error: the expression has 16 bytes (`cel_bytes_max` is 15)",
        "p.yaml:4:3: error: the policy has 3 rules (`rules_max` is 2)",
        "p.yaml:4:30: error: the expression has 16 bytes (`cel_bytes_max` is 15)",
    ];
    assert_eq!(lines(&text, &context), expected);
}

#[test]
fn several_files_are_one_policy() {
    let first = source("a.yaml", "tools: {github: {read: [get_*]}}\nrules: []\n");
    let second = source(
        "b.yaml",
        "rules:\n- {id: x, effect: deny, what: {classes: [read]}}\n",
    );
    let policy = compile(&[first.clone(), second.clone()], &context()).unwrap();
    assert_eq!(policy.rules().len(), 1);
    assert_eq!(
        &**policy
            .class("github", "get_issue", Hints::Untrusted)
            .unwrap(),
        "read"
    );
    assert_eq!(
        &**policy
            .class("files", "get_issue", Hints::Untrusted)
            .unwrap(),
        "unclassified"
    );
    assert_eq!(policy.revision().len(), 16);
    let changed = compile(std::slice::from_ref(&first), &context()).unwrap();
    assert_ne!(policy.revision(), changed.revision());

    let again = source(
        "c.yaml",
        &format!("{}{}", first.text.replace("rules: []\n", ""), second.text),
    );
    let findings = compile(&[first, second, again], &context()).unwrap_err();
    let expected = [
        "c.yaml:1:9: error: the tools of `github` are defined twice (keep them in one file)",
        "c.yaml:3:8: error: the id `x` is used twice, in b.yaml:2 and c.yaml:3 (rename one of the two)",
    ];
    assert_eq!(findings.to_lines(), expected);
}

#[test]
fn countries_need_a_database() {
    let context = CompileContext {
        has_countries: false,
        ..context()
    };
    let text = "rules:
- {id: a, effect: deny, where: {not: {countries: [DE]}}}
- {id: b, effect: deny, if: 'has(source.country) && source.ip == \"1.2.3.4\"'}
- {id: c, effect: deny, where: {device: {a: 1}}}
";
    let expected = "the rule reads a country, but there is no country database (set `geoip` in the configuration)";
    let expected = [2, 3].map(|line| format!("p.yaml:{line}:3: error: {expected}"));
    assert_eq!(lines(text, &context), expected);
}
