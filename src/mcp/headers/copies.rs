//! Headers that came more than once with one value.
//!
//! Some clients and proxies send a header twice, or join its copies by commas. All copies say the
//! same, so the header counts once, and the upstream gets it once: [`Copies`] says which headers
//! are to be set to which value. Values that differ are refused by the caller.

use crate::mcp::header::Header;
use crate::mcp::media_type::{OWS, first_type};
use crate::mcp::refusal::Refusal;

/// The longest session id, in bytes. Servers issue UUIDs and tokens, which are far shorter.
pub const SESSION_BYTES_MAX: usize = 1024;

/// The value that all copies of a header have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Copies<'a> {
    /// The value of the first copy, without outer white space.
    pub(super) value: &'a str,
    /// Whether it came more than once.
    pub(super) is_repeated: bool,
}

impl<'a> Copies<'a> {
    /// The one value of these header lines; none if there is no line.
    ///
    /// A line of `Mcp-Name` or `Mcp-Param-…` is not taken apart, because a comma is ordinary in a
    /// name, and neither is one of the headers that say how the body is coded and how long it is.
    ///
    /// # Errors
    /// Two copies differ.
    pub(super) fn of(
        header: Header,
        mut lines: impl Iterator<Item = &'a str>,
    ) -> Result<Option<Self>, DifferentCopies> {
        let Some(first) = lines.next() else {
            return Ok(None);
        };
        let mut copies = match header {
            Header::ContentEncoding | Header::ContentLength => {
                let is_alone = lines.next().is_none() && !first.contains(',');
                return if is_alone {
                    Ok(Some(Copies::once(first)))
                } else {
                    Err(DifferentCopies)
                };
            }
            Header::Name | Header::Param => Copies::once(first),
            Header::ContentType | Header::Method | Header::ProtocolVersion | Header::SessionId => {
                Copies::of_line(header, first)?
            }
        };
        for line in lines {
            let other = if matches!(header, Header::Name | Header::Param) {
                Copies::once(line)
            } else {
                Copies::of_line(header, line)?
            };
            if !is_same(header, copies.value, other.value) {
                return Err(DifferentCopies);
            }
            copies.is_repeated = true;
        }
        Ok(Some(copies))
    }

    fn once(value: &'a str) -> Self {
        Copies {
            value,
            is_repeated: false,
        }
    }

    /// The one value of a line that may have several, joined by commas.
    pub(super) fn of_line(header: Header, line: &'a str) -> Result<Self, DifferentCopies> {
        let (value, mut rest) = split(header, line);
        let mut copies = Copies::once(value);
        while let Some(line) = rest {
            let (other, behind) = split(header, line);
            if other.is_empty() || !is_same(header, value, other) {
                return Err(DifferentCopies);
            }
            copies.is_repeated = true;
            rest = behind;
        }
        Ok(copies)
    }
}

/// Two copies of a header differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DifferentCopies;

/// The first copy in a line, and what is behind its comma.
fn split(header: Header, line: &str) -> (&str, Option<&str>) {
    let (value, rest) = if header == Header::ContentType {
        first_type(line)
    } else {
        match line.split_once(',') {
            Some((value, rest)) => (value, Some(rest)),
            None => (line, None),
        }
    };
    (value.trim_matches(OWS), rest)
}

/// Whether two copies say the same. Media types and charsets have no case (RFC 9110 §8.3).
fn is_same(header: Header, one: &str, other: &str) -> bool {
    one == other || header == Header::ContentType && one.eq_ignore_ascii_case(other)
}

/// Checks the characters of a header's value, and its length.
pub(super) fn check_value(header: Header, value: &str) -> Result<(), Refusal> {
    // Names and media types may contain spaces, the other headers may not. Clients send a tab in an
    // argument as it is, and an empty argument as nothing.
    let has_words = matches!(header, Header::Name | Header::Param | Header::ContentType);
    let is_plain = |byte: u8| {
        byte.is_ascii_graphic()
            || (byte == b' ' && has_words)
            || (byte == b'\t' && header == Header::Param)
    };
    let is_long = header == Header::SessionId && value.len() > SESSION_BYTES_MAX;
    let is_missing = value.is_empty() && header != Header::Param;
    if is_missing || is_long || !value.bytes().all(is_plain) {
        return Err(Refusal::HeaderMalformed(header));
    }
    Ok(())
}

/// Whether a line is nothing but copies of a name, two or more, joined by commas.
pub(super) fn is_joined(line: &str, name: &str) -> bool {
    let mut rest = line;
    while !name.is_empty() {
        let Some(behind) = rest.strip_prefix(name) else {
            break;
        };
        let behind = behind.trim_start_matches(OWS);
        match behind.strip_prefix(',') {
            Some(next) => rest = next.trim_start_matches(OWS),
            None => return behind.is_empty(),
        }
    }
    false
}
