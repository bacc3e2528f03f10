//! The input of every lint: the policy, its surroundings, and the position of each rule in its
//! file.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::declared::DeclaredArguments;
use super::samples::IssuerClaims;
use crate::authz::{Glob, Policy, Rule, TrustedHints, UriForm, What};
use crate::policy::document::span_at;
use crate::policy::issuers::Issuers;
use crate::policy::teams::TeamSettings;
use crate::policy::testing::{IndirectTools, Suite};
use crate::yaml::{Data, Findings, Node, silence_of};

/// The surroundings of a policy.
#[derive(Debug, Default)]
pub struct LintContext<'c> {
    /// The recorded tools by server; tools of other servers are not checked.
    pub tools: BTreeMap<String, Vec<String>>,
    /// Whether every server has its tools recorded.
    pub records_all: bool,
    /// Their declared arguments, by server and tool.
    pub arguments: BTreeMap<String, BTreeMap<String, DeclaredArguments>>,
    /// The paths that each call of them has, by server and tool, where calls without them are
    /// refused before the policy is asked.
    pub required: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// Which of them destroy by what their annotations say, trusted or not; only tools that say
    /// either.
    pub destructive: BTreeMap<String, BTreeMap<String, bool>>,
    /// What is known of the tokens of each issuer, by the name that they have it by.
    pub claims: BTreeMap<String, IssuerClaims>,
    /// Their trusted annotations.
    pub hints: Arc<TrustedHints>,
    /// How servers read URIs, unless in the default form.
    pub uris: Arc<HashMap<String, UriForm>>,
    /// The tools of servers that call other tools, which no record has.
    pub indirect: Arc<IndirectTools>,
    /// The issuers, and which of them each server accepts.
    pub issuers: Arc<Issuers>,
    /// Whether the certificates of TLS peers are verified.
    pub peers_are_verified: bool,
    /// The policy's tests, if they could be read.
    pub suite: Option<&'c Suite>,
    /// The time; without it, expired rules are not reported.
    pub now: Option<Timestamp>,
}

/// A block over calls: the `what` of a rule, or what one of its windows counts.
pub(super) struct Block<'r> {
    pub(super) what: &'r What,
    /// Its keys in the rule.
    pub(super) way: Vec<&'static str>,
}

impl<'r> Block<'r> {
    /// The blocks of a rule.
    pub(super) fn all(rule: &'r Rule) -> Vec<Self> {
        let mut all = Vec::new();
        all.extend(rule.what.as_ref().map(|what| Block {
            what,
            way: vec!["what"],
        }));
        let why = rule.why.as_ref();
        let not = why.and_then(|why| why.not.as_deref());
        for (why, way) in [(why, &["why"][..]), (not, &["why", "not"])] {
            for behaviour in why.iter().flat_map(|why| &why.behaviours) {
                let counted = &behaviour.counted;
                let own = [counted.window.count.name(), "of"];
                all.extend(counted.of.as_deref().map(|what| Block {
                    what,
                    way: [way, &own].concat(),
                }));
            }
        }
        all
    }

    /// Whether it says to which requests the rule applies.
    pub(super) fn is_own(&self) -> bool {
        self.way == ["what"]
    }

    /// The keys of a part of it.
    pub(super) fn at(&self, keys: &[&'static str]) -> Vec<&'static str> {
        [self.way.as_slice(), keys].concat()
    }
}

/// One run over a policy, with its findings.
pub(super) struct Lint<'l> {
    pub(super) policy: &'l Policy,
    pub(super) context: &'l LintContext<'l>,
    pub(super) places: HashMap<String, RulePlace<'l>>,
    /// The patterns of the class tables, by server.
    pub(super) tables: Vec<(String, Glob)>,
    /// The servers of which it is not known which classes they have.
    pub(super) untold: Vec<String>,
    /// The tables that are written by a team without `classes`, by server, with its name.
    pub(super) owners: BTreeMap<String, String>,
    pub(super) findings: Findings,
}

impl<'l> Lint<'l> {
    /// Points to a part of a rule, given by its path of keys, or else to the rule's id.
    pub(super) fn warn(
        &mut self,
        rule: &Rule,
        way: &[&str],
        lint: &'static str,
        message: &str,
        help: &str,
    ) {
        if let Some(node) = self.place(rule, way, lint) {
            self.findings.lint(node, lint, message, help);
        }
    }

    /// Points to a part of a rule's condition, by its column in the expression.
    pub(super) fn warn_in_condition(
        &mut self,
        rule: &Rule,
        column: Option<usize>,
        lint: &'static str,
        (message, help): (String, String),
    ) {
        let node = self.place(rule, &["if"], lint);
        if let (Some(node), Some(condition)) = (node, &rule.expression) {
            let span = span_at(column, condition.as_str(), node, &self.findings);
            self.findings
                .lint_at(node.source, span, lint, message, help);
        }
    }

    /// The same for what `validate` does not accept: a hole. The policy can be used all the same,
    /// since it was right before its surroundings changed.
    pub(super) fn refuse(
        &mut self,
        rule: &Rule,
        way: &[&str],
        lint: &'static str,
        message: &str,
        help: &str,
    ) {
        if let Some(node) = self.place(rule, way, lint) {
            self.findings.lint_error(node, lint, message, help);
        }
    }

    /// What to point to; `None` if the lint is silenced.
    pub(super) fn place(&self, rule: &Rule, way: &[&str], lint: &'static str) -> Option<&'l Node> {
        let place = self.places.get(&*rule.id)?;
        if place.silence.contains(&lint) {
            return None;
        }
        let at = way
            .iter()
            .try_fold(place.node, |node, key| node.member(key));
        at.or_else(|| place.node.member("id"))
    }
}

/// The position of a rule, and the lints that it silences.
pub(super) struct RulePlace<'t> {
    pub(super) node: &'t Node,
    /// Whether it is in a file of a team.
    pub(super) is_of_team: bool,
    pub(super) silence: Vec<&'t str>,
}

/// The rules of some files, by the ids that they have in the policy.
pub(super) fn places<'t>(
    trees: &'t [(Option<&TeamSettings>, Node)],
) -> HashMap<String, RulePlace<'t>> {
    let mut places = HashMap::new();
    for (team, root) in trees {
        let of_file = silence_of(root);
        for node in root.member("rules").map_or(&[][..], Node::items) {
            let mut silence = of_file.clone();
            silence.extend(silence_of(node));
            if let Some(id) = node.member("id").and_then(Node::as_str) {
                let id = team.map_or_else(|| id.to_owned(), |team| team.id(id));
                let place = RulePlace {
                    node,
                    is_of_team: team.is_some(),
                    silence,
                };
                places.insert(id, place);
            }
        }
    }
    places
}

/// The servers whose table a team writes that may name any class, with the name of the team.
pub(super) fn owners(trees: &[(Option<&TeamSettings>, Node)]) -> BTreeMap<String, String> {
    let mut owners = BTreeMap::new();
    for (team, root) in trees {
        let team = team.filter(|team| team.classes.is_none());
        let tables = root.member("tools").map(|tools| &tools.data);
        let (Some(team), Some(Data::Map(tables))) = (team, tables) else {
            continue;
        };
        for server in tables.iter().filter_map(|(server, _)| server.as_str()) {
            owners.insert(server.to_owned(), team.name.clone());
        }
    }
    owners
}

/// The patterns of the class tables of some files, by server.
pub(super) fn tables(trees: &[(Option<&TeamSettings>, Node)]) -> Vec<(String, Glob)> {
    let mut found = Vec::new();
    for servers in trees.iter().filter_map(|(_, root)| root.member("tools")) {
        let Data::Map(servers) = &servers.data else {
            continue;
        };
        for (server, classes) in servers {
            let Data::Map(classes) = &classes.data else {
                continue;
            };
            let patterns = classes.iter().flat_map(|(_, patterns)| patterns.items());
            let globs = patterns.filter_map(|node| Glob::name(node.as_str()?).ok());
            let server = server.as_str().unwrap_or_default();
            found.extend(globs.map(|glob| (server.to_owned(), glob)));
        }
    }
    found
}
