//! Any JSON value below a message, read in one pass under our own rules for keys and depth.
//!
//! `serde_json` refuses what is no JSON; it is silent about keys that are there twice or differ
//! only in case. A fault is noted in [`Scan`] and reading goes on, so that the id behind it can
//! still be answered; nothing that was read leaves this module's callers once a fault is noted.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::jsonrpc::DecodeOptions;
use super::keys::Keys;
use super::refusal::Refusal;
use crate::authz::Value;

/// The state of one reading of a body.
#[derive(Debug)]
pub(super) struct Scan<'o> {
    pub(super) options: &'o DecodeOptions,
    fault: RefCell<Option<Refusal>>,
}

impl<'o> Scan<'o> {
    pub(super) fn new(options: &'o DecodeOptions) -> Self {
        Self {
            options,
            fault: RefCell::new(None),
        }
    }

    /// Notes a fault; the first one stays.
    pub(super) fn note(&self, refusal: Refusal) {
        self.fault.borrow_mut().get_or_insert(refusal);
    }

    pub(super) fn into_fault(self) -> Option<Refusal> {
        self.fault.into_inner()
    }

    /// Whether a container inside `depth` others is too deep; notes it if so.
    pub(super) fn is_too_deep(&self, depth: usize) -> bool {
        let too_deep = depth >= self.options.json_depth_max.min(DEPTH_MAX_CEILING);
        if too_deep {
            self.note(Refusal::TooDeep);
        }
        too_deep
    }
}

/// Where an object stands in a message: decides which of its keys belong to the protocol and
/// which of its members are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The message itself.
    Message,
    /// `params`.
    Params,
    /// `params.ref`.
    Reference,
    /// `params._meta`.
    Meta,
    /// `params.notifications`.
    Notifications,
    /// `params.context`.
    Context,
    /// `params.argument`.
    Argument,
    /// `params.task`.
    Task,
    /// `params.arguments` and everything in it.
    Arguments,
    /// An item of a list in an answer.
    Item,
    /// The annotations of an item.
    Hints,
    /// Everything else in an item: schemas and metadata, whose keys are nobody's but the server's.
    Data,
    /// Everything else.
    Free,
}

impl Place {
    /// The place of the member `key`, and whether it is kept if this is.
    fn member(self, key: &str) -> (Place, bool) {
        match (self, key) {
            (Place::Params, "ref") => (Place::Reference, true),
            (Place::Params, "_meta") => (Place::Meta, true),
            (Place::Params, "notifications") => (Place::Notifications, true),
            (Place::Params, "context") => (Place::Context, true),
            (Place::Params, "argument") => (Place::Argument, false),
            (Place::Params, "task") => (Place::Task, true),
            (Place::Params, "name" | "uri" | "taskId" | "protocolVersion")
            | (Place::Notifications, "resourceSubscriptions" | "taskIds")
            | (Place::Context, "arguments")
            | (Place::Reference | Place::Meta | Place::Free, _) => (Place::Free, true),
            (Place::Params, "arguments") | (Place::Arguments, _) => (Place::Arguments, true),
            (Place::Item, "annotations") => (Place::Hints, true),
            (Place::Item | Place::Hints | Place::Data, _) => (Place::Data, true),
            (
                Place::Message
                | Place::Params
                | Place::Notifications
                | Place::Context
                | Place::Argument
                | Place::Task,
                _,
            ) => (Place::Free, false),
        }
    }
}

/// Reads any value. What is not kept is checked all the same and comes back empty, but of its
/// own kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Any<'s, 'o> {
    pub(super) scan: &'s Scan<'o>,
    pub(super) place: Place,
    pub(super) keep: bool,
    /// How many arrays and objects are around this value.
    pub(super) depth: usize,
}

impl Any<'_, '_> {
    fn member(self, key: &str) -> Self {
        let (place, keep) = self.place.member(key);
        Self {
            place,
            keep: self.keep && keep,
            depth: self.depth.saturating_add(1),
            ..self
        }
    }

    fn text(self, text: Cow<'_, str>) -> Value<'_> {
        Value::String(if self.keep { text } else { Cow::Borrowed("") })
    }
}

impl<'de> DeserializeSeed<'de> for Any<'_, '_> {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Value<'de>, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any<'_, '_> {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value<'de>, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value<'de>, E> {
        Ok(i64::try_from(value).map_or(Value::Uint(value), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value<'de>, E> {
        Ok(Value::Float(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(self.text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(if self.keep {
            Value::String(Cow::Owned(text.to_owned()))
        } else {
            self.text(Cow::Borrowed(""))
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value<'de>, A::Error> {
        let mut items = Vec::new();
        if self.scan.is_too_deep(self.depth) {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::List(items));
        }
        let item = Any {
            depth: self.depth.saturating_add(1),
            ..self
        };
        while let Some(value) = seq.next_element_seed(item)? {
            if self.keep {
                items.push(value);
            }
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        let mut members = Vec::new();
        if self.scan.is_too_deep(self.depth) {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Value::Map(members));
        }
        let mut keys = Keys::new(self.place, self.scan);
        while let Some(key) = map.next_key_seed(Key)? {
            keys.admit(key.clone());
            let member = self.member(&key);
            let value = map.next_value_seed(member)?;
            if member.keep {
                members.push((key, value));
            }
        }
        Ok(Value::Map(members))
    }
}

/// Reads a key, unescaped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Cow<'de, str>, D::Error> {
        input.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// `serde_json` itself refuses to enter the 128th level, so a larger setting has no effect.
const DEPTH_MAX_CEILING: usize = 126;
/// The member of `_meta` that makes a message modern.
pub(super) const META_PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
