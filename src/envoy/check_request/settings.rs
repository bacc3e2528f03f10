//! How a described request is read.

/// How a described request is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DescriptionSettings {
    /// The most headers a request may have, pseudo-headers not counted.
    pub headers_max: usize,
    /// Which address is the client's.
    pub source: ClientAddress,
}

/// Which address of a request is the client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAddress {
    /// The TCP peer of Envoy.
    Peer,
    /// The header `x-envoy-external-address`, or the TCP peer where it is absent. To be trusted
    /// only if Envoy has `use_remote_address: true`; otherwise clients write it themselves.
    ExternalAddress,
}
