//! `CheckRequest` to [`HttpRequest`], or why not.
//!
//! Envoy describes one request several times over: method, path and host are fields and
//! pseudo-headers, headers come in one of two forms, the body in one of two fields. Whatever is
//! said twice has to agree, and a field that is there twice is refused. What the request means is
//! not judged here.
//!
//! Messages and their fields are those of `proto/envoy/service/auth/v3`, read without a copy.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;

use crate::bytewise::{self, Kind};
use crate::check::{Body, HttpRequest, InvalidCheck, StatedFact};
use crate::telemetry::notices::Noticed;

use super::wire::{self, Field, Fields, Undecodable};

/// How a described request is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The most headers a request may have, pseudo-headers not counted.
    pub headers_max: usize,
    /// Which address is the client's.
    pub source: Source,
}

/// Which address of a request is the client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The TCP peer of Envoy.
    Peer,
    /// The header `x-envoy-external-address`, or the TCP peer where it is absent. To be trusted
    /// only if Envoy has `use_remote_address: true`; otherwise clients write it themselves.
    ExternalAddress,
}

/// Reads what Envoy says about one HTTP request. All texts and the body stay where they are.
///
/// # Errors
/// [`InvalidCheck`] if the message is damaged, describes no HTTP request, describes one that
/// cannot be, or says two things at once.
pub fn http_request(message: &[u8], settings: Settings) -> Result<HttpRequest<'_>, InvalidCheck> {
    let attributes = only(message, 1)?.ok_or(InvalidCheck::NoAttributes)?;
    let attributes = Attributes::read(attributes.bytes()?)?;
    let request = attributes.request.ok_or(InvalidCheck::NoRequest)?;
    let http = only(request, 2)?.ok_or(InvalidCheck::NoHttp)?;
    let described = Described::read(http.bytes()?)?;
    require_method(described.method)?;
    require_path(described.path)?;
    require_host(described.host)?;

    let body = match (described.body, described.raw_body) {
        ("", []) => Body::Absent,
        ("", bytes) => Body::Bytes(bytes),
        (text, []) => Body::Lossy(text.as_bytes()),
        (_, _) => return Err(InvalidCheck::TwoBodies),
    };
    let headers = described.headers(settings.headers_max)?;
    let Headers {
        list: headers,
        are_kept_apart: repeats_kept_apart,
        have_pseudo,
    } = headers;
    let peer = attributes.source.map(read_peer).transpose()?;
    let peer = peer.unwrap_or_default();
    let source = match settings.source {
        Source::Peer => peer.address,
        Source::ExternalAddress => external_address(&headers)?.or(peer.address),
    };
    let noticed = noticed(&headers, have_pseudo, settings.source, peer.address);
    let truncated = described.is_cut(&body)
        || headers
            .iter()
            .any(|(name, value)| name == PARTIAL_BODY && value != "false");
    Ok(HttpRequest {
        method: described.method,
        path: described.path,
        host: described.host,
        headers,
        body,
        truncated,
        repeats_kept_apart,
        source,
        principal: peer.principal,
        certificate: peer.certificate,
        context: attributes.context,
        noticed,
    })
}

/// What the PEP's configuration has wrong, as far as the description of a request shows it. Envoy
/// sends every header unless it is told otherwise, pseudo-headers too, and sets `x-request-id` and
/// `x-forwarded-proto` itself. Other PEPs may not, so that nothing is refused for it.
fn noticed(
    headers: &HeaderList<'_>,
    have_pseudo: bool,
    source: Source,
    peer: Option<IpAddr>,
) -> Option<Noticed> {
    let has = |wanted: &str| headers.iter().any(|(name, _)| name == wanted);
    if !have_pseudo || !has(REQUEST_ID) && !has(FORWARDED_PROTO) {
        return Some(Noticed::HeadersHeldBack);
    }
    // That the header differs from the peer says nothing: a proxy in front may have an address of
    // its own. Where nobody sets the header, honest clients come without.
    let is_unsaid =
        source == Source::ExternalAddress && peer.is_some_and(is_public) && !has(EXTERNAL_ADDRESS);
    is_unsaid.then_some(Noticed::NoExternalAddress)
}

/// Whether an address is one on the Internet. Proxies of one's own may have others (RFC 1918,
/// RFC 6598, RFC 4193), and then it is theirs to say where a client is.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(address) => {
            !(address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local())
        }
    }
}

impl From<Undecodable> for InvalidCheck {
    fn from(_: Undecodable) -> Self {
        InvalidCheck::Undecodable
    }
}

/// Takes a field that may be there once.
fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), InvalidCheck> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(InvalidCheck::RepeatedField),
    }
}

/// The one field of a message that is asked for, if it is there.
fn only(message: &[u8], number: u64) -> Result<Option<Field<'_>>, InvalidCheck> {
    let mut found = None;
    for field in Fields::of(message) {
        let (own, field) = field?;
        if own == number {
            once(&mut found, field)?;
        }
    }
    Ok(found)
}

/// Refuses a map that has a key twice. Its entries are sorted, so that many of them take no longer
/// to compare than to read.
fn require_distinct(entries: &mut [(&str, &str)]) -> Result<(), InvalidCheck> {
    entries.sort_unstable();
    let is_twice = |pair: &[(&str, &str)]| matches!(pair, [(one, _), (other, _)] if one == other);
    if entries.windows(2).any(is_twice) {
        return Err(InvalidCheck::RepeatedField);
    }
    Ok(())
}

/// The `AttributeContext`.
#[derive(Default)]
struct Attributes<'m> {
    source: Option<&'m [u8]>,
    request: Option<&'m [u8]>,
    context: Vec<(&'m str, &'m str)>,
}

impl<'m> Attributes<'m> {
    fn read(message: &'m [u8]) -> Result<Self, InvalidCheck> {
        let mut attributes = Attributes::default();
        for field in Fields::of(message) {
            match field? {
                (1, peer) => once(&mut attributes.source, peer.bytes()?)?,
                (4, request) => once(&mut attributes.request, request.bytes()?)?,
                (10, entry) => attributes.context.push(map_entry(entry)?),
                _ => {}
            }
        }
        require_distinct(&mut attributes.context)?;
        Ok(attributes)
    }
}

/// The `AttributeContext.HttpRequest`.
struct Described<'m> {
    /// The message itself, for its entries of `headers`.
    message: &'m [u8],
    method: &'m str,
    path: &'m str,
    host: &'m str,
    size: i64,
    body: &'m str,
    raw_body: &'m [u8],
    header_map: &'m [u8],
    /// How many entries `headers` has.
    joined: usize,
}

impl<'m> Described<'m> {
    fn read(message: &'m [u8]) -> Result<Self, InvalidCheck> {
        let (mut method, mut path, mut host, mut size) = (None, None, None, None);
        let (mut body, mut raw_body, mut header_map) = (None, None, None);
        let mut joined: usize = 0;
        for field in Fields::of(message) {
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
    fn is_cut(&self, body: &Body<'_>) -> bool {
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
    fn headers(&self, headers_max: usize) -> Result<Headers<'m>, InvalidCheck> {
        let too_many = InvalidCheck::TooManyHeaders { max: headers_max };
        // The three to four pseudo-headers are dropped further down.
        let described_max = headers_max.saturating_add(PSEUDO_HEADERS);
        if self.joined > described_max {
            return Err(too_many);
        }
        let mut headers = HeaderList::with_capacity(self.joined.max(HEADERS_USUAL));
        for field in Fields::of(self.header_map) {
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
            None => Ok(Headers {
                list: headers,
                are_kept_apart: is_list,
                have_pseudo,
            }),
        }
    }

    fn joined_headers(&self) -> Result<HeaderList<'m>, InvalidCheck> {
        let mut joined = Vec::with_capacity(self.joined);
        for field in Fields::of(self.message) {
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
struct Headers<'m> {
    list: HeaderList<'m>,
    /// Whether repeated ones are apart.
    are_kept_apart: bool,
    /// Whether there were pseudo-headers among them.
    have_pseudo: bool,
}

/// Names in lower case, and values.
type HeaderList<'m> = Vec<(Cow<'m, str>, Cow<'m, str>)>;

/// An entry of a map from texts to texts.
fn map_entry(entry: Field<'_>) -> Result<(&str, &str), InvalidCheck> {
    let (mut key, mut value) = (None, None);
    for field in Fields::of(entry.bytes()?) {
        match field? {
            (1, text) => once(&mut key, text.text()?)?,
            (2, text) => once(&mut value, text.text()?)?,
            _ => {}
        }
    }
    Ok((key.unwrap_or_default(), value.unwrap_or_default()))
}

/// One `HeaderValue` of the list form. Bytes that are not UTF-8 become U+FFFD, which no credential,
/// MCP header or media type may contain.
fn raw_header(message: &[u8]) -> Result<(Cow<'_, str>, Cow<'_, str>), InvalidCheck> {
    let (mut name, mut value, mut raw) = (None, None, None);
    for field in Fields::of(message) {
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
            let value = match wire::text(raw) {
                Ok(value) => Cow::Borrowed(value),
                Err(_) => String::from_utf8_lossy(raw),
            };
            Ok((name, value))
        }
        (_, _) => Err(InvalidCheck::Contradiction(StatedFact::Headers)),
    }
}

/// The name of a header in lower case: a token (RFC 9110 §5.6.2), behind a colon in a pseudo-header.
fn header_name(name: &str) -> Result<Cow<'_, str>, InvalidCheck> {
    let token = name.strip_prefix(':').unwrap_or(name);
    if !token.is_empty() && Kind::NAME.holds(token) {
        Ok(Cow::Borrowed(name))
    } else if is_token(token) {
        Ok(Cow::Owned(name.to_ascii_lowercase()))
    } else {
        Err(InvalidCheck::InvalidHeaderName)
    }
}

/// Whether the map form is what the list form becomes when repeated headers are joined by `,`.
fn agree(joined: &HeaderList<'_>, listed: &HeaderList<'_>) -> bool {
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

/// The `AttributeContext.Peer`.
#[derive(Default)]
struct Peer<'m> {
    /// The IP address. There is none for a unix socket or an internal listener.
    address: Option<IpAddr>,
    /// The name in the certificate.
    principal: Option<&'m str>,
    /// The certificate.
    certificate: Option<&'m str>,
}

fn read_peer(message: &[u8]) -> Result<Peer<'_>, InvalidCheck> {
    let (mut address, mut principal, mut certificate) = (None, None, None);
    for field in Fields::of(message) {
        match field? {
            (1, message) => once(&mut address, message.bytes()?)?,
            (4, text) => once(&mut principal, text.text()?)?,
            (5, text) => once(&mut certificate, text.text()?)?,
            _ => {}
        }
    }
    let mut kind = None;
    for field in Fields::of(address.unwrap_or_default()) {
        match field? {
            (1, socket) => once(&mut kind, Some(socket.bytes()?))?,
            // A unix socket.
            (2, _) => once(&mut kind, None)?,
            _ => {}
        }
    }
    let address = kind.flatten().map(socket_address).transpose()?;
    Ok(Peer {
        address,
        principal: principal.filter(|name| !name.is_empty()),
        certificate: certificate.filter(|text| !text.is_empty()),
    })
}

fn socket_address(message: &[u8]) -> Result<IpAddr, InvalidCheck> {
    let address = only(message, 2)?.map(Field::text).transpose()?;
    parse_address(address.unwrap_or_default())
}

/// The address in `x-envoy-external-address`, if the header is there.
fn external_address(headers: &HeaderList<'_>) -> Result<Option<IpAddr>, InvalidCheck> {
    let mut values = headers.iter().filter(|(name, _)| name == EXTERNAL_ADDRESS);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some((_, address)), None) => parse_address(address).map(Some),
        (Some(_), Some(_)) => Err(InvalidCheck::InvalidSource),
    }
}

/// An IP address as text. IPv4 in IPv6 becomes IPv4, so that it is found in IPv4 networks; the
/// zone of a link-local address is dropped.
fn parse_address(text: &str) -> Result<IpAddr, InvalidCheck> {
    let (address, _zone) = text.split_once('%').unwrap_or((text, ""));
    address
        .parse::<IpAddr>()
        .map(|address| address.to_canonical())
        .map_err(|_| InvalidCheck::InvalidSource)
}

fn require_method(method: &str) -> Result<(), InvalidCheck> {
    if method.is_empty() {
        return Err(InvalidCheck::NoMethod);
    }
    if is_token(method) {
        Ok(())
    } else {
        Err(InvalidCheck::InvalidMethod)
    }
}

fn require_path(path: &str) -> Result<(), InvalidCheck> {
    if path.is_empty() {
        return Err(InvalidCheck::NoPath);
    }
    let clean = !path.chars().any(|c| c.is_control() || c == ' ');
    let absolute = path.starts_with('/') || path == "*";
    if clean && absolute {
        Ok(())
    } else {
        Err(InvalidCheck::InvalidPath)
    }
}

/// Holds the host to `uri-host [":" port]` (RFC 9110 §7.2), as far as characters go.
fn require_host(host: &str) -> Result<(), InvalidCheck> {
    if host.is_empty() {
        return Err(InvalidCheck::NoHost);
    }
    let clean = host
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-._~%:[]!$&'()*+;=".contains(&b));
    if clean {
        Ok(())
    } else {
        Err(InvalidCheck::InvalidHost)
    }
}

/// Whether a value has control characters other than the tab, those beyond ASCII included.
fn has_controls(value: &str) -> bool {
    let is_plain = |byte| matches!(byte, b' '..=b'~' | b'\t');
    !bytewise::all(value.as_bytes(), b' ', is_plain)
        && value.chars().any(|c| c.is_control() && c != '\t')
}

/// Whether a text is a token (RFC 9110 §5.6.2).
fn is_token(text: &str) -> bool {
    !text.is_empty() && Kind::TOKEN.holds(text)
}

/// Set by Envoy whenever it buffered a body: `true` if it cut it.
const PARTIAL_BODY: &str = "x-envoy-auth-partial-body";
/// Set by Envoy to the address of the client it trusts.
const EXTERNAL_ADDRESS: &str = "x-envoy-external-address";
/// Set by Envoy on every request.
const REQUEST_ID: &str = "x-request-id";
/// The same.
const FORWARDED_PROTO: &str = "x-forwarded-proto";
/// `:method`, `:path`, `:authority`, `:scheme`.
const PSEUDO_HEADERS: usize = 4;
/// Room for the headers of most requests.
const HEADERS_USUAL: usize = 24;

#[cfg(test)]
mod tests;
