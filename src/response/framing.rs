//! Tells from the head of a response how its body is to be read.

use super::head::ResponseHead;
use super::refusal::ResponseRefusal;
use crate::mcp::{self, Framing};

/// How the body of a response is to be read; not at all where it is no result and no JSON.
pub(super) fn framing(head: &ResponseHead) -> Result<Option<Framing>, ResponseRefusal> {
    let encodings = head
        .header("content-encoding")
        .flat_map(|all| all.split(','));
    for encoding in encodings.map(str::trim) {
        if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") {
            return Err(ResponseRefusal::Encoded);
        }
    }
    if head.status == Some(206) || head.header("content-range").next().is_some() {
        return Err(ResponseRefusal::Partial);
    }
    let mut types = head.header("content-type");
    let framing = match (types.next(), types.next()) {
        (Some(value), None) => framing_of(value),
        (_, _) => None,
    };
    let may_be_read = head.may_be_result() || head.header("content-type").any(is_near_framing);
    match framing {
        None if may_be_read => Err(ResponseRefusal::ContentType),
        framing => Ok(framing),
    }
}

/// Whether a client may read messages from a body of this content type, whatever else it says:
/// some look into those of errors.
fn is_near_framing(content_type: &str) -> bool {
    let folded = content_type.to_ascii_lowercase();
    ["application/json", "text/event-stream"]
        .iter()
        .any(|kind| folded.contains(kind))
}

/// The framing that a content type says, if it is one that every client reads in the same way.
fn framing_of(content_type: &str) -> Option<Framing> {
    let kind = mcp::media_type(content_type).ok()?;
    if kind.eq_ignore_ascii_case("application/json") {
        Some(Framing::Json)
    } else if kind.eq_ignore_ascii_case("text/event-stream") {
        Some(Framing::EventStream)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::head::BodyMode;

    fn read(status: u16, headers: &[(&str, &str)]) -> Result<Option<Framing>, ResponseRefusal> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        framing(&ResponseHead {
            status: Some(status),
            headers: headers.iter().map(owned).collect(),
            is_all: false,
            body: BodyMode::Streamed,
        })
    }

    #[test]
    fn only_what_every_client_reads_alike_is_read() {
        let json = Ok(Some(Framing::Json));
        let events = Ok(Some(Framing::EventStream));
        let refused = Err(ResponseRefusal::ContentType);
        for (content_type, good, bad) in [
            ("application/json", json, json),
            (" Application/JSON ; charset=\"UTF-8\";", json, json),
            ("text/event-stream;charset=utf-8", events, events),
            ("application/json; charset=utf-16", refused, refused),
            ("text/event-stream; charset=utf-7", refused, refused),
            ("text/event-stream; x=application/json", refused, refused),
            ("application/json, text/event-stream", refused, refused),
            ("application/json-seq", refused, refused),
            ("application/problem+json", refused, Ok(None)),
            ("text/html", refused, Ok(None)),
            ("", refused, Ok(None)),
        ] {
            let headers = [("content-type", content_type)];
            assert_eq!(read(200, &headers), good, "{content_type}");
            assert_eq!(read(404, &headers), bad, "{content_type}");
            assert_eq!(read(202, &headers), bad, "{content_type}");
        }
        assert_eq!(read(200, &[]), refused);
        assert_eq!(read(500, &[]), Ok(None));
        let two = [
            ("content-type", "text/plain"),
            ("content-type", "application/json"),
        ];
        assert_eq!(read(200, &two), refused);
        assert_eq!(read(404, &two), refused);
    }

    #[test]
    fn what_is_encoded_or_a_part_is_refused() {
        let kind = ("content-type", "application/json");
        for (header, expected) in [
            (("content-encoding", "identity"), Ok(Some(Framing::Json))),
            (("content-encoding", " , Identity"), Ok(Some(Framing::Json))),
            (("content-encoding", "gzip"), Err(ResponseRefusal::Encoded)),
            (
                ("content-encoding", "identity, br"),
                Err(ResponseRefusal::Encoded),
            ),
            (
                ("content-range", "bytes 0-1/2"),
                Err(ResponseRefusal::Partial),
            ),
        ] {
            assert_eq!(read(200, &[kind, header]), expected, "{header:?}");
        }
        assert_eq!(read(206, &[kind]), Err(ResponseRefusal::Partial));
    }
}
