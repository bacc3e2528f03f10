//! What Envoy's files define, by kind, wherever it stands.

use std::collections::BTreeSet;

use crate::listen::Address;
use crate::yaml::Node;

use super::chain::Chain;
use super::{Expected, Message, Report};

/// Everything that the files define.
#[derive(Debug, Default)]
pub(super) struct World<'n> {
    pub(super) listeners: Vec<Message<'n>>,
    pub(super) clusters: Vec<Message<'n>>,
    route_tables: Vec<Message<'n>>,
}

impl<'n> World<'n> {
    pub(super) fn of(trees: &'n [Node], report: &mut Report) -> Self {
        let mut world = World::default();
        for tree in trees {
            let root = Message::of(tree);
            world
                .listeners
                .extend(root.list("static_resources.listeners"));
            world
                .clusters
                .extend(root.list("static_resources.clusters"));
            for resource in root.list("resources") {
                world.add(resource);
            }
            look_for_unseen(root, report);
        }
        world
    }

    fn add(&mut self, resource: Message<'n>) {
        let resource = match resource.typed() {
            // A resource may come in a wrapper that names it.
            Some(typed) if typed.is("discovery.v3.Resource") => {
                typed.body.get("resource").unwrap_or(resource)
            }
            Some(_) | None => resource,
        };
        let Some(typed) = resource.typed() else {
            return;
        };
        let kinds = [
            ("config.listener.v3.Listener", &mut self.listeners),
            ("config.cluster.v3.Cluster", &mut self.clusters),
            ("config.route.v3.RouteConfiguration", &mut self.route_tables),
        ];
        for (kind, all) in kinds {
            if typed.is(kind) {
                all.push(typed.body);
            }
        }
    }

    /// A route table that some file defines.
    pub(super) fn route_table(&self, name: &str) -> Option<Message<'n>> {
        let mut tables = self.route_tables.iter().copied();
        tables.find(|table| table.text_of("name") == name)
    }

    pub(super) fn cluster(&self, name: &str) -> Option<Message<'n>> {
        let mut clusters = self.clusters.iter().copied();
        clusters.find(|cluster| cluster.text_of("name") == name)
    }

    /// The clusters that are mcp-authz for sure: by their address, or by their name.
    pub(super) fn authz_clusters(&self, expected: Option<&Expected>) -> BTreeSet<&'n str> {
        let is_ours = |cluster: &&Message<'n>| {
            let name = cluster.text_of("name").replace('_', "-");
            name.contains("mcp-authz")
                || expected.is_some_and(|expected| leads_to(**cluster, &expected.listen))
        };
        let clusters = self.clusters.iter().filter(is_ours);
        clusters.map(|cluster| cluster.text_of("name")).collect()
    }
}

/// Whether a cluster has an endpoint on the port or socket where mcp-authz listens. The host may
/// be another: what listens everywhere is reached by any of its addresses.
fn leads_to(cluster: Message<'_>, listen: &Address) -> bool {
    let mut endpoints = cluster
        .list("load_assignment.endpoints")
        .flat_map(|locality| locality.list("lb_endpoints"));
    match listen {
        Address::Tcp(address) => {
            let port = address
                .rsplit(':')
                .next()
                .and_then(|port| port.parse().ok());
            let path = "endpoint.address.socket_address.port_value";
            endpoints.any(|endpoint| port.is_some() && endpoint.count_of(path) == port)
        }
        Address::Unix(path) => endpoints.any(|endpoint| {
            let own = endpoint.text_of("endpoint.address.pipe.path");
            std::path::Path::new(own) == path
        }),
    }
}

/// Says what is not in the files.
fn look_for_unseen(root: Message<'_>, report: &mut Report) {
    let dynamic = ["lds_config", "cds_config", "ads_config"];
    for name in dynamic {
        let Some(source) = root.at("dynamic_resources").and_then(|all| all.get(name)) else {
            continue;
        };
        if source.get("path_config_source").is_none() {
            let what = match name {
                "lds_config" => "listeners",
                "cds_config" => "clusters",
                _ => "configuration",
            };
            report.unseen(
                source,
                format!("{what} that Envoy gets over xDS are not looked at"),
            );
        }
    }
    for layer in root.list("layered_runtime.layers") {
        let dynamic = ["rtds_layer", "disk_layer", "admin_layer"];
        if dynamic.iter().any(|kind| layer.get(kind).is_some()) {
            let message = "what this layer of the runtime overrides is not looked at";
            report.unseen(layer, message);
        }
    }
}

/// The chains of HTTP filters, each where it listens.
pub(super) fn chains<'n>(world: &World<'n>) -> Vec<Chain<'n>> {
    const MANAGER: &str = "http_connection_manager.v3.HttpConnectionManager";
    const PROXY: &str = "tcp_proxy.v3.TcpProxy";
    let mut chains = Vec::new();
    for listener in &world.listeners {
        let filters = listener.list("filter_chains");
        let filters = filters.chain(listener.get("default_filter_chain"));
        let filters = filters.flat_map(|chain| chain.list("filters"));
        let configs = filters.filter_map(|filter| filter.get("typed_config"));
        let configs = configs.chain(listener.at("api_listener.api_listener"));
        for typed in configs.filter_map(Message::typed) {
            if typed.is(MANAGER) {
                chains.push(Chain::of(typed.body));
            } else if typed.is(PROXY) {
                chains.push(Chain::of_bytes(typed.body));
            }
        }
    }
    chains
}
