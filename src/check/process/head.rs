//! What the head of an answer says of its body.

use http::StatusCode;

use super::{AnswerHead, Unfit};
use crate::mcp::Framing;

impl AnswerHead {
    /// The values of every header of this name, which is in lower case.
    pub(super) fn header<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h str> {
        let named = self.headers.iter().filter(move |(other, _)| other == name);
        named.map(|(_, value)| value.as_str())
    }

    /// Whether clients read a result from it. They read none from one that is merely accepted.
    fn may_be_result(&self) -> bool {
        self.status
            .is_none_or(|status| matches!(status, 200..=299) && !matches!(status, 202 | 204 | 205))
    }

    pub(super) fn error_status(&self) -> Option<StatusCode> {
        let status = StatusCode::from_u16(self.status?).ok()?;
        (status.is_client_error() || status.is_server_error()).then_some(status)
    }
}

/// How the body of an answer is to be read; not at all where it is no result and no JSON.
pub(super) fn framing(head: &AnswerHead) -> Result<Option<Framing>, Unfit> {
    let encodings = head
        .header("content-encoding")
        .flat_map(|all| all.split(','));
    for encoding in encodings.map(str::trim) {
        if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") {
            return Err(Unfit::Encoded);
        }
    }
    if head.status == Some(206) || head.header("content-range").next().is_some() {
        return Err(Unfit::Partial);
    }
    let mut types = head.header("content-type");
    let framing = match (types.next(), types.next()) {
        (Some(kind), None) => {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            if kind.eq_ignore_ascii_case("application/json") {
                Some(Framing::Json)
            } else if kind.eq_ignore_ascii_case("text/event-stream") {
                Some(Framing::EventStream)
            } else {
                None
            }
        }
        (_, _) => None,
    };
    match framing {
        None if head.may_be_result() => Err(Unfit::ContentType),
        framing => Ok(framing),
    }
}
