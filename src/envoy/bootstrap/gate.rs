//! An `ext_authz` filter that calls mcp-authz, with its surroundings.

use super::chain::{self, Authz, Chain, Filter, Ours};
use super::expected::Expected;
use super::message::ConfigMessage;
use super::world::World;

/// The namespace of a decision's metadata in Envoy, whatever the filter's name.
pub(super) const NAMESPACE: &str = "envoy.filters.http.ext_authz";

/// An `ext_authz` filter that calls mcp-authz, with its chain and the expected values.
#[derive(Debug, Clone, Copy)]
pub(super) struct AuthzFilter<'a, 'n> {
    pub(super) chain: &'a Chain<'n>,
    pub(super) authz: Authz<'n>,
    pub(super) expected: Option<&'a Expected>,
    pub(super) world: &'a World<'n>,
    pub(super) ours: &'a Ours<'n>,
}

impl<'a, 'n> AuthzFilter<'a, 'n> {
    /// Whether a configuration calls mcp-authz.
    pub(super) fn asks_us(&self, config: ConfigMessage<'_>) -> bool {
        self.ours.has(chain::cluster_of(config))
    }

    /// The filters in front of it.
    pub(super) fn before(&self) -> impl Iterator<Item = &'a Filter<'n>> + use<'a, 'n> {
        self.chain.filters.iter().take(self.authz.position)
    }

    /// The filters behind it.
    pub(super) fn behind(&self) -> impl Iterator<Item = &'a Filter<'n>> + use<'a, 'n> {
        let skipped = self.authz.position.saturating_add(1);
        self.chain.filters.iter().skip(skipped)
    }
}
