//! The values that Envoy's configuration must agree with.

use crate::envoy::check_request::ClientAddress;
use crate::listen::Address;

/// The parts of mcp-authz's configuration that Envoy's must agree with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The address on which it listens.
    pub listen: Address,
    /// The names of its servers.
    pub servers: Vec<String>,
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
    /// Whether the certificates of Envoy's TLS peers are verified.
    pub peers: bool,
    /// Which address of a request is the client's.
    pub client_address: ClientAddress,
    /// The headers in which servers get tokens instead of `authorization`, in lower case.
    pub token_headers: Vec<String>,
    /// The headers that the policy sets, in lower case.
    pub set_headers: Vec<String>,
}
