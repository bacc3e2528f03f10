//! Warns of refusing rules whose condition depends on values that a request may lack.

use super::context::Lint;
use crate::authz::{Effect, Expression, MethodPattern, ResourceKind, Rule, What};
use crate::policy::silence::{ABSENT_PASSES, FALLIBLE_DENY};

impl Lint<'_> {
    pub(super) fn look_at_absence(&mut self, rule: &Rule, condition: &Expression) {
        let known = self.known_paths(rule);
        self.look_at_failures(rule, condition, &known);
        self.look_at_passing(rule, condition, &known);
    }

    /// Requests that are denied because they lack something.
    fn look_at_failures(&mut self, rule: &Rule, condition: &Expression, known: &[String]) {
        let absent = condition.absent(known);
        // What leads to another path is said with it.
        let longest = absent.iter().filter(|path| {
            !absent.iter().any(|other| {
                let rest = other.strip_prefix(**path);
                rest.is_some_and(|rest| rest.starts_with(['.', '[']))
            })
        });
        let absent = quoted(longest.copied());
        let untestable = condition.untestable();
        let is_denied = "cannot be evaluated, so it is denied";
        let silence = "if that is meant: `silence: [fallible-deny]`";
        let (message, help) = if !absent.is_empty() {
            let message = format!("a request without {absent} {is_denied}");
            let help = match condition.holding_if_absent(known) {
                Some(right) if rule.effect == Effect::Deny => {
                    format!("`{right}` denies it by the rule")
                }
                Some(right) => format!("`{right}` has the rule apply to it; {silence}"),
                None => format!("test first with `!has(…) || …`; {silence}"),
            };
            (message, help)
        } else if untestable
            .iter()
            .any(|path| path == "device" || path.starts_with("device."))
        {
            (
                format!("a request of whose device too little is known {is_denied}"),
                silence.to_owned(),
            )
        } else if let Some(path) = untestable.last() {
            let message = format!("a request with an item without `{path}` {is_denied}");
            (
                message,
                format!("test each item: `!has({path}) || …`; {silence}"),
            )
        } else {
            return;
        };
        self.warn(rule, &["if"], FALLIBLE_DENY, &message, &help);
    }

    /// Requests that pass because they lack what is compared.
    fn look_at_passing(&mut self, rule: &Rule, condition: &Expression, known: &[String]) {
        let passing = condition.passing().iter();
        let passing: Vec<String> = passing
            .filter(|path| !known.contains(path))
            .cloned()
            .collect();
        if passing.is_empty() {
            return;
        }
        let paths = quoted(passing.iter().map(String::as_str));
        let passes = if rule.effect == Effect::Deny {
            "passes the rule"
        } else {
            "is exempt from the rule"
        };
        let message = format!("a request without {paths} {passes}");
        let silence = "if that is meant: `silence: [absent-passes]`";
        let help = match condition.holding_without(&passing) {
            Some(right) => format!("`{right}` has the rule apply to it; {silence}"),
            None => format!("put `!has(…) || …` in the place of `has(…) && …`; {silence}"),
        };
        self.warn(rule, &["if"], ABSENT_PASSES, &message, &help);
    }

    /// The paths that every request has to which the rule applies.
    fn known_paths(&self, rule: &Rule) -> Vec<String> {
        let mut known = Vec::new();
        let mut know = |is_known: bool, path: &str| {
            if is_known {
                known.push(path.to_owned());
            }
        };
        if let Some(what) = &rule.what {
            let hints = &self.context.hints;
            let is_hinted = hints.servers().any(|server| what.covers_server(server));
            know(names_something(what), "mcp.name");
            know(is_only_calls(what) && !is_hinted, "mcp.class");
            for path in self.required_of(what) {
                know(true, &format!("args.{path}"));
                know(true, &format!("mcp.arguments.{path}"));
            }
            for selector in &what.arguments {
                know(true, &format!("args.{}", selector.path.as_str()));
                know(true, &format!("mcp.arguments.{}", selector.path.as_str()));
            }
        }
        if let Some(who) = &rule.who {
            know(who.tenants.is_some(), "subject.tenant");
            know(who.agents.is_some(), "subject.agent");
        }
        if let Some(place) = &rule.place {
            know(place.networks.is_some(), "source.ip");
            know(place.countries.is_some(), "source.country");
        }
        known
    }
}

impl Lint<'_> {
    /// The arguments that every call has to which a block applies that names its tools: the schema
    /// of each requires them, and calls without them are refused before.
    fn required_of(&self, what: &What) -> Vec<String> {
        let tools = what.tools.iter().flatten();
        let Some(tools) = tools.map(|glob| glob.exact()).collect::<Option<Vec<_>>>() else {
            return Vec::new();
        };
        let mut shared: Option<Vec<String>> = None;
        for server in self.servers_under(what) {
            let recorded = self.context.required.get(&server);
            for tool in &tools {
                let own = recorded.and_then(|own| own.get(&***tool));
                let own = own.cloned().unwrap_or_default();
                shared = Some(match shared {
                    Some(all) => all.into_iter().filter(|path| own.contains(path)).collect(),
                    None => own,
                });
            }
        }
        shared.unwrap_or_default()
    }
}

/// Whether every request to which a rule applies calls a tool.
fn is_only_calls(what: &What) -> bool {
    what.kinds() == [ResourceKind::Tool] || has_only(what, &["tools/call"])
}

/// Whether every request to which a rule applies has the name of a tool or of a prompt.
fn names_something(what: &What) -> bool {
    let kinds = what.kinds();
    (!kinds.is_empty() && !kinds.contains(&ResourceKind::Uri))
        || has_only(what, &["tools/call", "prompts/get"])
}

/// Whether a rule applies to no other methods.
fn has_only(what: &What, names: &[&str]) -> bool {
    let is_one = |method: &MethodPattern| match method {
        MethodPattern::Exact(name) => names.contains(&&**name),
        MethodPattern::Under(_) => false,
    };
    let methods = what.methods.as_deref();
    methods.is_some_and(|methods| methods.iter().all(is_one))
}

fn quoted<'p>(paths: impl Iterator<Item = &'p str>) -> String {
    paths
        .map(|path| format!("`{path}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
