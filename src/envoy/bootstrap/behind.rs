//! Filters that change the verdict's headers or the judged request after the decision.

use super::chain::Filter;
use super::locks::{self, MUTATION, REQUEST};
use super::routes::Route;
use super::{AuthzFilter, ConfigMessage, NAMESPACE, Report, clusters};

/// Checks of the filters behind the decision.
pub(super) const CHECKS: [fn(&AuthzFilter<'_, '_>, &mut Report); 3] = [undone, upstream, metadata];

/// Types of filters that run custom code on requests.
const CODE: [&str; 4] = [
    "filters.http.lua.v3.Lua",
    "filters.http.wasm.v3.Wasm",
    "filters.http.golang.v3alpha.Config",
    "dynamic_modules.v3.DynamicModuleFilter",
];

/// Filters of the chain.
fn undone(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    for filter in gate.behind() {
        look_at(gate, filter, report);
    }
}

/// Filters that the router runs once it has chosen a cluster.
fn upstream(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    let routers = gate
        .behind()
        .flat_map(|filter| filter.configs("router.v3.Router"));
    for entry in routers.flat_map(|router| router.list("upstream_http_filters")) {
        look_at(gate, &Filter::of(entry), report);
    }
}

fn look_at(gate: &AuthzFilter<'_, '_>, filter: &Filter<'_>, report: &mut Report) {
    for config in filter.configs(MUTATION) {
        look_at_mutations(gate, config, report);
    }
    let mut code = CODE.iter();
    if code.any(|kind| !filter.configs(kind).is_empty()) {
        let message = "this filter runs code after the decision, which can change the request \
                       and the headers that mcp-authz sets";
        report.warn(filter.at, message, "put it in front of ext_authz");
    }
}

fn look_at_mutations(gate: &AuthzFilter<'_, '_>, config: ConfigMessage<'_>, report: &mut Report) {
    for mutation in config.list(REQUEST) {
        if locks::touches_ours(gate, mutation) {
            let message = "this changes a header after mcp-authz has set it";
            let help = "put the header_mutation filter in front of ext_authz";
            report.error(mutation, message, help);
        }
    }
}

/// Settings of a route for filters behind the decision, and the filters of its cluster.
pub(super) fn look_at_route(gate: &AuthzFilter<'_, '_>, route: &Route<'_>, report: &mut Report) {
    for filter in gate.behind() {
        for config in route.configs(filter.name) {
            for own in config.packed("header_mutation.v3.HeaderMutationPerRoute") {
                look_at_mutations(gate, own, report);
            }
        }
    }
    for filter in &gate.chain.filters {
        for config in route.configs(filter.name) {
            look_for_namespaces(gate, config, report);
        }
    }
    let name = route
        .cluster
        .and_then(ConfigMessage::text)
        .unwrap_or_default();
    let options = gate.world.cluster(name).and_then(clusters::options);
    for entry in options.into_iter().flat_map(|all| all.list("http_filters")) {
        look_at(gate, &Filter::of(entry), report);
    }
}

/// Filters that write to the metadata of mcp-authz. Those behind overwrite it; those in front add
/// what mcp-authz leaves out, which is then taken for its own.
fn metadata(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    for filter in &gate.chain.filters {
        if let Some(config) = filter.at.get("typed_config") {
            look_for_namespaces(gate, config, report);
        }
    }
}

fn look_for_namespaces(gate: &AuthzFilter<'_, '_>, config: ConfigMessage<'_>, report: &mut Report) {
    config.each(&mut |message| {
        let own = message.get("metadata_namespace");
        // Another service may write its facts about a request under any listed name.
        let of_service = message.list("metadata_options.receiving_namespaces.untyped");
        let of_service = of_service.filter(|_| !gate.asks_us(message));
        let mut spaces = own.into_iter().chain(of_service);
        if let Some(space) = spaces.find(|space| space.text() == Some(NAMESPACE)) {
            let what = "this filter writes to mcp-authz's metadata, which says which responses \
                        are inspected, and for whom";
            report.error(space, what, "another `metadata_namespace`");
        }
    });
}
