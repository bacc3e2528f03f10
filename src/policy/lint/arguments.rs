//! Warns of rules and tests over arguments, or values of them, which no recorded tool declares.

use std::collections::BTreeSet;

use super::context::{Block, Lint};
use super::declared::DeclaredArguments;
use super::usage::is_call;
use crate::authz::{ExpectedValue, ResourceKind, Rule, Value, ValuePath, ValueSelector, What};
use crate::policy::silence::{ARGUMENT_VALUE, UNKNOWN_ARGUMENT};
use crate::yaml::suggestion;

impl Lint<'_> {
    pub(super) fn look_at_arguments(&mut self, rule: &Rule, block: &Block<'_>) {
        let what = block.what;
        if !is_about_tools(what) {
            return;
        }
        let Some(declared) = self.declared(what) else {
            return;
        };
        let path = |selector: &ValueSelector| selector.path.clone();
        let not = what.not.as_deref();
        let read = rule.expression.as_ref().filter(|_| block.is_own());
        let places: [(Vec<ValuePath>, Vec<&str>); 3] = [
            (
                what.arguments.iter().map(path).collect(),
                block.at(&["arguments"]),
            ),
            (
                not.iter()
                    .flat_map(|not| not.arguments.iter().map(path))
                    .collect(),
                block.at(&["not", "arguments"]),
            ),
            (
                read.iter()
                    .flat_map(|read| read.argument_paths().iter().cloned())
                    .collect(),
                vec!["if"],
            ),
        ];
        let unknown = places.iter().find_map(|(paths, way)| {
            let mut paths = paths.iter();
            let unknown = paths.find(|path| !declared.iter().any(|own| own.has(path.as_str())));
            Some((unknown?, way))
        });
        let found = unknown.map(|(path, way)| {
            let message = format!(
                "no recorded tool that the rule applies to declares the argument `{}`",
                path.as_str()
            );
            let known: BTreeSet<&str> = declared.iter().flat_map(|own| own.names()).collect();
            let help = suggestion(path.as_str(), &known.into_iter().collect::<Vec<_>>());
            (way, message, help)
        });
        let values = [
            (&*what.arguments, block.at(&["arguments"])),
            (
                not.map_or(&[][..], |not| &*not.arguments),
                block.at(&["not", "arguments"]),
            ),
        ];
        let mut untaken = values.iter().flat_map(|(selectors, way)| {
            let each = selectors.iter().map(|one| untaken(one, &declared));
            each.flatten()
                .map(move |(message, help)| (way, message, help))
        });
        let untaken = untaken.next();
        if let Some((way, message, help)) = found {
            self.warn(rule, way, UNKNOWN_ARGUMENT, &message, &help);
        }
        if let Some((way, message, help)) = untaken {
            self.warn(rule, way, ARGUMENT_VALUE, &message, &help);
        }
    }

    /// The declared arguments of the recorded tools that a rule applies to; `None` if some are
    /// unknown.
    fn declared(&self, what: &What) -> Option<Vec<&DeclaredArguments>> {
        let mut found = Vec::new();
        for (server, tool) in self.recorded(what)? {
            let mut globs = what.tools.iter().flatten();
            let is_named = what.tools.is_none() || globs.any(|glob| glob.matches(tool));
            let hints = self.context.hints.of(server, tool);
            let class = self.policy.class(server, tool, hints);
            let mut classes = what.classes.iter().flatten();
            let is_in_class =
                what.classes.is_none() || classes.any(|name| class.is_none_or(|own| own == name));
            if is_named && is_in_class {
                let tools = self.context.arguments.get(server)?;
                found.push(tools.get(tool)?);
            }
        }
        (!found.is_empty()).then_some(found)
    }
}

/// A value of a selector that no tool with the argument takes: what is wrong, and what to write.
fn untaken(selector: &ValueSelector, declared: &[&DeclaredArguments]) -> Option<(String, String)> {
    let path = selector.path.as_str();
    let own: Vec<&DeclaredArguments> = declared.iter().flat_map(|own| own.at(path)).collect();
    if own.is_empty() {
        return None;
    }
    let value = selector
        .expected
        .iter()
        .find(|value| !own.iter().any(|own| own.takes(value)))?;
    let texts: BTreeSet<&str> = own
        .iter()
        .flat_map(|own| own.texts())
        .map(String::as_str)
        .collect();
    let texts: Vec<&str> = texts.into_iter().collect();
    let (shown, help) = match value {
        ExpectedValue::Exactly(Value::String(text)) => (text.to_string(), suggestion(text, &texts)),
        ExpectedValue::Pattern(pattern) => {
            let text = pattern.glob().as_str();
            (text.to_owned(), suggestion(text, &texts))
        }
        ExpectedValue::Exactly(Value::Bool(truth)) => (truth.to_string(), String::new()),
        ExpectedValue::Exactly(Value::Int(number)) => (number.to_string(), String::new()),
        ExpectedValue::Exactly(Value::Float(number)) => (number.to_string(), String::new()),
        ExpectedValue::Exactly(
            Value::Null | Value::Uint(_) | Value::Unsound(_) | Value::List(_) | Value::Map(_),
        ) => return None,
    };
    let kinds: BTreeSet<&str> = own.iter().map(|own| own.kind()).collect();
    let kinds = kinds.into_iter().collect::<Vec<_>>().join(" or ");
    let message = format!("no recorded tool takes `{shown}` as `{path}`");
    let help = if help.is_empty() {
        format!("it takes {kinds}")
    } else {
        help
    };
    Some((message, help))
}

/// Whether a rule applies to tool calls and to nothing else that has arguments.
fn is_about_tools(what: &What) -> bool {
    let by_method = what
        .methods
        .as_deref()
        .is_some_and(|methods| methods.iter().all(is_call));
    by_method || what.kinds() == [ResourceKind::Tool]
}
