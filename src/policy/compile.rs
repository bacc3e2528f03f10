//! Compiles policy files to one [`Policy`], entirely or not at all.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use aws_lc_rs::digest;

use crate::authz::{HintedClass, Policy, PolicyParts, Rule, ToolClasses, UNCLASSIFIED, Why};
use crate::yaml::{self, Findings, Node, Source};

use super::context::CompileContext;
use super::document::{PolicyDocument, RuleDocument, ToolTable, error_at_start};
use super::issuers::{Issuers, RuleParts};

/// Compiles the files of one policy, in the given order. No files, or files without rules, are a
/// policy that denies everything.
///
/// # Errors
/// Every fault in any of the files, at once.
pub fn compile(sources: &[Source], context: &CompileContext) -> Result<Policy, Findings> {
    let mut findings = Findings::new();
    let ids: Vec<_> = sources
        .iter()
        .map(|source| findings.add_source(source.clone()))
        .collect();
    let trees: Vec<Node> = ids
        .into_iter()
        .filter_map(|id| yaml::parse(id, &mut findings))
        .collect();
    let mut documents: Vec<PolicyDocument<'_>> = trees
        .iter()
        .map(|tree| PolicyDocument::read(tree, context.cel_bytes_max, &mut findings))
        .collect();
    let tables: Vec<ToolTable<'_>> = documents
        .iter_mut()
        .flat_map(|document| std::mem::take(&mut document.tools))
        .collect();
    let rules: Vec<RuleDocument<'_>> = documents
        .into_iter()
        .flat_map(|document| document.rules)
        .collect();

    let names = KnownNames::new(&tables, context);
    let classes = compile_tables(&tables, &names, &mut findings);
    check_rules(&rules, &names, context, &mut findings);
    if findings.has_errors() {
        return Err(findings);
    }
    let rules = rules.into_iter();
    let rules = rules.filter_map(|rule| compile_rule(rule, &context.issuers));
    let rules = rules.collect();
    Ok(Policy::new(PolicyParts {
        revision: revision(sources),
        rules,
        classes,
    }))
}

/// The names that rules may use.
struct KnownNames<'c> {
    servers: Option<&'c [String]>,
    /// The classes of each server with a table or with trusted annotations.
    classes: HashMap<String, Vec<String>>,
}

impl<'c> KnownNames<'c> {
    fn new(tables: &[ToolTable<'_>], context: &'c CompileContext) -> Self {
        let name = |node: &Node| node.as_str().unwrap_or_default().to_owned();
        let table = |table: &ToolTable<'_>| {
            let classes = table.classes.iter().map(|(class, _)| name(class)).collect();
            (name(table.server), classes)
        };
        let mut classes: HashMap<String, Vec<String>> = tables.iter().map(table).collect();
        for server in context.hints.servers() {
            let own = classes.entry(server.to_owned()).or_default();
            own.extend(HintedClass::ALL.map(|class| class.name().to_owned()));
        }
        KnownNames {
            servers: context.servers.as_deref(),
            classes,
        }
    }

    fn check_server(&self, node: &Node, findings: &mut Findings) {
        let name = node.as_str().filter(|name| !name.is_empty());
        let (Some(name), Some(servers)) = (name, self.servers) else {
            return;
        };
        if !servers.iter().any(|server| server == name) {
            let known = servers.iter().map(String::as_str).collect();
            findings.error(
                node,
                format!("unknown server `{name}`"),
                suggestion(name, known),
            );
        }
    }

    /// A class must exist on some server that the rule applies to.
    fn check_class(&self, node: &Node, servers: &[&Node], findings: &mut Findings) {
        let checkable = |name: &&str| !name.is_empty() && *name != UNCLASSIFIED;
        let Some(name) = node.as_str().filter(checkable) else {
            return;
        };
        let about = |server: &str| {
            servers.is_empty() || servers.iter().any(|node| node.as_str() == Some(server))
        };
        let tables = self.classes.iter().filter(|(server, _)| about(server));
        let mut known: Vec<&str> = tables
            .flat_map(|(_, classes)| classes)
            .map(String::as_str)
            .collect();
        if !known.contains(&name) {
            known.push(UNCLASSIFIED);
            findings.error(
                node,
                format!("unknown class `{name}`"),
                suggestion(name, known),
            );
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
    rules: &[RuleDocument<'_>],
    names: &KnownNames<'_>,
    context: &CompileContext,
    findings: &mut Findings,
) {
    if let Some(rule) = rules.get(context.rules_max) {
        let message = format!("the policy has {} rules", rules.len());
        let help = format!("`rules_max` is {}", context.rules_max);
        error_at_start(rule.node, &message, &help, findings);
    }
    let mut seen: HashMap<&str, &Node> = HashMap::new();
    for rule in rules {
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
        let Some(what) = &rule.what else {
            continue;
        };
        for server in &what.servers {
            names.check_server(server, findings);
        }
        let about = if what.what.servers.is_some() {
            what.servers.as_slice()
        } else {
            &[]
        };
        for class in &what.classes {
            names.check_class(class, about, findings);
        }
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
            rule.why.as_ref().is_some_and(Why::has_purposes),
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
        why: rule.why,
        expression: rule.condition,
        set: rule.set,
        message: rule.message,
    })
}

/// The nearest of some names, which may be in any order and have repeats.
fn suggestion(name: &str, mut known: Vec<&str>) -> String {
    known.sort_unstable();
    known.dedup();
    yaml::suggestion(name, &known)
}

/// 16 hexadecimal digits of a digest over the content of all files, each with its length.
fn revision(sources: &[Source]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for source in sources {
        context.update(&source.text.len().to_be_bytes());
        context.update(source.text.as_bytes());
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
