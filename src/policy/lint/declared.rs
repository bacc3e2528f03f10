//! The arguments that a recorded tool declares.

use std::collections::BTreeMap;

use crate::authz::Value;

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

/// The arguments that a recorded tool declares in its `inputSchema`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeclaredArguments {
    /// Undeclared, or explicitly any.
    Anything,
    /// These properties.
    Properties(BTreeMap<String, DeclaredArguments>),
}

impl DeclaredArguments {
    /// Reads a schema.
    #[must_use]
    pub fn of(schema: Option<&Value<'_>>) -> Self {
        let Some(schema) = schema else {
            return DeclaredArguments::Anything;
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
                let read = properties
                    .map(|(name, schema)| (name.to_string(), DeclaredArguments::of(Some(schema))));
                DeclaredArguments::Properties(read.collect())
            }
            _ => DeclaredArguments::Anything,
        }
    }

    /// Whether there may be a value at a path, however its names are joined.
    pub(super) fn has(&self, path: &str) -> bool {
        let DeclaredArguments::Properties(properties) = self else {
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

    /// The names of the top-level arguments.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let properties = match self {
            DeclaredArguments::Anything => None,
            DeclaredArguments::Properties(properties) => Some(properties),
        };
        properties
            .into_iter()
            .flat_map(BTreeMap::keys)
            .map(String::as_str)
    }
}
