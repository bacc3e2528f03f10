//! Writes JSON-RPC replies, with the id of the request byte for byte.
//!
//! The id is the only text of the client in a reply.

use serde::Serialize;

use super::id::Id;

/// A JSON-RPC error. It has no id if the id of the body could not be read.
#[must_use]
pub fn error(
    id: Option<Id<'_>>,
    code: i32,
    message: &str,
    data: Option<&impl Serialize>,
) -> String {
    let error = ErrorObject {
        code,
        data,
        message,
    };
    envelope(id, "error", &error)
}

/// A `CallToolResult` reporting that the call did not happen: text for the model, `isError`, and
/// `_meta`. A modern result is marked complete.
#[must_use]
pub fn tool_error(id: Id<'_>, text: &str, meta: &impl Serialize, modern: bool) -> String {
    let result = ToolError {
        meta,
        content: [Content { text, kind: "text" }],
        is_error: true,
        result_type: modern.then_some("complete"),
    };
    envelope(Some(id), "result", &result)
}

#[derive(Serialize)]
struct ErrorObject<'a, D> {
    code: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a D>,
    message: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolError<'a, M> {
    #[serde(rename = "_meta")]
    meta: &'a M,
    content: [Content<'a>; 1],
    is_error: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_type: Option<&'static str>,
}

#[derive(Serialize)]
struct Content<'a> {
    text: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// The reply to a batch: the replies to its requests. Empty if there are none, because a batch
/// without requests gets no reply (JSON-RPC 2.0 §6).
#[must_use]
pub fn batch(replies: &[String]) -> String {
    if replies.is_empty() {
        return String::new();
    }
    format!("[{}]", replies.join(","))
}

fn envelope(id: Option<Id<'_>>, member: &str, value: &impl Serialize) -> String {
    let mut text = Vec::with_capacity(ANSWER_BYTES_USUAL);
    text.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    text.extend_from_slice(id.as_ref().map_or("null", Id::lexeme).as_bytes());
    text.extend_from_slice(br#",""#);
    text.extend_from_slice(member.as_bytes());
    text.extend_from_slice(br#"":"#);
    // INVARIANT: writing to memory cannot fail, and neither can the values above.
    let written = serde_json::to_writer(&mut text, value);
    debug_assert!(written.is_ok());
    text.push(b'}');
    String::from_utf8(text).unwrap_or_default()
}

/// Room for most replies.
const ANSWER_BYTES_USUAL: usize = 512;
