//! Mistakes in the PEP's configuration that show in how it describes a request.

use std::net::IpAddr;

use super::described::HeaderList;
use super::peer::EXTERNAL_ADDRESS;
use super::settings::ClientAddress;
use crate::telemetry::notices::Noticed;

/// What the PEP's configuration has wrong, as far as the description of a request shows it. Envoy
/// sends every header unless it is told otherwise, pseudo-headers too, and sets `x-request-id` and
/// `x-forwarded-proto` itself. Other PEPs may not, so that nothing is refused for it.
pub(super) fn noticed(
    headers: &HeaderList<'_>,
    have_pseudo: bool,
    source: ClientAddress,
    peer: Option<IpAddr>,
) -> Option<Noticed> {
    let has = |wanted: &str| headers.iter().any(|(name, _)| name == wanted);
    if !have_pseudo || !has(REQUEST_ID) && !has(FORWARDED_PROTO) {
        return Some(Noticed::HeadersHeldBack);
    }
    // That the header differs from the peer says nothing: a proxy in front may have an address of
    // its own. Where nobody sets the header, honest clients come without.
    let is_unsaid = source == ClientAddress::ExternalAddress
        && peer.is_some_and(is_public)
        && !has(EXTERNAL_ADDRESS);
    is_unsaid.then_some(Noticed::NoExternalAddress)
}

/// Whether an address is one on the Internet. Proxies of one's own may have others (RFC 1918,
/// RFC 6598, RFC 4193), and then it is theirs to say where a client is.
pub(super) fn is_public(address: IpAddr) -> bool {
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

/// Set by Envoy on every request.
const REQUEST_ID: &str = "x-request-id";
/// The same.
const FORWARDED_PROTO: &str = "x-forwarded-proto";
