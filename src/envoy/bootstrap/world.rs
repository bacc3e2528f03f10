//! The definitions in Envoy's files, by kind, wherever they occur.

use std::collections::{BTreeSet, HashMap};

use crate::listen::Address;
use crate::yaml::Node;

use super::message::Typed;
use super::{ConfigMessage, Expected, Report};

/// Everything that the files define.
#[derive(Debug, Default)]
pub(super) struct World<'n> {
    pub(super) listeners: Vec<ConfigMessage<'n>>,
    pub(super) clusters: Vec<ConfigMessage<'n>>,
    /// The first one of each name, because there can be many, and as many routes.
    cluster_names: HashMap<&'n str, ConfigMessage<'n>>,
    route_tables: Vec<ConfigMessage<'n>>,
    /// The source of listeners that are in none of the files.
    listeners_elsewhere: Option<ConfigMessage<'n>>,
    /// Whether one of the files is a whole configuration and not only some resources.
    is_whole: bool,
}

impl<'n> World<'n> {
    pub(super) fn of(trees: &'n [Node], report: &mut Report) -> Self {
        let mut world = World::default();
        for tree in trees {
            let root = ConfigMessage::of(tree);
            if root.is_dump() {
                world.add_dump(root, report);
                continue;
            }
            world.is_whole |= root.get("resources").is_none();
            world
                .listeners
                .extend(root.list("static_resources.listeners"));
            world
                .clusters
                .extend(root.list("static_resources.clusters"));
            for resource in root.list("resources") {
                world.add(resource);
            }
            let elsewhere = look_for_unseen(root, report);
            world.listeners_elsewhere = world.listeners_elsewhere.or(elsewhere);
        }
        for cluster in &world.clusters {
            let name = cluster.text_of("name");
            world.cluster_names.entry(name).or_insert(*cluster);
        }
        world
    }

    /// Adds the state of a running Envoy, without what it got over xDS and has not applied yet.
    fn add_dump(&mut self, root: ConfigMessage<'n>, report: &mut Report) {
        for part in root.list("configs").filter_map(ConfigMessage::typed) {
            let of = |path, field| part.body.list(path).filter_map(move |one| one.at(field));
            if part.is("ListenersConfigDump") {
                self.is_whole = true;
                self.listeners.extend(of("static_listeners", "listener"));
                let dynamic = of("dynamic_listeners", "active_state.listener");
                self.listeners.extend(dynamic);
            } else if part.is("ClustersConfigDump") {
                self.clusters.extend(of("static_clusters", "cluster"));
                self.clusters
                    .extend(of("dynamic_active_clusters", "cluster"));
            } else if part.is("RoutesConfigDump") {
                let fixed = of("static_route_configs", "route_config");
                self.route_tables.extend(fixed);
                let dynamic = of("dynamic_route_configs", "route_config");
                self.route_tables.extend(dynamic);
            } else if part.is("BootstrapConfigDump")
                && let Some(bootstrap) = part.body.get("bootstrap")
            {
                look_at_runtime(bootstrap, report);
            } else {
                self.add_part_of_dump(part);
            }
        }
    }

    /// Adds a partial dump: `/config_dump?resource=dynamic_listeners`.
    fn add_part_of_dump(&mut self, part: Typed<'n>) {
        let of = |kinds: &[(&str, &str)]| {
            let mut kinds = kinds.iter().filter(|(kind, _)| part.is(kind));
            kinds.next().and_then(|(_, field)| part.body.at(field))
        };
        self.listeners.extend(of(&[
            ("ListenersConfigDump.StaticListener", "listener"),
            (
                "ListenersConfigDump.DynamicListener",
                "active_state.listener",
            ),
        ]));
        self.clusters.extend(of(&[
            ("ClustersConfigDump.StaticCluster", "cluster"),
            ("ClustersConfigDump.DynamicCluster", "cluster"),
        ]));
        self.route_tables.extend(of(&[
            ("RoutesConfigDump.StaticRouteConfig", "route_config"),
            ("RoutesConfigDump.DynamicRouteConfig", "route_config"),
        ]));
    }

    /// The source of listeners that are in none of the files, if any.
    pub(super) fn elsewhere(&self, root: ConfigMessage<'n>) -> Option<ConfigMessage<'n>> {
        let part = (!self.is_whole && self.listeners.is_empty()).then_some(root);
        let filters = self.listeners.iter().copied().flat_map(network_filters);
        let mut unread = filters.filter(|filter| filter.get("config_discovery").is_some());
        self.listeners_elsewhere.or(part).or_else(|| unread.next())
    }

    fn add(&mut self, resource: ConfigMessage<'n>) {
        let resource = match resource.typed() {
            // A resource may be in a wrapper that names it.
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
    pub(super) fn route_table(&self, name: &str) -> Option<ConfigMessage<'n>> {
        let mut tables = self.route_tables.iter().copied();
        tables.find(|table| table.text_of("name") == name)
    }

    pub(super) fn cluster(&self, name: &str) -> Option<ConfigMessage<'n>> {
        self.cluster_names.get(name).copied()
    }

    /// The names of a cluster and of those to which it forwards requests.
    pub(super) fn reached(&self, name: &'n str) -> BTreeSet<&'n str> {
        let mut reached = BTreeSet::new();
        let mut waiting = vec![name];
        while let Some(name) = waiting.pop() {
            if reached.insert(name)
                && let Some(cluster) = self.cluster(name)
            {
                waiting.extend(members(cluster));
            }
        }
        reached
    }

    /// The clusters that certainly lead to mcp-authz: by their address or their name.
    pub(super) fn authz_clusters(&self, expected: Option<&Expected>) -> BTreeSet<&'n str> {
        let is_ours = |cluster: &&ConfigMessage<'n>| {
            is_named_so(cluster.text_of("name"))
                || expected.is_some_and(|expected| leads_to(**cluster, &expected.listen))
        };
        let clusters = self.clusters.iter().filter(is_ours);
        clusters.map(|cluster| cluster.text_of("name")).collect()
    }
}

/// The clusters that an aggregate cluster consists of.
fn members(cluster: ConfigMessage<'_>) -> impl Iterator<Item = &str> {
    let kinds = ["aggregate.v3.ClusterConfig", "composite.v3.ClusterConfig"];
    let config = cluster.at("cluster_type.typed_config");
    let config = config.and_then(ConfigMessage::typed);
    let config = config.filter(|typed| kinds.iter().any(|kind| typed.is(kind)));
    let members = config
        .into_iter()
        .flat_map(|typed| typed.body.list("clusters"));
    members.filter_map(|member| member.text().or_else(|| member.get("name")?.text()))
}

/// Whether a cluster has an endpoint on the port or socket on which mcp-authz listens. The host may
/// differ, because a wildcard address is reachable by any of its addresses.
fn leads_to(cluster: ConfigMessage<'_>, listen: &Address) -> bool {
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

/// Reports what is not in the files, and returns the source of such listeners.
fn look_for_unseen<'n>(root: ConfigMessage<'n>, report: &mut Report) -> Option<ConfigMessage<'n>> {
    let mut listeners = None;
    let dynamic = ["lds_config", "cds_config", "ads_config"];
    for name in dynamic {
        let Some(source) = root.at("dynamic_resources").and_then(|all| all.get(name)) else {
            continue;
        };
        if source.get("path_config_source").is_some() || source.get("path").is_some() {
            continue;
        }
        let what = match name {
            "lds_config" => {
                listeners = Some(source);
                "listeners that Envoy gets over xDS are"
            }
            "cds_config" => "clusters that Envoy gets over xDS are",
            _ => "configuration that Envoy gets over xDS is",
        };
        report.unseen(source, format!("{what} not checked"));
    }
    look_at_runtime(root, report);
    listeners
}

fn look_at_runtime(root: ConfigMessage<'_>, report: &mut Report) {
    for layer in root.list("layered_runtime.layers") {
        let dynamic = ["rtds_layer", "disk_layer", "admin_layer"];
        if dynamic.iter().any(|kind| layer.get(kind).is_some()) {
            let message = "overrides in this runtime layer are not checked";
            report.unseen(layer, message);
        }
    }
}

/// The network filters of a listener.
pub(super) fn network_filters(
    listener: ConfigMessage<'_>,
) -> impl Iterator<Item = ConfigMessage<'_>> {
    let chains = listener.list("filter_chains");
    let chains = chains.chain(listener.get("default_filter_chain"));
    chains.flat_map(|chain| chain.list("filters"))
}

/// The addresses of a cluster's endpoints, in a canonical form.
pub(super) fn addresses(cluster: ConfigMessage<'_>) -> impl Iterator<Item = String> {
    let localities = cluster.list("load_assignment.endpoints");
    let endpoints = localities.flat_map(|locality| locality.list("lb_endpoints"));
    let fixed = endpoints.filter_map(|one| {
        let address = one.at("endpoint.address")?;
        if let Some(path) = address.at("pipe.path").and_then(ConfigMessage::text) {
            return Some(format!("unix:{path}"));
        }
        if let Some(internal) = address.get("envoy_internal_address") {
            let listener = internal.text_of("server_listener_name");
            return Some(format!("internal:{listener}"));
        }
        let socket = address.get("socket_address")?;
        let host = socket.text_of("address").trim_end_matches('.');
        let host = match host.to_ascii_lowercase().as_str() {
            "localhost" => "127.0.0.1".to_owned(),
            other => other.to_owned(),
        };
        let port = socket.count_of("port_value");
        let port = port.map_or_else(
            || socket.text_of("named_port").to_owned(),
            |port| port.to_string(),
        );
        Some(format!("{host}:{port}"))
    });
    // Envoy requests the endpoints under this name.
    let asked = cluster.get("eds_cluster_config").map(|eds| {
        let name = eds.get("service_name").or(cluster.get("name"));
        format!(
            "eds:{}",
            name.and_then(ConfigMessage::text).unwrap_or_default()
        )
    });
    fixed.chain(asked)
}

/// Whether the name of a cluster indicates mcp-authz.
pub(super) fn is_named_so(cluster: &str) -> bool {
    cluster.replace('_', "-").contains("mcp-authz")
}
