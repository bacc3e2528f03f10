//! The defaults that a schema gives to absent arguments.

use serde_json::{Map, Value as Json};

use super::reference;
use crate::authz::Value;

/// How deep objects in objects are looked at.
const DEPTH_MAX: usize = 16;
/// How many schemas are looked at.
const SCHEMAS_MAX: usize = 2_000;

/// An object with the `default` of every property that has one. What a reference or `allOf` says
/// of a property counts as said of it.
pub(super) fn defaults(root: &Json) -> Value<'static> {
    let mut left = SCHEMAS_MAX;
    let mut found = Map::new();
    collect(root, root, 0, &mut left, &mut found);
    revert(Json::Object(found))
}

/// Adds the defaults of the properties of a schema; what is there already stays.
fn collect(root: &Json, schema: &Json, depth: usize, left: &mut usize, to: &mut Map<String, Json>) {
    let Some(rest) = left.checked_sub(1).filter(|_| depth <= DEPTH_MAX) else {
        return;
    };
    *left = rest;
    let below = depth.saturating_add(1);
    let properties = schema.get("properties").and_then(Json::as_object);
    for (name, property) in properties.into_iter().flatten() {
        if let Some(own) = default(root, property, below, left) {
            to.entry(name.as_str()).or_insert(own);
        }
    }
    for (name, property) in properties.into_iter().flatten() {
        let mut nested = Map::new();
        collect(root, property, below, left, &mut nested);
        if nested.is_empty() {
            continue;
        }
        // A default that is no object has no members to add to.
        if let Json::Object(members) = to.entry(name.as_str()).or_insert_with(|| Map::new().into())
        {
            for (name, value) in nested {
                members.entry(name).or_insert(value);
            }
        }
    }
    for part in parts(root, schema) {
        collect(root, part, below, left, to);
    }
}

/// The default of a property: its own, or that of what it refers to.
fn default(root: &Json, schema: &Json, depth: usize, left: &mut usize) -> Option<Json> {
    *left = left.checked_sub(1).filter(|_| depth <= DEPTH_MAX)?;
    let own = schema.get("default").cloned();
    own.or_else(|| {
        parts(root, schema).find_map(|part| default(root, part, depth.saturating_add(1), left))
    })
}

/// What always applies together with a schema.
fn parts<'s>(root: &'s Json, schema: &'s Json) -> impl Iterator<Item = &'s Json> {
    let reference = schema.get("$ref").and_then(Json::as_str);
    let target = reference.and_then(|reference| reference::target(root, reference));
    let all = schema.get("allOf").and_then(Json::as_array);
    target.into_iter().chain(all.into_iter().flatten())
}

fn revert(json: Json) -> Value<'static> {
    match json {
        Json::Null => Value::Null,
        Json::Bool(is) => Value::Bool(is),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => Value::Int(number),
            (None, Some(number), _) => Value::Uint(number),
            (None, None, Some(number)) => Value::Float(number),
            (None, None, None) => Value::Null,
        },
        Json::String(text) => Value::String(text.into()),
        Json::Array(items) => Value::List(items.into_iter().map(revert).collect()),
        Json::Object(members) => {
            let members = members.into_iter();
            Value::Map(
                members
                    .map(|(name, value)| (name.into(), revert(value)))
                    .collect(),
            )
        }
    }
}
