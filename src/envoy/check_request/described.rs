//! Envoy's description of an HTTP request, each fact once.

use std::borrow::Cow;
use std::collections::HashMap;

use super::fields::{map_entry, once, require_distinct};
use super::validate::{has_controls, is_token};
use crate::byte_class::ByteClass;
use crate::check::{Body, InvalidCheck, StatedFact};
use crate::envoy::protobuf::{self, MessageFields};

/// The `AttributeContext.HttpRequest`.
pub(super) struct Described<'m> {
    /// The message itself, for its entries of `headers`.
    message: &'m [u8],
    pub(super) method: &'m str,
    pub(super) path: &'m str,
    pub(super) host: &'m str,
    size: i64,
    pub(super) body: &'m str,
    pub(super) raw_body: &'m [u8],
    header_map: &'m [u8],
    /// How many entries `headers` has.
    joined: usize,
}

impl<'m> Described<'m> {
    pub(super) fn read(message: &'m [u8]) -> Result<Self, InvalidCheck> {
        let (mut method, mut path, mut host, mut size) = (None, None, None, None);
        let (mut body, mut raw_body, mut header_map) = (None, None, None);
        let mut joined: usize = 0;
        for field in MessageFields::of(message) {
            match field? {
                (2, text) => once(&mut method, text.text()?)?,
                (3, _) => joined = joined.saturating_add(1),
                (4, text) => once(&mut path, text.text()?)?,
                (5, text) => once(&mut host, text.text()?)?,
                (9, number) => once(&mut size, number.signed()?)?,
                (11, text) => once(&mut body, text.text()?)?,
                (12, bytes) => once(&mut raw_body, bytes.bytes()?)?,
                (13, map) => once(&mut header_map, map.bytes()?)?,
                _ => {}
            }
        }
        Ok(Described {
            message,
            method: method.unwrap_or_default(),
            path: path.unwrap_or_default(),
            host: host.unwrap_or_default(),
            size: size.unwrap_or_default(),
            body: body.unwrap_or_default(),
            raw_body: raw_body.unwrap_or_default(),
            header_map: header_map.unwrap_or_default(),
            joined,
        })
    }

    /// Whether less of the body is here than there was. Envoy counts all that it received, and the
    /// marker that it sets on a body it cuts is not set by others, who say -1 of such a body.
    pub(super) fn is_cut(&self, body: &Body<'_>) -> bool {
        let arrived = match body {
            Body::Absent => 0,
            Body::Bytes(body) | Body::Lossy(body) => body.len(),
        };
        match usize::try_from(self.size) {
            Ok(size) => size > arrived,
            // Of a body that is not there, -1 says nothing.
            Err(_) => arrived > 0,
        }
    }

    /// The headers of either form, without pseudo-headers, and whether repeated ones are apart:
    /// Envoy joins them by a comma unless it is told to send them raw, as a list. The map form has
    /// no order, so it is sorted.
    pub(super) fn headers(&self, headers_max: usize) -> Result<HeaderFields<'m>, InvalidCheck> {
        let too_many = InvalidCheck::TooManyHeaders { max: headers_max };
        // The three to four pseudo-headers are dropped further down.
        let described_max = headers_max.saturating_add(PSEUDO_HEADERS);
        if self.joined > described_max {
            return Err(too_many);
        }
        let mut headers = HeaderList::with_capacity(self.joined.max(HEADERS_USUAL));
        for field in MessageFields::of(self.header_map) {
            if let (1, header) = field? {
                if headers.len() == described_max {
                    return Err(too_many);
                }
                headers.push(raw_header(header.bytes()?)?);
            }
        }
        // An empty list is not what is read.
        let is_list = !headers.is_empty();
        if self.joined > 0 {
            let joined = self.joined_headers()?;
            if !is_list {
                headers.extend(joined);
                headers.sort_unstable();
            } else if !agree(&joined, &headers) {
                return Err(InvalidCheck::Contradiction(StatedFact::Headers));
            }
        }
        let have_pseudo = headers.iter().any(|(name, _)| name.starts_with(':'));
        let mut fault = None;
        headers.retain(|(name, value)| {
            let keep = self.keep(name, value);
            keep.unwrap_or_else(|found| {
                fault.get_or_insert(found);
                false
            })
        });
        match fault {
            Some(fault) => Err(fault),
            None if headers.len() > headers_max => Err(too_many),
            None => Ok(HeaderFields {
                list: headers,
                are_kept_apart: is_list,
                have_pseudo,
            }),
        }
    }

    fn joined_headers(&self) -> Result<HeaderList<'m>, InvalidCheck> {
        let mut joined = Vec::with_capacity(self.joined);
        for field in MessageFields::of(self.message) {
            if let (3, entry) = field? {
                joined.push(map_entry(entry)?);
            }
        }
        require_distinct(&mut joined)?;
        let header = |(name, value)| Ok((header_name(name)?, Cow::Borrowed(value)));
        joined.into_iter().map(header).collect()
    }

    /// Whether a header's value can be one, says the same as the fields, and is one to keep.
    fn keep(&self, name: &str, value: &str) -> Result<bool, InvalidCheck> {
        if has_controls(value) {
            return Err(InvalidCheck::InvalidHeaderValue);
        }
        let (fact, stated) = match name {
            ":method" => (StatedFact::Method, self.method),
            ":path" => (StatedFact::Path, self.path),
            ":authority" | "host" => (StatedFact::Host, self.host),
            ":scheme" => return Ok(false),
            _ if name.starts_with(':') => return Err(InvalidCheck::UnknownPseudoHeader),
            _ => return Ok(true),
        };
        if value == stated {
            Ok(name == "host")
        } else {
            Err(InvalidCheck::Contradiction(fact))
        }
    }
}

/// The headers of a request, without pseudo-headers.
pub(super) struct HeaderFields<'m> {
    pub(super) list: HeaderList<'m>,
    /// Whether repeated ones are apart.
    pub(super) are_kept_apart: bool,
    /// Whether there were pseudo-headers among them.
    pub(super) have_pseudo: bool,
}

/// Names in lower case, and values.
pub(super) type HeaderList<'m> = Vec<(Cow<'m, str>, Cow<'m, str>)>;

/// One `HeaderValue` of the list form. Bytes that are not UTF-8 become U+FFFD, which no credential,
/// MCP header or media type may contain.
pub(super) fn raw_header(message: &[u8]) -> Result<(Cow<'_, str>, Cow<'_, str>), InvalidCheck> {
    let (mut name, mut value, mut raw) = (None, None, None);
    for field in MessageFields::of(message) {
        match field? {
            (1, text) => once(&mut name, text.text()?)?,
            (2, text) => once(&mut value, text.text()?)?,
            (3, bytes) => once(&mut raw, bytes.bytes()?)?,
            _ => {}
        }
    }
    let name = header_name(name.unwrap_or_default())?;
    match (value.unwrap_or_default(), raw.unwrap_or_default()) {
        (value, []) => Ok((name, Cow::Borrowed(value))),
        (value, raw) if value.is_empty() || value.as_bytes() == raw => {
            // The check for valid text alone is several times faster than the repair.
            let value = match protobuf::text(raw) {
                Ok(value) => Cow::Borrowed(value),
                Err(_) => String::from_utf8_lossy(raw),
            };
            Ok((name, value))
        }
        (_, _) => Err(InvalidCheck::Contradiction(StatedFact::Headers)),
    }
}

/// The name of a header in lower case: a token (RFC 9110 §5.6.2), behind a colon in a
/// pseudo-header.
pub(super) fn header_name(name: &str) -> Result<Cow<'_, str>, InvalidCheck> {
    let token = name.strip_prefix(':').unwrap_or(name);
    if !token.is_empty() && ByteClass::NAME.matches(token) {
        Ok(Cow::Borrowed(name))
    } else if is_token(token) {
        Ok(Cow::Owned(name.to_ascii_lowercase()))
    } else {
        Err(InvalidCheck::InvalidHeaderName)
    }
}

/// Whether the map form is what the list form becomes when repeated headers are joined by `,`.
pub(super) fn agree(joined: &HeaderList<'_>, listed: &HeaderList<'_>) -> bool {
    let mut expected: HashMap<&str, String> = HashMap::with_capacity(joined.len());
    for (name, value) in listed {
        expected
            .entry(name)
            .and_modify(|values| {
                values.push(',');
                values.push_str(value);
            })
            .or_insert_with(|| value.clone().into_owned());
    }
    joined.len() == expected.len()
        && joined
            .iter()
            .all(|(name, value)| expected.get(&**name).is_some_and(|own| **own == **value))
}

/// `:method`, `:path`, `:authority`, `:scheme`.
const PSEUDO_HEADERS: usize = 4;
/// Room for the headers of most requests.
const HEADERS_USUAL: usize = 24;
