//! The `ext_proc` filters: whether every answer that has to be looked at is, whole, and by whom.

use super::chain::Filter;
use super::rows::{self, Row, Weight, When};
use super::{Gate, Message, NAMESPACE, Report, authz, coverage};

/// Checks of the way of answers.
pub(super) const CHECKS: [fn(&Gate<'_, '_>, &mut Report); 4] =
    [processors, in_front, coverage::look, others];

/// The type of the filter that shows answers.
pub(super) const PROCESSOR: &str = "ext_proc.v3.ExternalProcessor";

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

/// Whether an `ext_proc` configuration is one that shows answers to mcp-authz, as far as its
/// cluster says, or may be one.
fn is_ours(gate: &Gate<'_, '_>, config: Message<'_>) -> bool {
    gate.asks_us(config) || is_guessed(gate, config)
}

/// Whether it is taken for one that does: none of the chain does for sure, and no cluster is known
/// to be mcp-authz's by its address or name, or this one is in none of the files. Control planes
/// give the same service one name for each filter that asks it.
fn is_guessed(gate: &Gate<'_, '_>, config: Message<'_>) -> bool {
    let cluster = config.at("grpc_service.envoy_grpc.cluster_name");
    let cluster = cluster.and_then(Message::text);
    let is_unseen = cluster.is_some_and(|name| gate.world.cluster(name).is_none());
    let filters = gate.chain.filters.iter();
    let mut all = filters.flat_map(|filter| filter.configs(PROCESSOR));
    (is_unseen || !gate.ours.is_certain) && !all.any(|config| gate.asks_us(config))
}

/// Those of some configurations that show answers to mcp-authz.
pub(super) fn of_ours<'n>(gate: &Gate<'_, 'n>, mut configs: Vec<Message<'n>>) -> Vec<Message<'n>> {
    configs.retain(|config| is_ours(gate, *config));
    configs
}

/// The configurations of a filter that show answers to mcp-authz.
pub(super) fn ours<'n>(gate: &Gate<'_, 'n>, filter: &Filter<'n>) -> Vec<Message<'n>> {
    of_ours(gate, filter.configs(PROCESSOR))
}

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

/// An answer is looked at from its head on. A request counts as open from its own head on, and
/// until the gRPC stream ends.
pub(super) fn look_at_heads(config: Message<'_>, code: &str, report: &mut Report) {
    let skipped = |path| {
        config
            .at(path)
            .filter(|_| config.has_choice(path, "SKIP", 2))
    };
    let no_answer = skipped("processing_mode.response_header_mode");
    if code != "stream"
        && let Some(field) = no_answer
    {
        let message = "mcp-authz is not shown the head of an answer: it neither filters it nor \
                       binds its session";
        report.error(field, message, "`response_header_mode: SEND`");
    }
    if !code.ends_with("stream") {
        return;
    }
    if let Some(field) = skipped("processing_mode.request_header_mode") {
        let message = if no_answer.is_some() {
            "mcp-authz is not shown that a request under `limit: {open: N}` is open: it counts for \
             10 seconds and no longer"
        } else {
            "a request under `limit: {open: N}` counts as open once its answer begins, and for 10 \
             seconds at most until then"
        };
        report.warn(field, message, "`request_header_mode: SEND`");
    }
    let mode = config.get("processing_mode").unwrap_or(config);
    let shows_body = mode.has_choice("response_body_mode", "FULL_DUPLEX_STREAMED", 4);
    if !shows_body && !mode.has_choice("response_trailer_mode", "SEND", 1) {
        let message = "Envoy ends the stream to mcp-authz before the answer ends: a request under \
                       `limit: {open: N}` no longer counts while it is open";
        let help = "`response_trailer_mode: SEND`";
        match mode.get("response_trailer_mode") {
            Some(field) => report.warn(field, message, help),
            None => report.warn_missing(mode, message, help),
        }
    }
}

/// Lists are let out piece by piece, as they come.
pub(super) fn look_at_body_mode(
    config: Message<'_>,
    mode: Option<Message<'_>>,
    report: &mut Report,
) {
    let at = mode.unwrap_or(config);
    let is_full = at.has_choice("response_body_mode", "FULL_DUPLEX_STREAMED", 4);
    if mode.is_none() || !is_full {
        let message = "mcp-authz is not shown whole answers as they stream: lists are refused";
        let help = "`response_body_mode: FULL_DUPLEX_STREAMED` and `response_trailer_mode: SEND`";
        match at.get("response_body_mode") {
            Some(field) => report.error(field, message, help),
            None => report.missing(at, message, help),
        }
    } else if !at.has_choice("response_trailer_mode", "SEND", 1) {
        let message = "without the trailers Envoy does not take this body mode, or the end of an \
                       answer gets lost";
        report.missing(at, message, "`response_trailer_mode: SEND`");
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
