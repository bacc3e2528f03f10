//! Which server a request goes to: the route must choose it, not the client.

use super::routes::Route;
use super::{AuthzFilter, ConfigMessage, Report, World};

/// A setting through which a request chooses its server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice<'n> {
    pub(super) at: ConfigMessage<'n>,
    /// Who chooses, and by what.
    pub(super) what: &'static str,
    help: &'static str,
    /// Whether the choice is among the clusters of this Envoy, including those of servers.
    pub(super) of_clusters: bool,
}

/// Looks for settings through which the client chooses the server of a judged request.
pub(super) fn look(gate: &AuthzFilter<'_, '_>, route: &Route<'_>, report: &mut Report) {
    for choice in all(route, gate.world) {
        let message = format!("{}, whichever server it was authorized for", choice.what);
        report.error(choice.at, message, choice.help);
    }
    if let Some(named) = route.cluster
        && gate
            .world
            .cluster(named.text().unwrap_or_default())
            .is_none()
    {
        look_for_proxies(gate, named, report);
    }
}

/// Every setting through which requests on a route choose their server.
pub(super) fn all<'n>(route: &Route<'n>, world: &World<'n>) -> Vec<Choice<'n>> {
    let mut found = Vec::new();
    let own = route.entry.at("route.cluster_header");
    let parts = route.entry.list("route.weighted_clusters.clusters");
    let parts = parts.filter_map(|part| part.get("cluster_header"));
    found.extend(own.into_iter().chain(parts).map(|at| Choice {
        at,
        what: "the client chooses the server by a header",
        help: "`cluster`, with a route for each server",
        of_clusters: true,
    }));
    let plugins = [
        "cluster_specifier_plugin",
        "inline_cluster_specifier_plugin",
    ];
    let action = route.entry.get("route");
    let plugins = plugins.iter().filter_map(|plugin| action?.get(plugin));
    found.extend(plugins.map(|at| Choice {
        at,
        what: "an extension chooses the server by the request",
        help: "`cluster`, with a route for each server",
        of_clusters: true,
    }));
    let named = route.cluster.and_then(ConfigMessage::text);
    let reached = named.map(|name| world.reached(name)).unwrap_or_default();
    let clusters = reached.iter().filter_map(|name| world.cluster(name));
    found.extend(clusters.flat_map(of_cluster));
    found
}

/// Settings of a cluster that take its endpoints from the request.
fn of_cluster(cluster: ConfigMessage<'_>) -> impl Iterator<Item = Choice<'_>> {
    let kind = cluster.get("cluster_type");
    let own = cluster.get("original_dst_lb_config");
    let typed = kind.map_or_else(Vec::new, |kind| {
        kind.packed("original_dst.v3.OriginalDstCluster")
    });
    let by_header = own.into_iter().chain(typed);
    let by_header = by_header.filter_map(|config| config.set("use_http_header"));
    let by_header = by_header.map(|at| (at, ANY_ADDRESS));
    let by_host = kind.filter(|kind| {
        let proxies = kind.packed("dynamic_forward_proxy.v3.ClusterConfig");
        !proxies.is_empty()
    });
    let by_host = by_host.map(|at| (at, ANY_HOST));
    by_header.chain(by_host).map(|(at, what)| Choice {
        at,
        what,
        help: "a cluster with the server's own endpoints",
        of_clusters: false,
    })
}

const ANY_ADDRESS: &str =
    "the client chooses the server by `x-envoy-original-dst-host` or the like";
const ANY_HOST: &str = "the client chooses the server by its `Host`";

/// Checks a cluster that is in none of the files, behind a filter that resolves the request's host.
fn look_for_proxies(gate: &AuthzFilter<'_, '_>, cluster: ConfigMessage<'_>, report: &mut Report) {
    let mut filters = gate.chain.filters.iter();
    if filters.any(|filter| filter.is("dynamic_forward_proxy.v3.FilterConfig")) {
        let message = format!("{ANY_HOST}, whichever server it was authorized for");
        let help = "a cluster with the server's own endpoints, and no dynamic_forward_proxy filter";
        report.warn(cluster, message, help);
    }
}
