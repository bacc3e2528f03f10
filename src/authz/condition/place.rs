//! `where`: the network the client is in.

use ipnet::IpNet;

use crate::authz::request::AccessRequest;

use super::Match;

/// Selectors over the place of the client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Where {
    /// Networks, any of which the source is in. An IPv4 source written as IPv6 is the IPv4 one.
    pub networks: Option<Box<[IpNet]>>,
    /// Where the client must not be.
    pub not: Option<Box<Where>>,
}

impl Where {
    /// Without a known source address, neither "inside" nor "outside" can be told.
    pub(in crate::authz) fn matches(&self, request: &AccessRequest<'_>) -> Match {
        let networks = self.networks.as_ref().map_or(Match::Yes, |networks| {
            request.source.map_or(Match::Indeterminate, |source| {
                let source = source.to_canonical();
                Match::of(networks.iter().any(|network| network.contains(&source)))
            })
        });
        let not = self
            .not
            .as_ref()
            .map_or(Match::Yes, |place| place.matches(request).negate());
        networks.and(not)
    }
}

/// A network in the form that [`Where`] compares: IPv4-mapped IPv6 networks as IPv4 ones.
#[must_use]
pub fn canonical_network(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else {
        return network;
    };
    let mapped = v6
        .addr()
        .to_ipv4_mapped()
        .zip(v6.prefix_len().checked_sub(96));
    mapped
        .and_then(|(address, prefix)| IpNet::new(address.into(), prefix).ok())
        .unwrap_or(network)
}
