//! Decodes whole JSON texts with serde, and refuses duplicate keys.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};

use crate::authz::Value;

/// Why bytes are not an acceptable JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJson {
    /// The text is not exactly one JSON value.
    #[error("invalid JSON")]
    Syntax,
    /// Deeper than the limit.
    #[error("JSON is nested too deeply")]
    TooDeep,
    /// An object has two equal keys.
    #[error("JSON has a duplicate key")]
    DuplicateKey,
}

/// Decodes one JSON value whose arrays and objects are nested at most `depth_max` deep.
///
/// # Errors
/// The first error in the text.
pub fn decode(bytes: &[u8], depth_max: usize) -> Result<Value<'static>, InvalidJson> {
    let fault = Cell::new(InvalidJson::Syntax);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let seed = Nested {
        depth_left: depth_max,
        fault: &fault,
    };
    let value = seed
        .deserialize(&mut deserializer)
        .map_err(|_| fault.get())?;
    deserializer.end().map_err(|_| InvalidJson::Syntax)?;
    Ok(value)
}

/// How deep a [`Json`] may nest: more than any limit on its source.
const DEPTH_MAX: usize = 120;

/// Decodes a value below `depth_left` further levels. The fault is left in the cell, because
/// serde's errors carry only text.
#[derive(Clone, Copy)]
struct Nested<'f> {
    depth_left: usize,
    fault: &'f Cell<InvalidJson>,
}

impl Nested<'_> {
    fn fail<E: serde::de::Error>(self, fault: InvalidJson) -> E {
        self.fault.set(fault);
        E::custom(fault)
    }

    fn descend<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left, ..self }),
            None => Err(self.fail(InvalidJson::TooDeep)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Nested<'_> {
    type Value = Value<'static>;

    fn deserialize<D: serde::Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested<'_> {
    type Value = Value<'static>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value).map_or(Value::Uint(value), Value::Int))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
        if value.is_finite() {
            Ok(Value::Float(value))
        } else {
            Err(E::custom("not finite"))
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Value::String(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let nested = self.descend()?;
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(nested)? {
            list.push(element);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let nested = self.descend()?;
        let mut map: Vec<(Cow<'static, str>, Value<'static>)> = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            map.push((Cow::Owned(name), members.next_value_seed(nested)?));
        }
        let mut seen = HashSet::with_capacity(map.len());
        if !map.iter().all(|(name, _)| seen.insert(name.as_ref())) {
            return Err(self.fail(InvalidJson::DuplicateKey));
        }
        Ok(Value::Map(map))
    }
}

/// A value that serializes in its own member order, and deserializes as [`decode`] does.
#[derive(Debug, Clone, PartialEq)]
pub struct Json<'v>(pub Cow<'v, Value<'v>>);

impl<'de> Deserialize<'de> for Json<'static> {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let fault = Cell::new(InvalidJson::Syntax);
        let seed = Nested {
            depth_left: DEPTH_MAX,
            fault: &fault,
        };
        Ok(Json(Cow::Owned(seed.deserialize(input)?)))
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &*self.0 {
            Value::Null => to.serialize_unit(),
            Value::Bool(value) => to.serialize_bool(*value),
            Value::Int(number) => to.serialize_i64(*number),
            Value::Uint(number) => to.serialize_u64(*number),
            Value::Float(number) => to.serialize_f64(*number),
            Value::String(text) => to.serialize_str(text),
            Value::Unsound(_) => {
                let fault = "half of a surrogate pair cannot be written";
                Err(serde::ser::Error::custom(fault))
            }
            Value::List(items) => {
                let mut list = to.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&Json(Cow::Borrowed(item)))?;
                }
                list.end()
            }
            Value::Map(members) => {
                let mut map = to.serialize_map(Some(members.len()))?;
                for (name, member) in members {
                    map.serialize_entry(name, &Json(Cow::Borrowed(member)))?;
                }
                map.end()
            }
        }
    }
}
