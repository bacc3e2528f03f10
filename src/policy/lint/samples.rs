//! The claims that tokens of an issuer have, as far as that is known before one comes: from a sample
//! token (`sample_claims_file`), which is never believed at run time.

use serde_json::Value as Json;

use crate::yaml::suggestion;

/// Claims that `OpenID` Connect Core §2 and §5.1, RFC 7519, RFC 8693, RFC 9068 and well-known
/// providers name. A path that is nearly one of them is probably misspelt.
const WELL_KNOWN: [&str; 45] = [
    "acr",
    "address",
    "amr",
    "appid",
    "aud",
    "auth_time",
    "azp",
    "birthdate",
    "client_id",
    "cognito:groups",
    "department",
    "email",
    "email_verified",
    "employee_id",
    "entitlements",
    "family_name",
    "gender",
    "given_name",
    "groups",
    "issuer",
    "locale",
    "middle_name",
    "name",
    "nickname",
    "nonce",
    "oid",
    "org_id",
    "permissions",
    "phone_number",
    "phone_number_verified",
    "picture",
    "preferred_username",
    "profile",
    "realm_access",
    "realm_access.roles",
    "resource_access",
    "roles",
    "scope",
    "session_state",
    "sub",
    "tenant",
    "unique_name",
    "updated_at",
    "website",
    "zoneinfo",
];
/// How many paths of a sample are named in a help.
const PATHS_MAX: usize = 30;

/// What is known of the tokens of an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IssuerClaims {
    /// The claims of a sample token.
    pub sample: Option<ClaimSample>,
    /// Whether every token says its OAuth client.
    pub has_agent: bool,
    /// Whether every token says its tenant.
    pub has_tenant: bool,
}

/// The claims of a sample token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimSample(Json);

impl ClaimSample {
    /// Reads a file with the claims of a token: a JSON object.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        match serde_json::from_str(text) {
            Ok(claims @ Json::Object(_)) => Ok(ClaimSample(claims)),
            Ok(_) => Err("expected an object with the claims of a token".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The text of a claim.
    #[must_use]
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.0.get(claim).and_then(Json::as_str)
    }

    /// Whether there is a value at a path, however its names are joined; a list on the way stands for
    /// its items.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        has(&self.0, path)
    }

    /// What to write for a path that it does not have.
    #[must_use]
    pub fn help(&self, path: &str) -> String {
        let mut paths = Vec::new();
        collect(&self.0, "", &mut paths);
        paths.sort_unstable();
        paths.dedup();
        paths.truncate(PATHS_MAX);
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        suggestion(path, &paths)
    }
}

fn has(value: &Json, path: &str) -> bool {
    match value {
        Json::Object(members) => {
            members.get(path).is_some_and(|value| !value.is_null())
                || path.match_indices('.').any(|(dot, _)| {
                    let (name, rest) = path.split_at_checked(dot).unwrap_or((path, ""));
                    let rest = rest.strip_prefix('.').unwrap_or(rest);
                    members.get(name).is_some_and(|value| has(value, rest))
                })
        }
        Json::Array(items) => {
            let (first, rest) = path.split_once('.').unwrap_or((path, ""));
            let position = first.parse::<usize>().ok();
            let at = position.and_then(|position| items.get(position));
            at.is_some_and(|item| {
                if rest.is_empty() {
                    !item.is_null()
                } else {
                    has(item, rest)
                }
            }) || items.iter().any(|item| has(item, path))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    }
}

fn collect(value: &Json, path: &str, paths: &mut Vec<String>) {
    match value {
        Json::Object(members) => {
            for (name, value) in members {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                collect(value, &path, paths);
                paths.push(path);
            }
        }
        Json::Array(items) => {
            for item in items {
                collect(item, path, paths);
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// A well-known claim that a path is nearly. One that differs by an `s` at the end may be another.
pub(super) fn nearly(path: &str) -> Option<&'static str> {
    if path.len() < 5 || WELL_KNOWN.contains(&path) {
        return None;
    }
    let slips = if path.len() < 8 { 1 } else { 2 };
    let mut near = WELL_KNOWN
        .into_iter()
        .filter(|known| known.len() >= 5 && strsim::damerau_levenshtein(path, known) <= slips);
    near.find(|known| path.trim_end_matches('s') != known.trim_end_matches('s'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_the_paths_of_its_claims() {
        let text = r#"{"realm_access": {"roles": ["a"]}, "k.io": {"ns": "x"}, "ids": [{"p": 1}], "n": null}"#;
        let sample = ClaimSample::read(text).unwrap();
        for path in [
            "realm_access",
            "realm_access.roles",
            "k.io.ns",
            "ids.0.p",
            "ids.p",
            "ids.0",
        ] {
            assert!(sample.has(path), "{path}");
        }
        for path in [
            "realm_acces.roles",
            "n",
            "ids.1.p",
            "ids.q",
            "realm_access.roles.x",
            "",
        ] {
            assert!(!sample.has(path), "{path}");
        }
        assert_eq!(
            sample.help("realm_acces.roles"),
            "did you mean `realm_access.roles`?"
        );
        assert!(ClaimSample::read("[]").is_err() && ClaimSample::read("{").is_err());
    }

    #[test]
    fn claims_that_are_nearly_well_known_are_found() {
        assert_eq!(nearly("emial_verified"), Some("email_verified"));
        assert_eq!(nearly("clientid"), Some("client_id"));
        for honest in ["group", "role", "department", "dept", "team", "cost_center"] {
            assert_eq!(nearly(honest), None, "{honest}");
        }
    }
}
