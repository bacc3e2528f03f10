//! The arguments that a recorded tool declares, and what values they take.

use std::collections::BTreeMap;

use crate::authz::{ExpectedValue, PathStep, TestedValue, Value};

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
/// Of these, the ones that stand for another schema.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];
/// Of these, the ones that list forms of the value, any of which it may have.
const CHOICES: [&str; 2] = ["anyOf", "oneOf"];

/// The arguments that a recorded tool declares in its `inputSchema`.
#[derive(Debug, Clone, PartialEq)]
pub enum DeclaredArguments {
    /// Undeclared, or explicitly any.
    Anything,
    /// These properties.
    Properties(BTreeMap<String, DeclaredArguments>),
    /// These properties, and others.
    Open(BTreeMap<String, DeclaredArguments>),
    /// A list of such items, which are objects or lists.
    Items(Box<DeclaredArguments>),
    /// Values without members.
    Values(DeclaredValues),
}

/// The values that an argument takes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeclaredValues {
    text: bool,
    number: bool,
    truth: bool,
    /// The texts that are accepted, if others are not.
    texts: Option<Vec<String>>,
    /// The numbers that are accepted, if others are not.
    numbers: Option<Vec<f64>>,
}

/// The paths that every value has which fits a schema of an object.
#[must_use]
pub fn required_paths(schema: Option<&Value<'_>>) -> Vec<String> {
    let Some(schema) = schema else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let names = match schema.member("required") {
        Some(Value::List(names)) => names.as_slice(),
        _ => &[],
    };
    for name in names {
        let Value::String(name) = name else { continue };
        found.push(name.to_string());
        let own = schema.member("properties").and_then(|all| all.member(name));
        let is_object = |own: &&Value<'_>| matches!(own.member("type"), Some(Value::String(kind)) if kind == "object");
        let below = required_paths(own.filter(is_object));
        found.extend(below.into_iter().map(|path| format!("{name}.{path}")));
    }
    found
}

impl DeclaredArguments {
    /// Reads a schema.
    #[must_use]
    pub fn of(schema: Option<&Value<'_>>) -> Self {
        let Some(schema) = schema else {
            return DeclaredArguments::Anything;
        };
        if let Some(values) = DeclaredValues::of(schema) {
            return DeclaredArguments::Values(values);
        }
        let has = |keyword: &&str| schema.member(keyword).is_some();
        // Beside a reference, earlier drafts ignore everything else.
        if REFERENCES.iter().any(has) {
            return DeclaredArguments::Anything;
        }
        let is_closed = matches!(
            schema.member("additionalProperties"),
            None | Some(Value::Bool(false))
        );
        let is_open = OPEN_KEYWORDS.iter().any(has) || !is_closed;
        let is_of_type = |name: &str| match schema.member("type") {
            None => true,
            Some(Value::String(own)) => own == name,
            Some(_) => false,
        };
        match (schema.member("properties"), schema.member("items")) {
            (Some(Value::Map(properties)), _) if is_of_type("object") => {
                let properties = properties.iter();
                let read = properties
                    .map(|(name, schema)| (name.to_string(), DeclaredArguments::of(Some(schema))));
                if is_open {
                    DeclaredArguments::Open(read.collect())
                } else {
                    DeclaredArguments::Properties(read.collect())
                }
            }
            (None, Some(items @ Value::Map(_)))
                if is_of_type("array") && schema.member("type").is_some() && !is_open =>
            {
                let items = DeclaredArguments::of(Some(items));
                if items == DeclaredArguments::Anything {
                    items
                } else {
                    DeclaredArguments::Items(Box::new(items))
                }
            }
            _ => DeclaredArguments::Anything,
        }
    }

    /// What is declared on the way that a condition names; `None` if nothing can be there.
    pub(super) fn along(&self, steps: &[PathStep]) -> Option<&DeclaredArguments> {
        let Some((step, rest)) = steps.split_first() else {
            return Some(self);
        };
        let below = match (self, step) {
            (DeclaredArguments::Properties(own), PathStep::Name(name)) => own.get(name)?,
            (DeclaredArguments::Open(own), PathStep::Name(name)) => {
                own.get(name).unwrap_or(&DeclaredArguments::Anything)
            }
            (DeclaredArguments::Items(items), PathStep::Item) => items,
            (DeclaredArguments::Values(_), PathStep::Item) => self,
            (DeclaredArguments::Values(_) | DeclaredArguments::Items(_), PathStep::Name(_)) => {
                return None;
            }
            // An item of an object is one of its keys.
            (
                DeclaredArguments::Anything
                | DeclaredArguments::Properties(_)
                | DeclaredArguments::Open(_),
                _,
            ) => &DeclaredArguments::Anything,
        };
        below.along(rest)
    }

    /// Whether an argument so declared may pass a test of a condition.
    pub(super) fn may_pass(&self, test: &TestedValue) -> bool {
        match (self, test) {
            (DeclaredArguments::Values(values), TestedValue::Text(test)) => {
                values.text
                    && values
                        .texts
                        .as_ref()
                        .is_none_or(|texts| texts.iter().any(|text| test.accepts(text)))
            }
            (_, TestedValue::Whole(value)) => self.takes(value),
            (DeclaredArguments::Properties(_) | DeclaredArguments::Open(_), _) => false,
            (DeclaredArguments::Anything | DeclaredArguments::Items(_), _) => true,
        }
    }

    /// Whether texts are accepted at all.
    pub(super) fn takes_texts(&self) -> bool {
        match self {
            DeclaredArguments::Values(values) => values.text,
            DeclaredArguments::Anything | DeclaredArguments::Items(_) => true,
            DeclaredArguments::Properties(_) | DeclaredArguments::Open(_) => false,
        }
    }

    /// Whether there may be a value at a path, however its names are joined.
    pub(super) fn has(&self, path: &str) -> bool {
        !self.at(path).is_empty()
    }

    /// What is declared at a path, by each reading of it.
    pub(super) fn at(&self, path: &str) -> Vec<&DeclaredArguments> {
        let properties = match self {
            DeclaredArguments::Properties(properties) | DeclaredArguments::Open(properties) => {
                properties
            }
            // A selector has no items; what it does in a list is its own.
            DeclaredArguments::Anything | DeclaredArguments::Items(_) => {
                return vec![&DeclaredArguments::Anything];
            }
            DeclaredArguments::Values(_) => return Vec::new(),
        };
        let mut found: Vec<&DeclaredArguments> = properties.get(path).into_iter().collect();
        for (dot, _) in path.match_indices('.') {
            let (name, rest) = path.split_at_checked(dot).unwrap_or((path, ""));
            let rest = rest.strip_prefix('.').unwrap_or(rest);
            if let Some(own) = properties.get(name) {
                found.extend(own.at(rest));
            }
        }
        if found.is_empty() && matches!(self, DeclaredArguments::Open(_)) {
            return vec![&DeclaredArguments::Anything];
        }
        found
    }

    /// Whether an argument so declared may have a value that a rule names. Servers may convert, but
    /// the author of the rule meant something else then.
    pub(super) fn takes(&self, expected: &ExpectedValue) -> bool {
        match self {
            DeclaredArguments::Anything | DeclaredArguments::Items(_) => true,
            DeclaredArguments::Properties(_) | DeclaredArguments::Open(_) => false,
            DeclaredArguments::Values(values) => values.takes(expected),
        }
    }

    /// The texts that are accepted, if others are not.
    pub(super) fn texts(&self) -> &[String] {
        match self {
            DeclaredArguments::Values(values) => values.texts.as_deref().unwrap_or_default(),
            DeclaredArguments::Anything
            | DeclaredArguments::Properties(_)
            | DeclaredArguments::Open(_)
            | DeclaredArguments::Items(_) => &[],
        }
    }

    /// What kind of value is accepted, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            DeclaredArguments::Anything => "anything",
            DeclaredArguments::Properties(_) | DeclaredArguments::Open(_) => "an object",
            DeclaredArguments::Items(_) => "a list",
            DeclaredArguments::Values(values) => match (values.text, values.number, values.truth) {
                (true, false, false) => "a string",
                (false, true, false) => "a number",
                (false, false, true) => "a boolean",
                _ => "a plain value",
            },
        }
    }

    /// The names of the top-level arguments.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let properties = match self {
            DeclaredArguments::Anything
            | DeclaredArguments::Items(_)
            | DeclaredArguments::Values(_) => None,
            DeclaredArguments::Properties(properties) | DeclaredArguments::Open(properties) => {
                Some(properties)
            }
        };
        properties
            .into_iter()
            .flat_map(BTreeMap::keys)
            .map(String::as_str)
    }
}

impl DeclaredValues {
    /// The values of a schema for values without members; `None` if it may be for others too. A list
    /// of such values is declared like its items, because a selector compares these.
    fn of(schema: &Value<'_>) -> Option<Self> {
        for keyword in CHOICES {
            if let Some(Value::List(forms)) = schema.member(keyword) {
                let mut all = DeclaredValues::default();
                for form in forms {
                    all = all.or(Self::of(form)?);
                }
                return Some(all);
            }
        }
        if OPEN_KEYWORDS
            .iter()
            .any(|keyword| schema.member(keyword).is_some())
        {
            return None;
        }
        let listed = match (schema.member("enum"), schema.member("const")) {
            (Some(Value::List(values)), _) => Some(values.as_slice()),
            (_, Some(value)) => Some(std::slice::from_ref(value)),
            _ => None,
        };
        if let Some(values) = listed {
            return Self::listed(values);
        }
        match schema.member("type")? {
            Value::String(name) => Self::typed(name, schema),
            Value::List(names) => {
                let mut all = DeclaredValues::default();
                for name in names {
                    let Value::String(name) = name else {
                        return None;
                    };
                    all = all.or(Self::typed(name, schema)?);
                }
                Some(all)
            }
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::Unsound(_)
            | Value::Map(_) => None,
        }
    }

    fn typed(name: &str, schema: &Value<'_>) -> Option<Self> {
        let none = DeclaredValues {
            texts: Some(Vec::new()),
            ..DeclaredValues::default()
        };
        match name {
            "string" => Some(DeclaredValues {
                text: true,
                ..DeclaredValues::default()
            }),
            "number" | "integer" => Some(DeclaredValues {
                number: true,
                ..none
            }),
            "boolean" => Some(DeclaredValues {
                truth: true,
                ..none
            }),
            "null" => Some(none),
            "array" => Self::of(schema.member("items")?),
            _ => None,
        }
    }

    fn listed(values: &[Value<'_>]) -> Option<Self> {
        let mut all = DeclaredValues::default();
        let (mut texts, mut numbers) = (Vec::new(), Vec::new());
        for value in values {
            match value {
                Value::String(text) => {
                    all.text = true;
                    texts.push(text.to_string());
                }
                Value::Int(_) | Value::Uint(_) | Value::Float(_) => {
                    all.number = true;
                    numbers.extend(number_of(value));
                }
                Value::Bool(_) => all.truth = true,
                Value::Null => {}
                Value::List(_) | Value::Map(_) | Value::Unsound(_) => return None,
            }
        }
        all.texts = Some(texts);
        // One that is too large to compare leaves the others open.
        let is_known = numbers.len() == values.iter().filter(|value| is_number(value)).count();
        all.numbers = is_known.then_some(numbers);
        Some(all)
    }

    /// The values of both.
    fn or(self, other: Self) -> Self {
        let is_any = |one: &Self| one.text && one.texts.is_none();
        let texts = if is_any(&self) || is_any(&other) {
            None
        } else {
            let texts = [self.texts, other.texts].into_iter().flatten().flatten();
            Some(texts.collect())
        };
        let is_any = |one: (bool, &Option<Vec<f64>>)| one.0 && one.1.is_none();
        let numbers =
            if is_any((self.number, &self.numbers)) || is_any((other.number, &other.numbers)) {
                None
            } else {
                let numbers = [self.numbers, other.numbers]
                    .into_iter()
                    .flatten()
                    .flatten();
                Some(numbers.collect())
            };
        DeclaredValues {
            text: self.text || other.text,
            number: self.number || other.number,
            truth: self.truth || other.truth,
            texts,
            numbers,
        }
    }

    fn takes(&self, expected: &ExpectedValue) -> bool {
        let is_among = |matches: &dyn Fn(&str) -> bool| match &self.texts {
            Some(texts) => texts.iter().any(|text| matches(text)),
            None => true,
        };
        match expected {
            ExpectedValue::Exactly(Value::String(text)) => {
                self.text && is_among(&|own| own == text)
            }
            ExpectedValue::Pattern(pattern) => {
                self.text && is_among(&|own| pattern.glob().matches(own))
            }
            ExpectedValue::Exactly(Value::Bool(_)) => self.truth,
            ExpectedValue::Exactly(value @ (Value::Int(_) | Value::Uint(_) | Value::Float(_))) => {
                let wanted = number_of(value);
                let is_listed = |numbers: &Vec<f64>| {
                    let mut numbers = numbers.iter();
                    wanted.is_none_or(|wanted| numbers.any(|own| (own - wanted).abs() < 1e-9))
                };
                self.number && self.numbers.as_ref().is_none_or(is_listed)
            }
            ExpectedValue::Exactly(
                Value::Null | Value::Unsound(_) | Value::List(_) | Value::Map(_),
            ) => true,
        }
    }
}

/// A number, nearly: no schema lists numbers so large that they differ only as integers.
fn number_of(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        Value::Int(number) => i32::try_from(*number).ok().map(f64::from),
        Value::Uint(number) => u32::try_from(*number).ok().map(f64::from),
        Value::Null
        | Value::Bool(_)
        | Value::String(_)
        | Value::Unsound(_)
        | Value::List(_)
        | Value::Map(_) => None,
    }
}

fn is_number(value: &Value<'_>) -> bool {
    matches!(value, Value::Int(_) | Value::Uint(_) | Value::Float(_))
}
