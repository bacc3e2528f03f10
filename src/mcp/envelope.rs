//! The members of the envelope, gathered in one pass over the body and not yet judged.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{Any, Key, Place, Scan};
use super::keys::{Keys, fold};
use super::refusal::Refusal;
use crate::authz::Value;

/// What the body holds, while it is read. It outlives the reading, so that after a syntax error
/// the record can still name the method.
#[derive(Debug)]
pub(super) enum Gathered<'a> {
    Nothing,
    One(Box<Draft<'a>>),
    Many(Vec<Draft<'a>>),
}

/// The members of one envelope, not yet judged.
#[derive(Debug, Default)]
pub(super) struct Draft<'a> {
    pub(super) jsonrpc: Option<Value<'a>>,
    pub(super) id: Option<&'a str>,
    pub(super) method: Option<Value<'a>>,
    pub(super) params: Option<Value<'a>>,
    pub(super) result: Option<Value<'a>>,
    pub(super) error: Option<Value<'a>>,
    /// Whether something else could be taken for the id.
    pub(super) id_is_unsure: bool,
    /// Whether something else could be taken for the method.
    pub(super) method_is_unsure: bool,
}

/// Reads the body: an object or an array.
pub(super) struct Root<'s, 'o, 'a> {
    pub(super) scan: &'s Scan<'o>,
    pub(super) gathered: &'s mut Gathered<'a>,
}

impl<'a> DeserializeSeed<'a> for Root<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Root<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message or a batch")
    }

    fn visit_map<A: MapAccess<'a>>(self, map: A) -> Result<(), A::Error> {
        *self.gathered = Gathered::One(Box::default());
        match self.gathered {
            Gathered::One(draft) => Element {
                scan: self.scan,
                draft,
                depth: 0,
            }
            .visit_map(map),
            Gathered::Nothing | Gathered::Many(_) => Ok(()),
        }
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { scan, gathered } = self;
        let batch_max = scan.options.batch_max;
        if batch_max == 0 {
            scan.note(Refusal::BatchNotAllowed);
        } else if !scan.is_too_deep(0) {
            let mut drafts = Vec::new();
            let mut is_at_end = false;
            while !is_at_end && drafts.len() < batch_max {
                let mut draft = Draft::default();
                let element = Element {
                    scan,
                    draft: &mut draft,
                    depth: 1,
                };
                match seq.next_element_seed(element)? {
                    Some(()) => drafts.push(draft),
                    None => is_at_end = true,
                }
            }
            if is_at_end || seq.next_element::<IgnoredAny>()?.is_none() {
                *gathered = Gathered::Many(drafts);
                return Ok(());
            }
            scan.note(Refusal::BatchTooLarge);
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// Reads one message: an object.
struct Element<'s, 'o, 'a> {
    scan: &'s Scan<'o>,
    draft: &'s mut Draft<'a>,
    depth: usize,
}

impl<'a> DeserializeSeed<'a> for Element<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Element<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { scan, draft, depth } = self;
        if scan.is_too_deep(depth) {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        let value = Any {
            scan,
            place: Place::Free,
            keep: false,
            depth: depth.saturating_add(1),
        };
        let kept = Any {
            keep: true,
            ..value
        };
        let mut keys = Keys::new(Place::Message, scan);
        while let Some(key) = map.next_key_seed(Key)? {
            if !keys.admit(key.clone()) {
                draft.doubt(&key);
                map.next_value_seed(value)?;
                continue;
            }
            match key.as_ref() {
                "jsonrpc" => draft.jsonrpc = Some(map.next_value_seed(kept)?),
                "id" => draft.id = Some(map.next_value::<&'a RawValue>()?.get()),
                "method" => draft.method = Some(map.next_value_seed(kept)?),
                "params" => {
                    let params = Any {
                        place: Place::Params,
                        ..kept
                    };
                    draft.params = Some(map.next_value_seed(params)?);
                }
                "result" => draft.result = Some(map.next_value_seed(value)?),
                "error" => draft.error = Some(map.next_value_seed(value)?),
                _ => {
                    map.next_value_seed(value)?;
                }
            }
        }
        Ok(())
    }
}

impl Draft<'_> {
    /// A key was refused: whatever some reader could take it for is no longer sure.
    fn doubt(&mut self, key: &str) {
        let key = Cow::Borrowed(key);
        let folded = fold(&key);
        match folded.trim_end_matches('\0') {
            "id" => self.id_is_unsure = true,
            "method" => self.method_is_unsure = true,
            _ => {}
        }
    }
}
