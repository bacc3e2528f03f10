//! What a policy can say and probably should not (`src/policy/README.md`, "Lints").
//!
//! A lint never keeps a policy from being used. Each has a name, which a rule silences with
//! `silence: [name]`, and a file for all of its rules with a `silence` of its own.

mod arguments;
mod cover;
mod names;
mod uris;
mod usage;
mod values;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

pub use arguments::Declared;
pub(super) use usage::named;
pub use usage::{argument_servers, scopes_of};

use super::testing::Suite;
use super::whose::{Issuers, Parts};
use crate::authz::{Effect, Mode, Policy, Rule, TrustedHints, UriForm, What, Who};
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
/// A pattern matches more than whole values, and a match lets a call through.
const UNANCHORED_REGEX: &str = "unanchored-regex";
/// An allow names what may not be.
const NEGATED_ALLOW: &str = "negated-allow";
/// A rule that refuses looks for a part of a text that can be spelled otherwise.
const SPELLED_TEXT: &str = "spelled-text";
/// An allow tests the text of a URI.
const URI_IN_EXPRESSION: &str = "uri-in-expression";
/// A pattern over resources matches no URI that is evaluated.
const URI_NEVER_NORMAL: &str = "uri-never-normal";
/// A pattern over resources has a query.
const URI_QUERY: &str = "uri-query";
/// A rule that refuses converts a value from outside.
const CONVERSION_IN_DENY: &str = "conversion-in-deny";
/// Names of callers may be those of any of several issuers.
const ANY_ISSUER: &str = "any-issuer";
/// Nobody but Envoy says who a TLS peer is.
const UNVERIFIED_PEERS: &str = "unverified-peers";
/// No recorded tool declares an argument that is read.
const UNKNOWN_ARGUMENT: &str = "unknown-argument";

/// The method that calls tools.
const TOOLS_CALL: &str = "tools/call";
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
    UNANCHORED_REGEX,
    NEGATED_ALLOW,
    SPELLED_TEXT,
    URI_IN_EXPRESSION,
    URI_NEVER_NORMAL,
    URI_QUERY,
    CONVERSION_IN_DENY,
    UNKNOWN_ARGUMENT,
    ANY_ISSUER,
    UNVERIFIED_PEERS,
];

/// What is known around a policy.
#[derive(Debug, Default)]
pub struct LintContext<'c> {
    /// The recorded tools by server; nothing is said about tools of other servers.
    pub tools: BTreeMap<String, Vec<String>>,
    /// What they declare, by server and tool.
    pub arguments: BTreeMap<String, BTreeMap<String, Declared>>,
    /// What trusted annotations say of them.
    pub hints: Arc<TrustedHints>,
    /// How servers read URIs, where it is not as usual.
    pub uris: Arc<HashMap<String, UriForm>>,
    /// The issuers, and which of them each server takes tokens of.
    pub issuers: Arc<Issuers>,
    /// Whether the certificates of TLS peers are verified.
    pub peers_are_verified: bool,
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
            self.look_at_values(rule);
            self.look_at_uris(rule);
            self.look_at_arguments(rule);
            self.look_at_cover(rule, covers.of(position));
            self.look_at_names(rule);
            self.look_at_issuers(rule);
            self.look_at_peers(rule);
            self.look_at_limits(rule);
            self.look_at_time(rule);
        }
    }

    /// Names that each issuer gives by itself.
    fn look_at_issuers(&mut self, rule: &Rule) {
        let issuers = Arc::clone(&self.context.issuers);
        let parts = Parts {
            effect: Some(&rule.effect),
            who: rule.who.as_ref(),
            what: rule.what.as_ref(),
            condition: rule.condition.as_ref(),
            set: rule.set.as_ref(),
        };
        if let Some(unsaid) = issuers.unsaid(parts) {
            let (message, help) = (unsaid.message(), unsaid.help());
            self.warn(rule, &unsaid.way, ANY_ISSUER, &message, help);
        }
    }

    fn look_at_peers(&mut self, rule: &Rule) {
        if self.context.peers_are_verified || !rule.asks_peer() {
            return;
        }
        let has_peers = |who: &Who| who.peers.is_some();
        let who = rule.who.as_ref();
        let way: &[&str] = if who.is_some_and(has_peers) {
            &["who", "peers"]
        } else if who.is_some_and(|who| who.not.as_deref().is_some_and(has_peers)) {
            &["who", "not", "peers"]
        } else {
            &["if"]
        };
        let message = "TLS peers are who Envoy says, whether or not it verified their certificates";
        let help = "`peers: {ca_file: …}` in the configuration has them verified, or silence this \
                    where every listener requires and verifies client certificates";
        self.warn(rule, way, UNVERIFIED_PEERS, message, help);
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

#[cfg(test)]
mod tests;
