//! The capabilities that a client may say it has. Servers show some tools only to clients that can do
//! what these ask for.

use serde_json::{Value, json};

/// The pages of MCP Apps, and how a client says that it shows them.
const PAGES: &str = "io.modelcontextprotocol/ui";

/// `capabilities` of a client with these; or the name that is none.
pub(super) fn of(names: &[String]) -> Result<Value, &str> {
    let mut all = serde_json::Map::new();
    let mut extensions = serde_json::Map::new();
    for name in names {
        let value = match name.as_str() {
            "elicitation" => json!({"form": {}, "url": {}}),
            "roots" => json!({"listChanged": true}),
            "sampling" => json!({"context": {}, "tools": {}}),
            "tasks" => json!({
                "list": {},
                "cancel": {},
                "requests": {"elicitation": {"create": {}}, "sampling": {"createMessage": {}}},
            }),
            PAGES => {
                extensions.insert(
                    name.clone(),
                    json!({"mimeTypes": ["text/html;profile=mcp-app"]}),
                );
                continue;
            }
            extension if extension.contains('/') => {
                extensions.insert(name.clone(), json!({}));
                continue;
            }
            unknown => return Err(unknown),
        };
        all.insert(name.clone(), value);
    }
    if !extensions.is_empty() {
        all.insert("extensions".to_owned(), Value::Object(extensions));
    }
    Ok(Value::Object(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_objects_of_the_protocol() {
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&[]), Ok(json!({})));
        assert_eq!(
            of(&names(&["roots", "elicitation", "a.test/b", PAGES])),
            Ok(json!({
                "elicitation": {"form": {}, "url": {}},
                "roots": {"listChanged": true},
                "extensions": {
                    "a.test/b": {},
                    "io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]},
                },
            }))
        );
        for wrong in ["", "Roots", "root"] {
            assert_eq!(of(&names(&["tasks", wrong])), Err(wrong));
        }
    }
}
