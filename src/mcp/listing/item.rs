//! An item of a list, decoded once it is complete.

use std::borrow::Cow;

use super::fault::Unjudged;
use crate::authz::Value;
use crate::mcp::list_kind::ListKind;
use crate::mcp::options::DecodeOptions;
use crate::mcp::place::{ObjectPlace, ValuePlace};
use crate::mcp::reader::BodyReader;

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

/// Decodes an item. `text` is one JSON object.
pub(super) fn read(kind: ListKind, text: &[u8]) -> Result<ListItem<'_>, Unjudged> {
    let options = DecodeOptions {
        // The depth of the whole response and the length of the item are already limited.
        json_depth_max: usize::MAX,
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
    if reader.into_fault().is_some() {
        return Err(Unjudged::Ambiguous);
    }
    let name = match value.member(kind.naming()) {
        Some(Value::String(name)) => name.clone(),
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
