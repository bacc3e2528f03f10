//! Why no tools are recorded. What the server says is shown, and shortened, without what a terminal
//! would act upon.

use std::fmt;

use http::header::{self, HeaderMap};
use url::Url;

use crate::authz::Value;
use crate::catalog;
use crate::fetch::GetError;
use crate::json;

/// The most bytes of an answer with an error that are read.
pub(super) const ERROR_BYTES_MAX: usize = 64 << 10;
/// How deep an answer may nest.
const DEPTH_MAX: usize = 120;

/// JSON-RPC: there is no such method.
const METHOD_NOT_FOUND: i64 = -32601;
/// The codes by which revision 2026-07-28 tells that a request is not of it: headers that do not
/// fit, a capability that is missing, a version that is not supported.
const MODERN_CODES: [i64; 3] = [-32020, -32021, -32022];

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// There is no response, or it broke off.
    #[error(transparent)]
    Fetch(#[from] GetError),
    /// The time for all of it is over.
    #[error("no answer in time")]
    TimedOut,
    /// A response with another status than a good one.
    #[error("http status {status}{hint}{said}")]
    Status { status: u16, hint: Hint, said: Said },
    /// The result is an error.
    #[error("an error{0}")]
    Rpc(Said),
    /// The response cannot be used.
    #[error("{0}")]
    Answer(&'static str),
    /// It is more than all of them may be together.
    #[error("the server sends more than {0} bytes")]
    TooLarge(usize),
    /// The server chose a revision of the protocol that is not known here.
    #[error("the server speaks the revision `{0}` of the protocol, which is not known here")]
    Revision(String),
}

/// What the server says in a response that has no result.
#[derive(Debug, Default)]
pub(super) struct Said {
    code: Option<i64>,
    text: Option<String>,
}

/// What the status means for whoever runs the command.
#[derive(Debug)]
pub(super) enum Hint {
    Nothing,
    /// Credentials are asked for.
    Token,
    /// A redirect, perhaps with the place that it leads to.
    Redirect(Option<String>),
}

impl Fault {
    /// From a response with another status than a good one, and the beginning of its body.
    pub(super) fn of_status(status: u16, headers: &HeaderMap, url: &Url, body: &[u8]) -> Self {
        let hint = match status {
            300..=399 => Hint::Redirect(target(headers, url)),
            401 | 407 => Hint::Token,
            _ => Hint::Nothing,
        };
        Fault::Status {
            status,
            hint,
            said: Said::of_body(headers, body),
        }
    }

    /// Whether the server, which was asked to begin a session, may know of none.
    pub(super) fn may_be_modern(&self) -> bool {
        match self {
            Fault::Status { status, .. } => matches!(status, 400 | 404 | 405 | 406 | 422 | 501),
            Fault::Rpc(_) => true,
            Fault::Fetch(_)
            | Fault::TimedOut
            | Fault::Answer(_)
            | Fault::TooLarge(_)
            | Fault::Revision(_) => false,
        }
    }

    /// Whether it says that the server knows of no sessions.
    pub(super) fn is_modern(&self) -> bool {
        match self {
            Fault::Status { said, .. } | Fault::Rpc(said) => said
                .code
                .is_some_and(|code| code == METHOD_NOT_FOUND || MODERN_CODES.contains(&code)),
            Fault::Fetch(_)
            | Fault::TimedOut
            | Fault::Answer(_)
            | Fault::TooLarge(_)
            | Fault::Revision(_) => false,
        }
    }

    /// Whether it is what a server of the HTTP+SSE transport answers to a POST (2025-11-25, basic
    /// transports, backwards compatibility).
    pub(super) fn may_be_old(&self) -> bool {
        matches!(
            self,
            Fault::Status {
                status: 400 | 404 | 405,
                ..
            }
        )
    }
}

impl Said {
    /// The error of a JSON-RPC response.
    pub(super) fn of_error(error: &Value<'_>) -> Self {
        let code = match error.member("code") {
            Some(Value::Int(code)) => Some(*code),
            Some(_) | None => None,
        };
        Said {
            code,
            text: catalog::server_error(error),
        }
    }

    fn of_body(headers: &HeaderMap, body: &[u8]) -> Self {
        if let Ok(value) = json::decode(body, DEPTH_MAX) {
            return match value.member("error") {
                Some(error @ Value::Map(_)) => Said::of_error(error),
                Some(_) | None => Said {
                    code: None,
                    text: catalog::server_error(&value),
                },
            };
        }
        let is_text = media_type(headers) == "text/plain";
        let text = is_text.then(|| String::from_utf8_lossy(body));
        let text = text.map(|text| catalog::shown(text.trim()));
        Said {
            code: None,
            text: text.filter(|text| !text.is_empty()),
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = &self.text {
            write!(formatter, ": the server says \"{text}\"")?;
        }
        match self.code {
            Some(code) => write!(formatter, " (code {code})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hint::Nothing => Ok(()),
            Hint::Token => formatter
                .write_str(" (the server asks for credentials, which `--headers-file` gives)"),
            Hint::Redirect(None) => formatter.write_str(" (redirects are not followed)"),
            Hint::Redirect(Some(target)) => {
                write!(
                    formatter,
                    " (redirects are not followed; this leads to `{target}`)"
                )
            }
        }
    }
}

/// Where a redirect leads, without what may be a secret in it.
fn target(headers: &HeaderMap, url: &Url) -> Option<String> {
    let target = headers.get(header::LOCATION)?.to_str().ok()?;
    Some(catalog::shown(&without_secrets(&url.join(target).ok()?)))
}

/// A URL without its user, password, query and fragment.
pub(super) fn without_secrets(url: &Url) -> String {
    let path = url.path();
    format!("{}{path}", url.origin().ascii_serialization())
}

/// The media type of a response, in lower case.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok()).unwrap_or("");
    let (media_type, _) = value.split_once(';').unwrap_or((value, ""));
    media_type.trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn fault(status: u16, headers: &[(&'static str, &str)], body: &str) -> Fault {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                let name = http::HeaderName::from_static(name);
                (name, HeaderValue::from_str(value).unwrap())
            })
            .collect();
        let url = Url::parse("https://user@h.test/a?token=secret").unwrap();
        Fault::of_status(status, &headers, &url, body.as_bytes())
    }

    #[test]
    fn what_the_server_says_is_shown_and_cannot_steer_the_terminal() {
        let text = ("content-type", "Text/Plain; charset=utf-8");
        let long = "x".repeat(400);
        for (status, headers, body, told) in [
            (
                400,
                &[][..],
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Missing \u001b[8msession"}}"#,
                "http status 400: the server says \"Missing \\u{1b}[8msession\" (code -32000)",
            ),
            (
                401,
                &[],
                r#"{"error":"invalid_token","error_description":"expired"}"#,
                "http status 401 (the server asks for credentials, which `--headers-file` gives): the server says \"invalid_token: expired\"",
            ),
            (
                404,
                &[],
                r#"{"detail":"Not Found"}"#,
                "http status 404: the server says \"Not Found\"",
            ),
            (404, &[], r#"{"detail":["a"]}"#, "http status 404"),
            (404, &[], "<html>", "http status 404"),
            (
                421,
                &[text],
                "Invalid Host\r\nheader\n",
                "http status 421: the server says \"Invalid Host\\r\\nheader\"",
            ),
            (500, &[text], "", "http status 500"),
            (
                307,
                &[("location", "/a/?token=secret")],
                "",
                "http status 307 (redirects are not followed; this leads to `https://h.test/a/`)",
            ),
            (302, &[], "", "http status 302 (redirects are not followed)"),
        ] {
            assert_eq!(fault(status, headers, body).to_string(), told, "{body}");
        }
        let told = fault(500, &[text], &long).to_string();
        assert!(told.ends_with("xxx…\""), "{told}");
    }
}
