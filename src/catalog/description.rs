//! Tool definitions as a server lists them, their digests, and recorded `tools/list` results.

use super::input_schema::InputSchema;
use crate::authz::{HintedClass, Value};
use crate::json::{self, InvalidJson};

/// The members that make up the definition of a tool, besides its name: what a model is told of
/// it, and what a caller may take it for.
pub const PARTS: [&str; 5] = [
    "title",
    "description",
    "inputSchema",
    "outputSchema",
    "annotations",
];

/// How deep a record may nest; the parser itself stops a little deeper.
const DEPTH_MAX: usize = 120;

/// The annotations of a tool (`ToolAnnotations`), with the protocol's defaults for what is absent
/// or no truth value. They are the server's claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the hints of the protocol are truth values"
)]
pub struct Annotations {
    /// Whether there are any.
    pub is_annotated: bool,
    /// `readOnlyHint`.
    pub read_only: bool,
    /// `destructiveHint`; means something only for tools that change something.
    pub destructive: bool,
    /// `idempotentHint`; likewise.
    pub idempotent: bool,
    /// `openWorldHint`.
    pub open_world: bool,
}

impl Annotations {
    /// Those of a tool in a list.
    #[must_use]
    pub fn of(tool: &Value<'_>) -> Self {
        let annotations = tool.member("annotations");
        let hint = |key: &str, default: bool| match annotations
            .and_then(|annotations| annotations.member(key))
        {
            Some(Value::Bool(given)) => *given,
            Some(_) | None => default,
        };
        Annotations {
            is_annotated: matches!(annotations, Some(Value::Map(all)) if !all.is_empty()),
            read_only: hint("readOnlyHint", false),
            destructive: hint("destructiveHint", true),
            idempotent: hint("idempotentHint", false),
            open_world: hint("openWorldHint", true),
        }
    }

    /// The class that they put the tool into.
    #[must_use]
    pub fn class(&self) -> HintedClass {
        HintedClass::of(self.read_only, self.destructive)
    }
}

/// `sha256:` and the digest of a tool's definition: its name and [`PARTS`]. Neither the order of
/// members nor their spelling matters, nor does `_meta`, icons or how the tool is executed. A
/// member that is null is as one that is absent.
#[must_use]
pub fn digest(name: &str, tool: &Value<'_>) -> String {
    let name = Value::String(name.into());
    let parts = PARTS
        .iter()
        .filter_map(|part| Some((*part, part_of(tool, part)?)));
    json::digest_members(parts.chain([("name", &name)]))
}

fn part_of<'v, 'a>(tool: &'v Value<'a>, part: &str) -> Option<&'v Value<'a>> {
    let found = tool.member(part);
    found.filter(|value| **value != Value::Null)
}

/// One tool of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedTool {
    /// Its name.
    pub name: String,
    /// The tool as it was listed; an object.
    pub definition: Value<'static>,
}

impl RecordedTool {
    /// What it says of itself.
    #[must_use]
    pub fn annotations(&self) -> Annotations {
        Annotations::of(&self.definition)
    }

    /// The [`digest`] of its definition.
    #[must_use]
    pub fn digest(&self) -> String {
        digest(&self.name, &self.definition)
    }

    /// What it says of its arguments.
    #[must_use]
    pub fn input_schema(&self) -> InputSchema {
        InputSchema::new(self.part("inputSchema"))
    }

    /// A part of the definition, if it is there.
    #[must_use]
    pub fn part(&self, part: &str) -> Option<&Value<'static>> {
        part_of(&self.definition, part)
    }

    /// The [`PARTS`] in which two definitions differ, however they are spelled.
    #[must_use]
    pub fn differences(&self, other: &RecordedTool) -> Vec<&'static str> {
        let digest = |tool: &RecordedTool, part: &str| tool.part(part).map(json::digest);
        let differs = |part: &&str| digest(self, part) != digest(other, part);
        PARTS.into_iter().filter(differs).collect()
    }
}

/// Why a text is no record of tools.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecord {
    /// It is not one JSON value.
    #[error("it is not JSON: {0}")]
    Json(#[from] InvalidJson),
    /// There is something that is no tool.
    #[error("expected tools, each with a `name`")]
    Tool,
    /// It is what a server says when it lists nothing.
    #[error("it is an error of the server: {0}")]
    ServerError(String),
    /// Two tools have one name.
    #[error("the tool `{0}` is there twice")]
    Twice(String),
    /// There is nothing.
    #[error("it has no tools; a `tools/list` result is expected")]
    Empty,
}

/// Reads a record: a JSON-RPC response, its result, the list of tools, or a list of any of these
/// (the pages of a long list). Names are unique, in the order of the record.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse_record(text: &str) -> Result<Vec<RecordedTool>, InvalidRecord> {
    let mut tools = Vec::new();
    collect(json::decode(text.as_bytes(), DEPTH_MAX)?, &mut tools)?;
    let mut names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
    names.sort_unstable();
    let twice = names.windows(2).find_map(|pair| match pair {
        [one, other] if one == other => Some((*one).escape_debug().to_string()),
        _ => None,
    });
    match twice {
        Some(name) => Err(InvalidRecord::Twice(name)),
        None if tools.is_empty() => Err(InvalidRecord::Empty),
        None => Ok(tools),
    }
}

fn collect(value: Value<'static>, tools: &mut Vec<RecordedTool>) -> Result<(), InvalidRecord> {
    let mut members = match value {
        Value::List(items) => {
            return items.into_iter().try_for_each(|item| collect(item, tools));
        }
        Value::Map(members) => members,
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Uint(_)
        | Value::Float(_)
        | Value::String(_)
        | Value::Unsound(_) => return Err(InvalidRecord::Tool),
    };
    for key in ["result", "tools"] {
        let is_there = |(name, value): &(_, Value<'_>)| name == key && *value != Value::Null;
        if let Some(place) = members.iter().position(is_there) {
            return collect(members.swap_remove(place).1, tools);
        }
    }
    let definition = Value::Map(members);
    let name = definition.member("name").and_then(Value::as_str);
    let name = name.ok_or_else(|| {
        server_error(&definition).map_or(InvalidRecord::Tool, InvalidRecord::ServerError)
    })?;
    let name = name.to_owned();
    tools.push(RecordedTool { name, definition });
    Ok(())
}

/// What a server says in the place of a result, as [`shown`]: the message of a JSON-RPC error, the
/// error of OAuth 2.0, or the member by which frameworks tell why they refuse a request.
#[must_use]
pub fn server_error(body: &Value<'_>) -> Option<String> {
    let error = match body.member("error") {
        Some(error @ Value::Map(_)) => error,
        Some(_) | None => body,
    };
    let text = |name: &str| error.member(name).and_then(Value::as_str);
    let said = match (text("error"), text("error_description")) {
        (Some(error), Some(description)) => format!("{error}: {description}"),
        (error, _) => text("message").or(text("detail")).or(error)?.to_owned(),
    };
    (!said.is_empty()).then(|| shown(&said))
}

/// The most characters of what a server says that are shown.
const SHOWN_CHARACTERS_MAX: usize = 300;

/// The beginning of a text of a server's for a terminal: what that would act on or hide is escaped.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars().take(SHOWN_CHARACTERS_MAX) {
        match character {
            '"' | '\'' | '\\' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    if text.chars().nth(SHOWN_CHARACTERS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(text: &str) -> RecordedTool {
        parse_record(text).unwrap().remove(0)
    }

    #[test]
    fn a_digest_is_of_the_definition_and_not_of_its_spelling() {
        let plain = tool(
            r#"{"name":"t","description":"d","inputSchema":{"type":"object","required":[]},"annotations":{"readOnlyHint":true}}"#,
        );
        for same in [
            r#"{"annotations":{"readOnlyHint":true},"inputSchema":{"required":[],"type":"object"},"description":"\u0064","name":"t"}"#,
            r#"{"name":"t","description":"d","title":null,"_meta":{"a":1},"icons":[],"execution":{},"inputSchema":{"type":"object","required":[]},"annotations":{"readOnlyHint":true}}"#,
        ] {
            let same = tool(same);
            assert_eq!(plain.digest(), same.digest());
            assert_eq!(plain.differences(&same), [""; 0]);
        }
        for (other, differences) in [
            (
                r#"{"name":"u","description":"d","inputSchema":{"type":"object","required":[]},"annotations":{"readOnlyHint":true}}"#,
                vec![],
            ),
            (
                r#"{"name":"t","description":"e","inputSchema":{"type":"object","required":[]},"annotations":{"readOnlyHint":true}}"#,
                vec!["description"],
            ),
            (
                r#"{"name":"t","inputSchema":{"type":"object","required":["a"]},"annotations":{"readOnlyHint":true},"title":"x"}"#,
                vec!["title", "description", "inputSchema"],
            ),
            (
                r#"{"name":"t","description":"d","inputSchema":{"type":"object","required":[]},"outputSchema":{}}"#,
                vec!["outputSchema", "annotations"],
            ),
        ] {
            let other = tool(other);
            assert_ne!(plain.digest(), other.digest());
            assert_eq!(plain.differences(&other), differences);
        }
    }

    #[test]
    fn hints_have_the_defaults_of_the_protocol() {
        for (annotations, class) in [
            ("null", HintedClass::Destructive),
            ("{}", HintedClass::Destructive),
            ("[]", HintedClass::Destructive),
            (r#"{"readOnlyHint":true}"#, HintedClass::Read),
            (r#"{"readOnlyHint":"true"}"#, HintedClass::Destructive),
            (
                r#"{"readOnlyHint":true,"destructiveHint":true}"#,
                HintedClass::Read,
            ),
            (r#"{"destructiveHint":false}"#, HintedClass::Write),
            (r#"{"destructiveHint":null}"#, HintedClass::Destructive),
        ] {
            let tool = tool(&format!(r#"{{"name":"t","annotations":{annotations}}}"#));
            assert_eq!(tool.annotations().class(), class, "{annotations}");
        }
    }

    #[test]
    fn records_are_lists_in_any_wrapping_and_say_nothing_twice() {
        let names = |text: &str| {
            let tools = parse_record(text);
            tools.map(|tools| tools.into_iter().map(|tool| tool.name).collect::<Vec<_>>())
        };
        for text in [
            r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"},{"name":"b"}]}}"#,
            r#"{"tools":[{"name":"a"},{"name":"b"}]}"#,
            r#"[{"name":"a"},{"name":"b"}]"#,
            r#"[{"tools":[{"name":"a"}]},{"result":{"tools":[{"name":"b"}]}}]"#,
        ] {
            assert_eq!(
                names(text),
                Ok(vec!["a".to_owned(), "b".to_owned()]),
                "{text}"
            );
        }
        for (text, error) in [
            ("{}", InvalidRecord::Tool),
            ("[1]", InvalidRecord::Tool),
            (r#"[{"name":1}]"#, InvalidRecord::Tool),
            ("[]", InvalidRecord::Empty),
            (
                r#"[{"name":"a"},{"name":"b"},{"name":"a"}]"#,
                InvalidRecord::Twice("a".into()),
            ),
            (
                r#"{"name":"a","name":"b"}"#,
                InvalidJson::DuplicateKey.into(),
            ),
            ("{", InvalidJson::Syntax.into()),
            (
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"can't \u001b[8m"}}"#,
                InvalidRecord::ServerError("can't \\u{1b}[8m".into()),
            ),
            (
                r#"[{"tools":[{"name":"a"}]},{"result":null,"error":{"message":"gone"}}]"#,
                InvalidRecord::ServerError("gone".into()),
            ),
            (
                r#"{"error":"invalid_token","error_description":"it is too old"}"#,
                InvalidRecord::ServerError("invalid_token: it is too old".into()),
            ),
            (r#"{"error":{"code":1}}"#, InvalidRecord::Tool),
            (r#"[{"description":"d"}]"#, InvalidRecord::Tool),
            (r#"{"tools":null}"#, InvalidRecord::Tool),
        ] {
            assert_eq!(names(text), Err(error), "{text}");
        }
    }
}
