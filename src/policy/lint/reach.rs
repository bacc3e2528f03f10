//! Warns of allow rules that grant more than they seem to: to everyone, of a whole server, by
//! patterns that match nearly everything, or what destroys.

use super::context::Lint;
use super::usage::is_call;
use crate::authz::{Effect, Glob, Mode, ResourceKind, Rule, What, Who};
use crate::policy::silence::{
    BROAD_PATTERN, EVERYONE_MAY_DESTROY, OPEN_SERVER, UNLIMITED_DESTRUCTIVE,
};

/// The class whose tools destroy, whatever they are called.
const DESTRUCTIVE: &str = "destructive";
/// What the names of tools that destroy say they do.
const VERBS: [&str; 11] = [
    "delete",
    "destroy",
    "drop",
    "erase",
    "kill",
    "purge",
    "remove",
    "terminate",
    "truncate",
    "uninstall",
    "wipe",
];
/// What the names of tools that only look begin with.
const READING: [&str; 12] = [
    "can", "check", "count", "describe", "find", "get", "is", "list", "read", "search", "show",
    "view",
];
/// The most letters and digits in a pattern that selects nearly nothing.
const BROAD_LETTERS_MAX: usize = 2;
/// How many tools a server has before a pattern that matches nearly all of them says nothing.
const TOOLS_MIN: usize = 8;

impl Lint<'_> {
    /// What an allow rule grants.
    pub(super) fn look_at_reach(&mut self, rule: &Rule) {
        let Some(what) = rule.what.as_ref() else {
            return;
        };
        if rule.effect != Effect::Allow || rule.mode != Mode::Enforce {
            return;
        }
        let is_open = is_everyone(rule);
        if is_open && is_whole(what) {
            let message = "everyone may use everything of the server, what it adds too";
            let help =
                "name the callers in `who`, or tools, classes, prompts or resources in `what`";
            self.warn(rule, &["what"], OPEN_SERVER, message, help);
        }
        self.look_at_patterns(rule, what);
        let Some(reached) = self.reached(what) else {
            return;
        };
        if is_open {
            let message = format!("everyone may call {reached}");
            let help = "name the callers in `who`";
            self.warn(rule, &["who"], EVERYONE_MAY_DESTROY, &message, help);
        }
        if !self.is_limited(what, &reached) {
            let (is, of) = match reached {
                Destroyer::Class => ("are", "the class"),
                Destroyer::Tool { .. } => ("is", "it"),
            };
            let message = format!("{reached} {is} allowed without a limit");
            let help = format!("add a rule with `effect: limit` for {of}");
            let way: &[&str] = if what.classes.is_some() {
                &["what", "classes"]
            } else {
                &["what", "tools"]
            };
            self.warn(rule, way, UNLIMITED_DESTRUCTIVE, &message, &help);
        }
    }

    fn look_at_patterns(&mut self, rule: &Rule, what: &What) {
        let broad = what.tools.iter().flatten().find(|glob| {
            let is_pattern = glob.exact().is_none();
            is_pattern && (says_little(glob) || self.matches_nearly_all(what, glob))
        });
        if let Some(glob) = broad {
            let message = format!(
                "`{}` matches nearly every tool, also those that the server adds",
                glob.as_str()
            );
            let help = "name the tools, their beginning (`get_*`), or classes";
            self.warn(rule, &["what", "tools"], BROAD_PATTERN, &message, help);
        }
    }

    fn matches_nearly_all(&self, what: &What, glob: &Glob) -> bool {
        let Some(tools) = self.recorded(what) else {
            return false;
        };
        let matched = tools.iter().filter(|(_, tool)| glob.matches(tool)).count();
        let rest = tools.len().saturating_sub(matched);
        tools.len() >= TOOLS_MIN && rest.saturating_mul(10) <= tools.len()
    }

    /// Something that destroys and that an allow reaches.
    fn reached(&self, what: &What) -> Option<Destroyer> {
        let kinds = what.kinds();
        let calls = |methods: &[_]| methods.iter().any(is_call);
        let reaches_tools = kinds.is_empty() || kinds.contains(&ResourceKind::Tool);
        if !reaches_tools || !what.methods.as_deref().is_none_or(calls) {
            return None;
        }
        let mut named = what.classes.iter().flatten();
        if named.any(|class| &**class == DESTRUCTIVE) {
            return Some(Destroyer::Class);
        }
        let mut all = self.candidates(what);
        all.sort_unstable();
        let found = all.into_iter().find(|(server, tool)| {
            self.is_granted(what, server, tool) && self.destroys(server, tool)
        });
        found.map(|(server, tool)| Destroyer::Tool { server, tool })
    }

    /// The tools that are known to be there: recorded, named in class tables, or named by the rule.
    /// A pattern stands for a tool of that name without its wildcards.
    fn candidates(&self, what: &What) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for (server, tools) in &self.context.tools {
            all.extend(tools.iter().map(|tool| (server.clone(), tool.clone())));
        }
        let is_recorded = |server: &str| self.context.tools.contains_key(server);
        for (server, table) in self.policy.tables() {
            if is_recorded(server) {
                continue;
            }
            let exact = table.exact().map(|(tool, _)| tool.to_string());
            let patterns = table.patterns().map(|(glob, _)| stand_in(glob));
            all.extend(exact.chain(patterns).map(|tool| (server.to_string(), tool)));
        }
        let servers = what.servers.iter().flatten().map(ToString::to_string);
        let mut servers: Vec<String> = servers.filter(|server| !is_recorded(server)).collect();
        if servers.is_empty() && self.context.tools.is_empty() {
            servers.push(String::new());
        }
        for server in servers {
            let named = what.tools.iter().flatten().map(stand_in);
            all.extend(named.map(|tool| (server.clone(), tool)));
        }
        all.retain(|(server, _)| server.is_empty() || what.covers_server(server));
        all
    }

    /// Whether a block selects a tool of a server that it covers.
    fn is_granted(&self, what: &What, server: &str, tool: &str) -> bool {
        let is_own = |what: &What| {
            let named = what.tools.as_deref();
            let mut classes = what.classes.iter().flatten();
            let class = self
                .policy
                .class(server, tool, self.context.hints.of(server, tool));
            named.is_none_or(|globs| globs.iter().any(|glob| glob.matches(tool)))
                && (what.classes.is_none()
                    || classes.any(|name| class.is_some_and(|own| own == name)))
        };
        let excludes = |not: &What| {
            let of_server = not.servers.as_ref();
            let is_named = of_server.is_none_or(|names| names.iter().any(|name| **name == *server));
            is_named && not.arguments.is_empty() && not.methods.is_none() && is_own(not)
        };
        is_own(what) && !what.not.as_deref().is_some_and(excludes)
    }

    fn destroys(&self, server: &str, tool: &str) -> bool {
        let class = self
            .policy
            .class(server, tool, self.context.hints.of(server, tool));
        let annotated = self.context.destructive.get(server);
        match annotated.and_then(|tools| tools.get(tool)) {
            Some(annotated) => *annotated || class.is_some_and(|class| **class == *DESTRUCTIVE),
            None => class.is_some_and(|class| **class == *DESTRUCTIVE) || is_destructive_name(tool),
        }
    }

    /// Whether a limit is on it, or a deny that lets nobody call it.
    fn is_limited(&self, what: &What, reached: &Destroyer) -> bool {
        let mut rules = self.policy.rules().iter();
        rules.any(|other| {
            let is_for_all = other.when.is_none()
                && other.place.is_none()
                && other.why.is_none()
                && other.expression.is_none();
            let counts = match other.effect {
                Effect::Limit(_) | Effect::Open(_) => true,
                Effect::Deny => is_for_all && other.who.is_none(),
                Effect::Allow | Effect::Require(_) => false,
            };
            counts && other.mode == Mode::Enforce && self.covers(other.what.as_ref(), what, reached)
        })
    }

    fn covers(&self, limit: Option<&What>, what: &What, reached: &Destroyer) -> bool {
        let Some(limit) = limit else { return true };
        let is_for_tools = limit.kinds().is_empty() || limit.kinds() == [ResourceKind::Tool];
        match reached {
            Destroyer::Class => {
                let mut classes = limit.classes.iter().flatten();
                let narrow =
                    !limit.kinds().is_empty() && !classes.any(|class| &**class == DESTRUCTIVE);
                !narrow
            }
            Destroyer::Tool { server, tool } => {
                let is_there = if server.is_empty() {
                    limit.servers.is_none() || limit.servers == what.servers
                } else {
                    limit.covers_server(server)
                };
                is_for_tools && is_there && self.is_granted(limit, server, tool)
            }
        }
    }
}

/// What is reached that destroys.
enum Destroyer {
    Class,
    Tool { server: String, tool: String },
}

impl std::fmt::Display for Destroyer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Destroyer::Class => formatter.write_str("destructive tools"),
            Destroyer::Tool { tool, .. } => write!(formatter, "`{tool}`"),
        }
    }
}

/// Whether a rule is for every authenticated caller from everywhere, but for some that it excludes.
fn is_everyone(rule: &Rule) -> bool {
    let who = rule.who.clone().unwrap_or_default();
    let plain = Who { not: None, ..who };
    plain == Who::default() && rule.place.is_none() && rule.expression.is_none()
}

/// Whether a block selects everything of its servers.
fn is_whole(what: &What) -> bool {
    let methods = what.methods.as_deref();
    what.kinds().is_empty() && methods.is_none_or(|methods| methods.iter().any(is_call))
}

/// Whether a pattern selects by next to nothing.
fn says_little(glob: &Glob) -> bool {
    let letters = glob
        .as_str()
        .chars()
        .filter(|c| c.is_alphanumeric())
        .count();
    let is_open = glob.as_str().starts_with(['*', '?']);
    is_open && letters <= BROAD_LETTERS_MAX || letters == 0
}

fn stand_in(glob: &Glob) -> String {
    glob.as_str().replace(['*', '?'], "")
}

/// Whether a tool is called after something that destroys.
fn is_destructive_name(tool: &str) -> bool {
    let words = words(tool);
    let verb = words.iter().position(|word| VERBS.contains(&word.as_str()));
    let reads = words
        .iter()
        .position(|word| READING.contains(&word.as_str()));
    verb.is_some_and(|verb| reads.is_none_or(|reads| verb < reads))
}

/// The words of a name, in lower case: `deleteRepo`, `delete-repo` and `delete_repo` have two.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for character in name.chars() {
        let begins = character.is_uppercase() && was_small;
        if begins || !character.is_alphanumeric() {
            words.push(String::new());
        }
        was_small = character.is_lowercase();
        if let Some(word) = words.last_mut().filter(|_| character.is_alphanumeric()) {
            word.extend(character.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_destroys() {
        for name in [
            "delete_repository",
            "deleteRepo",
            "github_delete-file",
            "files.remove",
            "drop_table",
        ] {
            assert!(is_destructive_name(name), "{name}");
        }
        for name in [
            "get_delete_log",
            "list_deleted",
            "undelete",
            "dropdown",
            "search",
        ] {
            assert!(!is_destructive_name(name), "{name}");
        }
    }

    #[test]
    fn patterns_that_say_little_are_found() {
        for (pattern, little) in [
            ("*", true),
            ("*e*", true),
            ("?*", true),
            ("**", true),
            ("*_*", true),
            ("get_*", false),
            ("*_note", false),
            ("g*", false),
        ] {
            assert_eq!(
                says_little(&Glob::name(pattern).unwrap()),
                little,
                "{pattern}"
            );
        }
    }
}
