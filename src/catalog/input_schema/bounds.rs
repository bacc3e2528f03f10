//! An upper bound, from the schema alone, on how often the values of arguments are evaluated.
//!
//! A schema applies others to the value itself (`allOf`, `$ref`) and to what is in it
//! (`properties`, `items`). The first must not lead in circles. The second may, and then the
//! number of evaluations can grow with each level of the arguments, so it is told by their depth.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value as Json};

use super::fault::UnusableSchema;
use super::reference::target;

/// The largest schema, in values and stretches of text.
const SCHEMA_SIZE_MAX: u64 = 50_000;
/// The deepest arguments that are told of; the parser stops before that.
const DEPTH_MAX: usize = 128;
/// The most schemas that can be reached.
const SCHEMAS_MAX: usize = 5_000;
/// The most evaluations of one value that a schema may ask for, members left out.
const HERE_MAX: u64 = 10_000;
/// How many schemas may lead to each other for one and the same value.
const CHAIN_MAX: usize = 64;

/// What a schema costs.
#[derive(Debug)]
pub(super) struct Bounds {
    /// By the depth of the arguments: the most evaluations of any of their values, and the most
    /// that nest.
    by_depth: Vec<(u64, u64)>,
    has_branches: bool,
    names: HashSet<Box<str>>,
}

/// One schema, with the positions of those that it applies.
#[derive(Debug, Default)]
struct Schema {
    weight: u64,
    /// To the value itself.
    here: Vec<usize>,
    /// To the members of an object.
    members: Below,
    /// To the items of a list.
    items: Below,
    /// To items, which `unevaluatedItems` looks at again.
    contains: Vec<usize>,
    /// Whether it looks again at what was evaluated.
    looks_again: bool,
}

/// What a schema applies to what is in a value.
#[derive(Debug, Default)]
struct Below {
    /// By name or position: at most one of them to the same member.
    one: Vec<usize>,
    /// Any number of them to the same member.
    each: Vec<usize>,
}

impl Bounds {
    pub(super) fn of(root: &Json, has_plain_id: bool) -> Result<Self, UnusableSchema> {
        let mut values = 0;
        refuse_parts(root, true, has_plain_id, &mut values)?;
        let mut reached = Reached {
            root,
            schemas: Vec::new(),
            open: Vec::new(),
            positions: HashMap::new(),
            has_branches: false,
            names: HashSet::new(),
        };
        reached.position(root)?;
        while let Some((position, json)) = reached.open.pop() {
            let schema = reached.read(json)?;
            if let Some(place) = reached.schemas.get_mut(position) {
                *place = schema;
            }
        }
        let order = order(&reached.schemas)?;
        Ok(Bounds {
            by_depth: costs(&reached.schemas, &order)?,
            has_branches: reached.has_branches,
            names: reached.names,
        })
    }

    /// The most evaluations of a value in arguments of this depth; none if they nest too deep.
    pub(super) fn evaluations(&self, depth: usize) -> Option<u64> {
        self.by_depth
            .get(depth)
            .map(|(evaluations, _)| *evaluations)
    }

    /// The most evaluations that nest.
    pub(super) fn height(&self, depth: usize) -> Option<u64> {
        self.by_depth.get(depth).map(|(_, height)| *height)
    }

    /// Whether there is an `anyOf` or `oneOf`.
    pub(super) fn has_branches(&self) -> bool {
        self.has_branches
    }

    /// The names of properties.
    pub(super) fn names(&self) -> &HashSet<Box<str>> {
        &self.names
    }
}

/// A part with an identifier or a dialect of its own is another schema, in which references mean
/// something else.
fn refuse_parts(
    json: &Json,
    is_root: bool,
    has_plain_id: bool,
    size: &mut u64,
) -> Result<(), UnusableSchema> {
    let text = |text: &str| u64::try_from(text.len() / 16).unwrap_or(u64::MAX);
    *size = size.saturating_add(1);
    match json {
        Json::Object(members) => {
            for (name, value) in members {
                let key = match name.as_str() {
                    "$id" => Some("$id"),
                    "id" if has_plain_id => Some("id"),
                    "$schema" => Some("$schema"),
                    _ => None,
                };
                if let Some(key) = key.filter(|_| !is_root && value.is_string()) {
                    return Err(UnusableSchema::Part(key));
                }
                *size = size.saturating_add(text(name));
                refuse_parts(value, false, has_plain_id, size)?;
            }
        }
        Json::Array(items) => {
            for item in items {
                refuse_parts(item, false, has_plain_id, size)?;
            }
        }
        Json::String(string) => *size = size.saturating_add(text(string)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
    if *size > SCHEMA_SIZE_MAX {
        return Err(UnusableSchema::Size);
    }
    Ok(())
}

/// The schemas found so far.
struct Reached<'s> {
    root: &'s Json,
    schemas: Vec<Schema>,
    /// Those that were not read yet.
    open: Vec<(usize, &'s Json)>,
    /// A schema is where it stands.
    positions: HashMap<*const Json, usize>,
    has_branches: bool,
    names: HashSet<Box<str>>,
}

impl<'s> Reached<'s> {
    fn position(&mut self, json: &'s Json) -> Result<usize, UnusableSchema> {
        let place = std::ptr::from_ref(json);
        if let Some(position) = self.positions.get(&place) {
            return Ok(*position);
        }
        let position = self.schemas.len();
        if position >= SCHEMAS_MAX {
            return Err(UnusableSchema::Size);
        }
        self.positions.insert(place, position);
        self.schemas.push(Schema::default());
        self.open.push((position, json));
        Ok(position)
    }

    fn read(&mut self, json: &'s Json) -> Result<Schema, UnusableSchema> {
        let mut schema = Schema {
            weight: 1,
            ..Schema::default()
        };
        let Json::Object(members) = json else {
            return Ok(schema);
        };
        for (key, value) in members {
            self.read_keyword(key, value, &mut schema)?;
        }
        Ok(schema)
    }

    /// Reads a keyword, in every meaning that it has in some dialect.
    fn read_keyword(
        &mut self,
        key: &str,
        value: &'s Json,
        schema: &mut Schema,
    ) -> Result<(), UnusableSchema> {
        match (key, value) {
            ("$ref", Json::String(reference)) => {
                let target = target(self.root, reference);
                let target = target.ok_or_else(|| unfollowed(reference))?;
                schema.here.push(self.position(target)?);
            }
            ("$dynamicRef" | "$recursiveRef", _) => return Err(unfollowed(key)),
            ("allOf" | "anyOf" | "oneOf", Json::Array(items)) => {
                self.has_branches |= key != "allOf";
                self.all(items, &mut schema.here)?;
            }
            ("not" | "if" | "then" | "else", value) => schema.here.push(self.position(value)?),
            ("dependentSchemas" | "dependencies", Json::Object(members)) => {
                self.all(
                    members.values().filter(|value| !value.is_array()),
                    &mut schema.here,
                )?;
                schema.weight = schema.weight.saturating_add(count(value));
            }
            ("properties", Json::Object(members)) => {
                self.names
                    .extend(members.keys().map(|name| name.as_str().into()));
                self.all(members.values(), &mut schema.members.one)?;
                schema.weight = schema.weight.saturating_add(length(members) / 8);
            }
            ("prefixItems" | "items", Json::Array(items)) => {
                self.all(items, &mut schema.items.one)?;
            }
            ("patternProperties", Json::Object(members)) => {
                self.all(members.values(), &mut schema.members.each)?;
            }
            ("contains", value) => {
                let position = self.position(value)?;
                schema.items.each.push(position);
                schema.contains.push(position);
            }
            ("items" | "additionalItems" | "unevaluatedItems", value) => {
                schema.looks_again |= key == "unevaluatedItems";
                schema.items.each.push(self.position(value)?);
            }
            ("additionalProperties" | "unevaluatedProperties" | "propertyNames", value) => {
                schema.looks_again |= key == "unevaluatedProperties";
                schema.members.each.push(self.position(value)?);
            }
            ("required" | "enum" | "const" | "dependentRequired", value) => {
                schema.weight = schema.weight.saturating_add(count(value) / 8);
            }
            _ => {}
        }
        Ok(())
    }

    fn all(
        &mut self,
        schemas: impl IntoIterator<Item = &'s Json>,
        to: &mut Vec<usize>,
    ) -> Result<(), UnusableSchema> {
        for schema in schemas {
            to.push(self.position(schema)?);
        }
        Ok(())
    }
}

fn unfollowed(reference: &str) -> UnusableSchema {
    let text: String = reference.chars().take(100).collect();
    UnusableSchema::Reference(text.escape_debug().to_string())
}

/// How many values there are in one.
fn count(json: &Json) -> u64 {
    let below = match json {
        Json::Array(items) => items.iter().map(count).fold(0, u64::saturating_add),
        Json::Object(members) => members.values().map(count).fold(0, u64::saturating_add),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 0,
    };
    below.saturating_add(1)
}

fn length(members: &Map<String, Json>) -> u64 {
    u64::try_from(members.len()).unwrap_or(u64::MAX)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Done,
}

/// Every schema after those that it applies to the same value.
fn order(schemas: &[Schema]) -> Result<Vec<usize>, UnusableSchema> {
    let mut marks = vec![Mark::New; schemas.len()];
    let mut order = Vec::with_capacity(schemas.len());
    for position in 0..schemas.len() {
        visit(schemas, position, 0, &mut marks, &mut order)?;
    }
    Ok(order)
}

fn visit(
    schemas: &[Schema],
    position: usize,
    depth: usize,
    marks: &mut [Mark],
    order: &mut Vec<usize>,
) -> Result<(), UnusableSchema> {
    let (Some(schema), Some(mark)) = (schemas.get(position), marks.get_mut(position)) else {
        return Ok(());
    };
    match mark {
        Mark::Done => return Ok(()),
        Mark::Open => return Err(UnusableSchema::Cycle),
        Mark::New if depth > CHAIN_MAX => return Err(UnusableSchema::FanOut),
        Mark::New => *mark = Mark::Open,
    }
    for next in &schema.here {
        visit(schemas, *next, depth.saturating_add(1), marks, order)?;
    }
    if let Some(mark) = marks.get_mut(position) {
        *mark = Mark::Done;
    }
    order.push(position);
    Ok(())
}

/// What one schema costs for a value so many levels below the one it is applied to.
#[derive(Debug, Clone, Copy, Default)]
struct SchemaCost {
    evaluations: u64,
    /// Looking again at what was evaluated.
    again: u64,
    height: u64,
}

/// What the first schema costs, by the depth of the arguments.
fn costs(schemas: &[Schema], order: &[usize]) -> Result<Vec<(u64, u64)>, UnusableSchema> {
    let mut by_depth = Vec::with_capacity(DEPTH_MAX);
    let mut above: Option<Vec<SchemaCost>> = None;
    let mut most = 0;
    for _ in 0..=DEPTH_MAX {
        let mut costs = vec![SchemaCost::default(); schemas.len()];
        for position in order {
            let Some(schema) = schemas.get(*position) else {
                continue;
            };
            let cost = cost(schema, &costs, above.as_deref());
            if above.is_none() && cost.evaluations > HERE_MAX {
                return Err(UnusableSchema::FanOut);
            }
            if let Some(place) = costs.get_mut(*position) {
                *place = cost;
            }
        }
        let first = costs.first().copied().unwrap_or_default();
        most = first.evaluations.max(most);
        by_depth.push((most, first.height));
        above = Some(costs);
    }
    Ok(by_depth)
}

/// From the costs of the others at this level, as far as they are known, and at the one above it.
fn cost(schema: &Schema, here: &[SchemaCost], above: Option<&[SchemaCost]>) -> SchemaCost {
    let of =
        |costs: &[SchemaCost], position: &usize| costs.get(*position).copied().unwrap_or_default();
    let mut cost = SchemaCost {
        evaluations: if above.is_none() { schema.weight } else { 0 },
        again: 0,
        height: 0,
    };
    for other in schema.here.iter().map(|position| of(here, position)) {
        cost.evaluations = cost.evaluations.saturating_add(other.evaluations);
        let again = other.evaluations.saturating_add(other.again);
        cost.again = cost.again.saturating_add(again);
        cost.height = cost.height.max(other.height);
    }
    if let Some(above) = above {
        let below = [&schema.members, &schema.items].map(|below| {
            let mut evaluations = 0;
            for other in below.one.iter().map(|position| of(above, position)) {
                evaluations = other.evaluations.max(evaluations);
                cost.height = cost.height.max(other.height);
            }
            for other in below.each.iter().map(|position| of(above, position)) {
                evaluations = other.evaluations.saturating_add(evaluations);
                cost.height = cost.height.max(other.height);
            }
            evaluations
        });
        let most = below.into_iter().max().unwrap_or_default();
        cost.evaluations = cost.evaluations.saturating_add(most);
        for other in schema.contains.iter().map(|position| of(above, position)) {
            cost.again = cost.again.saturating_add(other.evaluations);
        }
    }
    if schema.looks_again {
        cost.evaluations = cost.evaluations.saturating_add(cost.again);
    }
    cost.height = cost.height.saturating_add(1);
    cost
}
