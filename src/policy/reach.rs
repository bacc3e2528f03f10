//! Confines the file of a team to what is delegated to it.
//!
//! What names no server is narrowed to the team's servers. What names something else is an error: a
//! rule that silently does less than it says would be worse than one that is refused.

use std::sync::Arc;

use super::document::{PolicyDocument, RuleDocument, ToolTable};
use super::teams::{TeamEffect, TeamSettings};
use crate::authz::{Effect, ResourceKind, What};
use crate::yaml::{Data, Findings, Node, quoted};

/// Prefixes the ids of a team's file, narrows its rules to the team's servers and classes, and
/// reports everything that reaches beyond.
pub(super) fn confine(
    root: &Node,
    document: &mut PolicyDocument<'_>,
    team: &TeamSettings,
    findings: &mut Findings,
) {
    refuse_silence(root, team, findings);
    for table in &document.tools {
        refuse_server(table.server, team, findings);
        for (class, _) in &table.classes {
            refuse_class(class, team, findings);
        }
    }
    // It would clash with the other team's own table, which is not at fault.
    let is_own = |table: &ToolTable<'_>| table.server.as_str().is_some_and(|it| team.has(it));
    document.tools.retain(is_own);
    for rule in &mut document.rules {
        refuse_silence(rule.node, team, findings);
        refuse_effect(rule, team, findings);
        refuse_set(rule.node, team, findings);
        if let Some(what) = &rule.what {
            for server in &what.servers {
                refuse_server(server, team, findings);
            }
            for class in named_classes(rule.node) {
                refuse_class(class, team, findings);
            }
        }
        for counted in rule.why.iter().flat_map(|why| &why.counted) {
            for server in &counted.servers {
                refuse_server(server, team, findings);
            }
        }
        if let Some((_, id)) = &mut rule.id {
            *id = team.id(id).into();
        }
        narrow(rule, team);
    }
}

/// A rule that names no server is about the team's, and an allow of tools that names no class about
/// the classes that are granted.
fn narrow(rule: &mut RuleDocument<'_>, team: &TeamSettings) {
    let names = |names: &[String]| names.iter().map(|name| Arc::from(name.as_str())).collect();
    let what: &mut What = &mut rule.what.get_or_insert_default().what;
    if what.servers.is_none() {
        what.servers = Some(names(&team.servers));
    }
    let is_allow = matches!(rule.effect, Some(Effect::Allow));
    let is_of_tools = matches!(what.kinds().as_slice(), [] | [ResourceKind::Tool])
        && (what.methods.is_none() || what.names_method("tools/call"));
    if let Some(classes) = &team.classes
        && is_allow
        && is_of_tools
        && what.classes.is_none()
    {
        what.classes = Some(names(classes));
    }
}

fn refuse_server(node: &Node, team: &TeamSettings, findings: &mut Findings) {
    let Some(server) = node.as_str().filter(|server| !server.is_empty()) else {
        return;
    };
    if !team.has(server) {
        let message = format!("`{server}` is not a server of the team `{}`", team.name);
        let help = format!("it has {}", quoted(&team.servers));
        findings.error(node, message, help);
    }
}

/// The classes that a rule is about. Those that it excludes reach nothing.
fn named_classes(rule: &Node) -> &[Node] {
    let what = rule.member("what");
    let classes = what.and_then(|what| what.member("classes"));
    classes.map_or(&[], Node::items)
}

fn refuse_class(node: &Node, team: &TeamSettings, findings: &mut Findings) {
    let (Some(classes), Some(class)) = (&team.classes, node.as_str()) else {
        return;
    };
    if !classes.iter().any(|granted| granted == class) {
        let message = format!(
            "the team `{}` is not granted the class `{class}`",
            team.name
        );
        let help = format!(
            "granted: {}; others are for the global files",
            quoted(classes)
        );
        findings.error(node, message, help);
    }
}

fn refuse_effect(rule: &RuleDocument<'_>, team: &TeamSettings, findings: &mut Findings) {
    let effect = match &rule.effect {
        Some(Effect::Allow) => TeamEffect::Allow,
        Some(Effect::Deny) => TeamEffect::Deny,
        Some(Effect::Require(_)) => TeamEffect::Require,
        Some(Effect::Limit(_) | Effect::Open(_)) => TeamEffect::Limit,
        None => return,
    };
    if !team.effects.contains(&effect) {
        let node = rule.node.member("effect").unwrap_or(rule.node);
        let word = effect.word();
        let message = format!(
            "the team `{}` is not granted the effect `{word}`",
            team.name
        );
        let granted: Vec<&str> = team.effects.iter().map(|effect| effect.word()).collect();
        let help = format!(
            "granted: {}; others are for the global files",
            quoted(&granted)
        );
        findings.error(node, message, help);
    }
}

/// Headers that rules set are removed from the requests of clients to every server, and metadata may
/// route in Envoy: both reach beyond the team's servers.
fn refuse_set(rule: &Node, team: &TeamSettings, findings: &mut Findings) {
    for (block, granted, what) in [
        ("headers", &team.headers, "header"),
        ("metadata", &team.metadata, "metadata"),
    ] {
        let node = rule.member("set").and_then(|set| set.member(block));
        let Some(Data::Map(entries)) = node.map(|node| &node.data) else {
            continue;
        };
        for (key, _) in entries {
            let name = key.as_str().unwrap_or_default();
            if granted.iter().any(|granted| granted == name) {
                continue;
            }
            let message = format!("the team `{}` may not set the {what} `{name}`", team.name);
            let help = if granted.is_empty() {
                format!("leave it out, or have the operator grant it by `{block}` of the team")
            } else {
                format!("granted: {}", quoted(granted))
            };
            findings.error(key, message, help);
        }
    }
}

/// Refuses to silence what the operator did not permit, in a file or on a rule or test.
pub(super) fn refuse_silence(node: &Node, team: &TeamSettings, findings: &mut Findings) {
    let silenced = node.member("silence").map_or(&[][..], Node::items);
    for node in silenced {
        let Some(lint) = node.as_str() else { continue };
        if team.silence.contains(&lint) || !super::silence::LINTS.contains(&lint) {
            continue;
        }
        let message = format!("the team `{}` may not silence `{lint}`", team.name);
        let help = if team.silence.is_empty() {
            "mend what it warns of, or have the operator permit it by `silence` of the team"
                .to_owned()
        } else {
            format!("permitted: {}", quoted(&team.silence))
        };
        findings.error(node, message, help);
    }
}

#[cfg(test)]
mod tests;
