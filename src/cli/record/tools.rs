//! Listed tools to the text of a record. The same tools give the same text, in whatever order the
//! server lists them and spells their members.

use std::borrow::Cow;

use crate::authz::Value;
use crate::catalog;
use crate::json::Json;

/// A `tools/list` result with these tools, which [`catalog::parse_record`] reads as exactly these; or
/// why there is none.
pub(super) fn record(listed: Vec<Value<'static>>) -> Result<String, String> {
    let mut pairs = Vec::with_capacity(listed.len());
    for tool in listed {
        let name = tool.member("name").and_then(Value::as_str);
        let name = name.ok_or("the list has something that is no tool with a `name`")?;
        pairs.push((name.to_owned(), in_order(tool)));
    }
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    let (names, tools): (Vec<String>, Vec<Value<'static>>) = pairs.into_iter().unzip();
    let result = Value::Map(vec![("tools".into(), Value::List(tools))]);
    let text = serde_json::to_string_pretty(&Json(Cow::Owned(result)));
    let mut text = text.map_err(|error| error.to_string())?;
    text.push('\n');
    let read = catalog::parse_record(&text).map_err(|error| error.to_string())?;
    if read.iter().map(|tool| &tool.name).ne(&names) {
        return Err("the list has a tool with a member that a record cannot have".to_owned());
    }
    Ok(text)
}

/// A value whose objects have their members in the order of names; a `name` comes first.
fn in_order(value: Value<'static>) -> Value<'static> {
    match value {
        Value::Map(members) => {
            let members = members.into_iter();
            let mut members: Vec<_> = members
                .map(|(name, member)| (name, in_order(member)))
                .collect();
            members.sort_by(|(one, _), (other, _)| {
                (one != "name", one).cmp(&(other != "name", other))
            });
            Value::Map(members)
        }
        Value::List(items) => Value::List(items.into_iter().map(in_order).collect()),
        value @ (Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Uint(_)
        | Value::Float(_)
        | Value::String(_)
        | Value::Unsound(_)) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::RecordedTool;
    use crate::json;

    fn tools(text: &str) -> Vec<Value<'static>> {
        let listed = json::decode(text.as_bytes(), 120).unwrap();
        let Value::List(tools) = listed else {
            panic!("{listed:?}");
        };
        tools
    }

    #[test]
    fn the_same_tools_are_the_same_record_with_the_same_digests() {
        let text = r#"[
            {"name": "b", "inputSchema": {"type": "object", "properties": {"y": {"maximum": 1e3, "minimum": -1.5}, "x": {"const": 18446744073709551615}}, "required": ["y", "x"]}},
            {"description": "caf\u00e9 \u001b[8m \ud83d\ude00", "name": "a", "_meta": {"ui": {"resourceUri": "ui://a"}}, "annotations": {"readOnlyHint": true}}
        ]"#;
        let written = record(tools(text)).unwrap();
        let other = r#"[
            {"_meta": {"ui": {"resourceUri": "ui://a"}}, "annotations": {"readOnlyHint": true}, "name": "a", "description": "café \u001b[8m 😀"},
            {"inputSchema": {"required": ["y", "x"], "properties": {"x": {"const": 18446744073709551615}, "y": {"minimum": -1.5, "maximum": 1000.0}}, "type": "object"}, "name": "b"}
        ]"#;
        assert_eq!(record(tools(other)).unwrap(), written);
        assert!(written.starts_with("{\n  \"tools\": [\n    {\n      \"name\": \"a\",\n"));
        let digests = |text: &str| {
            let tools = catalog::parse_record(text).unwrap();
            let mut digests: Vec<_> = tools.iter().map(RecordedTool::digest).collect();
            digests.sort();
            digests
        };
        assert_eq!(digests(&written), digests(text));
    }

    #[test]
    fn what_no_record_can_have_is_no_record() {
        for (text, why) in [
            ("[]", "no tools"),
            (r#"[{"name": "a"}, {"name": "a"}]"#, "`a` is there twice"),
            (r#"[{"name": 1}]"#, "no tool"),
            (r#"["a"]"#, "no tool"),
            // A reader of records would take this for a list.
            (r#"[{"name": "a", "tools": [{"name": "b"}]}]"#, "member"),
        ] {
            let error = record(tools(text)).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
