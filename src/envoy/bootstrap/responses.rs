//! The `ext_proc` filters: whether every response to be inspected is sent, complete, to mcp-authz.

use super::chain::Filter;
use super::processor::{PROCESSOR, is_guessed, is_ours, look_at_body_mode, of_ours, ours};
use super::rows::{self, FieldFault, Row, Weight};
use super::{AuthzFilter, ConfigMessage, NAMESPACE, Report, authz, coverage};

/// Checks of the path of responses.
pub(super) const CHECKS: [fn(&AuthzFilter<'_, '_>, &mut Report); 4] =
    [processors, in_front, coverage::look, others];

const ROWS: &[Row] = &[
    (
        "failure_mode_allow",
        FieldFault::True,
        Weight::Error,
        "lists pass unfiltered, and sessions are bound only on first use, whenever mcp-authz is \
         slow or unavailable",
        "`failure_mode_allow: false`",
    ),
    (
        "observability_mode",
        FieldFault::True,
        Weight::Error,
        "Envoy sends responses but ignores the verdict: lists pass unfiltered",
        "leave `observability_mode` out",
    ),
    (
        "disable_immediate_response",
        FieldFault::True,
        Weight::Error,
        "Envoy does not let mcp-authz replace a response that it cannot filter with an error",
        "leave `disable_immediate_response` out",
    ),
    (
        "forward_rules",
        FieldFault::Given,
        Weight::Error,
        "Envoy does not send all headers of a response, so mcp-authz neither sees a new session \
         nor recognizes a list",
        "leave `forward_rules` out",
    ),
    (
        "route_cache_action",
        FieldFault::Is("CLEAR", 1),
        Weight::Error,
        "a request may take another route than the one it was authorized for",
        "leave `route_cache_action` out",
    ),
    (
        "allow_mode_override",
        FieldFault::True,
        Weight::Warning,
        "mcp-authz never requests another processing mode, so this has no use",
        "leave `allow_mode_override` out",
    ),
];

fn processors(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    for config in gate.behind().flat_map(|filter| ours(gate, filter)) {
        if is_guessed(gate, config) {
            let message = "it is unclear whether this filter calls mcp-authz, because its \
                           cluster is not that of ext_authz; it is checked as if it does";
            let help = "the cluster of ext_authz, or one with the port of `listen` in \
                        mcp-authz.yaml or `mcp_authz` in its name";
            report.warn_missing(config, message, help);
        }
        look_at(config, report);
    }
}

/// Checks one configuration that sends responses to mcp-authz.
fn look_at(config: ConfigMessage<'_>, report: &mut Report) {
    rows::look(config, ROWS, report);
    authz::look_at_size(config, report);
    look_at_namespaces(config, report);
    if let Some(http) = config.get("http_service") {
        let message = "mcp-authz is called over HTTP but serves only gRPC: no list comes through";
        report.error(http, message, "`grpc_service` with `envoy_grpc`");
    }
}

/// Lists are judged for the caller that `ext_authz` verified, who is in its metadata.
fn look_at_namespaces(config: ConfigMessage<'_>, report: &mut Report) {
    let path = "metadata_options.forwarding_namespaces";
    let mut spaces = config
        .at(path)
        .into_iter()
        .flat_map(|all| all.list("untyped"));
    if spaces.any(|space| space.text() == Some(NAMESPACE)) {
        return;
    }
    let message = "mcp-authz does not learn whom a response is for: lists are refused, and \
                   sessions are bound only on first use";
    let help =
        "`metadata_options: {forwarding_namespaces: {untyped: [envoy.filters.http.ext_authz]}}`";
    match config.at(path) {
        Some(field) => report.error(field, message, help),
        None => report.missing(config, message, help),
    }
}

/// A filter in front of `ext_authz` does not know yet which responses are to be inspected.
fn in_front(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    for filter in gate.before() {
        if !ours(gate, filter).is_empty() {
            let message = "this filter comes before the decision, so it does not know what to \
                           inspect: lists pass unfiltered";
            report.error(
                filter.at,
                message,
                "put it behind ext_authz, in front of the router",
            );
        }
    }
}

/// `ext_proc` filters that call other services.
fn others(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    for (position, filter) in gate.chain.filters.iter().enumerate() {
        let configs = filter.configs(PROCESSOR).into_iter();
        for config in configs.filter(|config| !is_ours(gate, *config)) {
            let behind = position > gate.authz.position;
            let changes = !config.has_choice("processing_mode.request_body_mode", "NONE", 0);
            if behind && changes {
                let message = "another ext_proc filter may change the body after the decision";
                report.warn(filter.at, message, "put it in front of ext_authz");
            }
            if let Some(field) = config.set("failure_mode_allow") {
                let message = "traffic that this filter guards passes whenever its service is \
                               unavailable";
                report.warn(field, message, "`failure_mode_allow: false`");
            }
        }
    }
}

/// Checks a route's settings for a filter, the most specific first: `ExtProcPerRoute`, or a matcher
/// of its own.
pub(super) fn look_at_route<'n>(
    gate: &AuthzFilter<'_, 'n>,
    filter: &Filter<'n>,
    configs: &[ConfigMessage<'n>],
    report: &mut Report,
) {
    let Some((config, typed)) = configs.first().and_then(|one| Some((*one, one.typed()?))) else {
        return;
    };
    if typed.is(PER_ROUTE) {
        let all = configs.iter().filter_map(|config| config.typed());
        let all = all.filter(|typed| typed.is(PER_ROUTE));
        let all: Vec<_> = all.map(|typed| typed.body).collect();
        look_at_overrides(gate, &all, report);
    } else if let Some(matcher) = typed.body.get("matcher").or(typed.body.get("xds_matcher")) {
        for own in of_ours(gate, matcher.packed(PROCESSOR)) {
            look_at(own, report);
        }
        coverage::look_at_matcher(gate, filter, config, matcher, report);
    }
}

/// The type of a route's settings for a filter that sends responses.
const PER_ROUTE: &str = "ext_proc.v3.ExtProcPerRoute";

/// Only the most specific place can disable the filter. Each override comes from the most specific
/// place that has it.
fn look_at_overrides(
    gate: &AuthzFilter<'_, '_>,
    places: &[ConfigMessage<'_>],
    report: &mut Report,
) {
    if let Some(field) = places.first().and_then(|place| place.set("disabled")) {
        let message = "on this route lists pass unfiltered, and sessions are bound only on \
                       first use";
        report.error(field, message, "leave `disabled` out");
        return;
    }
    let with = |path: &str| {
        let mut overrides = places.iter().filter_map(|place| place.get("overrides"));
        overrides.find(|overrides| overrides.at(path).is_some())
    };
    if let Some(field) = with("failure_mode_allow").and_then(|all| all.set("failure_mode_allow")) {
        let message = "on this route lists pass unfiltered whenever mcp-authz is slow or \
                       unavailable";
        report.error(field, message, "leave it out of `overrides`");
    }
    if let Some(overrides) = with("grpc_service")
        && let Some(service) = overrides.get("grpc_service")
        && !gate.asks_us(overrides)
    {
        let message = "on this route a service other than mcp-authz receives the responses: \
                       lists pass unfiltered, and sessions are bound only on first use";
        report.error(service, message, "leave `grpc_service` out of `overrides`");
    }
    if let Some(overrides) = with("processing_mode")
        && let Some(mode) = overrides.get("processing_mode")
    {
        look_at_body_mode(overrides, Some(mode), report);
        if mode.has_choice("response_header_mode", "SKIP", 2) {
            let message = "on this route Envoy does not send the headers of a response to \
                           mcp-authz";
            report.error(mode, message, "`response_header_mode: SEND`");
        }
    }
    if let Some(overrides) = with("metadata_options.forwarding_namespaces") {
        look_at_namespaces(overrides, report);
    }
}
