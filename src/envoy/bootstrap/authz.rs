//! The `ext_authz` filter: whether it sends every request, complete and unchanged.

use std::time::Duration;

use super::chain::AUTHZ;
use super::rows::{self, FieldFault, Row, Weight};
use super::{AuthzFilter, ConfigMessage, Expected, Report, fraction};

/// Checks of the filter and its surroundings.
pub(super) const CHECKS: [fn(&AuthzFilter<'_, '_>, &mut Report); 9] = [
    fields,
    peers,
    service,
    body,
    enabled,
    enabled_by_metadata,
    denied_when_disabled,
    wrapped,
    message_sizes,
];

const ROWS: &[Row] = &[
    (
        "failure_mode_allow",
        FieldFault::True,
        Weight::Error,
        "every request passes, even without a token, whenever mcp-authz is slow or unavailable",
        "`failure_mode_allow: false`",
    ),
    (
        "failure_mode_allow_header_add",
        FieldFault::True,
        Weight::Warning,
        "the header that this adds matters only if requests pass unchecked",
        "leave it out, and keep `failure_mode_allow: false`",
    ),
    (
        "shadow_mode",
        FieldFault::True,
        Weight::Error,
        "nothing is ever denied: decisions are only counted",
        "leave `shadow_mode` out; use `candidate_policy` in mcp-authz.yaml to try out a policy",
    ),
    (
        "allowed_headers",
        FieldFault::Given,
        Weight::Error,
        "Envoy does not send all headers to mcp-authz, so it neither detects a foreign session \
         nor removes a forged `x-mcp-authz-*`",
        "leave `allowed_headers` out",
    ),
    (
        "disallowed_headers",
        FieldFault::Given,
        Weight::Error,
        "Envoy does not send all headers to mcp-authz, so it neither detects a foreign session \
         nor removes a forged `x-mcp-authz-*`",
        "leave `disallowed_headers` out",
    ),
    (
        "clear_route_cache",
        FieldFault::True,
        Weight::Error,
        "a request may take another route than the one it was authorized for",
        "leave `clear_route_cache` out",
    ),
    (
        "clear_route_cache_headers",
        FieldFault::Given,
        Weight::Error,
        "a request may take another route than the one it was authorized for",
        "leave `clear_route_cache_headers` out",
    ),
    (
        "enable_dynamic_metadata_ingestion",
        FieldFault::False,
        Weight::Error,
        "Envoy drops the metadata that marks responses for inspection: lists pass unfiltered, \
         and sessions are bound only on first use",
        "leave `enable_dynamic_metadata_ingestion` out",
    ),
    (
        "validate_mutations",
        FieldFault::NotTrue,
        Weight::Warning,
        "Envoy does not validate the headers that it is told to set",
        "`validate_mutations: true`",
    ),
    (
        "encode_raw_headers",
        FieldFault::NotTrue,
        Weight::Warning,
        "repeated headers arrive joined, so mcp-authz cannot always detect and refuse them",
        "`encode_raw_headers: true`",
    ),
    (
        "transport_api_version",
        FieldFault::IsNot("V3", 2),
        Weight::Warning,
        "the API version is missing",
        "`transport_api_version: V3`",
    ),
    (
        "max_denied_response_body_bytes",
        FieldFault::Given,
        Weight::Warning,
        "a truncated refusal is not valid JSON, and clients cannot read it",
        "leave `max_denied_response_body_bytes` out",
    ),
];

fn fields(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    rows::look(gate.authz.config, ROWS, report);
    let entry = gate.authz.filter.at;
    if let Some(optional) = entry.set("is_optional") {
        let message = "an Envoy that lacks this filter runs without it, and no request is \
                       checked";
        report.error(optional, message, "leave `is_optional` out");
    }
}

/// Without its certificate a peer has no name.
fn peers(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    let config = gate.authz.config;
    let expects = gate.expected.is_some_and(|expected| expected.peers);
    if !expects || config.is("include_peer_certificate") {
        return;
    }
    let message = "Envoy does not send the certificates that `peers` is to verify: no peer has a \
                   name";
    let help = "`include_peer_certificate: true`";
    match config.get("include_peer_certificate") {
        Some(field) => report.warn(field, message, help),
        None => report.warn_missing(config, message, help),
    }
}

fn service(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    let config = gate.authz.config;
    if let Some(http) = config.get("http_service") {
        let message = "mcp-authz is called over HTTP but serves only gRPC: no request passes";
        report.error(http, message, "`grpc_service` with `envoy_grpc`");
        return;
    }
    let Some(service) = config.get("grpc_service") else {
        let message = "no service is called: no request passes";
        report.missing(
            config,
            message,
            "`grpc_service: {envoy_grpc: {cluster_name: …}, timeout: 4s}`",
        );
        return;
    };
    timeout(service, report);
    if let Some(expected) = gate.expected {
        wait_for_keys(service, expected, report);
    }
}

/// Envoy's default timeout is 200 ms; it tells mcp-authz how long it waits.
fn timeout(service: ConfigMessage<'_>, report: &mut Report) {
    let help = "`timeout: 4s`, to which mcp-authz limits its own waiting";
    match service.milliseconds_of("timeout") {
        None => {
            let message = "checks have only 200 ms, and the first token with a new key can take \
                           as long";
            report.warn_missing(service, message, help);
        }
        Some(0) => {
            let field = service.get("timeout").unwrap_or(service);
            let message = "a request may wait for its decision for ever";
            report.error(field, message, help);
        }
        Some(milliseconds) => {
            let message = if milliseconds < 100 {
                "checks have less time than fetching an issuer's key or a busy moment can take"
            } else if milliseconds > 10_000 {
                "requests pile up for this long when mcp-authz does not answer"
            } else {
                return;
            };
            report.warn(service.get("timeout").unwrap_or(service), message, help);
        }
    }
}

/// Envoy must not give a check up while mcp-authz waits for an issuer's keys.
fn wait_for_keys(service: ConfigMessage<'_>, expected: &Expected, report: &mut Report) {
    let back_off = service.at("retry_policy.retry_back_off");
    let interval = |name| back_off.and_then(|back_off| back_off.milliseconds_of(name));
    // Envoy's `max_interval` is the timeout of each try, by default ten times `base_interval`.
    let of_base = || interval("base_interval").map(|base| base.saturating_mul(10));
    let for_a_try = interval("max_interval").or_else(of_base);
    let for_all = service.milliseconds_of("timeout").filter(|&all| all >= 100);
    let given = [
        ("timeout", for_all),
        ("retry_policy.retry_back_off", for_a_try),
    ];
    for (field, milliseconds) in given {
        let Some(milliseconds) = milliseconds else {
            continue;
        };
        if Duration::from_millis(milliseconds) > expected.fetch_wait {
            continue;
        }
        let message = "Envoy gives a check up before mcp-authz has waited `limits.fetch_wait` for an \
                       issuer's keys: the caller gets Envoy's 503, and the host counts as failing";
        let help = "a `timeout` and a `retry_back_off.max_interval` that are longer than \
                    `limits.fetch_wait`";
        report.warn(service.at(field).unwrap_or(service), message, help);
    }
}

fn body(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    let config = gate.authz.config;
    match config.get("with_request_body") {
        Some(settings) => look_at_body(settings, gate.expected, report),
        None => report.missing(
            config,
            "mcp-authz does not get the body: every call is refused as `body_missing`",
            BODY,
        ),
    }
}

const BODY: &str = "`with_request_body: {max_request_bytes: 1048576, allow_partial_message: false, \
                    pack_as_bytes: true}`, the size being `limits.body_bytes_max`";

/// Checks the body settings of a filter or of a route.
pub(super) fn look_at_body(
    settings: ConfigMessage<'_>,
    expected: Option<&Expected>,
    report: &mut Report,
) {
    let takes_text = expected.is_some_and(|expected| expected.string_body);
    if !settings.is("pack_as_bytes") && !takes_text {
        let message = "the body arrives as text with lost bytes: every call is refused as \
                       `body_not_bytes`";
        let help = "`pack_as_bytes: true`; or `string_body: accept` for each server in \
                    mcp-authz.yaml, where Envoy cannot";
        match settings.get("pack_as_bytes") {
            Some(field) => report.error(field, message, help),
            None => report.missing(settings, message, help),
        }
    }
    if let Some(field) = settings.set("allow_partial_message") {
        let message = "a longer body is truncated, so the request that is judged is not the one \
                       that runs: it is refused as `body_truncated`";
        report.error(field, message, "`allow_partial_message: false`");
    }
    let size = settings.get("max_request_bytes");
    let (Some(size), Some(expected)) = (size, expected) else {
        return;
    };
    let most = u64::try_from(expected.body_bytes_max).unwrap_or(u64::MAX);
    let help = format!("`max_request_bytes: {most}`, which is `limits.body_bytes_max`");
    match size.count() {
        Some(bytes) if bytes > most => {
            let message = "Envoy buffers bodies that mcp-authz refuses as too large";
            report.error(size, message, &help);
        }
        Some(bytes) if bytes < most => {
            let message = "Envoy refuses bodies that mcp-authz would accept";
            report.warn(size, message, &help);
        }
        Some(_) | None => {}
    }
}

fn enabled(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    let Some(enabled) = gate.authz.config.get("filter_enabled") else {
        return;
    };
    let help = "leave `filter_enabled` out";
    if fraction::is_whole(enabled.get("default_value")) {
        if let Some(key) = enabled.get("runtime_key") {
            let message = "setting this runtime key lets requests pass unchecked";
            report.warn(key, message, help);
        }
        return;
    }
    let message = "some requests pass unchecked, even without a token";
    if is_denied_when_disabled(gate.authz.config) {
        report.warn(enabled, "some requests are refused unchecked", help);
    } else {
        report.error(enabled, message, help);
    }
}

/// Whether requests are refused while the filter is disabled.
fn is_denied_when_disabled(config: ConfigMessage<'_>) -> bool {
    config.is("deny_at_disable.default_value")
}

fn denied_when_disabled(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    let config = gate.authz.config;
    let can_be_off = config.get("filter_enabled").is_some();
    if can_be_off && !is_denied_when_disabled(config) {
        let message = "requests for which the filter is disabled pass unchecked";
        let help = "`deny_at_disable: {default_value: true, runtime_key: …}`, or leave \
                    `filter_enabled` out";
        match config.get("deny_at_disable") {
            Some(field) => report.warn(field, message, help),
            None => report.warn(
                config.get("filter_enabled").unwrap_or(config),
                message,
                help,
            ),
        }
    }
}

/// The filter is enabled by metadata that an earlier filter writes. In Istio an RBAC filter writes
/// it, by shadow rules.
fn enabled_by_metadata(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    let config = gate.authz.config;
    let Some(enabled) = config.get("filter_enabled_metadata") else {
        return;
    };
    if is_denied_when_disabled(config) || is_always_written(gate, enabled) {
        return;
    }
    let help = "leave `filter_enabled_metadata` out; in Istio, `rules: [{}]` in the \
                AuthorizationPolicy, which every request matches";
    if enabled.text_of("filter") == RBAC {
        let message = "requests that no rule of the RBAC filter matches pass unchecked";
        report.warn(enabled, message, help);
    } else {
        let message = "requests without this metadata pass unchecked, even without a token";
        report.error(enabled, message, help);
    }
}

/// The namespace of the RBAC filter's metadata.
const RBAC: &str = "envoy.filters.http.rbac";

/// Whether an RBAC filter in front has a shadow rule that matches every request and writes the
/// metadata.
fn is_always_written(gate: &AuthzFilter<'_, '_>, enabled: ConfigMessage<'_>) -> bool {
    let key = enabled.list("path").map(|part| part.text_of("key")).last();
    let key = key.unwrap_or_default();
    let before = gate.before().filter(|filter| !filter.at.is("disabled"));
    let mut rules = before.flat_map(|filter| filter.configs("rbac.v3.RBAC"));
    enabled.text_of("filter") == RBAC
        && !enabled.is("invert")
        && rules.any(|rbac| {
            let prefix = rbac.text_of("shadow_rules_stat_prefix");
            let is_any = |of: ConfigMessage<'_>| of.is("any");
            let policies = rbac.at("shadow_rules.policies");
            let mut policies = policies.into_iter().flat_map(ConfigMessage::entries);
            !prefix.is_empty()
                && key.starts_with(prefix)
                && policies.any(|(_, policy)| {
                    policy.list("permissions").any(is_any) && policy.list("principals").any(is_any)
                })
        })
}

/// The filter may be inside a matcher, which selects the requests that it sees.
fn wrapped(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    let filter = gate.authz.filter;
    if !filter.is(AUTHZ) {
        let message = "the filter is inside a matcher, and requests that the matcher does not \
                       select pass unchecked";
        let help = "put the filter into `http_filters` itself";
        report.error(filter.at, message, help);
    }
}

/// The largest message of mcp-authz: the context of a response, and the rest of a verdict.
const MESSAGE_BYTES: u64 = 256 * 1024;

fn message_sizes(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    look_at_size(gate.authz.config, report);
}

/// Checks a gRPC service's limit on messages from mcp-authz.
pub(super) fn look_at_size(config: ConfigMessage<'_>, report: &mut Report) {
    let Some(size) = config.at("grpc_service.envoy_grpc.max_receive_message_length") else {
        return;
    };
    if size
        .count()
        .is_some_and(|bytes| bytes > 0 && bytes < MESSAGE_BYTES)
    {
        let message = "Envoy treats a long verdict as a failure: 503 for an allowed request";
        report.error(size, message, "`max_receive_message_length: 262144`");
    }
}
