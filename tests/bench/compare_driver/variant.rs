//! What is compared.

/// One way to answer the same requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Variant {
    /// Envoy without any authorization.
    EnvoyAlone,
    /// A no-op `ext_authz` server with tonic's defaults.
    NoopStock,
    /// A no-op `ext_authz` server on one thread, with a faster allocator.
    NoopLean,
    /// The same, whose allow says as much as one of mcp-authz: what Envoy has to do with it is
    /// nobody's to save.
    NoopWhole,
    /// mcp-authz with everything on.
    McpAuthz,
    /// The same, asked through a unix socket.
    McpAuthzUnix,
    /// Envoy's own filters: `jwt_authn`, `mcp` and `rbac`.
    EnvoyFilters,
    /// The same, with `jwt_authn`'s token cache.
    EnvoyFiltersCached,
    /// Another build of mcp-authz, where one is given.
    Candidate,
}

impl Variant {
    /// All of them, in the order of reports.
    pub(crate) const ALL: [Self; 9] = [
        Self::EnvoyAlone,
        Self::NoopStock,
        Self::NoopLean,
        Self::NoopWhole,
        Self::McpAuthz,
        Self::McpAuthzUnix,
        Self::EnvoyFilters,
        Self::EnvoyFiltersCached,
        Self::Candidate,
    ];

    /// The letter for the command line.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::EnvoyAlone => 'a',
            Self::NoopStock => 'b',
            Self::NoopLean => 'c',
            Self::McpAuthz => 'd',
            Self::EnvoyFilters => 'e',
            Self::EnvoyFiltersCached => 'f',
            Self::Candidate => 'g',
            Self::McpAuthzUnix => 'h',
            Self::NoopWhole => 'i',
        }
    }

    /// The name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EnvoyAlone => "Envoy alone",
            Self::NoopStock => "no-op, stock",
            Self::NoopLean => "no-op, lean",
            Self::NoopWhole => "no-op, whole answer",
            Self::McpAuthz => "mcp-authz",
            Self::McpAuthzUnix => "mcp-authz, unix socket",
            Self::EnvoyFilters => "jwt_authn + mcp + rbac",
            Self::EnvoyFiltersCached => "the same, token cache",
            Self::Candidate => "mcp-authz, candidate",
        }
    }

    /// The name of its files and processes.
    pub(crate) fn slug(self) -> &'static str {
        match self {
            Self::EnvoyAlone => "alone",
            Self::NoopStock => "noop-stock",
            Self::NoopLean => "noop-lean",
            Self::NoopWhole => "noop-whole",
            Self::McpAuthz => "mcp-authz",
            Self::McpAuthzUnix => "mcp-authz-unix",
            Self::EnvoyFilters => "filters",
            Self::EnvoyFiltersCached => "filters-cached",
            Self::Candidate => "candidate",
        }
    }

    /// Whether Envoy asks a server.
    pub(crate) fn has_authorizer(self) -> bool {
        match self {
            Self::NoopStock
            | Self::NoopLean
            | Self::NoopWhole
            | Self::McpAuthz
            | Self::McpAuthzUnix
            | Self::Candidate => true,
            Self::EnvoyAlone | Self::EnvoyFilters | Self::EnvoyFiltersCached => false,
        }
    }

    /// Whether it is one of ours.
    pub(crate) fn is_mcp_authz(self) -> bool {
        match self {
            Self::McpAuthz | Self::McpAuthzUnix | Self::Candidate => true,
            Self::EnvoyAlone
            | Self::NoopStock
            | Self::NoopLean
            | Self::NoopWhole
            | Self::EnvoyFilters
            | Self::EnvoyFiltersCached => false,
        }
    }

    /// Whether it can deny anything. The no-ops do so where the route says it.
    pub(crate) fn can_deny(self) -> bool {
        self != Self::EnvoyAlone
    }
}
