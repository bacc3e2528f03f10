//! The headers that repeat the body or say how to read it.

use std::fmt;

/// A header that this module reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Header {
    /// `Content-Type`.
    ContentType,
    /// `Content-Encoding`.
    ContentEncoding,
    /// `Content-Length`.
    ContentLength,
    /// `Mcp-Method`.
    Method,
    /// `Mcp-Name`.
    Name,
    /// One of `Mcp-Param-…`.
    Param,
    /// `MCP-Protocol-Version`.
    ProtocolVersion,
    /// `Mcp-Session-Id`.
    SessionId,
}

impl Header {
    /// The name in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Header::ContentType => "content-type",
            Header::ContentEncoding => "content-encoding",
            Header::ContentLength => "content-length",
            Header::Method => "mcp-method",
            Header::Name => "mcp-name",
            Header::Param => "mcp-param-*",
            Header::ProtocolVersion => "mcp-protocol-version",
            Header::SessionId => "mcp-session-id",
        }
    }

    /// Whether the header repeats a part of the body.
    pub(super) fn is_mirrored(self) -> bool {
        matches!(
            self,
            Header::Method | Header::Name | Header::Param | Header::ProtocolVersion
        )
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Those with a name of their own.
pub(super) const HEADERS: &[Header] = &[
    Header::ContentType,
    Header::ContentEncoding,
    Header::ContentLength,
    Header::Method,
    Header::Name,
    Header::ProtocolVersion,
    Header::SessionId,
];
