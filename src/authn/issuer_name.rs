//! The name of an issuer: the texts that `iss` may have, and those that it never has.

mod known_form;

use std::borrow::Cow;
use std::collections::HashSet;

use super::spiffe;
use known_form::is_uuid;

pub use known_form::TENANT_VARIABLE;

/// The claim that has to name the same tenant as `iss`.
pub(super) const TENANT_CLAIM: &str = "tid";

/// Why no token is from an issuer of that name, or not from all of its tenants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIssuerName {
    /// A character that no `iss` has: RFC 7519 §4.1.1 has a URI, or a text without a colon.
    #[error("`{character}` is in no `iss`, so no token can match the name")]
    Character {
        /// The character, escaped.
        character: String,
    },
    /// A variable other than [`TENANT_VARIABLE`], or that one more than once.
    #[error(
        "the only variable of a name is one `{TENANT_VARIABLE}`, so no token can match the name"
    )]
    Variable,
    /// The variable without tenants.
    #[error("the name has `{TENANT_VARIABLE}`: list the accepted tenants as `tenants`")]
    NoTenants,
    /// Tenants without the variable.
    #[error("`tenants` needs `{TENANT_VARIABLE}` in the name of the issuer")]
    NoVariable,
    /// A text that is the id of no tenant.
    #[error("`{0}` is the id of no tenant, so no token can match it: {1}")]
    Tenant(String, &'static str),
    /// A tenant is there twice.
    #[error("tenant `{0}` is there twice")]
    RepeatedTenant(String),
    /// A name of Microsoft that stands for no single tenant.
    #[error(
        "no `iss` has `{0}` for its tenant, so no token can match the name: write the id of the \
         tenant, or `{TENANT_VARIABLE}` and `tenants`"
    )]
    SharedTenant(String),
    /// The name of a known provider in a form that none of its tokens has.
    #[error("no token of this provider has such an `iss`; theirs is `{0}`")]
    Form(String),
    /// A SPIFFE ID that is no trust domain.
    #[error(
        "tokens of SPIFFE name their issuer by a trust domain: `spiffe://` and lower-case letters, \
         digits, `.`, `-` and `_`"
    )]
    TrustDomain,
}

/// Each `iss` that the name stands for: itself, or one for each tenant.
pub(super) fn names(issuer: &str, tenants: &[String]) -> Vec<String> {
    if issuer.contains(TENANT_VARIABLE) {
        let each = tenants.iter();
        each.map(|tenant| issuer.replace(TENANT_VARIABLE, tenant))
            .collect()
    } else {
        vec![issuer.to_owned()]
    }
}

/// The issuer's URL for discovery, if its keys can be discovered by its name. Microsoft serves the
/// metadata of all tenants for the tenant `common`, with the variable in `issuer`.
pub(super) fn metadata_base(issuer: &str) -> Option<Cow<'_, str>> {
    if !issuer.contains(TENANT_VARIABLE) {
        return Some(Cow::Borrowed(issuer));
    }
    let is_microsoft = microsoft_tenant(issuer).is_some();
    is_microsoft.then(|| Cow::Owned(issuer.replace(TENANT_VARIABLE, "common")))
}

/// Whether a key serves a tenant: not if its set says that it is another tenant's, as Microsoft's
/// shared sets do with `issuer`.
pub(super) fn is_key_of(key_issuer: Option<&str>, tenant: &str) -> bool {
    let named = key_issuer.and_then(microsoft_tenant);
    named.is_none_or(|named| named == TENANT_VARIABLE || named == tenant)
}

/// What is wrong with a name and its tenants.
pub(super) fn faults(issuer: &str, tenants: &[String]) -> Vec<InvalidIssuerName> {
    let mut faults = Vec::new();
    let plain = issuer.replacen(TENANT_VARIABLE, "", 1);
    if plain.contains(['{', '}']) {
        faults.push(InvalidIssuerName::Variable);
    } else if let Some(character) = impossible(&plain) {
        faults.push(InvalidIssuerName::Character {
            character: character.escape_default().to_string(),
        });
    }
    let has_variable = plain.len() != issuer.len();
    match (has_variable, tenants.is_empty()) {
        (true, true) => faults.push(InvalidIssuerName::NoTenants),
        (false, false) => faults.push(InvalidIssuerName::NoVariable),
        (true, false) | (false, true) => {}
    }
    if issuer.starts_with(spiffe::SCHEME) && !spiffe::is_trust_domain(issuer) {
        faults.push(InvalidIssuerName::TrustDomain);
    }
    let microsoft = microsoft_tenant(issuer);
    faults.extend(microsoft.and_then(shared));
    if faults.is_empty() {
        faults.extend(
            known_form::of(issuer)
                .filter(|form| form != issuer)
                .map(InvalidIssuerName::Form),
        );
    }
    let mut seen = HashSet::new();
    for tenant in tenants {
        if let Some(why) = why_no_tenant(tenant, microsoft.is_some()) {
            faults.push(InvalidIssuerName::Tenant(tenant.clone(), why));
        } else if !seen.insert(tenant) {
            faults.push(InvalidIssuerName::RepeatedTenant(tenant.clone()));
        }
    }
    faults
}

/// A character that the name has and no `iss`: in a URI (RFC 3986 §2), in any other text, or because
/// it is meant as a pattern.
fn impossible(name: &str) -> Option<char> {
    let is_uri = name.contains(':');
    name.chars().find(|one| {
        let is_plain = one.is_ascii_graphic() || (!is_uri && one.is_alphanumeric());
        !is_plain || "\"<>\\^`|*".contains(*one)
    })
}

fn why_no_tenant(tenant: &str, is_microsoft: bool) -> Option<&'static str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if tenant.is_empty() || !tenant.bytes().all(is_plain) {
        return Some("it is one segment of a URL, in plain characters");
    }
    (is_microsoft && !is_uuid(tenant)).then_some("tokens have its UUID, in lower case")
}

/// The first segment of an issuer's name of Microsoft Entra ID, whose tokens name their tenant
/// there, by its UUID.
pub(super) fn microsoft_tenant(issuer: &str) -> Option<&str> {
    let path = [
        "https://login.microsoftonline.com/",
        "https://sts.windows.net/",
    ]
    .iter()
    .find_map(|host| issuer.strip_prefix(host))?;
    path.split('/').next()
}

/// A tenant as Microsoft lets it be written in URLs, and no token has it.
fn shared(tenant: &str) -> Option<InvalidIssuerName> {
    let words = ["common", "organizations", "consumers"];
    let folded = tenant.to_ascii_lowercase();
    let is_spelled = is_uuid(&folded) && folded != tenant;
    let is_shared = words.contains(&&*folded) || folded.contains('.') || is_spelled;
    is_shared.then(|| InvalidIssuerName::SharedTenant(tenant.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "11111111-2222-3333-4444-555555555555";
    const ENTRA: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";

    #[test]
    fn a_name_that_no_token_has_is_refused() {
        let rows: &[(&str, &[&str], usize)] = &[
            ("https://idp.example", &[], 0),
            ("https://idp.example:8443/realms/a~b%20c/", &[], 0),
            ("mcp.example.com", &[], 0),
            ("kubernetes/serviceaccount", &[], 0),
            ("Anbieter-ÄÖ", &[], 0),
            ("spiffe://example.org", &[], 0),
            ("http://adfs.example.com/adfs/services/trust", &[], 0),
            (ENTRA, &[ONE], 0),
            ("https://sts.windows.net/{tenantid}/", &[ONE], 0),
            ("https://idp.example/{tenantid}", &["acme", "b.c_d~e"], 0),
            // Forms that a known provider never writes.
            ("https://login.microsoftonline.com/{tenantid}", &[ONE], 1),
            (
                "https://idp.example/.well-known/openid-configuration",
                &[],
                1,
            ),
            // Spaces, patterns and what URIs do not have.
            ("https://idp.example ", &[], 1),
            (" https://idp.example", &[], 1),
            ("https://idp.example/\u{7f}", &[], 1),
            ("https://idp.exämple", &[], 1),
            ("https://*.idp.example", &[], 1),
            ("https://<tenant>.idp.example", &[], 1),
            ("my issuer", &[], 1),
            // Variables.
            ("https://idp.example/{tenant}", &[], 1),
            ("https://idp.example/${TENANT}", &[], 1),
            ("https://idp.example/{TenantID}", &[], 1),
            ("https://idp.example/{tenantid}/{tenantid}", &[ONE], 1),
            ("https://idp.example/{tenantid", &[], 1),
            (ENTRA, &[], 1),
            ("https://idp.example", &[ONE], 1),
            // Tenants.
            (ENTRA, &[ONE, ONE], 1),
            (ENTRA, &["contoso.onmicrosoft.com"], 1),
            (ENTRA, &["11111111-2222-3333-4444-55555555555A"], 1),
            (ENTRA, &["common"], 1),
            ("https://idp.example/{tenantid}", &["a/b"], 1),
            ("https://idp.example/{tenantid}", &["a b"], 1),
            ("https://idp.example/{tenantid}", &[""], 1),
            ("https://idp.example/{tenantid}", &["{tenantid}"], 1),
            // What Microsoft's URLs have and its tokens do not.
            ("https://login.microsoftonline.com/common/v2.0", &[], 1),
            (
                "https://login.microsoftonline.com/organizations/v2.0",
                &[],
                1,
            ),
            ("https://login.microsoftonline.com/contoso.com/v2.0", &[], 1),
            (
                "https://sts.windows.net/AAAAAAAA-2222-3333-4444-555555555555/",
                &[],
                1,
            ),
        ];
        for (name, tenants, count) in rows {
            let tenants: Vec<String> = tenants.iter().map(ToString::to_string).collect();
            let found = faults(name, &tenants);
            assert_eq!(found.len(), *count, "{name} {tenants:?}: {found:?}");
        }
    }

    #[test]
    fn a_spiffe_id_is_the_name_of_no_issuer() {
        for name in [
            "spiffe://example.org/",
            "spiffe://example.org/a",
            "spiffe://A",
            "spiffe://",
        ] {
            assert_eq!(
                faults(name, &[]),
                [InvalidIssuerName::TrustDomain],
                "{name}"
            );
        }
    }

    #[test]
    fn a_key_of_one_tenant_serves_no_other() {
        let other = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0";
        let rows = [
            (None, true),
            (Some(ENTRA), true),
            (Some("https://sts.windows.net/{tenantid}/"), true),
            (Some("https://elsewhere.example/x"), true),
            (Some(other), false),
        ];
        for (issuer, serves) in rows {
            assert_eq!(is_key_of(issuer, ONE), serves, "{issuer:?}");
        }
        let own = ENTRA.replace(TENANT_VARIABLE, ONE);
        assert!(is_key_of(Some(&own), ONE));
    }

    #[test]
    fn a_name_with_the_variable_stands_for_one_of_each_tenant() {
        let tenants = ["a".to_owned(), "b".to_owned()];
        let one_each = ["https://h/a/v2.0", "https://h/b/v2.0"];
        assert_eq!(names("https://h/{tenantid}/v2.0", &tenants), one_each);
        assert_eq!(names("https://h/v2.0", &tenants), ["https://h/v2.0"]);
    }
}
