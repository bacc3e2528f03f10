//! The proxy for outbound requests: which requests it gets, and what can go wrong with it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use url::{Host, Url};

/// A proxy, and which hosts are reached without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxySettings {
    /// The proxy, as [`proxy_url`] accepts it.
    pub url: Url,
    /// The hosts that are reached without it, besides those of loopback.
    pub exceptions: Vec<Exception>,
}

/// Hosts that are reached without the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exception {
    /// The host of this name.
    Host(String),
    /// Every host whose name ends with this; it begins with a dot.
    Below(String),
    /// Every host whose URL has an address of this network. Names are not resolved for this.
    Network(IpNet),
}

/// Why a text is no [`Exception`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidException {
    /// It is neither a name nor an address.
    #[error("neither a host, nor a `.domain`, nor a network")]
    Shape,
    /// A network has bits set behind its prefix.
    #[error("a network with bits set behind its prefix")]
    HostBits,
}

/// Why a text is no URL of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProxy {
    /// It is not an `http` or `https` URL of a host alone.
    #[error("the proxy is not a URL that can be used")]
    Shape,
    /// It has a user name or a password.
    #[error("the URL of the proxy has credentials")]
    Credentials,
}

/// Why the proxy did not help. The text has no URL, and little of what the proxy said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyFault {
    /// No connection to the proxy, or it broke before the proxy answered.
    #[error("no connection to the proxy: {0}")]
    Unreachable(String),
    /// The proxy answered 407.
    #[error("the proxy asks for credentials, and mcp-authz sends it none")]
    CredentialsAsked,
    /// The proxy answered something else than that there is a connection now.
    #[error("the proxy made no connection to the host")]
    NotConnected,
}

/// `text` as the URL of a proxy: http or https, a host, perhaps a port, and no more.
///
/// # Errors
/// [`InvalidProxy`], which does not repeat the text.
pub fn proxy_url(text: &str) -> Result<Url, InvalidProxy> {
    let url = Url::parse(text).map_err(|_| InvalidProxy::Shape)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidProxy::Credentials);
    }
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if is_http && is_bare {
        Ok(url)
    } else {
        Err(InvalidProxy::Shape)
    }
}

impl ProxySettings {
    /// Whether requests to this URL go through the proxy.
    #[must_use]
    pub fn serves(&self, url: &Url) -> bool {
        url.host().is_some_and(|host| {
            !is_loopback(&host) && !self.exceptions.iter().any(|except| except.has(&host))
        })
    }

    /// Whether this is the name of the proxy.
    pub(super) fn is_named(&self, host: &str) -> bool {
        self.url.host_str().map(without_dot) == Some(without_dot(host))
    }

    /// The proxy, as it is configured.
    #[must_use]
    pub fn text(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }
}

impl Exception {
    fn has(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Exception::Host(name), Host::Domain(host)) => name == without_dot(host),
            (Exception::Below(end), Host::Domain(host)) => {
                let host = without_dot(host);
                host.len() > end.len() && host.ends_with(end)
            }
            (Exception::Network(network), Host::Ipv4(address)) => {
                network.contains(&IpAddr::from(*address))
            }
            (Exception::Network(network), Host::Ipv6(address)) => {
                network.contains(&IpAddr::from(*address).to_canonical())
                    || network.contains(&IpAddr::from(*address))
            }
            (Exception::Host(_) | Exception::Below(_), Host::Ipv4(_) | Host::Ipv6(_))
            | (Exception::Network(_), Host::Domain(_)) => false,
        }
    }
}

impl FromStr for Exception {
    type Err = InvalidException;

    /// Reads `name`, `.domain`, an address, or a network in CIDR form.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Exception::Network(IpNet::from(address.to_canonical())));
        }
        if text.contains('/') {
            let network: IpNet = text.parse().map_err(|_| InvalidException::Shape)?;
            let is_exact = network.trunc() == network;
            return is_exact
                .then_some(Exception::Network(network))
                .ok_or(InvalidException::HostBits);
        }
        let (dot, name) = match text.strip_prefix('.') {
            Some(name) => (".", name),
            None => ("", text),
        };
        // As in a URL: in lower case, and in ASCII.
        let Ok(Host::Domain(read)) = Host::parse(name) else {
            return Err(InvalidException::Shape);
        };
        let labels = || read.split('.');
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if labels().any(|label| label.is_empty() || !label.bytes().all(plain)) {
            return Err(InvalidException::Shape);
        }
        if dot.is_empty() {
            Ok(Exception::Host(read))
        } else {
            Ok(Exception::Below(format!(".{read}")))
        }
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exception::Host(text) | Exception::Below(text) => f.write_str(text),
            Exception::Network(network) => network.fmt(f),
        }
    }
}

/// Whether a host is this one, by its name (RFC 6761 §6.3) or address.
fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = without_dot(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => IpAddr::from(*address).to_canonical().is_loopback(),
    }
}

/// A name without the dot of the root.
fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests;
