//! The file of headers that the operator wants to be sent.

use std::path::Path;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::super::load;
use super::super::outcome::Stop;
use crate::yaml::Source;

/// What this command sends by itself, or what says how a message is framed.
const OUR_OWN: [HeaderName; 6] = [
    header::ACCEPT,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Headers of the operator's. A token may be among them, so they are not to be printed.
pub(super) struct SecretHeaders(HeaderMap);

impl SecretHeaders {
    pub(super) fn none() -> Self {
        SecretHeaders(HeaderMap::new())
    }

    /// Reads `Name: value` lines; empty ones and those that begin with `#` say nothing.
    pub(super) fn read(path: &Path) -> Result<Self, Stop> {
        let Source { name, text } = load::read(path)?;
        parse(&text)
            .map_err(|(line, wrong)| Stop::Failed(format!("`{name}`, line {line}: {wrong}")))
    }

    /// They, to be sent.
    pub(super) fn to_send(&self) -> HeaderMap {
        self.0.clone()
    }
}

/// The headers of a text, or the number of the line that is wrong and why. The reason repeats
/// nothing of the line.
fn parse(text: &str) -> Result<SecretHeaders, (usize, &'static str)> {
    let mut headers = HeaderMap::new();
    for (at, line) in text.lines().enumerate() {
        let wrong = |why| (at.saturating_add(1), why);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| wrong("expected `Name: value`"))?;
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| wrong("what stands before the colon is not the name of a header"))?;
        let is_protocol = name.as_str().starts_with("mcp-");
        if is_protocol || OUR_OWN.contains(&name) {
            return Err(wrong("this header is set by the command itself"));
        }
        let mut value = HeaderValue::from_str(value.trim())
            .map_err(|_| wrong("the value has characters that a header must not have"))?;
        value.set_sensitive(true);
        if headers.insert(name, value).is_some() {
            return Err(wrong("the header is there twice"));
        }
    }
    Ok(SecretHeaders(headers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_lines_and_what_is_wrong_is_not_repeated() {
        let headers = parse("# for notes\n\nAuthorization:  Bearer a:b \r\nX-Team: one\n");
        let Ok(headers) = headers else {
            panic!("not read");
        };
        let sent = headers.to_send();
        assert_eq!(sent.len(), 2);
        assert_eq!(sent.get("authorization").unwrap(), "Bearer a:b");
        assert!(sent.values().all(HeaderValue::is_sensitive));
        for (text, line, why) in [
            ("a: b\nBearer secret", 2, "expected `Name: value`"),
            ("secret token: b", 1, "not the name of a header"),
            ("a: b\n\n: c", 3, "not the name of a header"),
            ("a: s\u{7}cret", 1, "characters"),
            ("a: one\nA: two", 2, "twice"),
            ("Mcp-Session-Id: secret", 1, "itself"),
            ("MCP-Protocol-Version: secret", 1, "itself"),
            ("content-length: 1", 1, "itself"),
            ("Accept: secret", 1, "itself"),
        ] {
            let Err((at, told)) = parse(text) else {
                panic!("{text:?} is read");
            };
            assert_eq!(at, line, "{text:?}");
            assert!(told.contains(why), "{text:?}: {told}");
            assert!(!told.contains("secret"), "{told}");
        }
    }
}
