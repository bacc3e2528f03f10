//! One `ext_proc` filter: whether it calls mcp-authz, and what it sends.

use super::chain::Filter;
use super::gate::AuthzFilter;
use super::message::ConfigMessage;
use super::report::Report;

/// The type of the filter that sends responses.
pub(super) const PROCESSOR: &str = "ext_proc.v3.ExternalProcessor";

/// Whether an `ext_proc` configuration sends responses to mcp-authz, judging by its cluster, or may
/// do so.
pub(super) fn is_ours(gate: &AuthzFilter<'_, '_>, config: ConfigMessage<'_>) -> bool {
    gate.asks_us(config) || is_guessed(gate, config)
}

/// Whether it is only assumed to call mcp-authz: none of the chain certainly does, and either no
/// cluster is known to lead to mcp-authz by its address or name, or this cluster is in none of the
/// files. Control planes give one service a separate name for each filter that calls it.
pub(super) fn is_guessed(gate: &AuthzFilter<'_, '_>, config: ConfigMessage<'_>) -> bool {
    let cluster = config.at("grpc_service.envoy_grpc.cluster_name");
    let cluster = cluster.and_then(ConfigMessage::text);
    let is_unseen = cluster.is_some_and(|name| gate.world.cluster(name).is_none());
    let filters = gate.chain.filters.iter();
    let mut all = filters.flat_map(|filter| filter.configs(PROCESSOR));
    (is_unseen || !gate.ours.is_certain) && !all.any(|config| gate.asks_us(config))
}

/// The configurations among these that send responses to mcp-authz.
pub(super) fn of_ours<'n>(
    gate: &AuthzFilter<'_, 'n>,
    mut configs: Vec<ConfigMessage<'n>>,
) -> Vec<ConfigMessage<'n>> {
    configs.retain(|config| is_ours(gate, *config));
    configs
}

/// The configurations of a filter that send responses to mcp-authz.
pub(super) fn ours<'n>(gate: &AuthzFilter<'_, 'n>, filter: &Filter<'n>) -> Vec<ConfigMessage<'n>> {
    of_ours(gate, filter.configs(PROCESSOR))
}

/// mcp-authz needs the headers of a response to inspect it. An open request counts from its own
/// headers on, until the gRPC stream ends.
pub(super) fn look_at_heads(config: ConfigMessage<'_>, code: &str, report: &mut Report) {
    let skipped = |path| {
        config
            .at(path)
            .filter(|_| config.has_choice(path, "SKIP", 2))
    };
    let no_answer = skipped("processing_mode.response_header_mode");
    if code != "stream"
        && let Some(field) = no_answer
    {
        let message = "Envoy does not send the headers of a response to mcp-authz, which neither \
                       filters it nor binds its session";
        report.error(field, message, "`response_header_mode: SEND`");
    }
    if !code.ends_with("stream") {
        return;
    }
    if let Some(field) = skipped("processing_mode.request_header_mode") {
        let message = if no_answer.is_some() {
            "mcp-authz does not see that a request under `limit: {open: N}` is open: it counts \
             for only 10 seconds"
        } else {
            "a request under `limit: {open: N}` counts as open once its response begins, and for \
             at most 10 seconds before"
        };
        report.warn(field, message, "`request_header_mode: SEND`");
    }
    let mode = config.get("processing_mode").unwrap_or(config);
    let shows_body = mode.has_choice("response_body_mode", "FULL_DUPLEX_STREAMED", 4);
    if !shows_body && !mode.has_choice("response_trailer_mode", "SEND", 1) {
        let message = "Envoy ends the stream to mcp-authz before the response ends: a request under \
                       `limit: {open: N}` no longer counts while it is open";
        let help = "`response_trailer_mode: SEND`";
        match mode.get("response_trailer_mode") {
            Some(field) => report.warn(field, message, help),
            None => report.warn_missing(mode, message, help),
        }
    }
}

/// Lists are forwarded piece by piece, as they arrive.
pub(super) fn look_at_body_mode(
    config: ConfigMessage<'_>,
    mode: Option<ConfigMessage<'_>>,
    report: &mut Report,
) {
    let at = mode.unwrap_or(config);
    let is_full = at.has_choice("response_body_mode", "FULL_DUPLEX_STREAMED", 4);
    if mode.is_none() || !is_full {
        let message = "Envoy does not stream whole responses to mcp-authz: lists are refused";
        let help = "`response_body_mode: FULL_DUPLEX_STREAMED` and `response_trailer_mode: SEND`";
        match at.get("response_body_mode") {
            Some(field) => report.error(field, message, help),
            None => report.missing(at, message, help),
        }
    } else if !at.has_choice("response_trailer_mode", "SEND", 1) {
        let message = "without trailers Envoy rejects this body mode, or the end of a response \
                       gets lost";
        report.missing(at, message, "`response_trailer_mode: SEND`");
    }
}
