//! What else a tool's definition says that a request has to do with: the headers that repeat its
//! arguments, and its page.

use std::collections::HashSet;

use crate::authz::Value;

/// What a definition of a tool marks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ToolMarks {
    /// The arguments that headers repeat (`x-mcp-header`).
    pub headers: Vec<MarkedArgument>,
    /// The page that shows the tool (`_meta.ui.resourceUri` of MCP Apps): a URI that begins with
    /// `ui://`.
    pub page: Option<String>,
}

/// An argument that a header repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkedArgument {
    /// The header, in lower case: `mcp-param-…`.
    pub header: String,
    /// The keys that lead to the argument.
    pub path: Vec<String>,
}

impl MarkedArgument {
    /// The argument in those of a call, if it is there.
    #[must_use]
    pub fn find<'v, 'a>(&self, arguments: Option<&'v Value<'a>>) -> Option<&'v Value<'a>> {
        let mut keys = self.path.iter();
        keys.try_fold(arguments?, |value, key| value.member(key))
    }
}

impl ToolMarks {
    /// Those of a tool in a list.
    #[must_use]
    pub fn of(tool: &Value<'_>) -> Self {
        let page = tool
            .member("_meta")
            .and_then(page)
            .filter(|page| page.starts_with(PAGE_SCHEME) && page.len() <= TEXT_BYTES_MAX);
        ToolMarks {
            headers: headers(tool.member("inputSchema")),
            page: page.map(str::to_owned),
        }
    }
}

/// The page in `_meta`: `ui.resourceUri`, or the key of the first version of MCP Apps. None if there
/// are both and they differ.
fn page<'v>(meta: &'v Value<'_>) -> Option<&'v str> {
    let nested = meta.member("ui").and_then(|ui| ui.member("resourceUri"));
    let flat = meta.member("ui/resourceUri");
    match (nested.and_then(Value::as_str), flat.and_then(Value::as_str)) {
        (Some(nested), Some(flat)) if nested != flat => None,
        (nested, flat) => nested.or(flat),
    }
}

/// The marks of an input schema. If one of them is not as the protocol has it, clients do not offer
/// the tool (2026-07-28, Streamable HTTP, Custom Headers from Tool Parameters), and there are none.
fn headers(schema: Option<&Value<'_>>) -> Vec<MarkedArgument> {
    let mut found = Vec::new();
    let is_good = schema.is_none_or(|schema| collect(schema, &mut Vec::new(), &mut found));
    let mut seen = HashSet::new();
    if is_good && found.iter().all(|mark| seen.insert(mark.header.as_str())) {
        found
    } else {
        Vec::new()
    }
}

/// Collects the marks below a schema that are reached by `properties` alone, and says whether they
/// are good.
fn collect<'v>(
    schema: &'v Value<'_>,
    path: &mut Vec<&'v str>,
    found: &mut Vec<MarkedArgument>,
) -> bool {
    let Some(Value::Map(properties)) = schema.member("properties") else {
        return true;
    };
    properties.iter().all(|(key, property)| {
        path.push(key);
        let is_good = match property.member(MARK) {
            None => collect(property, path, found),
            Some(Value::String(name)) => {
                found.push(MarkedArgument {
                    header: format!("{HEADER_PREFIX}{}", name.to_ascii_lowercase()),
                    path: path.iter().copied().map(str::to_owned).collect(),
                });
                let length = path.iter().map(|key| key.len()).sum::<usize>();
                let is_small = name.len().saturating_add(length) <= TEXT_BYTES_MAX;
                is_token(name) && is_scalar(property) && is_small && found.len() <= HEADERS_MAX
            }
            Some(_) => false,
        };
        path.pop();
        is_good
    })
}

/// Whether a property is a string, an integer or a boolean.
fn is_scalar(property: &Value<'_>) -> bool {
    let kind = property.member("type").and_then(Value::as_str);
    matches!(kind, Some("string" | "integer" | "boolean"))
}

/// Whether a text is a token (RFC 9110 §5.6.2).
fn is_token(text: &str) -> bool {
    let of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(of_token)
}

const MARK: &str = "x-mcp-header";
const HEADER_PREFIX: &str = "mcp-param-";
const PAGE_SCHEME: &str = "ui://";
/// More headers than Envoy takes of a request.
const HEADERS_MAX: usize = 100;
/// How many bytes a mark has at most, as what is seen of a tool is kept.
const TEXT_BYTES_MAX: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::parse_record;

    fn marks(tool: &str) -> ToolMarks {
        let text = format!(r#"[{{"name":"t",{tool}}}]"#);
        ToolMarks::of(&parse_record(&text).unwrap().remove(0).definition)
    }

    #[test]
    fn arguments_are_marked_by_properties_alone() {
        let found = marks(
            r#""inputSchema":{"properties":{
                "region":{"type":"string","x-mcp-header":"Region"},
                "place":{"type":"object","properties":{"zone":{"type":"integer","x-mcp-header":"Zone"}}},
                "plain":{"type":"string"},
                "list":{"type":"array","items":{"properties":{"x":{"type":"string","x-mcp-header":"X"}}}}},
                "anyOf":[{"properties":{"y":{"type":"string","x-mcp-header":"Y"}}}]}"#,
        );
        let mark = |header: &str, path: &[&str]| MarkedArgument {
            header: header.to_owned(),
            path: path.iter().map(|key| (*key).to_owned()).collect(),
        };
        let expected = [
            mark("mcp-param-region", &["region"]),
            mark("mcp-param-zone", &["place", "zone"]),
        ];
        assert_eq!(found.headers, expected);
    }

    #[test]
    fn a_schema_with_a_bad_mark_has_none() {
        for properties in [
            r#""a":{"type":"string","x-mcp-header":"X"},"b":{"type":"string","x-mcp-header":"x"}"#,
            r#""a":{"type":"string","x-mcp-header":"X"},"b":{"type":"number","x-mcp-header":"Y"}"#,
            r#""a":{"type":"string","x-mcp-header":"X"},"b":{"type":"string","x-mcp-header":"Y Z"}"#,
            r#""a":{"type":"string","x-mcp-header":"X"},"b":{"type":"string","x-mcp-header":7}"#,
            r#""a":{"type":"string","x-mcp-header":""}"#,
            r#""a":{"x-mcp-header":"X"}"#,
        ] {
            let found = marks(&format!(
                r#""inputSchema":{{"properties":{{{properties}}}}}"#
            ));
            assert_eq!(found.headers, [], "{properties}");
        }
    }

    #[test]
    fn a_page_is_a_uri_of_its_own_scheme() {
        for (meta, page) in [
            (
                r#"{"ui":{"resourceUri":"ui://a/b.html"}}"#,
                Some("ui://a/b.html"),
            ),
            (r#"{"ui/resourceUri":"ui://a"}"#, Some("ui://a")),
            (
                r#"{"ui":{"resourceUri":"ui://a"},"ui/resourceUri":"ui://a"}"#,
                Some("ui://a"),
            ),
            (
                r#"{"ui":{"resourceUri":"ui://a"},"ui/resourceUri":"ui://b"}"#,
                None,
            ),
            (r#"{"ui":{"resourceUri":"file:///etc/passwd"}}"#, None),
            (r#"{"ui":{"resourceUri":"UI://a"}}"#, None),
            (r#"{"ui":{"resourceUri":7}}"#, None),
            (r#"{"ui":"ui://a"}"#, None),
            ("null", None),
        ] {
            let found = marks(&format!(r#""_meta":{meta}"#));
            assert_eq!(found.page.as_deref(), page, "{meta}");
        }
    }
}
