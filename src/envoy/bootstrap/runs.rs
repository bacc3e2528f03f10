//! A judged request on its route: whether it runs once, as judged, on the server that it was
//! authorized for.

use super::routes::Route;
use super::{
    AuthzFilter, ConfigMessage, Expected, Report, authz, behind, choice, clusters, locks,
    processor, responses,
};

/// Checks of a judged route that leads to a server.
const CHECKS: [Check; 14] = [
    settings,
    unnamed_server,
    unserved_domains,
    retries,
    hedges,
    copies,
    choice::look,
    headers,
    second_lock,
    behind::look_at_route,
    upgrades,
    timeout,
    age,
    processing,
];

type Check = fn(&AuthzFilter<'_, '_>, &Route<'_>, &mut Report);

/// Checks a route against every row of the table.
pub(super) fn look(gate: &AuthzFilter<'_, '_>, route: &Route<'_>, report: &mut Report) {
    for check in CHECKS {
        check(gate, route, report);
    }
}

/// Conditions for a retry that occur only before the server has started to run the request.
const NOT_BEGUN: [&str; 3] = ["connect-failure", "refused-stream", "reset-before-request"];

fn settings(gate: &AuthzFilter<'_, '_>, route: &Route<'_>, report: &mut Report) {
    for settings in route.settings(&gate.authz) {
        if let Some(field) = settings.set("disable_request_body_buffering") {
            let message = "on this route mcp-authz does not get the body: every call is refused as \
                           `body_missing`";
            report.error(field, message, "leave `disable_request_body_buffering` out");
        }
        if let Some(body) = settings.get("with_request_body") {
            authz::look_at_body(body, gate.expected, report);
        }
        if let Some(service) = settings.get("grpc_service")
            && !gate.asks_us(settings)
        {
            let message = "on this route a service other than mcp-authz decides";
            report.error(service, message, "leave `grpc_service` out of the route");
        }
        if let Some(service) = settings.get("http_service") {
            let message = "on this route a service other than mcp-authz decides";
            report.error(service, message, "leave `http_service` out of the route");
        }
    }
}

/// What a route must contain to name its server.
fn names(expected: &Expected) -> String {
    let names = expected.servers.iter().map(|name| format!("`{name}`"));
    let names = names.collect::<Vec<_>>().join(", ");
    format!("`context_extensions: {{mcp_server: NAME}}`, one of {names}")
}

/// Checks for an unknown server name. It also applies to routes on which Envoy answers, because
/// clients request metadata of servers there.
pub(super) fn unknown_server(gate: &AuthzFilter<'_, '_>, route: &Route<'_>, report: &mut Report) {
    let (Some(expected), Some(named)) = (gate.expected, route.server(&gate.authz)) else {
        return;
    };
    let name = named.text().unwrap_or_default();
    // A running Envoy redacts some values.
    if name != "[redacted]" && !expected.servers.iter().any(|known| known == name) {
        let message = format!("mcp-authz.yaml has no server `{name}`: no request passes here");
        report.error(named, message, &names(expected));
    }
}

/// Metadata of a server, requested on a route on which Envoy answers without calling mcp-authz.
pub(super) fn unanswered_metadata(route: &Route<'_>, report: &mut Report) {
    let matches = ["path", "prefix", "path_separated_prefix"];
    let mut matches = matches.iter();
    let own = route.entry.get("match");
    let is_metadata = own.is_some_and(|own| {
        matches.any(|kind| {
            own.text_of(kind)
                .starts_with("/.well-known/oauth-protected-resource")
        })
    });
    if is_metadata && !route.leads_on() {
        let message = "mcp-authz does not serve the metadata of its servers here: clients do not \
                       learn where to get a token";
        let help = "leave the filter on here; mcp-authz answers without a token";
        report.warn_missing(route.entry, message, help);
    }
}

fn unnamed_server(gate: &AuthzFilter<'_, '_>, route: &Route<'_>, report: &mut Report) {
    let Some(expected) = gate.expected else {
        return;
    };
    if expected.servers.len() < 2 || route.server(&gate.authz).is_some() {
        return;
    }
    let mut domains = route.host.list("domains");
    if domains.any(|domain| domain.text() == Some("*")) {
        let message = "the client's `Host` chooses the server that a call is authorized for, and \
                       any host is accepted here";
        report.missing(route.entry, message, &names(expected));
    } else {
        let message = "the client's `Host` and path choose the server that a call is authorized \
                       for";
        report.warn_missing(route.entry, message, &names(expected));
    }
}

/// Domains of the route's virtual host at which mcp-authz has no server.
fn unserved_domains(gate: &AuthzFilter<'_, '_>, route: &Route<'_>, report: &mut Report) {
    let Some(expected) = gate.expected else {
        return;
    };
    let named = route.server(&gate.authz).and_then(ConfigMessage::text);
    for domain in route.host.list("domains") {
        let text = domain.text().unwrap_or_default().to_ascii_lowercase();
        if !text.is_empty() && !expected.serves(named, &text) {
            let message =
                format!("mcp-authz.yaml has no server at `{text}`: no request passes here");
            let help =
                "add it to the server's `match.hosts`, with its port only if that has to match";
            report.warn(domain, message, help);
        }
    }
}

/// The protocol options of the server that a route leads to.
fn options<'n>(gate: &AuthzFilter<'_, 'n>, route: &Route<'_>) -> Option<ConfigMessage<'n>> {
    let name = route.cluster.and_then(ConfigMessage::text)?;
    gate.world.cluster(name).and_then(clusters::options)
}

fn retries(gate: &AuthzFilter<'_, '_>, route: &Route<'_>, report: &mut Report) {
    if let Some(packed) = route.policy("retry_policy_typed_config") {
        report.error(packed, ONCE, "leave it out");
    }
    let own = route.policy("retry_policy");
    let of_cluster = options(gate, route).and_then(|options| options.get("retry_policy"));
    for policy in own.into_iter().chain(of_cluster) {
        look_at_retries(policy, report);
    }
}

fn look_at_retries(policy: ConfigMessage<'_>, report: &mut Report) {
    if policy.count_of("num_retries") == Some(0) {
        return;
    }
    let mut conditions = policy.text_of("retry_on").split(',').map(str::trim);
    let begun = |condition: &&str| !condition.is_empty() && !NOT_BEGUN.contains(condition);
    let Some(condition) = conditions.find(begun) else {
        return;
    };
    let retries = policy.count_of("num_retries").unwrap_or(1);
    let times = retries.saturating_add(1);
    let message =
        format!("one allowed call can run {times} times: `{condition}` may occur after it ran");
    let help = "leave `retry_policy` out, or set only `retry_on: connect-failure,refused-stream`";
    report.error(policy, message, help);
}

/// The consequence when a request runs more often than it was authorized.
const ONCE: &str = "one allowed call can run several times";

fn hedges(_: &AuthzFilter<'_, '_>, route: &Route<'_>, report: &mut Report) {
    let Some(policy) = route.policy("hedge_policy") else {
        return;
    };
    let many = policy
        .count_of("initial_requests")
        .is_some_and(|count| count > 1);
    if many || policy.is("hedge_on_per_try_timeout") {
        report.error(policy, ONCE, "leave `hedge_policy` out");
    }
}

fn copies(gate: &AuthzFilter<'_, '_>, route: &Route<'_>, report: &mut Report) {
    let action = route.entry.get("route").into_iter();
    let places = action.chain([route.host, route.table]);
    for place in places.chain(options(gate, route)) {
        for copy in place.list("request_mirror_policies") {
            let message = "a copy of each allowed call runs on another server, for which it was \
                           not authorized";
            report.error(copy, message, "leave `request_mirror_policies` out");
        }
    }
}

/// Routes change headers after all filters.
fn headers(gate: &AuthzFilter<'_, '_>, route: &Route<'_>, report: &mut Report) {
    let message = "the route changes headers that mcp-authz sets";
    for place in route.levels() {
        for added in place.list("request_headers_to_add") {
            if locks::is_ours(gate, added.text_of("header.key")) {
                report.error(added, message, "leave it out of `request_headers_to_add`");
            }
        }
        for removed in place.list("request_headers_to_remove") {
            if locks::is_ours(gate, removed.text().unwrap_or_default()) {
                report.error(
                    removed,
                    message,
                    "leave it out of `request_headers_to_remove`",
                );
            }
        }
    }
}

/// The filter in front that removes headers that clients must not send.
fn second_lock(gate: &AuthzFilter<'_, '_>, route: &Route<'_>, report: &mut Report) {
    for filter in gate.before().filter(|filter| filter.is(locks::MUTATION)) {
        if let Some(field) = route.switched_off(filter.name) {
            let message = "on this route only mcp-authz removes headers that clients must not \
                           send, and nothing removes them from trailers";
            report.warn(field, message, "leave `disabled` out");
        }
    }
}

fn upgrades(gate: &AuthzFilter<'_, '_>, route: &Route<'_>, report: &mut Report) {
    let manager = gate.chain.manager.list("upgrade_configs");
    for upgrade in manager.chain(route.entry.list("route.upgrade_configs")) {
        // If those filters do not call mcp-authz, that is reported for them.
        if has_own_filters(gate, upgrade)
            || upgrade.at("enabled").and_then(ConfigMessage::truth) == Some(false)
        {
            continue;
        }
        let help = "leave `upgrade_configs` out";
        if upgrade
            .text_of("upgrade_type")
            .eq_ignore_ascii_case("connect")
        {
            let message = "a CONNECT has no path that identifies a server: none passes";
            report.error(upgrade, message, help);
        } else {
            let message = "mcp-authz refuses every upgrade as `upgrade_refused`";
            report.warn(upgrade, message, help);
        }
    }
}

/// Whether requests with an upgrade pass other filters than those of the chain.
fn has_own_filters(gate: &AuthzFilter<'_, '_>, upgrade: ConfigMessage<'_>) -> bool {
    let kind = upgrade.text_of("upgrade_type");
    let mut all = gate.chain.manager.list("upgrade_configs");
    all.any(|one| {
        let is_same = one.text_of("upgrade_type").eq_ignore_ascii_case(kind);
        is_same && one.list("filters").next().is_some()
    })
}

fn timeout(_: &AuthzFilter<'_, '_>, route: &Route<'_>, report: &mut Report) {
    let help = "`timeout: 0s`, with `max_stream_duration`";
    match route.entry.at("route.timeout") {
        None => {
            let message = "Envoy ends every response after 15 s, even a stream";
            report.warn_missing(route.entry, message, help);
        }
        Some(field) if field.milliseconds() != Some(0) => {
            let message = "Envoy ends every response after this time, even a stream";
            report.warn(field, message, help);
        }
        Some(_) => {}
    }
}

fn age(gate: &AuthzFilter<'_, '_>, route: &Route<'_>, report: &mut Report) {
    let own = route
        .entry
        .at("route.max_stream_duration.max_stream_duration");
    let common = gate
        .chain
        .manager
        .at("common_http_protocol_options.max_stream_duration");
    let bound = own.or(common);
    if bound
        .and_then(ConfigMessage::milliseconds)
        .is_none_or(|bound| bound == 0)
    {
        let message = "an open stream continues after its token has expired, and even if a new \
                       policy would deny it";
        let help = "`max_stream_duration: {max_stream_duration: 900s}`; clients open streams again";
        match bound {
            Some(field) => report.warn(field, message, help),
            None => report.warn_missing(route.entry, message, help),
        }
    }
}

/// The route's settings for filters that send responses.
fn processing(gate: &AuthzFilter<'_, '_>, route: &Route<'_>, report: &mut Report) {
    let (mut on, mut off) = (Vec::new(), Vec::new());
    for filter in gate.behind() {
        if processor::ours(gate, filter).is_empty() {
            continue;
        }
        if route.is_off(filter) {
            off.push(filter);
        } else {
            on.push(filter);
        }
    }
    for filter in &on {
        responses::look_at_route(gate, filter, &route.configs(filter.name), report);
    }
    let Some(filter) = off.first().filter(|_| on.is_empty()) else {
        return;
    };
    let message = "on this route lists pass unfiltered, and sessions are bound only on first use";
    if let Some(field) = route.switched_off(filter.name) {
        report.error(field, message, "leave `disabled` out");
    } else {
        let help = "name the ext_proc filter in `typed_per_filter_config` of the route, or leave \
                    `disabled` out of the filter";
        report.missing(route.entry, message, help);
    }
}
