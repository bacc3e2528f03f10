//! JSON text to [`Value`] and back, for what is not a message of a client: tokens, key sets,
//! descriptions of tools.
//!
//! [`decode`] refuses what says two things at once: `serde_json` keeps the last of two equal keys
//! in silence, and here that is a fault. It already refuses trailing data, a byte order mark,
//! invalid UTF-8 and numbers out of range. [`digest`] is the same for equal values however they
//! were spelled.

mod object;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;
use std::io::Write;

use aws_lc_rs::digest::{Context, SHA256};
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};

use crate::authz::Value;
use crate::byte_class;

pub use object::Object;

/// Why bytes are not an acceptable JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJson {
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

/// How deep a [`Json`] may nest: more than any limit on what it was made from.
const DEPTH_MAX: usize = 120;

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

/// A value that is written as it is, members in their order, and read as by [`decode`].
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

/// `sha256:` and the digest of a value as JSON without white space, members sorted by name at
/// every depth.
#[must_use]
pub fn digest(value: &Value<'_>) -> String {
    Digest::of(value).to_string()
}

/// The [`digest`] of an object with these members, whose names are unique.
#[must_use]
pub fn digest_members<'v>(members: impl IntoIterator<Item = (&'v str, &'v Value<'v>)>) -> String {
    let mut hash = Hash::new();
    canonical_members(&mut members.into_iter().collect::<Vec<_>>(), &mut hash);
    hash.finish().to_string()
}

/// The [`digest`] of a value before it is written out, which a record leaves to its reader.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a value.
    #[must_use]
    pub fn of(value: &Value<'_>) -> Self {
        let mut hash = Hash::new();
        canonical(value, &mut hash);
        hash.finish()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 64];
        formatter.write_str("sha256:")?;
        formatter.write_str(hex(&self.0, &mut text))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Bytes as hexadecimal digits, as many of them as `text` has room for.
#[must_use]
pub fn hex<'t>(bytes: &[u8], text: &'t mut [u8]) -> &'t str {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or(b'0');
    let mut length = 0;
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
        length += 2;
    }
    let written = text.get(..length).unwrap_or_default();
    str::from_utf8(written).unwrap_or_default()
}

/// A digest in the making. Canonical text comes in pieces of few bytes, and each call of the hash
/// costs more than such a piece: they are gathered first.
struct Hash {
    /// Of what was more than could be gathered.
    digest: Option<Context>,
    gathered: [u8; GATHERED_BYTES_MAX],
    /// How many bytes of it are gathered.
    length: usize,
}

/// How many bytes are gathered at most.
const GATHERED_BYTES_MAX: usize = 512;

impl Hash {
    fn new() -> Self {
        Hash {
            digest: None,
            gathered: [0; GATHERED_BYTES_MAX],
            length: 0,
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        let end = self.length.saturating_add(bytes.len());
        if let Some(room) = self.gathered.get_mut(self.length..end) {
            room.copy_from_slice(bytes);
            self.length = end;
            return;
        }
        self.hash(bytes);
    }

    /// Hashes what is gathered, and these bytes.
    fn hash(&mut self, bytes: &[u8]) {
        let digest = self.digest.get_or_insert_with(|| Context::new(&SHA256));
        digest.update(self.gathered.get(..self.length).unwrap_or_default());
        digest.update(bytes);
        self.length = 0;
    }

    fn finish(self) -> Digest {
        let last = self.gathered.get(..self.length).unwrap_or_default();
        let finished = match self.digest {
            Some(mut digest) => {
                digest.update(last);
                digest.finish()
            }
            None => aws_lc_rs::digest::digest(&SHA256, last),
        };
        let mut digest = [0; 32];
        for (to, from) in digest.iter_mut().zip(finished.as_ref()) {
            *to = *from;
        }
        Digest(digest)
    }
}

fn canonical(value: &Value<'_>, hash: &mut Hash) {
    match value {
        Value::Null => hash.update(b"null"),
        Value::Bool(true) => hash.update(b"true"),
        Value::Bool(false) => hash.update(b"false"),
        Value::Int(number) => scalar(number, |piece| hash.update(piece)),
        Value::Uint(number) => scalar(number, |piece| hash.update(piece)),
        Value::Float(number) => scalar(number, |piece| hash.update(piece)),
        Value::String(text) => string(text, |piece| hash.update(piece)),
        Value::List(items) => {
            hash.update(b"[");
            for (index, item) in items.iter().enumerate() {
                separate(index, hash);
                canonical(item, hash);
            }
            hash.update(b"]");
        }
        Value::Map(members) => {
            // Few members, as most objects have, are sorted without memory of their own.
            let mut few = [("", &Value::Null); FEW_MEMBERS];
            let members = members.iter().map(|(name, member)| (&**name, member));
            match few.get_mut(..members.len()) {
                Some(few) => {
                    for (to, from) in few.iter_mut().zip(members) {
                        *to = from;
                    }
                    canonical_members(few, hash);
                }
                None => canonical_members(&mut members.collect::<Vec<_>>(), hash),
            }
        }
    }
}

const FEW_MEMBERS: usize = 16;

fn canonical_members<'v>(members: &mut [(&'v str, &'v Value<'v>)], hash: &mut Hash) {
    members.sort_unstable_by_key(|(name, _)| *name);
    hash.update(b"{");
    for (index, (name, member)) in members.iter().enumerate() {
        separate(index, hash);
        string(name, |piece| hash.update(piece));
        hash.update(b":");
        canonical(member, hash);
    }
    hash.update(b"}");
}

fn separate(index: usize, hash: &mut Hash) {
    if index > 0 {
        hash.update(b",");
    }
}

/// How many bytes a text takes in JSON, without its quotes.
#[must_use]
pub fn written_length(text: &str) -> usize {
    if is_plain(text) {
        return text.len();
    }
    let lengths = text.chars().map(written_length_of);
    lengths.fold(0, usize::saturating_add)
}

/// How many bytes a character takes in a text in JSON.
#[must_use]
pub fn written_length_of(character: char) -> usize {
    match character {
        '"' | '\\' | '\u{8}' | '\t' | '\n' | '\u{c}' | '\r' => 2,
        '\0'..='\u{1f}' => 6,
        _ => character.len_utf8(),
    }
}

/// Whether a text is written as it is, as most are.
fn is_plain(text: &str) -> bool {
    let is_plain = |byte| !matches!(byte, ..b' ' | b'"' | b'\\');
    byte_class::all(text.as_bytes(), b'a', is_plain)
}

/// Writes a string in pieces.
fn string(text: &str, mut put: impl FnMut(&[u8])) {
    if is_plain(text) {
        put(b"\"");
        put(text.as_bytes());
        put(b"\"");
    } else {
        scalar(&text, put);
    }
}

fn scalar(value: &impl Serialize, put: impl FnMut(&[u8])) {
    struct Pieces<P>(P);

    impl<P: FnMut(&[u8])> Write for Pieces<P> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            (self.0)(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut pieces = Pieces(put);
    if serde_json::to_writer(&mut pieces, value).is_err() {
        (pieces.0)(b"?");
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

    #[test]
    fn texts_are_digested_as_they_are_written() {
        for text in [
            "", "plain", "a\"b", "a\\b", "a/b", "\n", "\u{1f}", "\u{7f}", "é",
        ] {
            let written = serde_json::to_string(text).unwrap();
            let digest = aws_lc_rs::digest::digest(&SHA256, written.as_bytes());
            let mut room = [0; 64];
            let expected = format!("sha256:{}", hex(digest.as_ref(), &mut room));
            assert_eq!(
                super::digest(&Value::String(text.into())),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn the_length_of_a_text_is_that_of_what_is_written() {
        for character in ('\0'..='\u{100}').chain(['語', '\u{2028}', '\u{1f600}', char::MAX]) {
            let text = format!("a{character}");
            let written = serde_json::to_string(&text).unwrap();
            assert_eq!(written_length(&text), written.len() - 2, "{character:?}");
        }
        assert_eq!(written_length(""), 0);
    }

    #[test]
    fn a_digest_is_of_the_canonical_text_however_long_it_is() {
        for length in [0, 1, 505, 510, 511, 512, 513, 1000, 1023, 1024, 1025, 5000] {
            let text = "x".repeat(length);
            let member = |number: usize| (format!("{number:02}").into(), Value::Int(1));
            let mut members: Vec<_> = (0..40).rev().map(member).collect();
            members.push(("z".into(), Value::String(text.clone().into())));
            let names = (0..40).map(|number| format!("\"{number:02}\":1,"));
            let names: String = names.collect();
            let canonical = format!("{{{names}\"z\":\"{text}\"}}");
            let expected = aws_lc_rs::digest::digest(&SHA256, canonical.as_bytes());
            let mut room = [0; 64];
            let expected = format!("sha256:{}", hex(expected.as_ref(), &mut room));
            assert_eq!(digest(&Value::Map(members)), expected, "{length}");
        }
        assert_eq!(hex(&[0x0f, 0xa0], &mut [0; 4]), "0fa0");
    }
}
