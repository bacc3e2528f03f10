//! Warns of rules and tests over arguments, or values of them, which no recorded tool declares.

use std::collections::BTreeSet;

use super::context::{Block, Lint, LintContext};
use super::declared::DeclaredArguments;
use super::usage::is_call;
use crate::authz::{
    ArgumentTest, ExpectedValue, Expression, PathStep, ResourceKind, Rule, TestedValue, Value,
    ValuePath, ValueSelector, What,
};
use crate::policy::silence::{ARGUMENT_VALUE, UNKNOWN_ARGUMENT};
use crate::yaml::suggestion;

impl<'l> Lint<'l> {
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
        let places: [(Vec<ValuePath>, Vec<&str>); 2] = [
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
        ];
        let unknown = places.iter().find_map(|(paths, way)| {
            let mut paths = paths.iter();
            let unknown = paths.find(|path| !declared.iter().any(|own| own.has(path.as_str())));
            Some((unknown?, way))
        });
        let found = unknown.map(|(path, way)| {
            let (message, help) = undeclared(path.as_str(), &declared);
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
        if let Some(condition) = rule.expression.as_ref().filter(|_| block.is_own()) {
            self.look_at_tested_arguments(rule, condition, &declared);
        }
    }

    /// The arguments that a condition reads, and what it compares them with.
    fn look_at_tested_arguments(
        &mut self,
        rule: &Rule,
        condition: &Expression,
        declared: &[&DeclaredArguments],
    ) {
        let reads = condition.member_reads().iter();
        let mut unknown = reads.filter(|read| {
            let mut declared = declared.iter();
            !read.is_claim && !declared.any(|own| own.along(&read.steps).is_some())
        });
        let tests = condition.argument_tests();
        let unknown = unknown
            .next()
            .map(|read| (joined(&read.steps), read.column));
        let unknown = unknown.or_else(|| tests.iter().find_map(|test| unknown_key(test, declared)));
        if let Some((path, column)) = unknown {
            let found = undeclared(&path, declared);
            self.warn_in_condition(rule, column, UNKNOWN_ARGUMENT, found);
        }
        for test in tests {
            let own = declared.iter().filter_map(|own| own.along(&test.steps));
            let own: Vec<&DeclaredArguments> = own.collect();
            if own.is_empty() || own.iter().any(|own| own.may_pass(&test.value)) {
                continue;
            }
            let also = tests.iter().filter(|other| other.steps == test.steps);
            if is_beside_another(test, also, &own) {
                continue;
            }
            let shown = match &test.value {
                TestedValue::Text(test) => test.text.clone(),
                TestedValue::Whole(value) => shown_value(value).unwrap_or_default(),
            };
            let found = not_taken(&shown, &joined(&test.steps), &own);
            self.warn_in_condition(rule, test.column, ARGUMENT_VALUE, found);
        }
    }

    /// The declared arguments of the recorded tools that a rule applies to; `None` if some are
    /// unknown.
    fn declared(&self, what: &What) -> Option<Vec<&'l DeclaredArguments>> {
        let context: &'l LintContext<'l> = self.context;
        // Tools that others call, and those of a server without a record, may declare anything.
        let mut indirect = context.indirect.keys();
        let is_known = what.servers.is_some() || context.records_all;
        if !is_known || indirect.any(|server| what.covers_server(server)) {
            return None;
        }
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
                let tools = context.arguments.get(server)?;
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
    Some(not_taken(&shown_value(value)?, path, &own))
}

/// A value of a selector; `None` for one that no selector has.
fn shown_value(value: &ExpectedValue) -> Option<String> {
    Some(match value {
        ExpectedValue::Exactly(Value::String(text)) => text.to_string(),
        ExpectedValue::Pattern(pattern) => pattern.glob().as_str().to_owned(),
        ExpectedValue::Exactly(Value::Bool(truth)) => truth.to_string(),
        ExpectedValue::Exactly(Value::Int(number)) => number.to_string(),
        ExpectedValue::Exactly(Value::Uint(number)) => number.to_string(),
        ExpectedValue::Exactly(Value::Float(number)) => number.to_string(),
        ExpectedValue::Exactly(
            Value::Null | Value::Unsound(_) | Value::List(_) | Value::Map(_),
        ) => return None,
    })
}

/// What to say of a value that no argument takes that is declared at a path.
fn not_taken(shown: &str, path: &str, own: &[&DeclaredArguments]) -> (String, String) {
    let texts: BTreeSet<&str> = own
        .iter()
        .flat_map(|own| own.texts())
        .map(String::as_str)
        .collect();
    let texts: Vec<&str> = texts.into_iter().collect();
    let takes_texts = own.iter().any(|own| own.takes_texts());
    let help = if takes_texts {
        suggestion(shown, &texts)
    } else {
        String::new()
    };
    let kinds: BTreeSet<&str> = own.iter().map(|own| own.kind()).collect();
    let kinds = kinds.into_iter().collect::<Vec<_>>().join(" or ");
    let message = format!("no recorded tool takes `{shown}` as `{path}`");
    let help = if help.is_empty() {
        format!("it takes {kinds}")
    } else {
        help
    };
    (message, help)
}

/// What to say of an argument that no tool declares.
fn undeclared(path: &str, declared: &[&DeclaredArguments]) -> (String, String) {
    let message =
        format!("no recorded tool that the rule applies to declares the argument `{path}`");
    let known: BTreeSet<&str> = declared.iter().flat_map(|own| own.names()).collect();
    let help = suggestion(path, &known.into_iter().collect::<Vec<_>>());
    (message, help)
}

/// A key that a condition looks for in an object that never has it, with its column.
fn unknown_key(
    test: &ArgumentTest,
    declared: &[&DeclaredArguments],
) -> Option<(String, Option<usize>)> {
    let TestedValue::Text(key) = &test.value else {
        return None;
    };
    let (PathStep::Item, above) = test.steps.split_last()? else {
        return None;
    };
    let own = declared.iter().filter_map(|own| own.along(above));
    let own: Vec<&DeclaredArguments> = own.collect();
    let lacks = |own: &&DeclaredArguments| matches!(own, DeclaredArguments::Properties(known) if !known.contains_key(&key.text));
    let is_unknown = key.is_exact() && !own.is_empty() && own.iter().all(lacks);
    is_unknown.then(|| (format!("{}.{}", joined(above), key.text), test.column))
}

/// Whether a condition compares an argument with a value only to leave no doubt: with an empty text,
/// or with another spelling of a value beside the value itself.
fn is_beside_another<'t>(
    test: &ArgumentTest,
    mut also: impl Iterator<Item = &'t ArgumentTest>,
    own: &[&DeclaredArguments],
) -> bool {
    if matches!(&test.value, TestedValue::Text(name) if name.text.is_empty()) {
        return true;
    }
    let takes_texts = own.iter().any(|own| own.takes_texts());
    !takes_texts && also.any(|other| own.iter().any(|own| own.may_pass(&other.value)))
}

/// The names on the way to an argument, joined by dots. An item has none.
pub(super) fn joined(steps: &[PathStep]) -> String {
    let names = steps.iter().filter_map(|step| match step {
        PathStep::Name(name) => Some(name.as_str()),
        PathStep::Item => None,
    });
    names.collect::<Vec<_>>().join(".")
}

/// Whether a rule applies to tool calls and to nothing else that has arguments.
fn is_about_tools(what: &What) -> bool {
    let by_method = what
        .methods
        .as_deref()
        .is_some_and(|methods| methods.iter().all(is_call));
    by_method || what.kinds() == [ResourceKind::Tool]
}
