//! Warns of tools and classes that no snapshot records.

use std::sync::Arc;

use super::context::{Block, Lint, LintContext};
use crate::authz::{Effect, Glob, Mode, Rule, UNCLASSIFIED, What};
use crate::policy::silence::{EMPTY_CLASS, UNKNOWN_TOOL};
use crate::yaml::{Data, Node, silence_of, suggestion};

impl<'l> Lint<'l> {
    /// The recorded tools of the servers that a rule applies to, if all of them are recorded.
    pub(super) fn recorded(&self, what: &What) -> Option<Vec<(&'l str, &'l str)>> {
        let context: &'l LintContext<'l> = self.context;
        let recorded = &context.tools;
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

    pub(super) fn look_at_names(&mut self, rule: &Rule, block: &Block<'_>) {
        let what = block.what;
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
        let mut known: Vec<&str> = names.iter().map(|(_, tool)| *tool).collect();
        known.sort_unstable();
        known.dedup();
        let refuses = rule.effect != Effect::Allow && rule.mode == Mode::Enforce;
        let knows_all = what.servers.is_some() || self.context.records_all;
        let missing: Vec<(&Glob, Option<String>)> = missing
            .into_iter()
            .map(|glob| (glob, meant(glob, &known)))
            .collect();
        for (glob, near) in missing {
            let message = format!("no recorded tool matches `{}`", glob.as_str());
            let help = near.as_deref().unwrap_or(help);
            let way = block.at(&["tools"]);
            // What refuses a tool that is not there lets the one that was meant through.
            if refuses && knows_all && glob.exact().is_some() {
                self.refuse(rule, &way, UNKNOWN_TOOL, &message, help);
            } else {
                self.warn(rule, &way, UNKNOWN_TOOL, &message, help);
            }
        }
        for class in empty {
            let message = format!("no recorded tool is in the class `{class}`");
            self.warn(rule, &block.at(&["classes"]), EMPTY_CLASS, &message, help);
        }
    }

    /// Patterns of the class tables that match no recorded tool.
    pub(super) fn look_at_tables<'t>(&mut self, trees: impl Iterator<Item = &'t Node>) {
        for root in trees {
            if silence_of(root).contains(&UNKNOWN_TOOL) {
                continue;
            }
            for (server, recorded) in &self.context.tools {
                let table = root.member("tools").and_then(|tools| tools.member(server));
                let Some(Data::Map(classes)) = table.map(|table| &table.data) else {
                    continue;
                };
                for node in classes.iter().flat_map(|(_, patterns)| patterns.items()) {
                    let glob = node.as_str().and_then(|text| Glob::name(text).ok());
                    let Some(glob) = glob else { continue };
                    if !recorded.iter().any(|tool| glob.matches(tool)) {
                        let message =
                            format!("no recorded tool of `{server}` matches `{}`", glob.as_str());
                        let known: Vec<&str> = recorded.iter().map(String::as_str).collect();
                        let near = meant(&glob, &known);
                        let help = "see `tools_snapshot` in the configuration".to_owned();
                        let help = near.unwrap_or(help);
                        self.findings.lint(node, UNKNOWN_TOOL, message, help);
                    }
                }
            }
        }
    }
}

/// What was probably meant by a name or pattern that matches no known tool.
fn meant(glob: &Glob, known: &[&str]) -> Option<String> {
    if glob.exact().is_some() {
        let near = suggestion(glob.as_str(), known);
        return near.starts_with("did you mean").then_some(near);
    }
    let start = glob.literal_start();
    let beginnings = known.iter().flat_map(|tool| {
        let ends = tool.char_indices().map(|(at, _)| at).skip(1);
        ends.filter_map(|end| tool.get(..end))
    });
    let near = |beginning: &&str| {
        let same_end = beginning.chars().last() == start.chars().last();
        same_end && strsim::damerau_levenshtein(beginning, start) == 1
    };
    let found = beginnings.into_iter().find(near)?;
    let rest = glob.as_str().strip_prefix(start).unwrap_or_default();
    (start.len() > 3).then(|| format!("did you mean `{found}{rest}`?"))
}
