//! One tool of a result.

use crate::authz::Value;
use crate::json::Cursor;
use crate::mcp::indirect::qualified;
use crate::mcp::list_kind::ListKind;
use crate::mcp::listing::{ListItem, Unjudged, name_for_operators, read_item};

/// One tool that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FoundTool<'f> {
    /// Its name, or why it cannot be judged.
    pub name: Result<&'f str, Unjudged>,
    /// Its name for operators as far as it can be told, if it cannot be judged.
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

/// How a tool is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct ToolForm<'p> {
    /// The path to the server that it is one of, where there are several.
    pub(super) server: Option<&'p str>,
    /// How deep it may nest.
    pub(super) depth_max: usize,
}

impl Tool {
    /// Reads an item of a list: an object with a name, or the name alone.
    pub(super) fn of(item: &[u8], form: ToolForm<'_>) -> Self {
        match item.first() {
            Some(b'{') => match read_item(ListKind::Tools, item, form.depth_max) {
                Ok(read) => {
                    let is_whole = read.value.member("inputSchema").is_some();
                    Tool {
                        name: form.qualified(&read).ok_or(Unjudged::Unnamed),
                        told_name: Some(read.name.into_owned()),
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
                // Nothing says of which server it is.
                Some(name) if form.server.is_some() => Tool {
                    told_name: Some(name),
                    ..Tool::unjudged(Unjudged::Unnamed)
                },
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
    pub(super) fn alone(text: &str, form: ToolForm<'_>) -> Option<Self> {
        let text = whole_object(text)?;
        let read = read_item(ListKind::Tools, text.as_bytes(), form.depth_max).ok()?;
        let Value::Map(members) = &read.value else {
            return None;
        };
        let is_simple = members.iter().all(|(key, value)| {
            SCHEMAS.contains(&&**key) || !matches!(value, Value::List(_) | Value::Map(_))
        });
        is_simple.then(|| Tool::of(text.as_bytes(), form))
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
    pub(super) fn is_repeated_by(&self, text: &str, form: ToolForm<'_>) -> bool {
        let Ok(name) = &self.name else {
            return true;
        };
        if self.is_bare {
            return text == name;
        }
        let other = whole_object(text).map(|text| Tool::of(text.as_bytes(), form));
        other.is_some_and(|other| other.name.as_ref() == Ok(name))
    }
}

impl ToolForm<'_> {
    /// The name by which rules know a tool.
    fn qualified(self, read: &ListItem<'_>) -> Option<String> {
        let Some(path) = self.server else {
            return Some(read.name.to_string());
        };
        let mut names = path.split('.');
        let server = names.try_fold(&read.value, |value, name| value.member(name));
        qualified(server?.as_str()?, &read.name)
    }
}

/// A text that is one JSON object, without the white space around it.
fn whole_object(text: &str) -> Option<&str> {
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    let mut cursor = Cursor::new(text, usize::MAX);
    let is_whole = text.starts_with('{') && cursor.skip().is_ok() && cursor.is_at_end();
    is_whole.then_some(text)
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
