//! `provider`, `claims`, `clients` and `required_claims` of an issuer: what its tokens say, and what
//! they have to say.

use serde_json::{Map, Value, json};

use crate::authn::{ClaimSettings, ListedClaims, RequiredClaim, RequiredValue, check_claim_path};
use crate::yaml::{self, Data, Fields, Findings, Node};

/// The claims of one member of [`ClaimSettings`].
enum Member<'s> {
    /// One value, from the first claim that is there.
    One(&'s mut Vec<String>),
    /// A list, from the first claim or from all.
    Listed(&'s mut ListedClaims),
}

/// Each member of `claims`, by its key.
fn members(settings: &mut ClaimSettings) -> [(&'static str, Member<'_>); 7] {
    let ClaimSettings {
        subject,
        groups,
        roles,
        tenant,
        agent,
        scopes,
        device,
    } = settings;
    [
        ("subject", Member::One(subject)),
        ("groups", Member::Listed(groups)),
        ("roles", Member::Listed(roles)),
        ("tenant", Member::One(tenant)),
        ("agent", Member::One(agent)),
        ("scopes", Member::Listed(scopes)),
        ("device", Member::One(device)),
    ]
}

/// Reads `claims` over those that are in force without it. Each key replaces its own member alone.
pub(super) fn claims(
    node: &Node,
    settings: &mut ClaimSettings,
    findings: &mut Findings,
) -> Option<()> {
    let mut fields = Fields::open(node, "`claims`", findings)?;
    for (key, member) in members(settings) {
        match member {
            Member::One(paths) => {
                if let Some(read) = fields.optional(key, findings, claim_paths) {
                    *paths = read;
                }
            }
            Member::Listed(claims) => {
                if let Some(read) = fields.optional(key, findings, listed) {
                    *claims = read;
                }
            }
        }
    }
    fields.finish(findings);
    Some(())
}

/// One path, or several of which the first counts that is there.
fn claim_paths(node: &Node, findings: &mut Findings) -> Option<Vec<String>> {
    yaml::list_or_one(node, findings, claim_path)
}

fn claim_path(node: &Node, findings: &mut Findings) -> Option<String> {
    let text = yaml::string(node, findings)?;
    if let Err(error) = check_claim_path(&text) {
        let help = "a name, or names and positions of lists joined by dots, such as `orgs.0.name`";
        findings.error(node, format!("`{text}` can never match: {error}"), help);
        return None;
    }
    Some(text)
}

/// As [`claim_paths`], or `{any: […]}`, whose claims are united.
fn listed(node: &Node, findings: &mut Findings) -> Option<ListedClaims> {
    if !matches!(node.data, Data::Map(_)) {
        return claim_paths(node, findings).map(ListedClaims::First);
    }
    let mut fields = Fields::open(node, "the claims", findings)?;
    let any = fields.required("any", findings, |node, findings| {
        yaml::list(node, findings, claim_path)
    });
    fields.finish(findings);
    any.map(ListedClaims::Any)
}

/// Reads `clients`.
pub(super) fn clients(node: &Node, findings: &mut Findings) -> Option<Vec<String>> {
    yaml::list(node, findings, |node, findings| {
        exact(node, "clients are compared exactly", findings)
    })
}

/// A text that tokens have to have, and no pattern for it.
pub(super) fn exact(node: &Node, help: &str, findings: &mut Findings) -> Option<String> {
    let text = yaml::string(node, findings)?;
    if text.contains(['*', '{', '}']) {
        findings.error(node, format!("`{text}` looks like a pattern"), help);
        return None;
    }
    if text.trim() != text {
        let message = format!("`{text}` begins or ends with a blank");
        findings.error(node, message, help);
        return None;
    }
    Some(text)
}

/// Reads `required_claims` over those of the provider: a key replaces the values of its own claim, or
/// with `null` no longer requires it.
pub(super) fn required_claims(
    node: &Node,
    required: &mut Vec<RequiredClaim>,
    findings: &mut Findings,
) -> Option<()> {
    let Data::Map(entries) = &node.data else {
        let message = format!("`required_claims` must be a mapping, found {}", node.kind());
        findings.error(node, message, "");
        return None;
    };
    if entries.is_empty() {
        let help = "leave the key out if nothing is required";
        findings.error(node, "`required_claims` is empty", help);
    }
    for (key, value) in entries {
        let path = claim_path(key, findings);
        if value.data == Data::Null {
            let before = required.len();
            required.retain(|claim| path.as_ref() != Some(&claim.path));
            if before == required.len() && path.is_some() {
                let message = format!("`{}` is not required", key.as_str().unwrap_or_default());
                let help = "`null` takes back what `provider` requires; `{present: true}` accepts any \
                            value";
                findings.error(value, message, help);
            }
            continue;
        }
        let values = yaml::list_or_one(value, findings, required_value);
        let (Some(path), Some(values)) = (path, values) else {
            continue;
        };
        match required.iter_mut().find(|claim| claim.path == path) {
            Some(claim) => claim.values = values,
            None => required.push(RequiredClaim { path, values }),
        }
    }
    Some(())
}

fn required_value(node: &Node, findings: &mut Findings) -> Option<RequiredValue> {
    if let Data::Bool(truth) = node.data {
        return Some(RequiredValue::Truth(truth));
    }
    if matches!(node.data, Data::Map(_)) {
        return present(node, findings);
    }
    let text = yaml::string(node, findings)?;
    if text.contains('*') {
        let message = format!("`{text}` looks like a pattern");
        findings.error(node, message, "claims are compared exactly");
        return None;
    }
    Some(RequiredValue::Text(text))
}

/// `{present: true}`.
fn present(node: &Node, findings: &mut Findings) -> Option<RequiredValue> {
    let mut fields = Fields::open(node, "a value", findings)?;
    let is_present = fields.required("present", findings, |node, findings| {
        let is_present = yaml::boolean(node, findings)?;
        if !is_present {
            let help = "`null` in the place of the values takes back what `provider` requires";
            findings.error(node, "a required claim is present", help);
        }
        Some(is_present)
    });
    fields.finish(findings);
    is_present.map(|_| RequiredValue::Present)
}

/// The claims in force, as the effective configuration shows them.
pub(super) fn claims_shown(settings: &ClaimSettings) -> Value {
    let mut settings = settings.clone();
    let shown = members(&mut settings).into_iter().map(|(key, member)| {
        let value = match member {
            Member::One(paths) => json!((!paths.is_empty()).then_some(paths)),
            Member::Listed(ListedClaims::First(paths)) => json!(paths),
            Member::Listed(ListedClaims::Any(paths)) => json!({"any": paths}),
        };
        (key.to_owned(), value)
    });
    Value::Object(shown.collect())
}

/// The required claims in force, as the effective configuration shows them: `null` for those of the
/// provider that were taken back.
pub(super) fn required_shown(required: &[RequiredClaim], usual: &[RequiredClaim]) -> Value {
    let is_required = |path: &String| required.iter().any(|claim| claim.path == *path);
    let usual = usual.iter().map(|claim| claim.path.clone());
    let taken_back = usual.filter(|path| !is_required(path));
    let shown = required.iter().map(|RequiredClaim { path, values }| {
        let values = values.iter().map(|value| match value {
            RequiredValue::Text(text) => json!(text),
            RequiredValue::Truth(truth) => json!(truth),
            RequiredValue::Present => json!({"present": true}),
        });
        (path.clone(), values.collect())
    });
    let taken_back = taken_back.map(|path| (path, Value::Null));
    let shown: Map<String, Value> = shown.chain(taken_back).collect();
    json!((!shown.is_empty()).then_some(shown))
}
