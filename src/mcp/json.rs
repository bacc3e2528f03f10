//! Any JSON value below a message, read in one pass under our own rules for keys and depth.
//!
//! A text that is no JSON, or has too many values, ends the reading. A fault in keys or depth is noted in the [`Reader`] and
//! reading goes on, so that the id behind it can still be answered; nothing that was read leaves
//! this module's callers once a fault is noted.

mod cursor;

use std::borrow::Cow;

use super::jsonrpc::DecodeOptions;
use super::keys::Keys;
use super::refusal::Refusal;
use crate::authz::Value;

pub(super) use cursor::{Cursor, Syntax};

/// One reading of a text.
#[derive(Debug)]
pub(super) struct Reader<'a, 'o> {
    pub(super) options: &'o DecodeOptions,
    cursor: Cursor<'a>,
    fault: Option<Refusal>,
}

/// What a value begins as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Object,
    Array,
    Scalar,
}

impl<'a, 'o> Reader<'a, 'o> {
    pub(super) fn new(text: &'a str, options: &'o DecodeOptions) -> Self {
        Reader {
            options,
            cursor: Cursor::new(text, options.json_values_max),
            fault: None,
        }
    }

    /// Notes a fault; the first one stays.
    pub(super) fn note(&mut self, refusal: Refusal) {
        self.fault.get_or_insert(refusal);
    }

    pub(super) fn into_fault(self) -> Option<Refusal> {
        self.fault
    }

    /// Whether nothing but white space is left.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.cursor.is_at_end()
    }

    /// What comes next.
    #[inline]
    pub(super) fn shape(&mut self) -> Result<Shape, Syntax> {
        Ok(match self.cursor.peek()? {
            b'{' => Shape::Object,
            b'[' => Shape::Array,
            _ => Shape::Scalar,
        })
    }

    /// Reads past any value without a look at its keys and its depth, and returns how it is spelled.
    pub(super) fn skip(&mut self) -> Result<&'a str, Syntax> {
        self.cursor.skip()
    }

    /// Reads past the mark that opens a container inside `depth` others, and says whether it has
    /// something to be read. One that is too deep is noted and passed.
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

    /// Reads an object inside `depth` containers: `member` reads the value of each member, and is
    /// told its key and whether the key is a good one.
    pub(super) fn object(
        &mut self,
        place: Place,
        depth: usize,
        mut member: impl FnMut(&mut Self, Cow<'a, str>, bool) -> Result<(), Syntax>,
    ) -> Result<(), Syntax> {
        if !self.enters(b'{', b'}', depth)? {
            return Ok(());
        }
        let mut keys = Keys::new(place, self.options);
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

    /// Reads any value. What is not kept is checked all the same and comes back empty, but of its
    /// own kind.
    pub(super) fn value(&mut self, at: At) -> Result<Value<'a>, Syntax> {
        match self.shape()? {
            Shape::Scalar => self.cursor.scalar(at.keep),
            Shape::Array => {
                let mut items = Vec::new();
                let inside = At {
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
            (Place::Params, "argument") => (Place::Argument, true),
            (Place::Params, "task") => (Place::Task, true),
            (Place::Params, "name" | "uri" | "taskId" | "protocolVersion" | "inputResponses")
            | (Place::Notifications, "resourceSubscriptions" | "taskIds")
            | (Place::Context, "arguments")
            | (Place::Argument, "name")
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

/// Where a value stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) place: Place,
    /// Whether the value is kept.
    pub(super) keep: bool,
    /// How many arrays and objects are around it.
    pub(super) depth: usize,
}

impl At {
    /// The member `key` of the object that stands here.
    fn member(self, key: &str) -> Self {
        let (place, keep) = self.place.member(key);
        Self {
            place,
            keep: self.keep && keep,
            depth: self.depth.saturating_add(1),
        }
    }
}

/// What the stack has room for; a larger setting has no effect.
const DEPTH_MAX_CEILING: usize = 126;
/// The member of `_meta` that makes a message modern.
pub(super) const META_PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
