//! An item of a list, decoded once it is complete.

use std::borrow::Cow;

use super::fault::Unjudged;
use crate::authz::Value;
use crate::json::{Cursor, Syntax};
use crate::mcp::list_kind::ListKind;
use crate::mcp::options::DecodeOptions;
use crate::mcp::place::{ObjectPlace, ValuePlace};
use crate::mcp::reader::BodyReader;
use crate::mcp::refusal::Refusal;

/// An item of a list that awaits [`Listing::settle`](super::Listing::settle).
#[derive(Debug, Clone, PartialEq)]
pub struct ListItem<'a> {
    /// The list that contains it.
    pub kind: ListKind,
    /// The member that names it: the `name` of a tool or prompt, the `uri` of a resource, the
    /// `uriTemplate` of a template, the `taskId` of a task. Only the item's own limit bounds its
    /// length.
    pub name: Cow<'a, str>,
    /// The whole item, an object.
    pub value: Value<'a>,
}

/// Decodes an item that nests at most `depth_max` deep. `text` is one JSON object.
pub(in crate::mcp) fn read(
    kind: ListKind,
    text: &[u8],
    depth_max: usize,
) -> Result<ListItem<'_>, Unjudged> {
    let options = DecodeOptions {
        json_depth_max: depth_max,
        // The length of the item is already limited.
        json_values_max: usize::MAX,
        ..DecodeOptions::default()
    };
    let text = std::str::from_utf8(text).map_err(|_| Unjudged::Unsound)?;
    let mut reader = BodyReader::new(text, &options);
    let item = ValuePlace {
        place: ObjectPlace::Item,
        keep: true,
        depth: 0,
    };
    let value = reader.value(item).map_err(|_| Unjudged::Unsound)?;
    match reader.into_fault() {
        None => {}
        Some(Refusal::TooDeep) => return Err(Unjudged::TooDeep),
        Some(_) => return Err(Unjudged::Ambiguous),
    }
    let name = match value.member(kind.naming()) {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Unsound(_)) => return Err(Unjudged::Unsound),
        Some(
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::List(_)
            | Value::Map(_),
        )
        | None => return Err(Unjudged::Unnamed),
    };
    Ok(ListItem { kind, name, value })
}

/// The name of an item that cannot be judged, as far as it can be told, for operators. The text may
/// be cut off anywhere.
pub(in crate::mcp) fn name_for_operators(kind: ListKind, text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let mut cursor = Cursor::new(&text, usize::MAX);
    find_name(kind, &mut cursor).ok().flatten()
}

fn find_name(kind: ListKind, cursor: &mut Cursor<'_>) -> Result<Option<String>, Syntax> {
    if !cursor.opens(b'{')? || cursor.takes(b'}')? {
        return Ok(None);
    }
    loop {
        let is_name = cursor.key()? == kind.naming();
        if is_name && cursor.peek()? == b'"' {
            let name = cursor.scalar(true)?;
            return Ok(match name {
                Value::String(name) | Value::Unsound(name) => Some(name.into_owned()),
                Value::Null
                | Value::Bool(_)
                | Value::Int(_)
                | Value::Uint(_)
                | Value::Float(_)
                | Value::List(_)
                | Value::Map(_) => None,
            });
        }
        cursor.skip()?;
        if !cursor.goes_on(b'}')? {
            return Ok(None);
        }
    }
}
