//! Arguments that no tool declares.

use std::collections::{BTreeMap, BTreeSet};

use super::{Lint, TOOLS_CALL, UNKNOWN_ARGUMENT};
use crate::authz::{MethodPattern, ResourceKind, Rule, Value, ValuePath, What};
use crate::policy::compile::suggestion;

/// Keywords by which a schema may declare more than its `properties`.
const OPEN_KEYWORDS: [&str; 10] = [
    "$ref",
    "$dynamicRef",
    "$recursiveRef",
    "allOf",
    "anyOf",
    "oneOf",
    "if",
    "patternProperties",
    "dependentSchemas",
    "dependencies",
];

/// What a recorded tool declares in its `inputSchema`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declared {
    /// It does not say, or anything.
    Anything,
    /// These properties.
    Properties(BTreeMap<String, Declared>),
}

impl Declared {
    /// Reads a schema.
    #[must_use]
    pub fn of(schema: Option<&Value<'_>>) -> Self {
        let Some(schema) = schema else {
            return Declared::Anything;
        };
        let is_open = OPEN_KEYWORDS
            .iter()
            .any(|keyword| schema.member(keyword).is_some());
        let is_closed = matches!(
            schema.member("additionalProperties"),
            None | Some(Value::Bool(false))
        );
        match schema.member("properties") {
            Some(Value::Map(properties)) if !is_open && is_closed => {
                let properties = properties.iter();
                let read =
                    properties.map(|(name, schema)| (name.to_string(), Declared::of(Some(schema))));
                Declared::Properties(read.collect())
            }
            _ => Declared::Anything,
        }
    }

    /// Whether something may be at a path, in whatever way its names are joined.
    pub(super) fn has(&self, path: &str) -> bool {
        let Declared::Properties(properties) = self else {
            return true;
        };
        let below = |name: &str, rest: &str| {
            let own = properties.get(name);
            own.is_some_and(|own| own.has(rest))
        };
        properties.contains_key(path)
            || path.match_indices('.').any(|(dot, _)| {
                let (name, rest) = path.split_at_checked(dot).unwrap_or((path, ""));
                below(name, rest.strip_prefix('.').unwrap_or(rest))
            })
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let properties = match self {
            Declared::Anything => None,
            Declared::Properties(properties) => Some(properties),
        };
        properties
            .into_iter()
            .flat_map(BTreeMap::keys)
            .map(String::as_str)
    }
}

impl Lint<'_> {
    pub(super) fn look_at_arguments(&mut self, rule: &Rule) {
        let Some(what) = rule.what.as_ref().filter(|what| is_about_tools(what)) else {
            return;
        };
        let Some(declared) = self.declared(what) else {
            return;
        };
        let path = |selector: &'_ crate::authz::ValueSelector| selector.path.clone();
        let not = what.not.as_deref();
        let read = rule.expression.as_ref();
        let places: [(Vec<ValuePath>, &[&str]); 3] = [
            (
                what.arguments.iter().map(path).collect(),
                &["what", "arguments"],
            ),
            (
                not.iter()
                    .flat_map(|not| not.arguments.iter().map(path))
                    .collect(),
                &["what", "not", "arguments"],
            ),
            (
                read.iter()
                    .flat_map(|read| read.argument_paths().iter().cloned())
                    .collect(),
                &["if"],
            ),
        ];
        let unknown = places.iter().find_map(|(paths, way)| {
            let mut paths = paths.iter();
            let unknown = paths.find(|path| !declared.iter().any(|own| own.has(path.as_str())));
            Some((unknown?, way))
        });
        if let Some((path, way)) = unknown {
            let message = format!(
                "no recorded tool that the rule is about declares the argument `{}`",
                path.as_str()
            );
            let known: BTreeSet<&str> = declared.iter().flat_map(|own| own.names()).collect();
            let help = suggestion(path.as_str(), known.into_iter().collect());
            self.warn(rule, way, UNKNOWN_ARGUMENT, &message, &help);
        }
    }

    /// What the recorded tools declare that a rule is about; nothing if that is not known of all.
    fn declared(&self, what: &What) -> Option<Vec<&Declared>> {
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

/// Whether a rule is about calls of tools and nothing else that has arguments.
fn is_about_tools(what: &What) -> bool {
    let is_call = |method: &MethodPattern| match method {
        MethodPattern::Exact(name) => **name == *TOOLS_CALL,
        MethodPattern::Under(prefix) => **prefix == *"tools/",
    };
    let by_method = what
        .methods
        .as_deref()
        .is_some_and(|methods| methods.iter().all(is_call));
    by_method || what.kinds() == [ResourceKind::Tool]
}
