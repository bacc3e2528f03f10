//! The values that Envoy's configuration must agree with.

use std::time::Duration;

use crate::check::is_host_of;
use crate::envoy::check_request::ClientAddress;
use crate::listen::Address;

/// The hosts of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedHosts {
    /// The name of the server.
    pub server: String,
    /// Its hosts, in lower case.
    pub hosts: Vec<String>,
    /// Whether it is at no other host even where a route names it.
    pub is_bound: bool,
}

impl Expected {
    /// Whether requests for one of Envoy's `domains`, in lower case, may be for a server: for the one
    /// that their route names, or else for any.
    pub(super) fn serves(&self, named: Option<&str>, domain: &str) -> bool {
        let has = |one: &ExpectedHosts| match domain.strip_prefix('*') {
            Some(parent) => one.hosts.iter().any(|host| host.ends_with(parent)),
            None if domain.ends_with('*') => true,
            None => is_host_of(&one.hosts, domain),
        };
        let mut hosts = self.hosts.iter();
        match named {
            Some(name) => hosts
                .find(|one| one.server == name)
                .is_none_or(|one| !one.is_bound || has(one)),
            None => domain == "*" || hosts.any(has),
        }
    }
}

/// The parts of mcp-authz's configuration that Envoy's must agree with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The address on which it listens.
    pub listen: Address,
    /// The names of its servers.
    pub servers: Vec<String>,
    /// Their hosts.
    pub hosts: Vec<ExpectedHosts>,
    /// Whether all of them accept bodies as text.
    pub string_body: bool,
    /// `limits.body_bytes_max`.
    pub body_bytes_max: usize,
    /// `limits.headers_max`.
    pub headers_max: usize,
    /// `limits.header_bytes_max`.
    pub header_bytes_max: usize,
    /// `limits.streams_max`.
    pub streams_max: u32,
    /// `limits.fetch_wait`.
    pub fetch_wait: Duration,
    /// Whether the certificates of Envoy's TLS peers are verified.
    pub peers: bool,
    /// Which address of a request is the client's.
    pub client_address: ClientAddress,
    /// The headers in which servers get tokens instead of `authorization`, in lower case.
    pub token_headers: Vec<String>,
    /// The headers that the policy sets, in lower case.
    pub set_headers: Vec<String>,
}
