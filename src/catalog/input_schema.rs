//! The input schema of a recorded tool: checks the arguments of calls against it, and reads the
//! defaults of absent ones.
//!
//! A schema is a server's text and the arguments are a client's, so neither may cost without
//! end. References are followed within the schema only, nothing is ever fetched, patterns run in
//! linear time, and [`bounds`] tells before the arguments are looked at how often their values
//! can be evaluated at most. What cannot be bounded or understood is unusable, and then no
//! arguments fit.

mod bounds;
mod defaults;
mod fault;
mod reference;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use jsonschema::error::ValidationErrorKind;
use jsonschema::paths::LocationSegment;
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Map, Number, Value as Json};

pub use fault::{InvalidArguments, UnusableSchema};

use crate::authz::Value;
use bounds::Bounds;

/// The most evaluations that the arguments of one call may need: their size, times the most
/// schemas that a value of them may have to fit.
const EVALUATIONS_MAX: u64 = 4 << 20;
/// How many evaluations may nest for the stack of a worker to do.
const HEIGHT_MAX: u64 = 400;
/// The most that may be spent on finding the fault of arguments that do not fit: a fault below
/// `anyOf` or `oneOf` is kept for each of their branches, with a copy of the value.
const SEARCH_MAX: u64 = 1 << 20;
/// How much memory one pattern may take once it is compiled, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;
/// Compiling takes this much stack for a schema that nests as deep as a record may.
const COMPILER_STACK_BYTES: usize = 32 << 20;
/// The longest path that a client is told, in bytes.
const PATH_BYTES_MAX: usize = 100;

/// The dialects that are known, by their `$schema` without its scheme and empty fragment.
const DIALECTS: &[(&str, Draft)] = &[
    ("json-schema.org/draft-04/schema", Draft::Draft4),
    ("json-schema.org/draft-06/schema", Draft::Draft6),
    ("json-schema.org/draft-07/schema", Draft::Draft7),
    ("json-schema.org/draft/2019-09/schema", Draft::Draft201909),
    ("json-schema.org/draft/2020-12/schema", Draft::Draft202012),
];

/// The words by which faults are told: the keywords that can be at fault.
const KINDS: &[&str] = &[
    "additionalItems",
    "additionalProperties",
    "anyOf",
    "const",
    "contains",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "propertyNames",
    "required",
    "type",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
];
/// For any other fault.
const KIND_OTHER: &str = "schema";
/// The arguments are too large, or nest too deep, to be looked at.
const KIND_SIZE: &str = "size";

/// The input schema of one accepted definition of a tool.
#[derive(Debug)]
pub struct InputSchema {
    /// None: it is no object.
    schema: Option<Json>,
    defaults: Value<'static>,
    /// Once it was asked for.
    compiled: OnceLock<Result<Compiled, UnusableSchema>>,
}

#[derive(Debug)]
struct Compiled {
    validator: Validator,
    bounds: Bounds,
}

impl InputSchema {
    /// The schema as it is recorded, if it is.
    #[must_use]
    pub fn new(schema: Option<&Value<'_>>) -> Self {
        let schema = schema
            .map(|schema| convert(schema).0)
            .filter(Json::is_object);
        let defaults = schema.as_ref().map(defaults::defaults);
        InputSchema {
            defaults: defaults.unwrap_or(Value::Map(Vec::new())),
            schema,
            compiled: OnceLock::new(),
        }
    }

    /// Why no arguments fit, if nothing can be held against it.
    #[must_use]
    pub fn unusable(&self) -> Option<&UnusableSchema> {
        self.compiled().as_ref().err()
    }

    /// An object shaped like the arguments, with the `default` of every property that has one.
    #[must_use]
    pub fn defaults(&self) -> &Value<'static> {
        &self.defaults
    }

    /// Holds arguments against it; absent ones are an empty object.
    ///
    /// # Errors
    /// Where they do not fit. Nothing fits an unusable schema.
    pub fn check(&self, arguments: Option<&Value<'_>>) -> Result<(), InvalidArguments> {
        let Ok(compiled) = self.compiled() else {
            return Err(InvalidArguments::whole(KIND_OTHER));
        };
        let (arguments, size) =
            arguments.map_or_else(|| (Json::Object(Map::new()), Size::default()), convert);
        if size.is_unsound {
            return Err(InvalidArguments::whole(KIND_OTHER));
        }
        // Whatever a validator stumbles over does not fit.
        let checked = catch_unwind(AssertUnwindSafe(|| compiled.check(&arguments, size)));
        checked.unwrap_or(Err(InvalidArguments::whole(KIND_OTHER)))
    }

    fn compiled(&self) -> &Result<Compiled, UnusableSchema> {
        self.compiled.get_or_init(|| match &self.schema {
            Some(schema) => in_thread(schema),
            None => Err(UnusableSchema::NotAnObject),
        })
    }
}

impl Compiled {
    fn new(schema: &Json) -> Result<Self, UnusableSchema> {
        let mut schema = schema.clone();
        let draft = draft(&schema)?;
        // References within the schema do not need its identifier, and are all there are.
        if let Some(members) = schema.as_object_mut() {
            for key in ["$id", "id", "$schema"] {
                if members.get(key).is_some_and(Json::is_string) {
                    members.remove(key);
                }
            }
        }
        let bounds = Bounds::of(&schema, draft == Draft::Draft4)?;
        let validator = jsonschema::options()
            .with_draft(draft)
            .offline()
            .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES_MAX))
            .should_validate_formats(false)
            .without_content_media_type_support("application/json")
            .without_content_encoding_support("base64")
            .build(&schema);
        let validator = validator.map_err(|error| {
            let place = error.instance_path().as_str();
            let kind = error.kind().keyword();
            let message = format!("it is not valid at `{place}`: {kind}");
            UnusableSchema::Invalid(message.escape_debug().to_string())
        })?;
        Ok(Compiled { validator, bounds })
    }

    fn check(&self, arguments: &Json, size: Size) -> Result<(), InvalidArguments> {
        let per_value = self.bounds.evaluations(size.depth);
        let evaluations = per_value.map(|cost| cost.saturating_mul(size.total()));
        let height = self.bounds.height(size.depth);
        let (Some(..=EVALUATIONS_MAX), Some(..=HEIGHT_MAX)) = (evaluations, height) else {
            return Err(InvalidArguments::whole(KIND_SIZE));
        };
        if self.validator.is_valid(arguments) {
            return Ok(());
        }
        let faults = per_value.map_or(u64::MAX, |cost| cost.saturating_mul(size.values));
        if self.bounds.has_branches() && faults.saturating_mul(size.total()) > SEARCH_MAX {
            return Err(InvalidArguments::whole(KIND_OTHER));
        }
        let found = self.validator.validate(arguments).err();
        Err(found.map_or(InvalidArguments::whole(KIND_OTHER), |error| {
            let kind = error.kind().keyword();
            let kind = KINDS.iter().find(|known| **known == kind);
            let missing = if let ValidationErrorKind::Required { property } = error.kind() {
                property.as_str()
            } else {
                None
            };
            InvalidArguments {
                path: path(
                    error.instance_path().segments(),
                    missing,
                    self.bounds.names(),
                ),
                kind: kind.unwrap_or(&KIND_OTHER),
            }
        }))
    }
}

/// Compiles in a thread of its own, which has enough stack and may give up.
fn in_thread(schema: &Json) -> Result<Compiled, UnusableSchema> {
    let failure = |message: &str| UnusableSchema::Invalid(message.to_owned());
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(COMPILER_STACK_BYTES);
        let compiler = builder.spawn_scoped(scope, || Compiled::new(schema));
        let compiler = compiler.map_err(|_| failure("no thread to compile it in"))?;
        compiler
            .join()
            .map_err(|_| failure("the compiler gave up on it"))?
    })
}

fn draft(schema: &Json) -> Result<Draft, UnusableSchema> {
    let Some(dialect) = schema.get("$schema") else {
        return Ok(Draft::Draft202012);
    };
    let dialect = dialect.as_str().unwrap_or_default();
    let bare = dialect
        .strip_prefix("https://")
        .or_else(|| dialect.strip_prefix("http://"))
        .map(|rest| rest.strip_suffix('#').unwrap_or(rest));
    let known = DIALECTS.iter().find(|(name, _)| Some(*name) == bare);
    known
        .map(|(_, draft)| *draft)
        .ok_or(UnusableSchema::Dialect)
}

/// A JSON Pointer with the names that the schema knows.
fn path<'s>(
    segments: impl Iterator<Item = LocationSegment<'s>>,
    missing: Option<&'s str>,
    known: &HashSet<Box<str>>,
) -> String {
    let missing = missing.map(|name| LocationSegment::Property(name.into()));
    let mut path = String::new();
    for segment in segments.chain(missing) {
        let name = match &segment {
            LocationSegment::Index(index) => index.to_string(),
            LocationSegment::Property(name) if known.contains(&**name) => {
                let name = name.replace('~', "~0").replace('/', "~1");
                name.escape_debug().to_string()
            }
            LocationSegment::Property(_) => "*".to_owned(),
        };
        if path.len().saturating_add(name.len()) > PATH_BYTES_MAX {
            path.push_str("/…");
            break;
        }
        path.push('/');
        path.push_str(&name);
    }
    path
}

/// How much there is of a JSON value.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    /// Values, itself included.
    values: u64,
    /// Bytes of text, keys included.
    text: u64,
    /// How deep it nests; 0 for what has no members.
    depth: usize,
    /// Whether a text in it has half of a surrogate pair, which validators read differently.
    is_unsound: bool,
}

impl Size {
    /// Text that is looked at costs too.
    fn total(self) -> u64 {
        self.values.saturating_add(self.text / 16).max(1)
    }

    fn add_text(&mut self, text: &str) {
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.text = self.text.saturating_add(bytes);
    }
}

/// The same value for another library, and how much it is. What we take for a number is exactly
/// what it takes for one.
fn convert(value: &Value<'_>) -> (Json, Size) {
    let mut size = Size::default();
    let json = convert_at(value, 0, &mut size);
    (json, size)
}

fn convert_at(value: &Value<'_>, depth: usize, size: &mut Size) -> Json {
    size.values = size.values.saturating_add(1);
    size.depth = size.depth.max(depth);
    let below = depth.saturating_add(1);
    match value {
        Value::Null => Json::Null,
        Value::Bool(is) => Json::Bool(*is),
        Value::Int(number) => Json::from(*number),
        Value::Uint(number) => Json::from(*number),
        // INVARIANT: it is finite.
        Value::Float(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
        Value::String(text) => {
            size.add_text(text);
            Json::from(&**text)
        }
        Value::Unsound(_) => {
            size.is_unsound = true;
            Json::Null
        }
        Value::List(items) => {
            let items = items.iter().map(|item| convert_at(item, below, size));
            Json::Array(items.collect())
        }
        Value::Map(members) => {
            let members = members.iter().map(|(name, value)| {
                size.add_text(name);
                (name.clone().into_owned(), convert_at(value, below, size))
            });
            Json::Object(members.collect())
        }
    }
}

#[cfg(test)]
mod tests;
