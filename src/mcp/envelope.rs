//! Gathers the members of each message in one pass over the body, without judging them.

use std::borrow::Cow;

use super::key_rules::fold;
use super::place::{ObjectPlace, ValuePlace};
use super::reader::{BodyReader, Shape};
use super::refusal::Refusal;
use crate::authz::Value;
use crate::json::Syntax;

/// The part of the body read so far. It outlives the reader, so that after a syntax error the audit
/// record can still name the method.
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
    /// Whether some reader could take another member for the id.
    pub(super) id_is_unsure: bool,
    /// Whether some reader could take another member for the method.
    pub(super) method_is_unsure: bool,
}

impl<'a> Gathered<'a> {
    /// Reads the body: an object or an array.
    pub(super) fn read(&mut self, reader: &mut BodyReader<'a, '_>) -> Result<(), Syntax> {
        match reader.shape()? {
            Shape::Object => {
                *self = Gathered::One(Box::default());
                match self {
                    Gathered::One(draft) => draft.read(reader, 0),
                    Gathered::Nothing | Gathered::Many(_) => Ok(()),
                }
            }
            Shape::Array if reader.options.batch_max == 0 => {
                reader.note(Refusal::BatchNotAllowed);
                reader.skip().map(drop)
            }
            Shape::Array => {
                let mut drafts = Vec::new();
                reader.array(0, |reader| {
                    if drafts.len() == reader.options.batch_max {
                        reader.note(Refusal::BatchTooLarge);
                        return reader.skip().map(drop);
                    }
                    let mut draft = Draft::default();
                    match reader.shape()? {
                        Shape::Object => draft.read(reader, 1)?,
                        Shape::Array | Shape::Scalar => pass_no_object(reader)?,
                    }
                    drafts.push(draft);
                    Ok(())
                })?;
                *self = Gathered::Many(drafts);
                Ok(())
            }
            Shape::Scalar => pass_no_object(reader),
        }
    }
}

fn pass_no_object(reader: &mut BodyReader<'_, '_>) -> Result<(), Syntax> {
    reader.note(Refusal::NotAnObject);
    reader.skip().map(drop)
}

impl<'a> Draft<'a> {
    /// Reads one message, an object inside `depth` arrays.
    fn read(&mut self, reader: &mut BodyReader<'a, '_>, depth: usize) -> Result<(), Syntax> {
        let checked = ValuePlace {
            place: ObjectPlace::Free,
            keep: false,
            depth: depth.saturating_add(1),
        };
        let kept = ValuePlace {
            keep: true,
            ..checked
        };
        reader.object(ObjectPlace::Message, depth, |reader, key, is_good| {
            match &*key {
                _ if !is_good => {
                    self.doubt(&key);
                    reader.value(checked)?;
                }
                "jsonrpc" => self.jsonrpc = Some(reader.value(kept)?),
                "id" => self.id = Some(reader.skip()?),
                "method" => self.method = Some(reader.value(kept)?),
                "params" => {
                    let params = ValuePlace {
                        place: ObjectPlace::Params,
                        ..kept
                    };
                    self.params = Some(reader.value(params)?);
                }
                "result" => self.result = Some(reader.value(kept)?),
                "error" => self.error = Some(reader.value(checked)?),
                _ => {
                    reader.value(checked)?;
                }
            }
            Ok(())
        })
    }

    /// Marks a member as unsure, because some reader could take the refused key for it.
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
