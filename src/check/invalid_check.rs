//! Why a check describes no HTTP request. The edge finds it, and the pipeline rejects the check.

/// Why a `CheckRequest` describes no HTTP request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCheck {
    /// The bytes are no such message, or a text in it is not UTF-8.
    #[error("the check cannot be decoded")]
    Undecodable,
    /// A field, or the key of a map, is there twice.
    #[error("the check has a field twice")]
    RepeatedField,
    /// The message is empty. Envoy's fault, as are the two that follow.
    #[error("the check has no attributes")]
    NoAttributes,
    /// There are attributes, but no request.
    #[error("the check has no request")]
    NoRequest,
    /// There is a request, but not an HTTP one: the network filter asks so.
    #[error("the check has no HTTP request")]
    NoHttp,
    /// The method is empty.
    #[error("the request has no method")]
    NoMethod,
    /// The method is not a token (RFC 9110 §9.1).
    #[error("the method is not a token")]
    InvalidMethod,
    /// The path is empty, as with `CONNECT`.
    #[error("the request has no path")]
    NoPath,
    /// The path does not begin with `/` and is not `*`, or has a space or control character.
    #[error("the path is not an absolute path")]
    InvalidPath,
    /// The authority is empty.
    #[error("the request has no host")]
    NoHost,
    /// The authority is not one host with an optional port: two `Host` headers arrive joined by a
    /// comma.
    #[error("the host is not one host")]
    InvalidHost,
    /// More headers than `headers_max`, those not counted that the server would be told.
    #[error("the request has more than `headers_max` = {max} headers")]
    TooManyHeaders {
        /// The limit.
        max: usize,
    },
    /// A header name is not a token.
    #[error("a header name is not a token")]
    InvalidHeaderName,
    /// A header value has a control character other than a tab.
    #[error("a header value has a control character")]
    InvalidHeaderValue,
    /// A pseudo-header other than method, path, authority and scheme.
    #[error("the request has an unknown pseudo-header")]
    UnknownPseudoHeader,
    /// The same fact is given twice, and differently.
    #[error("two values of {0} disagree")]
    Contradiction(StatedFact),
    /// The body is given both as text and as bytes.
    #[error("the check has both `body` and `raw_body`")]
    TwoBodies,
    /// An address is not an IP address.
    #[error("the source is not an IP address")]
    InvalidSource,
}

/// A fact that a check states more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatedFact {
    /// The field `method` and `:method`.
    Method,
    /// The field `path` and `:path`.
    Path,
    /// The field `host` and `:authority` or a header `host`.
    Host,
    /// `headers` and `header_map`, or `value` and `raw_value` of one header.
    Headers,
}

impl std::fmt::Display for StatedFact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Method => "the method",
            Self::Path => "the path",
            Self::Host => "the host",
            Self::Headers => "the headers",
        })
    }
}
