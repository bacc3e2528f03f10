//! `where`: the network and the country the client is in, and the device it is on.

use ipnet::IpNet;

use super::claim::ClaimSelector;
use super::names::{Names, selects};
use crate::authz::matching::Match;
use crate::authz::request::AccessRequest;

/// Selectors over the place of the client.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Where {
    /// Networks that may contain the source. An IPv4 source written as IPv6 counts as IPv4.
    pub networks: Option<Box<[IpNet]>>,
    /// Countries of the source, as ISO 3166-1 alpha-2 codes.
    pub countries: Option<Names>,
    /// Facts about the device.
    pub device: Box<[ClaimSelector]>,
    /// Where the client must not be.
    pub not: Option<Box<Where>>,
}

impl Where {
    /// Without a known source address, country or device, the result is neither "inside" nor
    /// "outside".
    pub(crate) fn matches(&self, request: &AccessRequest<'_>) -> Match {
        let Where {
            networks,
            countries,
            device,
            not,
        } = self;
        let networks = networks.as_ref().map_or(Match::Yes, |networks| {
            request.source.map_or(Match::Indeterminate, |source| {
                let source = source.to_canonical();
                Match::of(networks.iter().any(|network| network.contains(&source)))
            })
        });
        let not = not
            .as_ref()
            .map_or(Match::Yes, |place| place.matches(request).negate());
        let countries = countries.as_ref().map_or(Match::Yes, |countries| {
            request
                .context
                .country
                .map_or(Match::Indeterminate, |country| {
                    selects(Some(countries), |name| &**name == country)
                })
        });
        let device = device.iter().map(|selector| {
            let device = request.context.device;
            device.map_or(Match::Indeterminate, |device| selector.matches_in(device))
        });
        Match::all([networks, countries, not]).and(Match::all(device))
    }
}

impl Where {
    /// Whether the block reads the country.
    #[must_use]
    pub fn has_countries(&self) -> bool {
        let not = self.not.as_ref();
        self.countries.is_some() || not.is_some_and(|not| not.has_countries())
    }

    /// Whether the block reads the device.
    #[must_use]
    pub fn has_device(&self) -> bool {
        let not = self.not.as_ref();
        !self.device.is_empty() || not.is_some_and(|not| not.has_device())
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
