//! Reads a `CheckRequest` into an [`HttpRequest`], or says why it describes none.
//!
//! Envoy describes one request several times over: method, path and host are fields and
//! pseudo-headers, headers come in one of two forms, the body in one of two fields. Whatever is
//! said twice has to agree, and a field that is there twice is refused. What the request means is
//! not judged here.
//!
//! Messages and their fields are those of `proto/envoy/service/auth/v3`, read without a copy.

mod described;
mod fields;
mod notice;
mod peer;
mod settings;
mod validate;

use crate::check::{Body, HttpRequest, InvalidCheck};

use super::protobuf::MessageFields;
use described::{Described, HeaderFields};
use fields::{map_entry, once, only, require_distinct};
use notice::noticed;
use peer::{external_address, read_peer};
use validate::{require_host, require_method, require_path};

pub use settings::{ClientAddress, DescriptionSettings};

/// Reads what Envoy says about one HTTP request. All texts and the body stay where they are.
///
/// # Errors
/// [`InvalidCheck`] if the message is damaged, describes no HTTP request, describes one that
/// cannot be, or says two things at once.
pub fn http_request(
    message: &[u8],
    settings: DescriptionSettings,
) -> Result<HttpRequest<'_>, InvalidCheck> {
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
    let HeaderFields {
        list: headers,
        are_kept_apart: repeats_kept_apart,
        have_pseudo,
    } = headers;
    let peer = attributes.source.map(read_peer).transpose()?;
    let peer = peer.unwrap_or_default();
    let source = match settings.source {
        ClientAddress::Peer => peer.address,
        ClientAddress::ExternalAddress => external_address(&headers)?.or(peer.address),
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
        for field in MessageFields::of(message) {
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

/// Set by Envoy whenever it buffered a body: `true` if it cut it.
const PARTIAL_BODY: &str = "x-envoy-auth-partial-body";

#[cfg(test)]
mod tests;
