//! JSON of tokens and key sets to [`Value`], refusing what says two things at once.
//!
//! `serde_json` keeps the last of two equal keys in silence; here that is a fault. It already
//! refuses trailing data, a byte order mark, invalid UTF-8 and numbers out of range.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use crate::authz::Value;

/// Why bytes are not an acceptable JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidJson {
    /// Not one JSON value and nothing else.
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
/// The first fault in the text.
pub(super) fn decode(bytes: &[u8], depth_max: usize) -> Result<Value<'static>, InvalidJson> {
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

/// Decodes a value below `depth_left` further levels; the fault is left in the cell, since serde's
/// errors are only text.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_type() {
        let text = br#"{"a":[null,true,-1,9223372036854775808,1.5,"\u0061"],"b":{}}"#;
        let text_of_a = Value::String("a".into());
        assert_eq!(
            decode(text, 2),
            Ok(Value::Map(vec![
                (
                    "a".into(),
                    Value::List(vec![
                        Value::Null,
                        Value::Bool(true),
                        Value::Int(-1),
                        Value::Uint(9_223_372_036_854_775_808),
                        Value::Float(1.5),
                        text_of_a,
                    ])
                ),
                ("b".into(), Value::Map(vec![])),
            ]))
        );
    }

    #[test]
    fn faults_are_told_apart() {
        let rows: &[(&[u8], InvalidJson)] = &[
            (b"", InvalidJson::Syntax),
            (b"{} {}", InvalidJson::Syntax),
            (b"\xef\xbb\xbf{}", InvalidJson::Syntax),
            (b"{\"a\":NaN}", InvalidJson::Syntax),
            (b"{\"a\":1e999}", InvalidJson::Syntax),
            (b"{\"a\":\"\xff\"}", InvalidJson::Syntax),
            (b"[[[]]]", InvalidJson::TooDeep),
            (b"{\"a\":{\"b\":{}}}", InvalidJson::TooDeep),
            (b"{\"a\":1,\"a\":1}", InvalidJson::DuplicateKey),
            (b"{\"a\":1,\"\\u0061\":2}", InvalidJson::DuplicateKey),
            (b"[{\"b\":1,\"c\":2,\"b\":3}]", InvalidJson::DuplicateKey),
        ];
        for (text, fault) in rows {
            assert_eq!(
                decode(text, 2),
                Err(*fault),
                "{}",
                String::from_utf8_lossy(text)
            );
        }
    }

    #[test]
    fn extreme_nesting_is_refused_without_recursion_to_match() {
        assert_eq!(
            decode("[".repeat(100_000).as_bytes(), 64),
            Err(InvalidJson::TooDeep)
        );
    }
}
