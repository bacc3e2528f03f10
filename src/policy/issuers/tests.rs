mod device;
mod tenants;

use std::sync::Arc;

use super::*;
use crate::policy::{CompileContext, LintContext, compile, lint};
use crate::yaml::Source;

/// `mixed` accepts two issuers, `own` one, and `twice` names one of them twice. Tokens describe the
/// device on `posture`; on `mixed` those of one issuer do.
fn issuers(are_strict: bool) -> Arc<Issuers> {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Arc::new(Issuers {
        names: texts(&["https://a.test", "https://b.test"]),
        of_devices: texts(&["https://a.test", "https://c.test"]),
        of_servers: HashMap::from([
            (
                "mixed".to_owned(),
                texts(&["https://a.test", "https://b.test"]),
            ),
            (
                "posture".to_owned(),
                texts(&["https://a.test", "https://c.test"]),
            ),
            ("own".to_owned(), texts(&["https://a.test"])),
            (
                "twice".to_owned(),
                texts(&["https://a.test", "https://a.test"]),
            ),
        ]),
        are_strict,
        families: HashMap::new(),
    })
}

/// The findings about one rule.
fn refused(rule: &str, are_strict: bool) -> Vec<String> {
    let context = CompileContext {
        issuers: issuers(are_strict),
        ..CompileContext::default()
    };
    let source = Source {
        name: "p".to_owned(),
        text: format!("rules:\n- {{id: x, {rule}}}\n"),
    };
    let sources = [source];
    match compile(&sources, &context) {
        Err(findings) => findings.to_lines(),
        Ok(policy) => {
            let context = LintContext {
                issuers: context.issuers,
                ..LintContext::default()
            };
            let lines = lint(&sources, &policy, &context).to_lines();
            lines
                .into_iter()
                .filter(|line| line.contains("any-issuer"))
                .collect()
        }
    }
}

const ON_MIXED: &str = "what: {servers: [mixed], methods: [tools/call]}";
const LIMIT: &str = "limit: {calls: 1, per: 1m, by: [subject]}";

/// Each rule gets a warning if rules need not name the issuers of their names, and is refused if
/// they must.
#[test]
#[expect(clippy::too_many_lines, reason = "rows")]
fn names_of_any_issuer_are_reported_or_refused() {
    for (rule, what) in [
        (
            format!("effect: allow, who: {{groups: [g]}}, {ON_MIXED}"),
            "`groups`",
        ),
        (
            format!("effect: allow, who: {{roles: [g]}}, {ON_MIXED}"),
            "`roles`",
        ),
        (
            format!("effect: allow, who: {{scopes: [g]}}, {ON_MIXED}"),
            "`scopes`",
        ),
        (
            format!("effect: allow, who: {{tenants: [g]}}, {ON_MIXED}"),
            "`tenants`",
        ),
        (
            format!("effect: allow, who: {{subjects: [g]}}, {ON_MIXED}"),
            "`subjects`",
        ),
        (
            format!("effect: allow, who: {{agents: [g]}}, {ON_MIXED}"),
            "`agents`",
        ),
        (
            format!("effect: allow, who: {{claims: {{c: g}}}}, {ON_MIXED}"),
            "`claims`",
        ),
        (
            format!("effect: allow, who: {{peers: [p], groups: [g]}}, {ON_MIXED}"),
            "`groups`",
        ),
        (
            "effect: allow, who: {groups: [g]}, what: {methods: [tools/call]}".to_owned(),
            "`groups`",
        ),
        (
            "effect: allow, who: {groups: [g]}, what: {servers: [own, mixed]}".to_owned(),
            "`groups`",
        ),
        (
            "effect: allow, who: {groups: [g]}, what: {not: {servers: [mixed], tools: [t]}}"
                .to_owned(),
            "`groups`",
        ),
        (
            format!("effect: allow, who: {{anyone: true, not: {{groups: [g]}}}}, {ON_MIXED}"),
            "`groups`",
        ),
        (
            format!(
                "effect: allow, who: {{groups: [g], not: {{issuers: ['https://b.test']}}}}, {ON_MIXED}"
            ),
            "`groups`",
        ),
        (
            format!(
                "effect: allow, who: {{anyone: true}}, {ON_MIXED}, if: '\"g\" in subject.groups'"
            ),
            "the names in the expression",
        ),
        (
            format!(
                "effect: allow, who: {{anyone: true}}, {ON_MIXED}, set: {{headers: {{x-t: '${{subject.tenant}}'}}}}"
            ),
            "the names that are set",
        ),
        (
            format!("effect: allow, mode: shadow, who: {{groups: [g]}}, {ON_MIXED}"),
            "`groups`",
        ),
        (
            format!("effect: deny, who: {{not: {{groups: [g]}}}}, {ON_MIXED}"),
            "`groups`",
        ),
        (
            format!("effect: deny, who: {{roles: [r], not: {{claims: {{c: g}}}}}}, {ON_MIXED}"),
            "`claims`",
        ),
        (
            format!("effect: deny, who: {{claims: {{c: [x, false]}}}}, {ON_MIXED}"),
            "`claims`",
        ),
        (
            format!("effect: limit, who: {{claims: {{c: 'No'}}}}, {ON_MIXED}, {LIMIT}"),
            "`claims`",
        ),
        (
            format!(
                "effect: allow, who: {{anyone: true}}, {ON_MIXED}, set: {{headers: {{x-t: '${{subject.tenant}}'}}, metadata: {{i: '${{subject.issuer}}'}}}}"
            ),
            "the names that are set",
        ),
        (
            format!("effect: deny, {ON_MIXED}, if: '!(\"g\" in subject.groups)'"),
            "the names in the expression",
        ),
        (
            format!("effect: deny, {ON_MIXED}, if: 'subject.id != \"g\"'"),
            "the names in the expression",
        ),
        (
            format!("effect: deny, {ON_MIXED}, if: 'size(subject.groups) == 0'"),
            "the names in the expression",
        ),
        (
            "effect: deny, who: {not: {tenants: [g]}}".to_owned(),
            "`tenants`",
        ),
        (
            format!(
                "effect: require, who: {{not: {{groups: [g]}}}}, {ON_MIXED}, needs: {{scopes: [s]}}"
            ),
            "`groups`",
        ),
        (
            format!("effect: limit, who: {{not: {{groups: [g]}}}}, {ON_MIXED}, {LIMIT}"),
            "`groups`",
        ),
    ] {
        let message = format!("{what} may come from any issuer that `mixed` accepts");
        for (strict, begin) in [(false, "warning[any-issuer]"), (true, "error")] {
            let found = refused(&rule, strict);
            assert_eq!(found.len(), 1, "{rule}: {found:#?}");
            assert!(
                found[0].contains(&format!("{begin}: {message}")),
                "{found:#?}"
            );
        }
        let silenced = format!("{rule}, silence: [any-issuer]");
        assert_eq!(refused(&silenced, false), [""; 0], "{rule}");
        assert_eq!(
            refused(&silenced, true).len(),
            1,
            "nothing silences an error: {rule}"
        );
    }
}

/// A rule that follows the help names its issuers, and lets no more requests through than before.
#[test]
#[expect(clippy::too_many_lines, reason = "rows")]
fn the_help_makes_no_rule_weaker() {
    let whose = "issuers: ['https://a.test']";
    let in_who = "name the issuers with `issuers` in `who`";
    let in_not = "name the issuers with `issuers` in the same `not`";
    let in_claims =
        "name the issuers: `not: {issuers: […], claims: …}` instead, with the values that exempt";
    let first = "name the issuer: `subject.issuer == \"…\" && (…)`, or `issuers` in `who`";
    let negated =
        "name the issuer: `!(subject.issuer == \"…\" && …)`, with what exempts after the `&&`";
    let names = "subject.issuer == \"https://a.test\"";
    let expected = "needs: {scopes: [s]}";
    for (rule, help, mended) in [
        (
            "effect: allow, who: {groups: [g]}".to_owned(),
            in_who,
            format!("effect: allow, who: {{groups: [g], {whose}}}"),
        ),
        // With `issuers` in the `not`, callers of the other issuer would pass.
        (
            "effect: allow, who: {anyone: true, not: {groups: [g]}}".to_owned(),
            in_who,
            format!("effect: allow, who: {{{whose}, not: {{groups: [g]}}}}"),
        ),
        (
            "effect: allow, who: {anyone: true}, if: '!(\"g\" in subject.groups)'".to_owned(),
            first,
            format!(
                "effect: allow, who: {{anyone: true}}, if: '{names} && (!(\"g\" in subject.groups))'"
            ),
        ),
        (
            "effect: allow, who: {anyone: true}, set: {headers: {x-t: '${subject.tenant}'}}"
                .to_owned(),
            "set `${subject.issuer}` too, or `issuers` in `who`",
            "effect: allow, who: {anyone: true}, set: {headers: {x-t: '${subject.tenant}', x-i: '${subject.issuer}'}}"
                .to_owned(),
        ),
        (
            "effect: deny, who: {not: {groups: [g]}}".to_owned(),
            in_not,
            format!("effect: deny, who: {{not: {{groups: [g], {whose}}}}}"),
        ),
        (
            format!("effect: require, who: {{not: {{groups: [g]}}}}, {expected}"),
            in_not,
            format!("effect: require, who: {{not: {{groups: [g], {whose}}}}}, {expected}"),
        ),
        (
            format!("effect: limit, who: {{not: {{groups: [g]}}}}, {LIMIT}"),
            in_not,
            format!("effect: limit, who: {{not: {{groups: [g], {whose}}}}}, {LIMIT}"),
        ),
        (
            "effect: deny, who: {claims: {c: false}}".to_owned(),
            in_claims,
            format!("effect: deny, who: {{not: {{claims: {{c: true}}, {whose}}}}}"),
        ),
        (
            "effect: deny, if: '!(\"g\" in subject.groups)'".to_owned(),
            negated,
            format!("effect: deny, if: '!({names} && \"g\" in subject.groups)'"),
        ),
        (
            "effect: deny, if: 'size(subject.groups) == 0'".to_owned(),
            negated,
            format!("effect: deny, if: '!({names} && size(subject.groups) != 0)'"),
        ),
        (
            format!("effect: require, if: 'subject.tenant != \"t\"', {expected}"),
            negated,
            format!("effect: require, if: '!({names} && subject.tenant == \"t\")', {expected}"),
        ),
        (
            format!("effect: limit, if: 'subject.groups.all(g, g != \"g\")', {LIMIT}"),
            negated,
            format!(
                "effect: limit, if: '!({names} && subject.groups.exists(g, g == \"g\"))', {LIMIT}"
            ),
        ),
    ] {
        let help = format!(" ({help})");
        for strict in [false, true] {
            let found = refused(&format!("{rule}, {ON_MIXED}"), strict);
            assert_eq!(found.len(), 1, "{rule}: {found:#?}");
            assert!(found[0].ends_with(&help), "{rule}: {found:#?}");
        }
        let mended = format!("{mended}, {ON_MIXED}");
        assert_eq!(refused(&mended, true), [""; 0], "{mended}");
    }
}

#[test]
fn rules_that_name_their_issuers_are_accepted() {
    let whose = "issuers: ['https://a.test']";
    for rule in [
        format!("effect: allow, who: {{groups: [g], {whose}}}, {ON_MIXED}"),
        format!("effect: allow, who: {{{whose}, not: {{groups: [g]}}}}, {ON_MIXED}"),
        format!("effect: allow, who: {{anyone: true, not: {{groups: [g], {whose}}}}}, {ON_MIXED}"),
        format!("effect: allow, who: {{anyone: true}}, {ON_MIXED}"),
        format!("effect: allow, who: {{peers: [p]}}, {ON_MIXED}"),
        format!(
            "effect: allow, who: {{groups: [g]}}, {ON_MIXED}, if: 'subject.issuer == \"https://a.test\"'"
        ),
        format!(
            "effect: allow, who: {{anyone: true}}, {ON_MIXED}, if: 'subject.issuer == \"https://a.test\" && \"g\" in subject.groups'"
        ),
        format!(
            "effect: allow, who: {{anyone: true}}, {ON_MIXED}, set: {{headers: {{x-t: '${{subject.issuer}} ${{subject.tenant}}'}}}}"
        ),
        format!("effect: deny, who: {{claims: {{c: [x, true]}}}}, {ON_MIXED}"),
        format!(
            "effect: deny, who: {{not: {{claims: {{c: false}}, {whose}}}}}, {ON_MIXED}"
        ),
        "effect: allow, who: {groups: [g]}, what: {servers: [own, twice]}".to_owned(),
        "effect: allow, who: {groups: [g]}, what: {methods: [tools/call], not: {servers: [mixed, posture]}}"
            .to_owned(),
        // These only add to the refusals.
        format!("effect: deny, who: {{groups: [g]}}, {ON_MIXED}"),
        format!("effect: deny, {ON_MIXED}, if: '\"g\" in subject.groups'"),
        format!(
            "effect: deny, {ON_MIXED}, if: 'subject.groups.exists(g, g.startsWith(\"contractor-\"))'"
        ),
        format!("effect: deny, who: {{not: {{groups: [g], {whose}}}}}, {ON_MIXED}"),
        format!(
            "effect: deny, {ON_MIXED}, if: 'subject.issuer != \"https://a.test\" || !(\"adm\" in subject.groups)'"
        ),
        format!("effect: require, who: {{groups: [g]}}, {ON_MIXED}, needs: {{scopes: [s]}}"),
        format!("effect: limit, who: {{groups: [g]}}, {ON_MIXED}, {LIMIT}"),
    ] {
        for strict in [false, true] {
            assert_eq!(refused(&rule, strict), [""; 0], "{rule}");
        }
    }
}

#[test]
fn unknown_issuers_are_refused_with_the_nearest_known_one() {
    let known = "(did you mean `https://a.test`?)";
    for (who, column) in [
        ("{issuers: ['https://a.tset']}", 42),
        ("{anyone: true, not: {issuers: ['https://a.tset']}}", 62),
    ] {
        let rule = format!("effect: allow, who: {who}, {ON_MIXED}");
        let expected = format!("p:2:{column}: error: unknown issuer `https://a.tset` {known}");
        assert_eq!(refused(&rule, false), [expected]);
    }
    // A trailing slash makes it another issuer (RFC 8414 §2).
    let slash = format!("effect: allow, who: {{issuers: ['https://b.test/']}}, {ON_MIXED}");
    assert!(refused(&slash, false)[0].contains("did you mean `https://b.test`?"));
    let unknown = CompileContext::default();
    let source = Source {
        name: "p".to_owned(),
        text: format!("rules:\n- {{id: x, {slash}}}\n"),
    };
    assert!(compile(&[source], &unknown).is_ok(), "where none is known");
}
