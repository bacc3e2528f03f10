//! Reads the JSON of a body in one pass, with our own rules for keys and depth.
//!
//! Reading ends at a text that is not JSON, or that has too many values. The [`BodyReader`] records
//! a fault in keys or depth and continues, so that the reply can include an id that stands after
//! it. Once a fault is recorded, no value that was read is used.

use std::borrow::Cow;

use super::key_rules::KeyRules;
use super::options::DecodeOptions;
use super::place::{ObjectPlace, ValuePlace};
use super::refusal::Refusal;
use crate::authz::Value;
use crate::json::{Cursor, Syntax};

/// A single pass over a text.
#[derive(Debug)]
pub(super) struct BodyReader<'a, 'o> {
    pub(super) options: &'o DecodeOptions,
    cursor: Cursor<'a>,
    fault: Option<Refusal>,
}

/// The kind of value that begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Object,
    Array,
    Scalar,
}

impl<'a, 'o> BodyReader<'a, 'o> {
    pub(super) fn new(text: &'a str, options: &'o DecodeOptions) -> Self {
        BodyReader {
            options,
            cursor: Cursor::new(text, options.json_values_max),
            fault: None,
        }
    }

    /// Records a fault; the first one stays.
    pub(super) fn note(&mut self, refusal: Refusal) {
        self.fault.get_or_insert(refusal);
    }

    pub(super) fn into_fault(self) -> Option<Refusal> {
        self.fault
    }

    /// How many more values and keys may be read.
    pub(super) fn values_left(&self) -> usize {
        self.cursor.values_left()
    }

    /// Whether nothing but white space is left.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.cursor.is_at_end()
    }

    /// The kind of the next value.
    #[inline]
    pub(super) fn shape(&mut self) -> Result<Shape, Syntax> {
        Ok(match self.cursor.peek()? {
            b'{' => Shape::Object,
            b'[' => Shape::Array,
            _ => Shape::Scalar,
        })
    }

    /// Skips any value without checking its keys and depth, and returns its spelling.
    pub(super) fn skip(&mut self) -> Result<&'a str, Syntax> {
        self.cursor.skip()
    }

    /// Consumes the opening mark of a container inside `depth` others, and returns whether it has
    /// content to read. Too deep a container is recorded as a fault and skipped.
    fn enters(&mut self, opener: u8, closer: u8, depth: usize) -> Result<bool, Syntax> {
        if depth >= self.options.json_depth_max.min(DEPTH_MAX_CEILING) {
            self.note(Refusal::TooDeep);
            self.skip()?;
            return Ok(false);
        }
        if !self.cursor.opens(opener)? {
            return Err(Syntax::Invalid);
        }
        Ok(!self.cursor.takes(closer)?)
    }

    /// Reads an object inside `depth` containers. `member` reads the value of each member; its
    /// arguments say the key and whether the key is valid.
    pub(super) fn object(
        &mut self,
        place: ObjectPlace,
        depth: usize,
        mut member: impl FnMut(&mut Self, Cow<'a, str>, bool) -> Result<(), Syntax>,
    ) -> Result<(), Syntax> {
        if !self.enters(b'{', b'}', depth)? {
            return Ok(());
        }
        let mut keys = KeyRules::new(place, self.options);
        let mut goes_on = true;
        while goes_on {
            let key = self.cursor.key()?;
            let fault = keys.fault(key.clone());
            let is_good = fault.is_none();
            if let Some(refusal) = fault {
                self.note(refusal);
            }
            member(self, key, is_good)?;
            goes_on = self.cursor.goes_on(b'}')?;
        }
        Ok(())
    }

    /// Reads an array inside `depth` containers: `item` reads each item.
    pub(super) fn array(
        &mut self,
        depth: usize,
        mut item: impl FnMut(&mut Self) -> Result<(), Syntax>,
    ) -> Result<(), Syntax> {
        let mut goes_on = self.enters(b'[', b']', depth)?;
        while goes_on {
            item(self)?;
            goes_on = self.cursor.goes_on(b']')?;
        }
        Ok(())
    }

    /// Reads any value. A value that is not kept is still checked, and is returned as an empty
    /// value of its kind.
    pub(super) fn value(&mut self, at: ValuePlace) -> Result<Value<'a>, Syntax> {
        match self.shape()? {
            Shape::Scalar => self.cursor.scalar(at.keep),
            Shape::Array => {
                let mut items = Vec::new();
                let inside = ValuePlace {
                    depth: at.depth.saturating_add(1),
                    ..at
                };
                self.array(at.depth, |reader| {
                    let item = reader.value(inside)?;
                    if at.keep {
                        items.push(item);
                    }
                    Ok(())
                })?;
                Ok(Value::List(items))
            }
            Shape::Object => {
                let mut members = Vec::new();
                self.object(at.place, at.depth, |reader, key, _| {
                    let inside = at.member(&key);
                    let value = reader.value(inside)?;
                    if inside.keep {
                        members.push((key, value));
                    }
                    Ok(())
                })?;
                Ok(Value::Map(members))
            }
        }
    }
}

/// The limit of the stack; a larger setting has no effect.
const DEPTH_MAX_CEILING: usize = 126;
