//! What a policy can say and probably should not (SPEC §3.7).
//!
//! A lint never keeps a policy from being used. Each has a name, which a rule silences with
//! `silence: [name]`, and a file for all of its rules with a `silence` of its own.

mod cover;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::testing::Suite;
use crate::authz::{
    Effect, Expression, Glob, MethodPattern, Mode, Policy, ResourceKind, Rule, TrustedHints,
    UNCLASSIFIED, What,
};
use crate::yaml::{self, Findings, Node, Source};

/// A rule does nothing that another one does not do already.
const SHADOWED_RULE: &str = "shadowed-rule";
/// A rule can never have an effect.
const UNREACHABLE_RULE: &str = "unreachable-rule";
/// No recorded tool has this name, or matches this pattern.
const UNKNOWN_TOOL: &str = "unknown-tool";
/// No recorded tool is in this class.
const EMPTY_CLASS: &str = "empty-class";
/// The expression of a deny or require rule has no result for some requests, which denies them.
const FALLIBLE_DENY: &str = "fallible-deny";
/// An expression reads arguments, and the rule is also about requests that have none.
const ARGUMENTS_EVERYWHERE: &str = "arguments-everywhere";
/// No test comes to a decision by the rule.
const UNTESTED_RULE: &str = "untested-rule";
/// A test's caller has a group or scope that is nearly one of the rules'.
const UNKNOWN_GROUP: &str = "unknown-group";
/// An allow of the class `destructive`, and no limit on it.
const UNLIMITED_DESTRUCTIVE: &str = "unlimited-destructive";
/// The time of a rule has passed.
const EXPIRED_RULE: &str = "expired-rule";

/// The class that the lint about limits looks for.
const DESTRUCTIVE: &str = "destructive";

/// Every lint of a policy.
pub const LINTS: &[&str] = &[
    SHADOWED_RULE,
    UNREACHABLE_RULE,
    UNKNOWN_TOOL,
    EMPTY_CLASS,
    FALLIBLE_DENY,
    ARGUMENTS_EVERYWHERE,
    UNTESTED_RULE,
    UNKNOWN_GROUP,
    UNLIMITED_DESTRUCTIVE,
    EXPIRED_RULE,
];

/// What is known around a policy.
#[derive(Debug, Default)]
pub struct LintContext<'c> {
    /// The recorded tools by server; nothing is said about tools of other servers.
    pub tools: BTreeMap<String, Vec<String>>,
    /// What trusted annotations say of them.
    pub hints: Arc<TrustedHints>,
    /// The policy's tests, if they could be read.
    pub suite: Option<&'c Suite>,
    /// The time; without it nothing is said about what has passed.
    pub now: Option<Timestamp>,
}

/// Reads `silence`: names of lints, all known.
pub(super) fn silenced(node: &Node, findings: &mut Findings) -> Option<Vec<&'static str>> {
    let words: Vec<(&'static str, &'static str)> =
        LINTS.iter().map(|name| (*name, *name)).collect();
    let read = yaml::choice(&words);
    yaml::list(node, findings, read)
}

/// Looks over a policy that was compiled from these sources.
#[must_use]
pub fn lint(sources: &[Source], policy: &Policy, context: &LintContext<'_>) -> Findings {
    let mut findings = Findings::new();
    let ids: Vec<_> = sources
        .iter()
        .map(|source| findings.add_source(source.clone()))
        .collect();
    // The policy was compiled from these, so they are good.
    let trees: Vec<Node> = ids
        .into_iter()
        .filter_map(|id| yaml::parse(id, &mut findings))
        .collect();
    let mut lint = Lint {
        policy,
        context,
        places: places(&trees),
        findings,
    };
    lint.look_at_rules();
    lint.look_at_tables(&trees);
    lint.look_at_tests();
    let mut findings = lint.findings;
    if let Some(suite) = context.suite {
        findings.absorb(suite.misspelt(policy, UNKNOWN_GROUP));
    }
    findings
}

/// Where a rule stands, and what it silences.
struct RulePlace<'t> {
    node: &'t Node,
    silence: Vec<&'t str>,
}

fn silence_of(node: &Node) -> Vec<&str> {
    let names = node.member("silence").map_or(&[][..], Node::items);
    names.iter().filter_map(Node::as_str).collect()
}

fn places(trees: &[Node]) -> HashMap<&str, RulePlace<'_>> {
    let mut places = HashMap::new();
    for root in trees {
        let of_file = silence_of(root);
        for node in root.member("rules").map_or(&[][..], Node::items) {
            let mut silence = of_file.clone();
            silence.extend(silence_of(node));
            if let Some(id) = node.member("id").and_then(Node::as_str) {
                places.insert(id, RulePlace { node, silence });
            }
        }
    }
    places
}

struct Lint<'l> {
    policy: &'l Policy,
    context: &'l LintContext<'l>,
    places: HashMap<&'l str, RulePlace<'l>>,
    findings: Findings,
}

impl Lint<'_> {
    /// Points to a part of a rule, by the way of its keys, or to its id.
    fn warn(&mut self, rule: &Rule, way: &[&str], lint: &'static str, message: &str, help: &str) {
        let Some(place) = self.places.get(&*rule.id) else {
            return;
        };
        if place.silence.contains(&lint) {
            return;
        }
        let at = way
            .iter()
            .try_fold(place.node, |node, key| node.member(key));
        let Some(node) = at.or_else(|| place.node.member("id")) else {
            return;
        };
        self.findings.lint(node, lint, message, help);
    }

    fn look_at_rules(&mut self) {
        let policy = self.policy;
        let covers = cover::Covers::new(policy.rules());
        for (position, rule) in policy.rules().iter().enumerate() {
            self.look_at_condition(rule);
            self.look_at_cover(rule, covers.of(position));
            self.look_at_names(rule);
            self.look_at_limits(rule);
            self.look_at_time(rule);
        }
    }

    fn look_at_condition(&mut self, rule: &Rule) {
        let Some(condition) = rule
            .condition
            .as_ref()
            .filter(|_| rule.effect != Effect::Allow)
        else {
            return;
        };
        let what = rule.what.as_ref();
        let narrow = what.is_some_and(|what| what.methods.is_some() || !what.kinds().is_empty());
        if condition.reads_arguments() && !narrow {
            let message = "this is also about `initialize` and the lists, which have no arguments";
            let help = "say `methods: [tools/call]` in `what`";
            self.warn(rule, &["if"], ARGUMENTS_EVERYWHERE, message, help);
        }
        if condition.can_fail() {
            let message = "where this cannot be evaluated, the request is denied";
            let help =
                "test with `has(…)` first, or say that it is meant: `silence: [fallible-deny]`";
            self.warn(rule, &["if"], FALLIBLE_DENY, message, help);
        }
    }

    fn look_at_cover(&mut self, rule: &Rule, by: Option<&Rule>) {
        let Some(other) = by else { return };
        if other.effect == rule.effect {
            let message = format!(
                "`{}` already covers everything that this rule is about",
                other.id
            );
            self.warn(
                rule,
                &["id"],
                SHADOWED_RULE,
                &message,
                "remove one of the two",
            );
        } else {
            let message = format!("`{}` denies everything that this rule is about", other.id);
            self.warn(
                rule,
                &["id"],
                UNREACHABLE_RULE,
                &message,
                "narrow the deny, or remove this",
            );
        }
    }

    /// What is called destructive should not be possible without end.
    fn look_at_limits(&mut self, rule: &Rule) {
        let is_destructive = |what: &What| {
            let classes = what.classes.iter().flatten();
            classes.into_iter().any(|class| &**class == DESTRUCTIVE)
        };
        let granting = rule.effect == Effect::Allow && rule.mode == Mode::Enforce;
        if !granting || !rule.what.as_ref().is_some_and(is_destructive) {
            return;
        }
        let policy = self.policy;
        let limits = |other: &&Rule| {
            let narrow = other
                .what
                .as_ref()
                .is_some_and(|what| !what.kinds().is_empty() && !is_destructive(what));
            matches!(other.effect, Effect::Limit(_)) && other.mode == Mode::Enforce && !narrow
        };
        if !policy.rules().iter().any(|other| limits(&other)) {
            let message = "destructive tools are allowed without a limit";
            let help = "add a rule with `effect: limit` for the class";
            self.warn(
                rule,
                &["what", "classes"],
                UNLIMITED_DESTRUCTIVE,
                message,
                help,
            );
        }
    }

    fn look_at_time(&mut self, rule: &Rule) {
        let until = rule.when.as_ref().and_then(|when| when.until);
        if let (Some(now), Some(until)) = (self.context.now, until)
            && until <= now
        {
            let message = "the time of this rule has passed";
            self.warn(
                rule,
                &["when", "until"],
                EXPIRED_RULE,
                message,
                "remove the rule",
            );
        }
    }

    /// The recorded tools of the servers that a rule is about, if all of them are recorded.
    fn recorded(&self, what: &What) -> Option<Vec<(&str, &str)>> {
        let recorded = &self.context.tools;
        let servers: Vec<&str> = match &what.servers {
            Some(servers) => servers.iter().map(|name| &**name).collect(),
            None => recorded.keys().map(String::as_str).collect(),
        };
        let mut tools = Vec::new();
        for server in servers {
            let (server, own) = recorded.get_key_value(server)?;
            tools.extend(own.iter().map(|tool| (server.as_str(), tool.as_str())));
        }
        (!tools.is_empty()).then_some(tools)
    }

    fn look_at_names(&mut self, rule: &Rule) {
        let Some(what) = rule.what.as_ref() else {
            return;
        };
        let Some(recorded) = self.recorded(what) else {
            return;
        };
        let names: Vec<(&str, &str)> = recorded.clone();
        let exists = |glob: &Glob| names.iter().any(|(_, tool)| glob.matches(tool));
        let missing: Vec<&Glob> = what
            .tools
            .iter()
            .flatten()
            .filter(|glob| !exists(glob))
            .collect();
        let (policy, hints) = (self.policy, &self.context.hints);
        let empty = |class: &str| {
            !names.iter().any(|(server, tool)| {
                let own = policy.class(server, tool, hints.of(server, tool));
                own.is_some_and(|own| **own == *class)
            })
        };
        let classes = what.classes.iter().flatten();
        let empty: Vec<&Arc<str>> = classes
            .filter(|class| empty(class) && &***class != UNCLASSIFIED)
            .collect();
        let help = "see `tools_snapshot` in the configuration";
        for glob in missing {
            let message = format!("no recorded tool matches `{}`", glob.as_str());
            self.warn(rule, &["what", "tools"], UNKNOWN_TOOL, &message, help);
        }
        for class in empty {
            let message = format!("no recorded tool is in the class `{class}`");
            self.warn(rule, &["what", "classes"], EMPTY_CLASS, &message, help);
        }
    }

    /// Patterns of the class tables that match no recorded tool.
    fn look_at_tables(&mut self, trees: &[Node]) {
        for root in trees {
            if silence_of(root).contains(&UNKNOWN_TOOL) {
                continue;
            }
            for (server, recorded) in &self.context.tools {
                let table = root.member("tools").and_then(|tools| tools.member(server));
                let Some(yaml::Data::Map(classes)) = table.map(|table| &table.data) else {
                    continue;
                };
                for node in classes.iter().flat_map(|(_, patterns)| patterns.items()) {
                    let glob = node.as_str().and_then(|text| Glob::name(text).ok());
                    let Some(glob) = glob else { continue };
                    if !recorded.iter().any(|tool| glob.matches(tool)) {
                        let message =
                            format!("no recorded tool of `{server}` matches `{}`", glob.as_str());
                        let help = "see `tools_snapshot` in the configuration";
                        self.findings.lint(node, UNKNOWN_TOOL, message, help);
                    }
                }
            }
        }
    }

    fn look_at_tests(&mut self) {
        let policy = self.policy;
        let Some(suite) = self.context.suite else {
            return;
        };
        if suite.is_empty() {
            if let Some(rule) = policy.rules().first() {
                let help = "put them beside it, in a file whose name ends in `_test.yaml`";
                self.warn(
                    rule,
                    &["id"],
                    UNTESTED_RULE,
                    "the policy has no tests",
                    help,
                );
            }
            return;
        }
        let reached = suite.run(policy).reached;
        for rule in policy.rules() {
            if !reached.contains(&rule.id) {
                let help = "add a test that expects this rule";
                self.warn(
                    rule,
                    &["id"],
                    UNTESTED_RULE,
                    "no test reaches this rule",
                    help,
                );
            }
        }
    }
}

/// The groups and scopes that rules name.
pub(super) fn named(policy: &Policy) -> (BTreeSet<&str>, BTreeSet<&str>) {
    let (mut groups, mut scopes) = (BTreeSet::new(), BTreeSet::new());
    for rule in policy.rules() {
        let who = rule.who.iter();
        for who in who
            .flat_map(|who| [Some(who), who.not.as_deref()])
            .flatten()
        {
            groups.extend(who.groups.iter().flatten().map(|name| &**name));
            scopes.extend(who.scopes.iter().flatten().map(|name| &**name));
        }
        if let Effect::Require(needs) = &rule.effect {
            scopes.extend(needs.scopes.iter().map(|name| &**name));
        }
    }
    (groups, scopes)
}

/// The scopes that rules name.
#[must_use]
pub fn scopes_of(policy: &Policy) -> BTreeSet<String> {
    named(policy).1.into_iter().map(str::to_owned).collect()
}

/// Those of the servers of whose tools some rule reads arguments.
#[must_use]
pub fn argument_servers<'s>(
    policy: &Policy,
    servers: impl Iterator<Item = &'s str>,
) -> BTreeSet<String> {
    let reading: Vec<&Rule> = policy
        .rules()
        .iter()
        .filter(|rule| reads_tools(rule))
        .collect();
    let is_read = |server: &&str| {
        reading.iter().any(|rule| {
            let named = rule.what.as_ref().and_then(|what| what.servers.as_ref());
            named.is_none_or(|names| names.iter().any(|name| **name == **server))
        })
    };
    servers.filter(is_read).map(str::to_owned).collect()
}

/// Whether a rule may read arguments of a tool.
fn reads_tools(rule: &Rule) -> bool {
    let condition = rule.condition.as_ref();
    let what = rule.what.as_ref();
    let selects = |what: &What| !what.arguments.is_empty();
    let reads = condition.is_some_and(Expression::reads_arguments)
        || what.is_some_and(|what| selects(what) || what.not.as_deref().is_some_and(selects));
    let is_about_tools = what.is_none_or(|what| {
        let kinds = what.kinds();
        let names_calls = |methods: &[MethodPattern]| {
            methods.iter().any(|method| match method {
                MethodPattern::Exact(name) => **name == *"tools/call",
                MethodPattern::Under(prefix) => **prefix == *"tools/",
            })
        };
        (kinds.is_empty() || kinds.contains(&ResourceKind::Tool))
            && what.methods.as_deref().is_none_or(names_calls)
    });
    reads && is_about_tools
}

#[cfg(test)]
mod tests;
