//! The two requests that everything is measured with, and what may be answered to them.

use crate::policy;

/// The host of the resource; every variant gets it, whatever its port.
pub(crate) const HOST: &str = "mcp.example.com";

/// What the upstream answers to every request.
pub(crate) const UPSTREAM_ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"The note `Quarterly planning` was stored in `projects/roadmap`."}],"structuredContent":{"id":"note-4711","folder":"projects/roadmap","version":1},"isError":false}}"#;

/// What Envoy's `rbac` filter answers.
const RBAC_ANSWER: &[u8] = b"RBAC: access denied";

/// What is in every denial by an `ext_authz` server here, and in no other answer.
const TOOL_ERROR: &[u8] = br#""isError":true"#;

/// Which of the two requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The one that the policy allows.
    Allowed,
    /// The one that it denies.
    Denied,
}

impl Outcome {
    /// Whether this is the answer to be had. An allowed request is answered by the upstream; a
    /// denied one by whom it is denied, and neither by a failure.
    pub(crate) fn is(self, status: u16, body: &[u8]) -> bool {
        match self {
            Self::Allowed => status == 200 && body == UPSTREAM_ANSWER.as_bytes(),
            Self::Denied => match status {
                200 => body
                    .windows(TOOL_ERROR.len())
                    .any(|part| part == TOOL_ERROR),
                403 => body == RBAC_ANSWER,
                _ => false,
            },
        }
    }
}

/// A request, all but its token.
#[derive(Debug)]
pub(crate) struct Call {
    head: Vec<u8>,
    tail: Vec<u8>,
    /// What is to be answered.
    pub(crate) outcome: Outcome,
}

impl Call {
    /// The request with this outcome.
    pub(crate) fn with(outcome: Outcome) -> Self {
        let tool = match outcome {
            Outcome::Allowed => policy::ALLOWED_TOOL,
            Outcome::Denied => policy::DENIED_TOOL,
        };
        Self::new(tool, &body(tool), outcome)
    }

    /// The allowed request with these arguments, which are a text of JSON.
    pub(crate) fn of(arguments: &str) -> Self {
        let tool = policy::ALLOWED_TOOL;
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","_meta":{},"arguments":{arguments}}}}}"#,
            meta()
        );
        Self::new(tool, &body, Outcome::Allowed)
    }

    fn new(tool: &str, body: &str, outcome: Outcome) -> Self {
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {HOST}\r\nuser-agent: compare\r\n\
             accept: application/json, text/event-stream\r\ncontent-type: application/json\r\n\
             mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: {tool}\r\n\
             content-length: {}\r\nauthorization: Bearer ",
            body.len()
        );
        Self {
            head: head.into_bytes(),
            tail: format!("\r\n\r\n{body}").into_bytes(),
            outcome,
        }
    }

    /// Puts the request with `token` in the place of what is in `buffer`.
    pub(crate) fn render(&self, token: &str, buffer: &mut Vec<u8>) {
        buffer.clear();
        buffer.extend_from_slice(&self.head);
        buffer.extend_from_slice(token.as_bytes());
        buffer.extend_from_slice(&self.tail);
    }
}

/// About 600 bytes, as an agent sends them.
fn body(tool: &str) -> String {
    serde_json::json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {
            "name": tool,
            "arguments": {
                "folder": "projects/roadmap",
                "title": "Quarterly planning",
                "body": "Agenda: where we are, what slipped and why, what the next quarter is \
                         about, and who takes which part. Everybody brings numbers.",
                "labels": ["planning", "team", "q4"], "priority": 2, "notify": true,
            },
            "_meta": meta(),
        },
    })
    .to_string()
}

/// What each request of 2026-07-28 says of its client.
fn meta() -> serde_json::Value {
    serde_json::json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "compare", "version": "1.0.0"},
    })
}
