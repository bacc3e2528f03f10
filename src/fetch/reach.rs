//! Where a URL that another service names may lead.
//!
//! An issuer says in its metadata where its keys are, and this process goes there. An issuer on the
//! Internet has no business in the operator's network: a request there, though blind, reaches hosts
//! that trust every inside caller. URLs that the operator configures are not restricted, and an
//! issuer that is inside may keep its keys inside.
//!
//! A name that is reached through a proxy is resolved by the proxy, and nothing of it can be known
//! here but the name. Then only what the name or address itself says is refused: internal
//! addresses, names that no public host has, and the proxy's own host. That other names do not lead
//! inside is for the proxy to see to. An issuer that is reached through the proxy is outside, unless
//! its URL itself has an internal address.

use std::collections::HashSet;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::proxy::ProxySettings;

/// The names at the top that no public host is below: RFC 6762 §3, RFC 8375, RFC 6761 §6.2 and
/// §6.4, and those that are set apart for private use. Files of hosts have `localhost.localdomain`.
const PRIVATE_TOPS: &[&str] = &[
    "local",
    "localdomain",
    "internal",
    "intranet",
    "lan",
    "private",
    "corp",
    "home",
    "test",
    "invalid",
];

/// The way to an issuer's metadata and keys: names as they are resolved on it.
#[derive(Debug, Clone)]
pub struct Reach {
    /// The host of the metadata.
    issuer: Arc<str>,
    /// Whether the issuer is inside: by its address, or all that its name was resolved to last.
    is_inside: Arc<AtomicBool>,
    /// Issuers whose names were ever resolved to an address outside.
    outside: OutsideHosts,
    /// What resolves the names of the hosts that it serves.
    proxy: Option<Arc<ProxySettings>>,
}

/// The hosts of issuers whose names were ever resolved to an address outside. They stay outside:
/// otherwise the DNS server of the name could let it in with a later answer. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct OutsideHosts(Arc<Mutex<HashSet<Arc<str>>>>);

impl OutsideHosts {
    fn add(&self, host: &Arc<str>) {
        self.locked().insert(Arc::clone(host));
    }

    fn has(&self, host: &str) -> bool {
        self.locked().contains(host)
    }

    fn locked(&self) -> MutexGuard<'_, HashSet<Arc<str>>> {
        // It is whole after every step, so a panic elsewhere did not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name that leads inside, where it must not.
#[derive(Debug, thiserror::Error)]
#[error("the name has internal addresses only")]
pub(super) struct LeadsInside;

impl Reach {
    /// From an issuer whose metadata is at this URL, with what is known of hosts.
    pub(super) fn of(
        document: &Url,
        proxy: Option<Arc<ProxySettings>>,
        outside: OutsideHosts,
    ) -> Self {
        Reach {
            issuer: document.host_str().unwrap_or_default().into(),
            is_inside: Arc::new(AtomicBool::new(names_inside(document))),
            outside,
            proxy,
        }
    }

    /// Whether keys may be fetched from there, as far as the URL itself tells.
    #[must_use]
    pub fn may_lead_to(&self, url: &Url) -> bool {
        let is_own = url.host_str() == Some(&*self.issuer);
        is_own
            || self.is_inside.load(Ordering::Relaxed)
            || !(names_inside(url) || self.leads_proxy_inside(url))
    }

    /// Whether a URL names the proxy, or a host that the proxy would have to find inside.
    fn leads_proxy_inside(&self, url: &Url) -> bool {
        self.proxy.as_ref().is_some_and(|proxy| {
            let named = |name: &str| proxy.is_named(name);
            url.host_str().is_some_and(named) || (proxy.serves(url) && is_private_name(url))
        })
    }

    /// The addresses of a name that may be connected to.
    fn allowed(
        &self,
        name: &str,
        addresses: impl Iterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, LeadsInside> {
        let mut addresses: Vec<SocketAddr> = addresses.collect();
        let inside = |address: &SocketAddr| is_internal(address.ip());
        if *name == *self.issuer {
            if !addresses.iter().all(inside) {
                self.outside.add(&self.issuer);
            }
            let is_inside = !addresses.is_empty() && !self.outside.has(&self.issuer);
            self.is_inside.store(is_inside, Ordering::Relaxed);
            return Ok(addresses);
        }
        // It is configured, and no URL that another service names leads to it.
        if self
            .proxy
            .as_ref()
            .is_some_and(|proxy| proxy.is_named(name))
        {
            return Ok(addresses);
        }
        if !self.is_inside.load(Ordering::Relaxed) {
            addresses.retain(|address| !inside(address));
            if addresses.is_empty() {
                return Err(LeadsInside);
            }
        }
        Ok(addresses)
    }
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.clone();
        Box::pin(async move {
            let failed = |error| -> Box<dyn Error + Send + Sync> { Box::new(error) };
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let allowed = reach.allowed(name.as_str(), found.map_err(failed)?)?;
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether the host of a URL is an internal address, or `localhost` (RFC 6761 §6.3).
fn names_inside(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => is_internal(address.into()),
        Some(Host::Ipv6(address)) => is_internal(address.into()),
        None => false,
    }
}

/// Whether the host of a URL has a name that is not of the public DNS.
fn is_private_name(url: &Url) -> bool {
    let Some(Host::Domain(name)) = url.host() else {
        return false;
    };
    let name = name.trim_end_matches('.');
    let Some((below, top)) = name.rsplit_once('.') else {
        return true;
    };
    let is_home = top == "arpa" && below.rsplit('.').next() == Some("home");
    is_home || PRIVATE_TOPS.contains(&top)
}

/// Whether an address is not one of the public Internet: those that RFC 6890 and its registries call
/// not globally reachable, multicast, and those of IPv6 that stand for such an IPv4 address.
fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_internal_v4(address),
        IpAddr::V6(address) => is_internal_v6(address),
    }
}

fn is_internal_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || matches!(
            (first, second, third),
            // This network, shared (RFC 6598), special purpose, benchmarks (RFC 2544).
            (0, _, _) | (100, 64..=127, _) | (192, 0, 0) | (198, 18 | 19, _)
        )
        // Multicast, reserved and broadcast.
        || first >= 224
}

fn is_internal_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_internal_v4(mapped);
    }
    let [one, two, three, four, five, six, seven, eight] = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match (one, two) {
        // NAT64 (RFC 6052), also as it is chosen locally (RFC 8215).
        (0x64, 0xff9b) => {
            (three, four, five, six) != (0, 0, 0, 0) || is_internal_v4(v4(seven, eight))
        }
        // 6to4 (RFC 3056).
        (0x2002, _) => is_internal_v4(v4(two, three)),
        // Teredo, ORCHID, documentation: none that a server has.
        (0x2001, 0..=0x1ff | 0xdb8) => true,
        // Whatever is not of the block that addresses are given out from.
        (0x2000..=0x3fff, _) => false,
        (_, _) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(host: &str) -> Url {
        Url::parse(&format!("https://{host}/jwks")).unwrap()
    }

    #[test]
    fn addresses_are_internal_unless_they_are_public() {
        let rows = [
            ("8.8.8.8", false),
            ("172.15.0.1", false),
            ("172.16.0.1", true),
            ("10.1.2.3", true),
            ("192.168.1.1", true),
            ("127.9.9.9", true),
            ("169.254.169.254", true),
            ("0.0.0.0", true),
            ("100.63.0.1", false),
            ("100.100.0.1", true),
            ("198.19.0.1", true),
            ("224.0.0.1", true),
            ("255.255.255.255", true),
            ("2606:4700::1111", false),
            ("::", true),
            ("::1", true),
            ("::ffff:10.0.0.1", true),
            ("::ffff:8.8.8.8", false),
            ("::10.0.0.1", true),
            ("fe80::1", true),
            ("fd00:ec2::254", true),
            ("ff02::1", true),
            ("64:ff9b::a9fe:a9fe", true),
            ("64:ff9b::808:808", false),
            ("64:ff9b:1::808:808", true),
            ("2002:a00:1::", true),
            ("2002:808:808::", false),
            ("2001:db8::1", true),
            ("2001:4860:4860::8888", false),
        ];
        for (address, expected) in rows {
            assert_eq!(is_internal(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn a_remote_issuer_does_not_lead_inside() {
        let rows = [
            ("idp.example", "keys.example", true),
            ("idp.example", "8.8.8.8", true),
            ("idp.example", "127.0.0.1", false),
            ("idp.example", "2130706433", false),
            ("idp.example", "0x7f.1", false),
            ("idp.example", "169.254.169.254", false),
            ("idp.example", "[::1]", false),
            ("idp.example", "[::ffff:a00:1]", false),
            ("idp.example", "localhost", false),
            ("idp.example", "db.localhost.", false),
            ("8.8.8.8", "10.0.0.1", false),
            ("10.0.0.1", "10.0.0.2", true),
            ("10.0.0.1", "10.0.0.1", true),
            ("localhost", "127.0.0.1", true),
        ];
        for (issuer, keys, expected) in rows {
            let reach = Reach::of(&url(issuer), None, OutsideHosts::default());
            assert_eq!(reach.may_lead_to(&url(keys)), expected, "{issuer} {keys}");
        }
    }

    #[test]
    fn names_are_held_to_what_they_resolve_to() {
        let addresses = |list: &[&str]| -> Vec<SocketAddr> {
            list.iter()
                .map(|address| SocketAddr::new(address.parse().unwrap(), 0))
                .collect()
        };
        let at = |reach: &Reach, name: &str, list: &[&str]| {
            let allowed = reach.allowed(name, addresses(list).into_iter());
            allowed
                .map(|found| found.iter().map(|a| a.ip().to_string()).collect::<Vec<_>>())
                .ok()
        };
        let all = |list: &[&str]| Some(list.iter().map(|&a| a.to_owned()).collect());
        let is_outside = |reach: &Reach| {
            assert_eq!(at(reach, "keys.example", &["10.0.0.1"]), None);
            assert_eq!(
                at(reach, "keys.example", &["10.0.0.1", "9.9.9.9"]),
                all(&["9.9.9.9"])
            );
            assert!(!reach.may_lead_to(&url("10.0.0.1")));
        };
        // Outside, and one of its addresses inside does not make it an issuer that is inside.
        for own in [&["8.8.8.8"][..], &["8.8.8.8", "10.0.0.1"]] {
            let reach = Reach::of(&url("idp.example"), None, OutsideHosts::default());
            is_outside(&reach);
            assert_eq!(at(&reach, "idp.example", own), all(own));
            is_outside(&reach);
            // Nor does another answer later, for whichever copy of the way asks.
            let inside = &["10.0.0.1"];
            assert_eq!(at(&reach.clone(), "idp.example", inside), all(inside));
            is_outside(&reach);
        }
        // Inside, until an answer says otherwise.
        let reach = Reach::of(&url("idp.example"), None, OutsideHosts::default());
        assert_eq!(at(&reach, "idp.example", &[]), all(&[]));
        is_outside(&reach);
        assert_eq!(at(&reach, "idp.example", &["10.0.0.1"]), all(&["10.0.0.1"]));
        assert_eq!(
            at(&reach, "keys.example", &["10.0.0.2"]),
            all(&["10.0.0.2"])
        );
        assert!(reach.may_lead_to(&url("10.0.0.2")));
        assert_eq!(at(&reach, "idp.example", &["8.8.8.8"]), all(&["8.8.8.8"]));
        is_outside(&reach);
    }

    /// Neither other settings nor an issuer that was away meanwhile let it in.
    #[test]
    fn an_issuer_that_was_outside_stays_there_over_a_change() {
        use super::super::{FetchSettings, Outbound};
        let answer = |reach: &Reach, address: &str| {
            let address = SocketAddr::new(address.parse().unwrap(), 0);
            reach
                .allowed("idp.example", std::iter::once(address))
                .unwrap();
        };
        let first = Outbound::default();
        answer(&first.reach(&url("idp.example")), "8.8.8.8");
        let next = first.next(&FetchSettings::default()).unwrap();
        for (issuer, expected) in [("idp.example", false), ("other.example", true)] {
            let reach = next.reach(&url(issuer));
            let address = SocketAddr::new("10.0.0.1".parse().unwrap(), 0);
            reach.allowed(issuer, std::iter::once(address)).unwrap();
            assert_eq!(reach.may_lead_to(&url("10.0.0.2")), expected, "{issuer}");
        }
    }
}
