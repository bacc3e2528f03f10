//! A recorded `tools/list` result.

use serde_json::Value;

use crate::yaml::Source;

/// One tool as its server describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the hints of the protocol are truth values"
)]
pub(super) struct RecordedTool {
    pub(super) name: String,
    /// Whether there were annotations at all.
    pub(super) annotated: bool,
    pub(super) read_only: bool,
    pub(super) destructive: bool,
    pub(super) idempotent: bool,
    pub(super) open_world: bool,
}

/// Reads a record: a JSON-RPC response, its result, the list of tools, or a list of any of these
/// (the pages of a long list). Names are unique, in the order of the record.
pub(super) fn parse(source: &Source) -> Result<Vec<RecordedTool>, String> {
    let name = &source.name;
    let root: Value = serde_json::from_str(&source.text)
        .map_err(|error| format!("`{name}` is not JSON: {error}"))?;
    let mut tools: Vec<RecordedTool> = Vec::new();
    collect(&root, &mut tools).map_err(|error| format!("`{name}`: {error}"))?;
    if tools.is_empty() {
        return Err(format!(
            "`{name}` has no tools; a `tools/list` result is expected"
        ));
    }
    Ok(tools)
}

fn collect(value: &Value, tools: &mut Vec<RecordedTool>) -> Result<(), String> {
    if let Some(items) = value.as_array() {
        return items.iter().try_for_each(|item| collect(item, tools));
    }
    for key in ["result", "tools"] {
        if let Some(inner) = value.get(key) {
            return collect(inner, tools);
        }
    }
    let Some(name) = value.get("name").and_then(Value::as_str) else {
        return Err("expected tools, each with a `name`".to_owned());
    };
    if tools.iter().any(|tool| tool.name == name) {
        return Err(format!("the tool `{}` is there twice", name.escape_debug()));
    }
    let annotations = value.get("annotations");
    // The defaults of the protocol for hints that are not given.
    let hint = |key: &str, default: bool| {
        let given = annotations
            .and_then(|all| all.get(key))
            .and_then(Value::as_bool);
        given.unwrap_or(default)
    };
    tools.push(RecordedTool {
        name: name.to_owned(),
        annotated: annotations
            .is_some_and(|all| all.as_object().is_some_and(|all| !all.is_empty())),
        read_only: hint("readOnlyHint", false),
        destructive: hint("destructiveHint", true),
        idempotent: hint("idempotentHint", false),
        open_world: hint("openWorldHint", true),
    });
    Ok(())
}
