//! `CheckRequest` to [`HttpRequest`], or why not.
//!
//! Envoy describes one request several times over: method, path and host are fields and
//! pseudo-headers, headers come in one of two forms, the body in one of two fields. Whatever is
//! said twice has to agree. What the request means is not judged here.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::check::{Body, Fact, HttpRequest, InvalidCheck};

use super::proto::envoy::config::core::v3::address::Address as AddressKind;
use super::proto::envoy::config::core::v3::{HeaderMap, HeaderValue};
use super::proto::envoy::service::auth::v3::attribute_context::{HttpRequest as Described, Peer};
use super::proto::envoy::service::auth::v3::{AttributeContext, CheckRequest};

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

/// Reads what Envoy says about one HTTP request. Strings and body are moved, not copied.
///
/// # Errors
/// [`InvalidCheck`] if the message describes no HTTP request, describes one that cannot be, or
/// says two things at once.
pub fn http_request(check: CheckRequest, settings: Settings) -> Result<HttpRequest, InvalidCheck> {
    let attributes = check.attributes.ok_or(InvalidCheck::NoAttributes)?;
    let AttributeContext {
        source: peer,
        request,
        context_extensions,
    } = attributes;
    let described = request
        .ok_or(InvalidCheck::NoRequest)?
        .http
        .ok_or(InvalidCheck::NoHttp)?;
    require_method(&described.method)?;
    require_path(&described.path)?;
    require_host(&described.host)?;
    let Described {
        method,
        headers,
        path,
        host,
        body,
        raw_body,
        header_map,
    } = described;

    let body = match (body.is_empty(), raw_body.is_empty()) {
        (true, true) => Body::Absent,
        (true, false) => Body::Bytes(raw_body),
        (false, true) => Body::Lossy(body.into()),
        (false, false) => return Err(InvalidCheck::TwoBodies),
    };
    let stated = Stated {
        method: &method,
        path: &path,
        host: &host,
    };
    // Envoy joins repeated headers by a comma unless it is told to send them raw; an empty list
    // is not what is read below.
    let repeats_kept_apart = header_map
        .as_ref()
        .is_some_and(|map| !map.headers.is_empty());
    let headers = read_headers(headers, header_map, &stated, settings.headers_max)?;
    let (peer, principal) = match peer {
        Some(peer) => (
            peer_address(&peer)?,
            Some(peer.principal).filter(|name| !name.is_empty()),
        ),
        None => (None, None),
    };
    let source = match settings.source {
        Source::Peer => peer,
        Source::ExternalAddress => external_address(&headers)?.or(peer),
    };
    let truncated = headers
        .iter()
        .any(|(name, value)| name == PARTIAL_BODY && value != "false");
    let context = context_extensions;
    Ok(HttpRequest {
        method,
        path,
        host,
        headers,
        body,
        truncated,
        repeats_kept_apart,
        source,
        principal,
        context,
    })
}

/// What the fields say, against which pseudo-headers are held.
struct Stated<'a> {
    method: &'a str,
    path: &'a str,
    host: &'a str,
}

impl Stated<'_> {
    /// Whether a header says the same, and whether it is one to keep.
    fn keep(&self, name: &str, value: &str) -> Result<bool, InvalidCheck> {
        let (fact, stated) = match name {
            ":method" => (Fact::Method, self.method),
            ":path" => (Fact::Path, self.path),
            ":authority" | "host" => (Fact::Host, self.host),
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

/// The headers of either form, without pseudo-headers. The map form has no order, so it is sorted.
fn read_headers(
    joined: HashMap<String, String>,
    listed: Option<HeaderMap>,
    stated: &Stated<'_>,
    headers_max: usize,
) -> Result<Vec<(String, String)>, InvalidCheck> {
    let listed = listed.map(|map| map.headers).unwrap_or_default();
    // The three to four pseudo-headers are dropped further down.
    if joined.len().max(listed.len()) > headers_max.saturating_add(PSEUDO_HEADERS) {
        return Err(InvalidCheck::TooManyHeaders { max: headers_max });
    }
    let mut headers = Vec::with_capacity(joined.len().max(listed.len()));
    if listed.is_empty() {
        headers.extend(joined);
        headers.sort_unstable();
    } else {
        for header in listed {
            headers.push(raw_header(header)?);
        }
        if !joined.is_empty() && !agree(&joined, &headers) {
            return Err(InvalidCheck::Contradiction(Fact::Headers));
        }
    }
    let mut kept = Vec::with_capacity(headers.len());
    for (mut name, value) in headers {
        name.make_ascii_lowercase();
        if !is_token(name.strip_prefix(':').unwrap_or(&name)) {
            return Err(InvalidCheck::InvalidHeaderName);
        }
        if has_controls(&value) {
            return Err(InvalidCheck::InvalidHeaderValue);
        }
        if stated.keep(&name, &value)? {
            kept.push((name, value));
        }
    }
    if kept.len() > headers_max {
        return Err(InvalidCheck::TooManyHeaders { max: headers_max });
    }
    Ok(kept)
}

/// One header of the list form. Bytes that are not UTF-8 become U+FFFD, which no credential, MCP
/// header or media type may contain.
fn raw_header(header: HeaderValue) -> Result<(String, String), InvalidCheck> {
    let HeaderValue {
        key,
        value,
        raw_value,
    } = header;
    if raw_value.is_empty() {
        return Ok((key, value));
    }
    if !value.is_empty() && value.as_bytes() != raw_value {
        return Err(InvalidCheck::Contradiction(Fact::Headers));
    }
    // The check for valid text alone is several times faster than the repair of what is not.
    let value = match std::str::from_utf8(&raw_value) {
        Ok(value) => value.to_owned(),
        Err(_) => String::from_utf8_lossy(&raw_value).into_owned(),
    };
    Ok((key, value))
}

/// Whether the map form is what the list form becomes when repeated headers are joined by `,`.
fn agree(joined: &HashMap<String, String>, listed: &[(String, String)]) -> bool {
    let mut expected: HashMap<&str, String> = HashMap::with_capacity(joined.len());
    for (name, value) in listed {
        expected
            .entry(name)
            .and_modify(|values| {
                values.push(',');
                values.push_str(value);
            })
            .or_insert_with(|| value.clone());
    }
    expected.len() == joined.len()
        && joined
            .iter()
            .all(|(name, value)| expected.get(name.as_str()) == Some(value))
}

/// The IP address of the TCP peer; none for a unix socket or an internal listener.
fn peer_address(peer: &Peer) -> Result<Option<IpAddr>, InvalidCheck> {
    match peer
        .address
        .as_ref()
        .and_then(|address| address.address.as_ref())
    {
        Some(AddressKind::SocketAddress(socket)) => parse_address(&socket.address).map(Some),
        Some(AddressKind::Pipe(_)) | None => Ok(None),
    }
}

/// The address in `x-envoy-external-address`, if the header is there.
fn external_address(headers: &[(String, String)]) -> Result<Option<IpAddr>, InvalidCheck> {
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
    // Most values are long and ASCII, and bytes are looked at many at a time.
    let is_plain = |all: bool, byte: &u8| all & matches!(byte, b' '..=b'~' | b'\t');
    !value.as_bytes().iter().fold(true, is_plain)
        && value.chars().any(|c| c.is_control() && c != '\t')
}

/// Whether a text is a token (RFC 9110 §5.6.2).
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Set by Envoy whenever it buffered a body: `true` if it cut it.
const PARTIAL_BODY: &str = "x-envoy-auth-partial-body";
/// Set by Envoy to the address of the client it trusts.
const EXTERNAL_ADDRESS: &str = "x-envoy-external-address";
/// `:method`, `:path`, `:authority`, `:scheme`.
const PSEUDO_HEADERS: usize = 4;

#[cfg(test)]
mod tests;
