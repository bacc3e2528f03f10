//! Warns of tools in a block whose classes it leaves out.

use std::collections::BTreeSet;

use super::context::{Block, Lint};
use crate::authz::{Glob, Names, Rule, What};
use crate::policy::silence::UNREACHABLE_RULE;

impl Lint<'_> {
    pub(super) fn look_at_classes(&mut self, rule: &Rule, block: &Block<'_>) {
        let what = block.what;
        let (Some(tools), true) = (what.tools.as_deref(), names_classes(what)) else {
            return;
        };
        let servers = self.servers_under(what);
        if servers.is_empty() {
            return;
        }
        let is_left = |glob: &&Glob| {
            !servers
                .iter()
                .any(|server| self.may_be_in(what, server, glob))
        };
        let left: Vec<&Glob> = tools.iter().filter(is_left).collect();
        let Some(first) = left.first() else { return };
        let message = format!(
            "no tool that `{}` matches is in a class that the block selects",
            first.as_str()
        );
        let help = match self.classes_of(&servers, first).as_slice() {
            [] => "leave `tools` or `classes` out, or make two rules".to_owned(),
            classes => format!("it is in {}", classes.join(", ")),
        };
        let way = block.at(&["tools"]);
        if left.len() == tools.len() {
            self.refuse(rule, &way, UNREACHABLE_RULE, &message, &help);
        } else {
            self.warn(rule, &way, UNREACHABLE_RULE, &message, &help);
        }
    }

    /// The servers to which a block applies, as far as they are known.
    pub(super) fn servers_under(&self, what: &What) -> Vec<String> {
        let configured = self.context.issuers.of_servers.keys().map(String::as_str);
        let recorded = self.context.tools.keys().map(String::as_str);
        let tables = self.policy.tables().map(|(server, _)| &**server);
        let all: BTreeSet<&str> = configured.chain(recorded).chain(tables).collect();
        let covered = all.into_iter().filter(|server| what.covers_server(server));
        covered.map(str::to_owned).collect()
    }

    /// Whether a tool of a pattern may be in the classes that a block selects.
    fn may_be_in(&self, what: &What, server: &str, glob: &Glob) -> bool {
        let not = what.not.as_deref().filter(|not| is_only_classes(not));
        let excluded = not.and_then(|not| not.classes.as_ref());
        let has = |names: &Names, class: &str| names.iter().any(|name| **name == *class);
        if let Some(tool) = glob.exact() {
            let hints = self.context.hints.of(server, tool);
            let class = self.policy.class(server, tool, hints);
            return class.is_none_or(|class| {
                what.classes.as_ref().is_none_or(|names| has(names, class))
                    && !excluded.is_some_and(|names| has(names, class))
            });
        }
        let Some(classes) = what.classes.as_ref() else {
            return true;
        };
        classes
            .iter()
            .any(|class| self.may_match(server, glob, class))
    }

    /// Whether a pattern and a class of a server may have a tool in common.
    pub(super) fn may_match(&self, server: &str, glob: &Glob, class: &str) -> bool {
        if class == crate::authz::UNCLASSIFIED || self.context.hints.trusts(server) {
            return true;
        }
        let mut tables = self.policy.tables().filter(|(own, _)| ***own == *server);
        tables.any(|(_, table)| {
            let exact = table
                .exact()
                .any(|(tool, own)| **own == *class && glob.matches(tool));
            let mut patterns = table.patterns();
            exact
                || patterns.any(|(own, name)| **name == *class && own.common_match(glob).is_some())
        })
    }

    fn classes_of(&self, servers: &[String], glob: &Glob) -> Vec<String> {
        let Some(tool) = glob.exact() else {
            return Vec::new();
        };
        let classes = servers.iter().filter_map(|server| {
            let hints = self.context.hints.of(server, tool);
            self.policy.class(server, tool, hints)
        });
        let classes: BTreeSet<&str> = classes.map(|class| &**class).collect();
        classes
            .into_iter()
            .map(|class| format!("`{class}`"))
            .collect()
    }
}

fn names_classes(what: &What) -> bool {
    let not = what.not.as_deref();
    what.classes.is_some() || not.is_some_and(is_only_classes)
}

/// Whether a negation takes whole classes.
fn is_only_classes(not: &What) -> bool {
    let rest = What {
        classes: None,
        ..not.clone()
    };
    not.classes.is_some() && rest == What::default()
}
