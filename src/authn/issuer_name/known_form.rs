//! How known providers write the names of their issuers: with or without the one slash at the end that
//! is easily taken for nothing.

/// What stands for the tenant in the name of an issuer, as Microsoft Entra ID writes it in the
/// metadata that its tenants share.
pub const TENANT_VARIABLE: &str = "{tenantid}";

/// The URL of a metadata document has this in its path, and no issuer (RFC 8414 §3).
const WELL_KNOWN: &str = "/.well-known/";

/// The name in the form that the provider's tokens have, as far as that is known.
pub(super) fn of(issuer: &str) -> Option<String> {
    let rest = issuer.strip_prefix("https://")?;
    if let Some((base, _)) = issuer.split_once(WELL_KNOWN) {
        return Some(base.to_owned());
    }
    let (host, path) = match rest.split_once('/') {
        Some((host, path)) => (host, Some(path)),
        None => (rest, None),
    };
    let bare = issuer.trim_end_matches('/');
    if host == "login.microsoftonline.com" || host == "sts.windows.net" {
        return microsoft(host, path.unwrap_or_default(), issuer);
    }
    if host.ends_with(".auth0.com") {
        return Some(format!("https://{host}/"));
    }
    let is_without_slash = [
        "accounts.google.com",
        "token.actions.githubusercontent.com",
        "gitlab.com",
    ]
    .contains(&host)
        || [".okta.com", ".oktapreview.com", ".okta-emea.com"]
            .iter()
            .any(|end| host.ends_with(end))
        || (host.starts_with("cognito-idp.") && host.ends_with(".amazonaws.com"));
    is_without_slash.then(|| bare.to_owned())
}

/// Version 2 ends in `/v2.0`, which Azure AD B2C follows by a slash, and version 1 in a slash.
fn microsoft(host: &str, path: &str, issuer: &str) -> Option<String> {
    let (tenant, rest) = path
        .split_once('/')
        .map_or((path, ""), |(tenant, rest)| (tenant, rest));
    if !is_uuid(tenant) && tenant != TENANT_VARIABLE {
        return None;
    }
    if host == "sts.windows.net" {
        return Some(format!("https://{host}/{tenant}/"));
    }
    let is_known = matches!(rest, "v2.0" | "v2.0/");
    Some(if is_known {
        issuer.to_owned()
    } else {
        format!("https://{host}/{tenant}/v2.0")
    })
}

/// A UUID in its usual form (RFC 9562 §4), in lower case.
pub(super) fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    let is_digit = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f' | b'-');
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_provider_writes_its_name_in_one_way() {
        const TENANT: &str = "11111111-2222-3333-4444-555555555555";
        let of_tenant = |name: &str| name.replace("TENANT", TENANT);
        let v2 = "https://login.microsoftonline.com/TENANT/v2.0";
        let rows = [
            (v2, Some(v2)),
            ("https://login.microsoftonline.com/TENANT", Some(v2)),
            ("https://login.microsoftonline.com/TENANT/", Some(v2)),
            (
                "https://login.microsoftonline.com/TENANT/oauth2/v2.0",
                Some(v2),
            ),
            (
                "https://login.microsoftonline.com/TENANT/v2.0/",
                Some("https://login.microsoftonline.com/TENANT/v2.0/"),
            ),
            (
                "https://login.microsoftonline.com/tfp/TENANT/b2c_1/v2.0/",
                None,
            ),
            (
                "https://sts.windows.net/TENANT",
                Some("https://sts.windows.net/TENANT/"),
            ),
            (
                "https://sts.windows.net/TENANT/",
                Some("https://sts.windows.net/TENANT/"),
            ),
            (
                "https://sts.windows.net/TENANT/v2.0",
                Some("https://sts.windows.net/TENANT/"),
            ),
            ("https://a.eu.auth0.com", Some("https://a.eu.auth0.com/")),
            ("https://a.eu.auth0.com/", Some("https://a.eu.auth0.com/")),
            (
                "https://accounts.google.com/",
                Some("https://accounts.google.com"),
            ),
            ("https://gitlab.com", Some("https://gitlab.com")),
            (
                "https://token.actions.githubusercontent.com/acme/",
                Some("https://token.actions.githubusercontent.com/acme"),
            ),
            (
                "https://a.okta.com/oauth2/default/",
                Some("https://a.okta.com/oauth2/default"),
            ),
            (
                "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_a/",
                Some("https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_a"),
            ),
            (
                "https://idp.example/realms/a/.well-known/openid-configuration",
                Some("https://idp.example/realms/a"),
            ),
            ("https://idp.example/", None),
            ("https://notauth0.com", None),
            ("accounts.google.com", None),
        ];
        for (name, expected) in rows {
            assert_eq!(of(&of_tenant(name)), expected.map(of_tenant), "{name}");
        }
    }
}
