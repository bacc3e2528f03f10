//! The head of an upstream's response, as the PEP describes it.

use http::StatusCode;

/// The head of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status; none if it is missing or not a status.
    pub status: Option<u16>,
    /// Every header in order, names in lower case, without pseudo-headers; bytes that are not
    /// UTF-8 are kept lossily.
    pub headers: Vec<(String, String)>,
    /// Whether there is no body.
    pub is_all: bool,
    /// How the PEP will give the body.
    pub body: BodyMode,
}

/// How the PEP gives the body of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyMode {
    /// Chunk by chunk, and only what comes back goes on (`FULL_DUPLEX_STREAMED`).
    Streamed,
    /// Not at all: it goes to the client as it is.
    Withheld,
    /// In a way in which it cannot be filtered as it streams. If the head goes on, so does the
    /// body, as it is and unseen.
    Other,
}

impl ResponseHead {
    /// The values of every header of this name, which is in lower case.
    pub(super) fn header<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h str> {
        let named = self.headers.iter().filter(move |(other, _)| other == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The status, if it is that of an error.
    pub(super) fn error_status(&self) -> Option<StatusCode> {
        let status = StatusCode::from_u16(self.status?).ok()?;
        (status.is_client_error() || status.is_server_error()).then_some(status)
    }

    /// Whether clients take the body for a JSON-RPC response. With 202 they look for none: the
    /// response comes on another stream (2024-11-05), and this body is `Accepted`.
    pub(super) fn may_be_result(&self) -> bool {
        self.status
            .is_none_or(|status| matches!(status, 200..=299) && !matches!(status, 202 | 204 | 205))
    }
}
