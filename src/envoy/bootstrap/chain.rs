//! A chain of HTTP filters, and which of them calls mcp-authz.

use std::collections::BTreeSet;

use crate::listen::Address;

use super::expected::Expected;
use super::message::ConfigMessage;
use super::report::Report;
use super::world::{World, is_named_so, network_filters};

/// How one listener handles the requests of one of its filter chains.
#[derive(Debug)]
pub(super) struct Chain<'n> {
    /// The HTTP connection manager, or a TCP proxy, which has no HTTP filters.
    pub(super) manager: ConfigMessage<'n>,
    pub(super) filters: Vec<Filter<'n>>,
    /// Whether bytes are forwarded without parsing.
    pub(super) is_bytes: bool,
    /// The upgrade for which these filters replace the manager's, if any.
    pub(super) upgrade: Option<ConfigMessage<'n>>,
}

/// One HTTP filter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filter<'n> {
    /// Its name, under which routes configure it.
    pub(super) name: &'n str,
    /// Its entry in the chain.
    pub(super) at: ConfigMessage<'n>,
    /// The type of its configuration.
    kind: &'n str,
    /// Its configuration.
    pub(super) body: ConfigMessage<'n>,
}

impl<'n> Chain<'n> {
    pub(super) fn of(manager: ConfigMessage<'n>) -> Self {
        Chain {
            manager,
            filters: manager.list("http_filters").map(Filter::of).collect(),
            is_bytes: false,
            upgrade: None,
        }
    }

    /// The chains that replace the manager's for requests with an upgrade.
    pub(super) fn of_upgrades(manager: ConfigMessage<'n>) -> impl Iterator<Item = Self> {
        let chains = manager.list("upgrade_configs").map(move |upgrade| Chain {
            manager,
            filters: upgrade.list("filters").map(Filter::of).collect(),
            is_bytes: false,
            upgrade: Some(upgrade),
        });
        // An upgrade without filters of its own uses the manager's.
        chains.filter(|chain| !chain.filters.is_empty())
    }

    pub(super) fn of_bytes(proxy: ConfigMessage<'n>) -> Self {
        Chain {
            manager: proxy,
            filters: Vec::new(),
            is_bytes: true,
            upgrade: None,
        }
    }
}

impl<'n> Filter<'n> {
    pub(super) fn of(at: ConfigMessage<'n>) -> Self {
        let typed = at.get("typed_config").and_then(ConfigMessage::typed);
        Filter {
            name: at.text_of("name"),
            at,
            kind: typed.map_or("", |typed| typed.name),
            body: typed.map_or(at, |typed| typed.body),
        }
    }

    /// Whether its configuration has a type.
    pub(super) fn is(&self, end: &str) -> bool {
        self.kind.ends_with(end)
    }

    /// Whether Envoy gets its configuration over xDS.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.at.get("config_discovery").is_some()
    }

    /// Every configuration of a type in it: its own, or those that a matcher can select.
    pub(super) fn configs(&self, end: &str) -> Vec<ConfigMessage<'n>> {
        self.at
            .get("typed_config")
            .map_or_else(Vec::new, |config| config.packed(end))
    }
}

/// The type of the filter that requests a decision.
pub(super) const AUTHZ: &str = "filters.http.ext_authz.v3.ExtAuthz";

/// An `ext_authz` filter that calls mcp-authz.
#[derive(Debug, Clone, Copy)]
pub(super) struct Authz<'n> {
    /// Its position in its chain.
    pub(super) position: usize,
    pub(super) filter: Filter<'n>,
    pub(super) config: ConfigMessage<'n>,
}

/// The clusters that lead to mcp-authz.
#[derive(Debug)]
pub(super) struct Ours<'n> {
    pub(super) clusters: BTreeSet<&'n str>,
    /// Whether one of them was recognized by its address or name, and not because it is the only
    /// one.
    pub(super) is_certain: bool,
    /// The port on which mcp-authz listens.
    port: Option<&'n str>,
}

impl Ours<'_> {
    /// Whether a cluster, or the target of Google's client, leads to mcp-authz.
    pub(super) fn has(&self, cluster: &str) -> bool {
        self.clusters.contains(cluster) || is_named_so(cluster) || self.is_on_port(cluster)
    }

    fn is_on_port(&self, target: &str) -> bool {
        let port = target.rsplit_once(':').map(|(_, port)| port);
        port.is_some() && port == self.port
    }
}

/// The cluster of a gRPC service, or its target for Google's client.
pub(super) fn cluster_of(config: ConfigMessage<'_>) -> &str {
    let cluster = config.at("grpc_service.envoy_grpc.cluster_name");
    let target = || config.at("grpc_service.google_grpc.target_uri");
    let named = cluster.or_else(target).and_then(ConfigMessage::text);
    named.unwrap_or_default()
}

/// The `ext_authz` filters of each chain that call mcp-authz: those whose cluster has the port on
/// which it listens, or its name. If none has, a single filter counts, and so do several that call
/// the same cluster; of several that call different clusters none counts.
pub(super) fn find<'n>(
    chains: &[Chain<'n>],
    world: &World<'n>,
    expected: Option<&'n Expected>,
    report: &mut Report,
) -> (Vec<Vec<Authz<'n>>>, Ours<'n>) {
    let all: Vec<Vec<Authz<'n>>> = chains.iter().map(candidates).collect();
    let mut ours = Ours {
        clusters: world.authz_clusters(expected),
        is_certain: true,
        port: expected.and_then(|expected| match &expected.listen {
            Address::Tcp(address) => address.rsplit_once(':').map(|(_, port)| port),
            Address::Unix(_) => None,
        }),
    };
    let asked: BTreeSet<&str> = all
        .iter()
        .flatten()
        .map(|one| cluster_of(one.config))
        .collect();
    let known: BTreeSet<&str> = asked.iter().copied().filter(|one| ours.has(one)).collect();
    ours.is_certain = !known.is_empty() || !ours.clusters.is_empty();
    let chosen = match (known.is_empty(), asked.len()) {
        (false, _) => known,
        (true, 0 | 1) => asked,
        (true, _) => {
            for one in all.iter().flatten() {
                let message = "there are several ext_authz filters, and it is unclear whether \
                               this one calls mcp-authz";
                let help = "the one whose cluster has the port of `listen` in mcp-authz.yaml, or \
                            `mcp_authz` in its name, is checked";
                report.error(one.filter.at, message, help);
            }
            BTreeSet::new()
        }
    };
    let is_ours = |one: &Authz<'n>| chosen.contains(cluster_of(one.config));
    let found = all.into_iter();
    let found = found.map(|mut of_chain| {
        of_chain.retain(is_ours);
        of_chain
    });
    let found = found.collect();
    ours.clusters
        .extend(chosen.iter().filter(|name| !name.is_empty()));
    (found, ours)
}

fn candidates<'n>(chain: &Chain<'n>) -> Vec<Authz<'n>> {
    let filters = chain.filters.iter().enumerate();
    let found = filters.flat_map(|(position, filter)| {
        let configs = filter.configs(AUTHZ).into_iter();
        configs.map(move |config| Authz {
            position,
            filter: *filter,
            config,
        })
    });
    found.collect()
}

/// The chains of HTTP filters, by listener.
pub(super) fn chains<'n>(world: &World<'n>, report: &mut Report) -> Vec<Chain<'n>> {
    const MANAGER: &str = "http_connection_manager.v3.HttpConnectionManager";
    const PROXY: &str = "tcp_proxy.v3.TcpProxy";
    let mut chains = Vec::new();
    for listener in &world.listeners {
        for filter in network_filters(*listener) {
            if let Some(source) = filter.get("config_discovery") {
                let message = "a network filter that Envoy gets over xDS is not checked";
                report.unseen(source, message);
            }
        }
        let filters = network_filters(*listener);
        let configs = filters.filter_map(|filter| filter.get("typed_config"));
        let configs = configs.chain(listener.at("api_listener.api_listener"));
        for typed in configs.filter_map(ConfigMessage::typed) {
            if typed.is(MANAGER) {
                chains.push(Chain::of(typed.body));
                chains.extend(Chain::of_upgrades(typed.body));
            } else if typed.is(PROXY) {
                chains.push(Chain::of_bytes(typed.body));
            }
        }
    }
    chains
}
