//! The `ext_proc` filters: whether every response that has to be looked at is, whole, and by whom.

use super::chain::Filter;
use super::processor::{PROCESSOR, is_guessed, is_ours, look_at_body_mode, of_ours, ours};
use super::rows::{self, FieldFault, Row, Weight};
use super::{AuthzFilter, ConfigMessage, NAMESPACE, Report, authz, coverage};

/// Checks of the way of responses.
pub(super) const CHECKS: [fn(&AuthzFilter<'_, '_>, &mut Report); 4] =
    [processors, in_front, coverage::look, others];

const ROWS: &[Row] = &[
    (
        "failure_mode_allow",
        FieldFault::True,
        Weight::Error,
        "lists pass whole, and sessions are bound on first use only, whenever mcp-authz is slow or \
         away",
        "`failure_mode_allow: false`",
    ),
    (
        "observability_mode",
        FieldFault::True,
        Weight::Error,
        "responses are shown and go on as they are: lists pass whole",
        "leave `observability_mode` out",
    ),
    (
        "disable_immediate_response",
        FieldFault::True,
        Weight::Error,
        "Envoy does not let mcp-authz put an error in the place of a response that it cannot filter",
        "leave `disable_immediate_response` out",
    ),
    (
        "forward_rules",
        FieldFault::Given,
        Weight::Error,
        "mcp-authz is not shown all headers of a response, so that it neither sees a new session nor \
         tells a list from other responses",
        "leave `forward_rules` out",
    ),
    (
        "route_cache_action",
        FieldFault::Is("CLEAR", 1),
        Weight::Error,
        "a request may go to another route than the one that it was judged for",
        "leave `route_cache_action` out",
    ),
    (
        "allow_mode_override",
        FieldFault::True,
        Weight::Warning,
        "mcp-authz never asks for another processing mode, so that this serves nobody",
        "leave `allow_mode_override` out",
    ),
];

fn processors(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    for config in gate.behind().flat_map(|filter| ours(gate, filter)) {
        if is_guessed(gate, config) {
            let message = "it cannot be told whether this filter asks mcp-authz, and it is taken \
                           for one that does: it does not ask the cluster that ext_authz does";
            let help = "the cluster of ext_authz, or one with the port of `listen` in \
                        mcp-authz.yaml or `mcp_authz` in its name";
            report.warn_missing(config, message, help);
        }
        look_at(config, report);
    }
}

/// One configuration that shows responses to mcp-authz.
fn look_at(config: ConfigMessage<'_>, report: &mut Report) {
    rows::look(config, ROWS, report);
    authz::look_at_size(config, report);
    look_at_namespaces(config, report);
    if let Some(http) = config.get("http_service") {
        let message = "mcp-authz is asked over HTTP, and answers gRPC only: no list comes through";
        report.error(http, message, "`grpc_service` with `envoy_grpc`");
    }
}

/// Lists are judged for the caller that `ext_authz` proved, who comes in its metadata.
fn look_at_namespaces(config: ConfigMessage<'_>, report: &mut Report) {
    let path = "metadata_options.forwarding_namespaces";
    let mut spaces = config
        .at(path)
        .into_iter()
        .flat_map(|all| all.list("untyped"));
    if spaces.any(|space| space.text() == Some(NAMESPACE)) {
        return;
    }
    let message = "mcp-authz is not told for whom a response is: lists are refused, and sessions \
                   are bound on first use only";
    let help =
        "`metadata_options: {forwarding_namespaces: {untyped: [envoy.filters.http.ext_authz]}}`";
    match config.at(path) {
        Some(field) => report.error(field, message, help),
        None => report.missing(config, message, help),
    }
}

/// What stands in front of `ext_authz` does not know yet which responses are to be looked at.
fn in_front(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    for filter in gate.before() {
        if !ours(gate, filter).is_empty() {
            let message = "this filter comes before the decision, so that it does not know what \
                           to look at: lists pass whole";
            report.error(
                filter.at,
                message,
                "put it behind ext_authz, in front of the router",
            );
        }
    }
}

/// `ext_proc` filters of others.
fn others(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    for (position, filter) in gate.chain.filters.iter().enumerate() {
        let configs = filter.configs(PROCESSOR).into_iter();
        for config in configs.filter(|config| !is_ours(gate, *config)) {
            let behind = position > gate.authz.position;
            let changes = !config.has_choice("processing_mode.request_body_mode", "NONE", 0);
            if behind && changes {
                let message = "another ext_proc filter may change the body after it was judged";
                report.warn(filter.at, message, "put it in front of ext_authz");
            }
            if let Some(field) = config.set("failure_mode_allow") {
                let message = "what this filter guards passes whenever its service is away";
                report.warn(field, message, "`failure_mode_allow: false`");
            }
        }
    }
}

/// What a route says otherwise than a filter, the most specific first: `ExtProcPerRoute`, and a
/// matcher of its own.
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

/// The type of what a route says to a filter that shows responses.
const PER_ROUTE: &str = "ext_proc.v3.ExtProcPerRoute";

/// Only the most specific place can switch the filter off. Each override is taken from the most
/// specific place that has it.
fn look_at_overrides(
    gate: &AuthzFilter<'_, '_>,
    places: &[ConfigMessage<'_>],
    report: &mut Report,
) {
    if let Some(field) = places.first().and_then(|place| place.set("disabled")) {
        let message = "on this route lists pass whole, and sessions are bound on first use only";
        report.error(field, message, "leave `disabled` out");
        return;
    }
    let with = |path: &str| {
        let mut overrides = places.iter().filter_map(|place| place.get("overrides"));
        overrides.find(|overrides| overrides.at(path).is_some())
    };
    if let Some(field) = with("failure_mode_allow").and_then(|all| all.set("failure_mode_allow")) {
        let message = "on this route lists pass whole whenever mcp-authz is slow or away";
        report.error(field, message, "leave it out of `overrides`");
    }
    if let Some(overrides) = with("grpc_service")
        && let Some(service) = overrides.get("grpc_service")
        && !gate.asks_us(overrides)
    {
        let message = "on this route another service than mcp-authz is shown the responses: lists \
                       pass whole, and sessions are bound on first use only";
        report.error(service, message, "leave `grpc_service` out of `overrides`");
    }
    if let Some(overrides) = with("processing_mode")
        && let Some(mode) = overrides.get("processing_mode")
    {
        look_at_body_mode(overrides, Some(mode), report);
        if mode.has_choice("response_header_mode", "SKIP", 2) {
            let message = "on this route mcp-authz is not shown the head of a response";
            report.error(mode, message, "`response_header_mode: SEND`");
        }
    }
    if let Some(overrides) = with("metadata_options.forwarding_namespaces") {
        look_at_namespaces(overrides, report);
    }
}
