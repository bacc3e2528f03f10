//! The members of one object, or the items of one array, by their place in a text.

use std::collections::HashSet;
use std::ops::Range;

use super::fault::UnclearResult;
use crate::authz::Value;
use crate::json::{Cursor, Lexer, LexerStep, ValueStart};

/// What a value is made of.
pub(super) struct Outline {
    pub(super) shape: Shape,
    pub(super) members: Vec<Member>,
}

/// Whether a value has members, items or neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Object,
    Array,
    Other,
}

/// A member of an object, or an item of an array, whose key is empty.
pub(super) struct Member {
    pub(super) key: String,
    /// Where its value is.
    pub(super) span: Range<usize>,
}

/// The member of this name.
pub(super) fn member<'m>(members: &'m [Member], name: &str) -> Option<&'m Member> {
    members.iter().find(|member| member.key == name)
}

/// Takes a value apart. What is inside of its members is passed whatever its text and depth.
///
/// # Errors
/// The text is not one JSON value, or an object has a key twice.
pub(super) fn outline(text: &[u8], at: Range<usize>) -> Result<Outline, UnclearResult> {
    let fault = UnclearResult::NotJson;
    let whole = text.get(at.clone()).ok_or(fault)?;
    let mut outline = Outline {
        shape: Shape::Other,
        members: Vec::new(),
    };
    let mut lexer = Lexer::new(0);
    lexer.tolerate(true);
    let mut input = whole;
    let mut floor = None;
    let (mut behind, mut start, mut key) = (at.start, at.start, String::new());
    loop {
        let step = lexer.run(&mut input, floor.unwrap_or(0));
        let here = at.end.saturating_sub(input.len());
        match step.map_err(|_| fault)? {
            LexerStep::More => break,
            LexerStep::Before(shape) if floor.is_none() => {
                (outline.shape, floor) = match shape {
                    ValueStart::Object => (Shape::Object, Some(1)),
                    ValueStart::Array => (Shape::Array, Some(1)),
                    ValueStart::Text | ValueStart::Scalar => (Shape::Other, Some(0)),
                };
            }
            LexerStep::Before(_) => start = here,
            LexerStep::Key => key = key_at(text, behind..here).ok_or(fault)?,
            LexerStep::Comma => behind = here,
            LexerStep::Close => floor = Some(0),
            LexerStep::End if floor == Some(1) => outline.members.push(Member {
                key: std::mem::take(&mut key),
                span: start..here,
            }),
            LexerStep::End => {}
        }
    }
    let mut seen = HashSet::new();
    let keys = outline.members.iter().map(|member| member.key.as_str());
    let is_twice = outline.shape == Shape::Object && !keys.into_iter().all(|key| seen.insert(key));
    if is_twice || !lexer.is_whole() {
        return Err(fault);
    }
    Ok(outline)
}

/// The string that a value is; `None` if it is another value, or has half of a surrogate pair.
pub(super) fn string_at(text: &[u8], at: Range<usize>) -> Option<String> {
    match scalar(text, at)? {
        Value::String(text) => Some(text.into_owned()),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Uint(_)
        | Value::Float(_)
        | Value::Unsound(_)
        | Value::List(_)
        | Value::Map(_) => None,
    }
}

/// The key at the end of a text, behind a bracket or comma. One with half of a surrogate pair is no
/// key that matters, and stays as it is spelled.
fn key_at(text: &[u8], at: Range<usize>) -> Option<String> {
    let quote = text
        .get(at.clone())?
        .iter()
        .position(|byte| *byte == b'"')?;
    match scalar(text, at.start.saturating_add(quote)..at.end)? {
        Value::String(key) | Value::Unsound(key) => Some(key.into_owned()),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Uint(_)
        | Value::Float(_)
        | Value::List(_)
        | Value::Map(_) => None,
    }
}

fn scalar(text: &[u8], at: Range<usize>) -> Option<Value<'_>> {
    let text = std::str::from_utf8(text.get(at)?).ok()?;
    Cursor::new(text, 1).scalar(true).ok()
}
