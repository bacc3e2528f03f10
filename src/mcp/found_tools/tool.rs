//! One tool of a result.

use crate::authz::Value;
use crate::json::{Cursor, Syntax};
use crate::mcp::list_kind::ListKind;
use crate::mcp::listing::{Unjudged, name_for_operators, read_item};

/// One tool that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FoundTool<'f> {
    /// Its name, or why it cannot be judged.
    pub name: Result<&'f str, Unjudged>,
    /// Its name for operators, if it cannot be judged, as far as it can be told.
    pub told_name: Option<&'f str>,
    /// Its description as lists have it; none: only a part of that is there.
    pub whole: Option<&'f Value<'f>>,
}

/// A tool, or what stands in the place of one.
#[derive(Debug)]
pub(super) struct Tool {
    name: Result<String, Unjudged>,
    told_name: Option<String>,
    whole: Option<Value<'static>>,
    /// Whether it is nothing but its name.
    is_bare: bool,
}

impl Tool {
    /// Reads an item of a list: an object with a name, or the name alone.
    pub(super) fn of(item: &[u8], depth_max: usize) -> Self {
        match item.first() {
            Some(b'{') => match read_item(ListKind::Tools, item, depth_max) {
                Ok(read) => {
                    let is_whole = read.value.member("inputSchema").is_some();
                    Tool {
                        name: Ok(read.name.into_owned()),
                        told_name: None,
                        whole: is_whole.then(|| read.value.into_owned()),
                        is_bare: false,
                    }
                }
                Err(why) => Tool {
                    told_name: name_for_operators(ListKind::Tools, item),
                    ..Tool::unjudged(why)
                },
            },
            Some(b'"') => match bare_name(item) {
                Some(name) => Tool {
                    name: Ok(name),
                    told_name: None,
                    whole: None,
                    is_bare: true,
                },
                None => Tool::unjudged(Unjudged::Unsound),
            },
            Some(_) | None => Tool::unjudged(Unjudged::NotAnObject),
        }
    }

    /// Reads a text that stands for one tool; `None` unless it is an object with a name, in which
    /// nothing else can name tools: simple values, and schemas.
    pub(super) fn alone(text: &str, depth_max: usize) -> Option<Self> {
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        let read = read_item(ListKind::Tools, text.as_bytes(), depth_max).ok()?;
        let Value::Map(members) = &read.value else {
            return None;
        };
        let is_simple = members.iter().all(|(key, value)| {
            SCHEMAS.contains(&&**key) || !matches!(value, Value::List(_) | Value::Map(_))
        });
        let is_whole_text = {
            let mut cursor = Cursor::new(text, usize::MAX);
            cursor.skip().is_ok() && cursor.is_at_end()
        };
        (is_simple && is_whole_text).then(|| Tool::of(text.as_bytes(), depth_max))
    }

    fn unjudged(why: Unjudged) -> Self {
        Tool {
            name: Err(why),
            told_name: None,
            whole: None,
            is_bare: false,
        }
    }

    pub(super) fn found(&self) -> FoundTool<'_> {
        FoundTool {
            name: self.name.as_deref().map_err(|why| *why),
            told_name: self.told_name.as_deref(),
            whole: self.whole.as_ref(),
        }
    }

    /// Whether a text repeats this item of a list. One that cannot be judged is hidden wherever it is.
    pub(super) fn is_repeated_by(&self, text: &str) -> bool {
        let Ok(name) = &self.name else {
            return true;
        };
        if self.is_bare {
            return text == name;
        }
        name_in(text).is_ok_and(|own| own.is_some_and(|own| own == *name))
    }
}

/// The name of an object, which it has once.
fn name_in(text: &str) -> Result<Option<String>, Syntax> {
    let mut cursor = Cursor::new(text, usize::MAX);
    let mut name = None;
    let mut goes_on = cursor.opens(b'{')? && !cursor.takes(b'}')?;
    while goes_on {
        let is_name = cursor.key()? == "name";
        if is_name && cursor.peek()? == b'"' {
            let Value::String(text) = cursor.scalar(true)? else {
                return Err(Syntax::Invalid);
            };
            if name.replace(text.into_owned()).is_some() {
                return Err(Syntax::Invalid);
            }
        } else {
            cursor.skip()?;
        }
        goes_on = cursor.goes_on(b'}')?;
    }
    Ok(name.filter(|_| cursor.is_at_end()))
}

fn bare_name(item: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(item).ok()?;
    match Cursor::new(text, 1).scalar(true).ok()? {
        Value::String(name) => Some(name.into_owned()),
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

/// The members of a definition whose content is no other tools.
const SCHEMAS: [&str; 2] = ["inputSchema", "outputSchema"];
