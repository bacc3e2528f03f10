//! Which server a judged request goes to: that its route says it, and not the client.

use super::routes::Route;
use super::{Gate, Message, Report};

/// Looks for what lets the client say to which server a judged request goes.
pub(super) fn look(gate: &Gate<'_, '_>, route: &Route<'_>, report: &mut Report) {
    let help = "`cluster`, with a route for each server";
    let own = route.entry.at("route.cluster_header");
    let parts = route.entry.list("route.weighted_clusters.clusters");
    let parts = parts.filter_map(|part| part.get("cluster_header"));
    for header in own.into_iter().chain(parts) {
        let message = "the client chooses the server by a header, whichever it was judged for";
        report.error(header, message, help);
    }
    for plugin in [
        "cluster_specifier_plugin",
        "inline_cluster_specifier_plugin",
    ] {
        if let Some(field) = route.entry.get("route").and_then(|route| route.get(plugin)) {
            let message = "an extension chooses the server by the request, whichever it was judged \
                           for";
            report.error(field, message, help);
        }
    }
    let Some(named) = route.cluster else {
        return;
    };
    match gate.world.cluster(named.text().unwrap_or_default()) {
        Some(cluster) => look_at_cluster(cluster, report),
        None => look_for_proxies(gate, named, report),
    }
}

/// A cluster whose endpoints are what a request says.
fn look_at_cluster(cluster: Message<'_>, report: &mut Report) {
    let help = "a cluster with the server's own endpoints";
    if let Some(field) = cluster.set("original_dst_lb_config.use_http_header") {
        let message = "the client chooses the server by `x-envoy-original-dst-host` or the like, \
                       whichever it was judged for";
        report.error(field, message, help);
    }
    if let Some(proxy) = cluster.get("cluster_type")
        && !proxy
            .packed("dynamic_forward_proxy.v3.ClusterConfig")
            .is_empty()
    {
        report.error(proxy, ANY_HOST, help);
    }
}

const ANY_HOST: &str = "the client chooses the server by its `Host`, whichever it was judged for";

/// A cluster that is in none of the files, behind a filter that looks for the host of a request.
fn look_for_proxies(gate: &Gate<'_, '_>, cluster: Message<'_>, report: &mut Report) {
    let mut filters = gate.chain.filters.iter();
    if filters.any(|filter| filter.is("dynamic_forward_proxy.v3.FilterConfig")) {
        let help = "a cluster with the server's own endpoints, and no dynamic_forward_proxy filter";
        report.warn(cluster, ANY_HOST, help);
    }
}
