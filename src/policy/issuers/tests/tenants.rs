//! Issuers with several tenants.

use super::*;

const FAMILY: &str = "https://login.test/{tenantid}/v2.0";

fn context(are_strict: bool) -> CompileContext {
    let each = ["https://login.test/a/v2.0", "https://login.test/b/v2.0"].map(str::to_owned);
    let other = "https://other.test".to_owned();
    let issuers = Issuers {
        names: vec![
            each[0].clone(),
            each[1].clone(),
            other.clone(),
            FAMILY.to_owned(),
        ],
        families: HashMap::from([(FAMILY.to_owned(), each.to_vec())]),
        of_servers: HashMap::from([("notes".to_owned(), each.to_vec())]),
        are_strict,
        ..Issuers::default()
    };
    CompileContext {
        issuers: Arc::new(issuers),
        ..CompileContext::default()
    }
}

fn compiled(rule: &str, are_strict: bool) -> Result<Who, Vec<String>> {
    let text = format!("rules:\n- {{id: x, effect: allow, what: {{servers: [notes]}}, {rule}}}\n");
    let name = "p".to_owned();
    let policy = compile(&[Source { name, text }], &context(are_strict));
    let policy = policy.map_err(|findings| findings.to_lines())?;
    Ok(policy.rules()[0].who.clone().unwrap_or_default())
}

#[test]
fn a_name_with_the_variable_means_every_tenant() {
    let named = |who: &Who| who.issuers.as_ref().map(|names| names.join(" "));
    let both = "https://login.test/a/v2.0 https://login.test/b/v2.0".to_owned();
    let who = compiled(&format!("who: {{issuers: ['{FAMILY}']}}"), true).unwrap();
    assert_eq!(named(&who), Some(both.clone()));
    let rule = format!("who: {{issuers: [https://other.test, '{FAMILY}']}}");
    let who = compiled(&rule, true).unwrap();
    assert_eq!(named(&who), Some(format!("https://other.test {both}")));
    let rule = format!("who: {{anyone: true, not: {{issuers: ['{FAMILY}']}}}}");
    let who = compiled(&rule, false).unwrap();
    assert_eq!(named(&who), None);
    assert_eq!(named(&who.not.unwrap()), Some(both));
    let who = compiled("who: {issuers: [https://login.test/b/v2.0]}", true).unwrap();
    assert_eq!(named(&who).as_deref(), Some("https://login.test/b/v2.0"));
}

#[test]
fn tenants_are_several_issuers() {
    let refused = compiled("who: {groups: [staff]}", true).unwrap_err();
    assert!(
        refused[0].contains("any issuer that `notes` accepts"),
        "{refused:?}"
    );
    let refused = compiled("who: {issuers: [https://login.test/c/v2.0]}", false).unwrap_err();
    assert!(refused[0].contains("unknown issuer"), "{refused:?}");
}

#[test]
fn an_expression_compares_with_an_iss() {
    let rule =
        |issuer: &str| format!("who: {{anyone: true}}, if: 'subject.issuer == \"{issuer}\"'");
    let refused = compiled(&rule(FAMILY), false).unwrap_err();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].contains("no token has the `iss`"), "{refused:?}");
    assert!(compiled(&rule("https://login.test/a/v2.0"), false).is_ok());
}
