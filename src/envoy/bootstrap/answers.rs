//! The `ext_proc` filters: whether every answer that has to be looked at is, whole, and by whom.

use super::chain::Filter;
use super::processor::{PROCESSOR, is_guessed, is_ours, look_at_body_mode, of_ours, ours};
use super::rows::{self, Row, Weight, When};
use super::{Gate, Message, NAMESPACE, Report, authz, coverage};

/// Checks of the way of answers.
pub(super) const CHECKS: [fn(&Gate<'_, '_>, &mut Report); 4] =
    [processors, in_front, coverage::look, others];

const ROWS: &[Row] = &[
    (
        "failure_mode_allow",
        When::True,
        Weight::Error,
        "lists pass whole, and sessions are bound on first use only, whenever mcp-authz is slow or \
         away",
        "`failure_mode_allow: false`",
    ),
    (
        "observability_mode",
        When::True,
        Weight::Error,
        "answers are shown and go on as they are: lists pass whole",
        "leave `observability_mode` out",
    ),
    (
        "disable_immediate_response",
        When::True,
        Weight::Error,
        "Envoy does not let mcp-authz put an error in the place of an answer that it cannot filter",
        "leave `disable_immediate_response` out",
    ),
    (
        "forward_rules",
        When::Given,
        Weight::Error,
        "mcp-authz is not shown all headers of an answer, so that it neither sees a new session nor \
         tells a list from other answers",
        "leave `forward_rules` out",
    ),
    (
        "route_cache_action",
        When::Is("CLEAR", 1),
        Weight::Error,
        "a request may go to another route than the one that it was judged for",
        "leave `route_cache_action` out",
    ),
    (
        "allow_mode_override",
        When::True,
        Weight::Warning,
        "mcp-authz never asks for another processing mode, so that this serves nobody",
        "leave `allow_mode_override` out",
    ),
];

fn processors(gate: &Gate<'_, '_>, report: &mut Report) {
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

/// One configuration that shows answers to mcp-authz.
fn look_at(config: Message<'_>, report: &mut Report) {
    rows::look(config, ROWS, report);
    authz::look_at_size(config, report);
    look_at_namespaces(config, report);
    if let Some(http) = config.get("http_service") {
        let message = "mcp-authz is asked over HTTP, and answers gRPC only: no list comes through";
        report.error(http, message, "`grpc_service` with `envoy_grpc`");
    }
}

/// Lists are judged for the caller that `ext_authz` proved, who comes in its metadata.
fn look_at_namespaces(config: Message<'_>, report: &mut Report) {
    let path = "metadata_options.forwarding_namespaces";
    let mut spaces = config
        .at(path)
        .into_iter()
        .flat_map(|all| all.list("untyped"));
    if spaces.any(|space| space.text() == Some(NAMESPACE)) {
        return;
    }
    let message = "mcp-authz is not told for whom an answer is: lists are refused, and sessions \
                   are bound on first use only";
    let help =
        "`metadata_options: {forwarding_namespaces: {untyped: [envoy.filters.http.ext_authz]}}`";
    match config.at(path) {
        Some(field) => report.error(field, message, help),
        None => report.missing(config, message, help),
    }
}

/// What stands in front of `ext_authz` does not know yet which answers are to be looked at.
fn in_front(gate: &Gate<'_, '_>, report: &mut Report) {
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
fn others(gate: &Gate<'_, '_>, report: &mut Report) {
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
    gate: &Gate<'_, 'n>,
    filter: &Filter<'n>,
    configs: &[Message<'n>],
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

/// The type of what a route says to a filter that shows answers.
const PER_ROUTE: &str = "ext_proc.v3.ExtProcPerRoute";

/// Only the most specific place can switch the filter off. Each override is taken from the most
/// specific place that has it.
fn look_at_overrides(gate: &Gate<'_, '_>, places: &[Message<'_>], report: &mut Report) {
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
        let message = "on this route another service than mcp-authz is shown the answers: lists \
                       pass whole, and sessions are bound on first use only";
        report.error(service, message, "leave `grpc_service` out of `overrides`");
    }
    if let Some(overrides) = with("processing_mode")
        && let Some(mode) = overrides.get("processing_mode")
    {
        look_at_body_mode(overrides, Some(mode), report);
        if mode.has_choice("response_header_mode", "SKIP", 2) {
            let message = "on this route mcp-authz is not shown the head of an answer";
            report.error(mode, message, "`response_header_mode: SEND`");
        }
    }
    if let Some(overrides) = with("metadata_options.forwarding_namespaces") {
        look_at_namespaces(overrides, report);
    }
}
