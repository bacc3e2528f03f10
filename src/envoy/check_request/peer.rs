//! The TCP and TLS peer of Envoy, and the address of the client.

use std::net::IpAddr;

use super::described::HeaderList;
use super::fields::{once, only};
use crate::check::InvalidCheck;
use crate::envoy::protobuf::{Field, MessageFields};

/// The `AttributeContext.Peer`.
#[derive(Default)]
pub(super) struct DescribedPeer<'m> {
    /// The IP address. There is none for a unix socket or an internal listener.
    pub(super) address: Option<IpAddr>,
    /// The name in the certificate.
    pub(super) principal: Option<&'m str>,
    /// The certificate.
    pub(super) certificate: Option<&'m str>,
}

pub(super) fn read_peer(message: &[u8]) -> Result<DescribedPeer<'_>, InvalidCheck> {
    let (mut address, mut principal, mut certificate) = (None, None, None);
    for field in MessageFields::of(message) {
        match field? {
            (1, message) => once(&mut address, message.bytes()?)?,
            (4, text) => once(&mut principal, text.text()?)?,
            (5, text) => once(&mut certificate, text.text()?)?,
            _ => {}
        }
    }
    let mut kind = None;
    for field in MessageFields::of(address.unwrap_or_default()) {
        match field? {
            (1, socket) => once(&mut kind, Some(socket.bytes()?))?,
            // A unix socket.
            (2, _) => once(&mut kind, None)?,
            _ => {}
        }
    }
    let address = kind.flatten().map(socket_address).transpose()?;
    Ok(DescribedPeer {
        address,
        principal: principal.filter(|name| !name.is_empty()),
        certificate: certificate.filter(|text| !text.is_empty()),
    })
}

pub(super) fn socket_address(message: &[u8]) -> Result<IpAddr, InvalidCheck> {
    let address = only(message, 2)?.map(Field::text).transpose()?;
    parse_address(address.unwrap_or_default())
}

/// The address in `x-envoy-external-address`, if the header is there.
pub(super) fn external_address(headers: &HeaderList<'_>) -> Result<Option<IpAddr>, InvalidCheck> {
    let mut values = headers.iter().filter(|(name, _)| name == EXTERNAL_ADDRESS);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some((_, address)), None) => parse_address(address).map(Some),
        (Some(_), Some(_)) => Err(InvalidCheck::InvalidSource),
    }
}

/// An IP address as text. IPv4 in IPv6 becomes IPv4, so that it is found in IPv4 networks; the
/// zone of a link-local address is dropped.
pub(super) fn parse_address(text: &str) -> Result<IpAddr, InvalidCheck> {
    let (address, _zone) = text.split_once('%').unwrap_or((text, ""));
    address
        .parse::<IpAddr>()
        .map(|address| address.to_canonical())
        .map_err(|_| InvalidCheck::InvalidSource)
}

/// Set by Envoy to the address of the client it trusts.
pub(super) const EXTERNAL_ADDRESS: &str = "x-envoy-external-address";
