//! Warns of valid policies that are probably mistakes.
//!
//! A lint never prevents a policy from being used. Each lint has a name (`policy/silence.rs`), by
//! which a rule silences it with `silence: [name]`, and a file for all of its rules with a
//! `silence` of its own. The short lints are here; the others have a file each, by subject.

mod absence;
mod arguments;
mod callers;
mod claims;
mod classes;
mod context;
mod cover;
mod declared;
mod empty_classes;
mod meeting;
mod names;
mod owners;
mod proofs;
mod reach;
mod samples;
mod similar;
mod spelling;
mod tools;
mod uris;
mod usage;
mod values;
mod windows;

use std::sync::Arc;

pub use context::LintContext;
pub use declared::{DeclaredArguments, required_paths};
pub use samples::{ClaimSample, IssuerClaims};
pub use usage::{argument_servers, inner_servers, pattern_servers, scopes_of};

use super::issuers::RuleParts;
use super::layer::{Layer, LayerFindings};
use super::silence::{
    ANY_ISSUER, ARGUMENTS_EVERYWHERE, EXPIRED_RULE, NEVER_ENFORCED, SHADOWED_RULE,
    UNREACHABLE_RULE, UNTESTED_RULE, UNVERIFIED_PEERS,
};
use super::teams::TeamSettings;
use crate::authz::{Effect, Mode, Policy, Rule, Who};
use crate::yaml::{self, Findings, Node, Source};
use context::{Block, Lint, owners, places, tables};

/// Runs the lints over a policy that was compiled from these sources.
#[must_use]
pub fn lint(sources: &[Source], policy: &Policy, context: &LintContext<'_>) -> Findings {
    lint_layers(&[Layer::global(sources)], policy, context)
}

/// Runs the lints over a policy that was compiled from these files.
#[must_use]
pub fn lint_layers(layers: &[Layer<'_>], policy: &Policy, context: &LintContext<'_>) -> Findings {
    let mut found = LayerFindings::default();
    let mut trees: Vec<(Option<&TeamSettings>, Node)> = Vec::new();
    for layer in layers {
        for source in layer.sources() {
            let id = found.add(layer, source);
            // The policy was compiled from these sources, so they are valid.
            let tree = yaml::parse(id, &mut found.all);
            trees.extend(tree.map(|tree| (layer.team, tree)));
        }
    }
    let findings = found.into_findings();
    let mut lint = Lint {
        policy,
        context,
        places: places(&trees),
        tables: tables(&trees),
        untold: untold(layers),
        owners: owners(&trees),
        findings,
    };
    lint.look_at_rules();
    lint.look_at_tables(trees.iter().map(|(_, tree)| tree));
    lint.look_at_similar_names();
    lint.look_at_tests();
    let of_tests = context.suite.map(|suite| {
        let mut found = spelling::misspelt(suite, policy);
        lint.vacuous(suite, &mut found);
        found
    });
    let mut findings = lint.findings;
    findings.absorb(of_tests.unwrap_or_default());
    findings
}

/// The servers of teams without usable files, which may have had a table.
fn untold(layers: &[Layer<'_>]) -> Vec<String> {
    let untold = layers.iter().filter(|layer| layer.files.is_none());
    let teams = untold.filter_map(|layer| layer.team);
    teams.flat_map(|team| team.servers.clone()).collect()
}

impl Lint<'_> {
    fn look_at_rules(&mut self) {
        let policy = self.policy;
        let covers = cover::Covers::new(policy.rules());
        for (position, rule) in policy.rules().iter().enumerate() {
            self.look_at_condition(rule);
            self.look_at_values(rule);
            for block in Block::all(rule) {
                self.look_at_uris(rule, &block);
                self.look_at_arguments(rule, &block);
                self.look_at_names(rule, &block);
                self.look_at_classes(rule, &block);
            }
            self.look_at_windows(rule);
            self.look_at_cover(rule, covers.of(position));
            self.look_at_empty_classes(rule);
            self.look_at_owners(rule);
            if !self.look_at_name_tests(rule) {
                self.look_at_meetings(rule);
            }
            self.look_at_issuers(rule);
            self.look_at_peers(rule);
            self.look_at_reach(rule);
            self.look_at_callers(rule);
            self.look_at_claims(rule);
            self.look_at_time(rule);
            self.look_at_mode(rule);
        }
    }

    /// Names that each issuer gives by itself.
    fn look_at_issuers(&mut self, rule: &Rule) {
        let issuers = Arc::clone(&self.context.issuers);
        let parts = RuleParts {
            effect: Some(&rule.effect),
            who: rule.who.as_ref(),
            what: rule.what.as_ref(),
            place: rule.place.as_ref(),
            condition: rule.expression.as_ref(),
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
        let message = "TLS peers have the names that Envoy sends, whether or not it verified their certificates";
        let help = "`peers: {ca_file: …}` in the configuration has them verified, or silence this \
                    where every listener requires and verifies client certificates";
        self.warn(rule, way, UNVERIFIED_PEERS, message, help);
    }

    fn look_at_condition(&mut self, rule: &Rule) {
        let Some(condition) = rule
            .expression
            .as_ref()
            .filter(|_| rule.effect != Effect::Allow)
        else {
            return;
        };
        let what = rule.what.as_ref();
        let narrow = what.is_some_and(|what| what.methods.is_some() || !what.kinds().is_empty());
        if condition.reads_arguments() && !narrow {
            let message =
                "this also applies to `initialize` and the lists, which have no arguments";
            let help = "say `methods: [tools/call]` in `what`";
            self.warn(rule, &["if"], ARGUMENTS_EVERYWHERE, message, help);
        }
    }

    fn look_at_cover(&mut self, rule: &Rule, by: Option<&Rule>) {
        let Some(other) = by else { return };
        if other.effect == rule.effect {
            let message = format!(
                "`{}` already covers everything that this rule applies to",
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
            let message = format!("`{}` denies everything that this rule applies to", other.id);
            self.warn(
                rule,
                &["id"],
                UNREACHABLE_RULE,
                &message,
                "narrow the deny, or remove this",
            );
        }
    }

    /// A rule that is watched, and ends before it was ever enforced.
    fn look_at_mode(&mut self, rule: &Rule) {
        let until = rule.when.as_ref().and_then(|when| when.until);
        if let (Mode::Shadow, Some(until)) = (rule.mode, until) {
            let message = format!("the rule ends at {until} and is only watched until then");
            let help = "leave `mode` out to enforce it, or `until` to go on watching";
            self.warn(rule, &["mode"], NEVER_ENFORCED, &message, help);
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
