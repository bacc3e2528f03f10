//! `scopes` of an issuer or a server: by which names scopes are advertised to clients.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::authn::challenge::check_scope;
use crate::check::{SCOPE_VARIABLE, ScopeNames};
use crate::yaml::{self, Data, Fields, Findings, Node};

/// Reads `scopes`.
pub(super) fn scope_names(node: &Node, findings: &mut Findings) -> Option<ScopeNames> {
    let mut fields = Fields::open(node, "`scopes`", findings)?;
    let template_node = fields.node_of("advertise");
    let template = match template_node {
        Some(node) => Some(yaml::string(node, findings)?),
        None => None,
    };
    let map_node = fields.node_of("map");
    fields.finish(findings);
    let map = match map_node {
        Some(node) => Some(map(node, findings)?),
        None => None,
    };
    if template.is_none() && map.is_none() {
        let help = "such as `advertise: \"api://notes/{scope}\"`, or leave it out";
        findings.error(node, "`scopes` says nothing", help);
        return None;
    }
    let names = ScopeNames::new(template.as_deref(), map.unwrap_or_default());
    let shown = |template: &String| check_scope(&template.replace(SCOPE_VARIABLE, "x")).is_ok();
    if names.is_none() || !template.as_ref().is_none_or(shown) {
        let message = "this is not how a scope can be advertised";
        let help = "visible ASCII with `{scope}` in it once, such as `api://notes/{scope}`";
        findings.error(template_node.unwrap_or(node), message, help);
        return None;
    }
    names
}

/// Reads `map`: names in tokens to advertised ones.
fn map(node: &Node, findings: &mut Findings) -> Option<BTreeMap<String, String>> {
    let Data::Map(entries) = &node.data else {
        findings.error(
            node,
            "expected a mapping of scopes",
            "such as `read: api://notes/read`",
        );
        return None;
    };
    let mut map = BTreeMap::new();
    for (key, value) in entries {
        let name = scope(key, findings)?;
        let advertised = scope(value, findings)?;
        if map.values().any(|known| *known == advertised) {
            let message = format!("two scopes are advertised as `{advertised}`");
            findings.error(value, message, "a rule that names it could mean either");
            return None;
        }
        map.insert(name, advertised);
    }
    for (key, value) in entries {
        let (name, advertised) = (key.as_str(), value.as_str());
        let is_token_name = advertised.is_some_and(|advertised| map.contains_key(advertised));
        if is_token_name && name != advertised {
            let message = "a scope is advertised by the name that another has in tokens";
            findings.error(
                value,
                message,
                "a token with the one would pass for the other",
            );
            return None;
        }
    }
    Some(map)
}

/// A scope that a challenge can name.
pub(super) fn scope(node: &Node, findings: &mut Findings) -> Option<String> {
    let scope = yaml::string(node, findings)?;
    match check_scope(&scope) {
        Ok(()) => Some(scope),
        Err(error) => {
            let help = "visible ASCII without blanks, `\"` and `\\`";
            findings.error(node, error.to_string(), help);
            None
        }
    }
}

/// The names in force, as the effective configuration shows them.
pub(super) fn shown(names: Option<&ScopeNames>) -> Value {
    let Some(names) = names else {
        return Value::Null;
    };
    let ScopeNames { around: _, map } = names;
    let map = (!map.is_empty()).then_some(map);
    json!({"advertise": names.template(), "map": map})
}
