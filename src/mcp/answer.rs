//! JSON-RPC answers as text, with the caller's id byte for byte.
//!
//! The id is the only text of the client in them; everything else comes from this service.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::jsonrpc::Id;

/// A JSON-RPC error. Without an id it is for a body whose id could not be read. `data` is left
/// out if it is null.
#[must_use]
pub fn error(id: Option<Id<'_>>, code: i32, message: &str, data: Value) -> String {
    let mut error = json!({"code": code, "message": message});
    if let (false, Some(members)) = (data.is_null(), error.as_object_mut()) {
        members.insert("data".to_owned(), data);
    }
    envelope(id, "error", &error)
}

/// A `CallToolResult` that says the call did not happen: text for the model, `isError`, and
/// `_meta` unless it is null. A modern result says that it is complete.
#[must_use]
pub fn tool_error(id: Id<'_>, text: &str, meta: Value, modern: bool) -> String {
    let mut result = json!({"content": [{"type": "text", "text": text}], "isError": true});
    if let Some(members) = result.as_object_mut() {
        if modern {
            members.insert("resultType".to_owned(), json!("complete"));
        }
        if !meta.is_null() {
            members.insert("_meta".to_owned(), meta);
        }
    }
    envelope(Some(id), "result", &result)
}

/// The answer to a batch: the answers to those of its elements that are requests. Empty if there
/// are none, as a batch without requests has no answer (JSON-RPC 2.0 §6).
#[must_use]
pub fn batch(answers: &[String]) -> String {
    if answers.is_empty() {
        return String::new();
    }
    format!("[{}]", answers.join(","))
}

fn envelope(id: Option<Id<'_>>, member: &str, value: &Value) -> String {
    let mut text = String::from(r#"{"jsonrpc":"2.0","id":"#);
    text.push_str(id.as_ref().map_or("null", Id::lexeme));
    // INVARIANT: writing to a string cannot fail.
    let written = write!(text, r#","{member}":{value}}}"#);
    debug_assert!(written.is_ok());
    text
}
