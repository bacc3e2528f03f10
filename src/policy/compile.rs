//! Compiles policy files to one [`Policy`], entirely or not at all.

mod conditions;
mod known;
mod nothing;
mod written;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use aws_lc_rs::digest;

use crate::authz::{Policy, PolicyParts, Rule, ToolClasses, UNCLASSIFIED};
use crate::yaml::{self, Findings, Node, Source};

use super::context::CompileContext;
use super::document::{
    Budget, PolicyDocument, RuleDocument, ToolTable, WhatDocument, error_at_start,
};
use super::issuers::{Issuers, RuleParts};
use super::layer::{Layer, LayerFindings, refuse_shared};
use super::reach;
use super::teams::TeamSettings;
use known::KnownNames;

/// Compiles the files of one policy, in the given order. No files, or files without rules, are a
/// policy that denies everything.
///
/// # Errors
/// Every fault in any of the files, at once.
pub fn compile(sources: &[Source], context: &CompileContext) -> Result<Policy, Findings> {
    compile_layers(&[Layer::global(sources)], context).map_err(LayerFindings::into_findings)
}

/// Compiles the global files and those of teams to one policy. The servers of a team without usable
/// files deny everything.
///
/// # Errors
/// Every fault in any of the files, at once.
pub fn compile_layers(
    layers: &[Layer<'_>],
    context: &CompileContext,
) -> Result<Policy, LayerFindings> {
    let mut findings = LayerFindings::default();
    let mut trees: Vec<(&Layer<'_>, Node)> = Vec::new();
    for layer in layers {
        for source in layer.sources() {
            let id = findings.add(layer, source);
            let tree = yaml::parse(id, &mut findings.all);
            trees.extend(tree.map(|tree| (layer, tree)));
        }
    }
    let found = &mut findings.all;
    let mut tables: Vec<ToolTable<'_>> = Vec::new();
    let mut rules: Vec<(Option<&TeamSettings>, Vec<RuleDocument<'_>>)> = Vec::new();
    let teams = layers.iter().filter(|layer| layer.team.is_some()).count();
    for layer in layers {
        let mut budget = Budget::new(context.cel_bytes_max, layer.team.map(|_| teams));
        let own = trees.iter().filter(|(of, _)| std::ptr::eq(*of, layer));
        for (_, tree) in own {
            let mut document = PolicyDocument::read(tree, &mut budget, found);
            if let Some(team) = layer.team {
                reach::confine(tree, &mut document, team, found);
            }
            tables.append(&mut document.tools);
            rules.push((layer.team, document.rules));
        }
    }
    layer_files_apart(layers, &trees, found);

    let names = KnownNames::new(&tables, layers, context);
    let classes = compile_tables(&tables, &names, found);
    check_rules(&rules, layers, &names, context, found);
    conditions::check_conditions(&rules, &names, context, found);
    if findings.all.has_errors() {
        return Err(findings);
    }
    let rules = rules.into_iter().flat_map(|(_, rules)| rules);
    let rules = rules.filter_map(|rule| compile_rule(rule, &context.issuers));
    let mut rules: Vec<Rule> = rules.collect();
    rules.extend(layers.iter().filter_map(Layer::denial));
    Ok(Policy::new(PolicyParts {
        revision: revision(layers),
        rules,
        classes,
    }))
}

/// A file of a team that is a global one too would not be confined at all.
fn layer_files_apart(layers: &[Layer<'_>], trees: &[(&Layer<'_>, Node)], findings: &mut Findings) {
    for (layer, tree) in trees {
        let name = findings.name(tree.source).to_owned();
        let is_there = |other: &&Layer<'_>| {
            other.team.is_some()
                && other.team != layer.team
                && other.known().iter().any(|source| source.name == name)
        };
        if let Some(team) = layers.iter().find(is_there).and_then(|other| other.team) {
            refuse_shared(tree.source, team, findings);
        }
    }
}

fn compile_tables(
    tables: &[ToolTable<'_>],
    names: &KnownNames<'_>,
    findings: &mut Findings,
) -> Vec<(Arc<str>, ToolClasses)> {
    let mut compiled: Vec<(Arc<str>, ToolClasses)> = Vec::new();
    for table in tables {
        let server = table.server.as_str().unwrap_or_default();
        names.check_server(table.server, findings);
        if compiled.iter().any(|(known, _)| &**known == server) {
            let message = format!("the tools of `{server}` are defined twice");
            findings.error(table.server, message, "keep them in one file");
        }
        let mut classes = ToolClasses::default();
        for (class, patterns) in &table.classes {
            let name: Arc<str> = class.as_str().unwrap_or_default().into();
            if &*name == UNCLASSIFIED {
                let help = "it is the class of every tool that is in no other";
                findings.error(
                    class,
                    format!("`{UNCLASSIFIED}` cannot be given tools"),
                    help,
                );
            }
            for (_, pattern) in patterns {
                classes.insert(pattern.clone(), &name);
            }
        }
        refuse_overlaps(table, findings);
        compiled.push((server.into(), classes));
    }
    compiled
}

/// A tool must not be in two classes. An exact name overrides the patterns.
fn refuse_overlaps(table: &ToolTable<'_>, findings: &mut Findings) {
    let mut seen: Vec<(&Node, &crate::authz::Glob)> = Vec::new();
    for (class, patterns) in &table.classes {
        for (node, pattern) in patterns {
            let clash = seen.iter().find_map(|(other_class, other)| {
                if pattern.exact().is_some() != other.exact().is_some() {
                    return None;
                }
                Some((other_class, other, pattern.common_match(other)?))
            });
            let Some((other_class, other, tool)) = clash else {
                continue;
            };
            let (own, other_class) = (class.as_str(), other_class.as_str());
            let (own, other_class) = (own.unwrap_or_default(), other_class.unwrap_or_default());
            let message = format!("a tool `{tool}` would be both `{other_class}` and `{own}`");
            let help = format!("`{}` of `{other_class}` matches it too", other.as_str());
            findings.error(node, message, help);
        }
        seen.extend(patterns.iter().map(|(_, pattern)| (*class, pattern)));
    }
}

/// Checks what spans several rules: unique ids, known names, and the number of rules.
fn check_rules(
    rules: &[(Option<&TeamSettings>, Vec<RuleDocument<'_>>)],
    layers: &[Layer<'_>],
    names: &KnownNames<'_>,
    context: &CompileContext,
    findings: &mut Findings,
) {
    for layer in layers {
        let own = rules.iter().filter(|(team, _)| *team == layer.team);
        let own: Vec<&RuleDocument<'_>> = own.flat_map(|(_, rules)| rules).collect();
        if let Some(rule) = own.get(context.rules_max) {
            let message = format!("the policy has {} rules", own.len());
            let help = format!("`rules_max` is {}", context.rules_max);
            error_at_start(rule.node, &message, &help, findings);
        }
    }
    let mut seen: HashMap<&str, &Node> = HashMap::new();
    let all = rules
        .iter()
        .flat_map(|(team, rules)| rules.iter().map(move |rule| (team, rule)));
    for (team, rule) in all {
        if team.is_none() {
            refuse_prefix(rule, layers, findings);
        }
        check_sources(rule, context, findings);
        if let Some((node, id)) = &rule.id {
            if let Some(first) = seen.get(&**id) {
                let places = [first, *node].map(|node| place(node, findings));
                let [one, other] = places;
                let message = format!("the id `{id}` is used twice, in {one} and {other}");
                findings.error(node, message, "rename one of the two");
            } else {
                seen.insert(id, node);
            }
        }
        check_issuers(rule, &context.issuers, findings);
        nothing::refuse_nothing(rule, findings);
        let about = rule.what.as_ref().map(|what| &what.what);
        let is_about = |server: &str| about.is_none_or(|what| what.covers_server(server));
        let is_untold = names.are_untold(is_about);
        let counted = rule.why.iter().flat_map(|why| &why.counted);
        for what in rule.what.iter().chain(counted) {
            check_what(what, names, is_untold, findings);
        }
    }
}

/// Checks that the servers and classes of a block exist.
fn check_what(
    what: &WhatDocument<'_>,
    names: &KnownNames<'_>,
    is_untold: bool,
    findings: &mut Findings,
) {
    for server in &what.servers {
        names.check_server(server, findings);
    }
    if is_untold {
        return;
    }
    let about = what.what.servers.iter().flatten();
    let about: Vec<&str> = about.map(|server| &**server).collect();
    for class in &what.classes {
        names.check_class(class, &about, findings);
    }
}

/// Whoever reads the id of a rule has to know whose it is.
fn refuse_prefix(rule: &RuleDocument<'_>, layers: &[Layer<'_>], findings: &mut Findings) {
    let Some((node, id)) = &rule.id else { return };
    let prefix = id.split_once('/').map(|(prefix, _)| prefix);
    let mut teams = layers.iter().filter_map(|layer| layer.team);
    if let Some(team) = teams.find(|team| prefix == Some(&*team.name)) {
        let message = format!(
            "`{}/` begins the ids of the team `{}`",
            team.name, team.name
        );
        let help = "rules in its files get it by themselves; call this one otherwise";
        findings.error(node, message, help);
    }
}

/// Checks that what a rule reads can be known at all.
fn check_sources(rule: &RuleDocument<'_>, context: &CompileContext, findings: &mut Findings) {
    for (is_known, is_read, message, help) in [
        (
            context.has_countries,
            rule.asks_country(),
            "the rule reads a country, but there is no country database",
            "set `geoip` in the configuration",
        ),
        (
            context.has_purposes,
            rule.why
                .as_ref()
                .is_some_and(|read| read.why.has_purposes()),
            "the rule reads a purpose, but nothing says how clients tell it",
            "set `purpose` in the configuration",
        ),
        (
            context.has_devices,
            rule.asks_device(),
            "the rule reads the device, but nothing describes one",
            "set `device` in the configuration, or `claims: {device: …}` of an issuer",
        ),
    ] {
        if is_read && !is_known {
            error_at_start(rule.node, message, help, findings);
        }
    }
}

/// Checks for unconfigured issuers, and for names that any issuer could have given.
fn check_issuers(rule: &RuleDocument<'_>, issuers: &Issuers, findings: &mut Findings) {
    let member = |way: &[&str]| way.iter().try_fold(rule.node, |node, key| node.member(key));
    for way in [&["who", "issuers"][..], &["who", "not", "issuers"]] {
        let named = member(way).map_or(&[][..], Node::items);
        for node in named {
            let name = node.as_str().filter(|name| !name.is_empty());
            let unknown = name.and_then(|name| Some((name, issuers.unknown(name)?)));
            if let Some((name, help)) = unknown {
                findings.error(node, format!("unknown issuer `{name}`"), help);
            }
        }
    }
    let condition = member(&["if"]).and_then(|node| Some((node, node.as_str()?)));
    let family = condition.and_then(|(node, text)| Some((node, issuers.family_in(text)?)));
    if let Some((node, family)) = family {
        let help =
            "name the issuers with `issuers` in `who`, or compare with the `iss` of a tenant";
        let message = format!("no token has the `iss` `{family}`, which stands for its tenants");
        findings.error(node, message, help);
    }
    let parts = RuleParts {
        effect: rule.effect.as_ref(),
        who: rule.who.as_ref(),
        what: rule.what.as_ref().map(|what| &what.what),
        place: rule.place.as_ref(),
        condition: rule.condition.as_ref(),
        set: rule.set.as_ref(),
    };
    if let Some(unsaid) = issuers.unsaid(parts).filter(|_| issuers.are_strict) {
        let node = member(&unsaid.way).unwrap_or(rule.node);
        findings.error(node, unsaid.message(), unsaid.help());
    }
}

fn place(node: &Node, findings: &Findings) -> String {
    let text = findings
        .text(node.source)
        .get(..node.span.start)
        .unwrap_or_default();
    let line = text.matches('\n').count().saturating_add(1);
    format!("{}:{line}", findings.name(node.source))
}

fn compile_rule(rule: RuleDocument<'_>, issuers: &Issuers) -> Option<Rule> {
    let mut who = rule.who;
    if let Some(who) = &mut who {
        issuers.name_tenants(who);
    }
    Some(Rule {
        id: rule.id?.1,
        effect: rule.effect?,
        mode: rule.mode,
        who,
        what: rule.what.map(|what| what.what),
        when: rule.when,
        place: rule.place,
        why: rule.why.map(|read| read.why),
        expression: rule.condition,
        set: rule.set,
        message: rule.message,
        about: rule.about,
    })
}

/// 16 hexadecimal digits of a digest over the content of all files, each with its length, and over
/// whose they are.
fn revision(layers: &[Layer<'_>]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for layer in layers {
        if let Some(team) = layer.team {
            let is_usable: &[u8] = if layer.files.is_some() { b"+" } else { b"-" };
            for part in [b"team", team.name.as_bytes(), is_usable] {
                context.update(&part.len().to_be_bytes());
                context.update(part);
            }
        }
        for source in layer.sources() {
            context.update(&source.text.len().to_be_bytes());
            context.update(source.text.as_bytes());
        }
    }
    let digest = context.finish();
    digest
        .as_ref()
        .iter()
        .take(8)
        .fold(String::new(), |mut text, byte| {
            if write!(text, "{byte:02x}").is_err() {
                text.clear();
            }
            text
        })
}
