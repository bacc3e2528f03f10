//! `limits`: every size, depth, count and timeout, with the range that makes sense.

use std::time::Duration;

use serde_json::{Value, json};

use super::settings::LimitSettings;
use crate::audit;
use crate::authn;
use crate::check;
use crate::listen;
use crate::state;
use crate::yaml::{self, Fields, Findings, Node};

/// The largest value of a limit that counts bytes: what one machine can be asked to hold.
const BYTES_MAX: u64 = 64 << 20;
/// The least that may wait of the audit: a few records of the largest size.
const AUDIT_BYTES_MIN: u64 = 64 << 10;
/// The most that may wait of the audit.
const AUDIT_BYTES_MAX: u64 = 1 << 30;
/// The largest value of a limit that counts things.
const COUNT_MAX: u64 = 10_000_000;

#[expect(clippy::too_many_lines, reason = "a row or two for each limit")]
pub(super) fn limits(
    node: &Node,
    findings: &mut Findings,
) -> Option<(authn::AuthnSettings, LimitSettings)> {
    let mut fields = Fields::open(node, "`limits`", findings)?;
    let mut authn = authn::AuthnSettings::default();
    let mut limits = LimitSettings::default();
    for (key, least, field) in [
        ("body_bytes_max", 1024, &mut limits.check.body_bytes_max),
        ("token_bytes_max", 256, &mut authn.token_bytes_max),
        ("name_bytes_max", 1, &mut limits.check.name_bytes_max),
        ("uri_bytes_max", 1, &mut limits.check.uri_bytes_max),
        (
            "list_item_bytes_max",
            1024,
            &mut limits.check.list_item_bytes_max,
        ),
        ("header_bytes_max", 8192, &mut limits.check.header_bytes_max),
        ("cel_bytes_max", 1, &mut limits.cel_bytes_max),
        ("jwks_bytes_max", 1024, &mut authn.jwks_bytes_max),
    ] {
        let value = fields.optional(key, findings, yaml::bytes(least..=BYTES_MAX));
        if let Some(value) = value.and_then(|value| usize::try_from(value).ok()) {
            *field = value;
        }
    }
    // What the server is told has eight of its own.
    if let Some(value) = fields.optional("headers_max", findings, yaml::integer(16..=1024))
        && let Ok(value) = usize::try_from(value)
    {
        limits.check.headers_max = value;
    }
    for (key, most, field) in [
        // serde_json itself stops at 128.
        ("json_depth_max", 120, &mut limits.check.json_depth_max),
        (
            "subscriptions_max",
            10_000,
            &mut limits.check.subscriptions_max,
        ),
        ("rules_max", COUNT_MAX, &mut limits.rules_max),
        ("jwks_keys_max", 10_000, &mut authn.jwks_keys_max),
        (
            "audit_queue_max",
            COUNT_MAX,
            &mut limits.audit_queue.records_max,
        ),
        ("tools_max", 1_000_000, &mut limits.tools_max),
        ("state_keys_max", COUNT_MAX, &mut limits.state.keys_max),
        ("bindings_max", COUNT_MAX, &mut limits.state.bindings_max),
    ] {
        let value = fields.optional(key, findings, yaml::integer(1..=most));
        if let Some(value) = value.and_then(|value| usize::try_from(value).ok()) {
            *field = value;
        }
    }
    let values = fields.optional("json_values_max", findings, yaml::integer(100..=COUNT_MAX));
    if let Some(value) = values.and_then(|value| usize::try_from(value).ok()) {
        limits.check.json_values_max = value;
    }
    let range = AUDIT_BYTES_MIN..=AUDIT_BYTES_MAX;
    let bytes = fields.optional("audit_queue_bytes_max", findings, yaml::bytes(range));
    if let Some(value) = bytes.and_then(|value| usize::try_from(value).ok()) {
        limits.audit_queue.bytes_max = value;
    }
    if let Some(value) = fields.optional("token_cache_max", findings, yaml::integer(0..=COUNT_MAX))
    {
        authn.token_cache_max = value;
    }
    let connections = fields.optional("connections_max", findings, yaml::integer(1..=1_000_000));
    if let Some(value) = connections.and_then(|value| usize::try_from(value).ok()) {
        limits.listen.connections_max = value;
    }
    let streams = fields.optional("streams_max", findings, yaml::integer(1..=1_000_000));
    if let Some(value) = streams.and_then(|value| u32::try_from(value).ok()) {
        limits.streams_max = value;
    }
    let timeout = yaml::duration(Duration::from_millis(10)..=Duration::from_mins(1));
    if let Some(value) = fields.optional("fetch_timeout", findings, &timeout) {
        authn.fetch_timeout = value;
    }
    if let Some(value) = fields.optional("fetch_wait", findings, &timeout) {
        authn.fetch_wait = value;
    }
    if let Some(value) = fields.optional("handshake_timeout", findings, &timeout) {
        limits.listen.handshake_timeout = value;
    }
    authn.json_depth_max = limits.check.json_depth_max;
    fields.finish(findings);
    Some((authn, limits))
}

/// The limits in force.
pub(super) fn shown(limits: &LimitSettings, authn: &authn::AuthnSettings) -> Value {
    let LimitSettings {
        listen:
            listen::ConnectionLimits {
                connections_max,
                handshake_timeout,
                tls_reload_interval: _,
            },
        check:
            check::RequestLimits {
                body_bytes_max,
                json_depth_max,
                json_values_max,
                name_bytes_max,
                uri_bytes_max,
                subscriptions_max,
                list_item_bytes_max,
                headers_max,
                header_bytes_max,
            },
        rules_max,
        cel_bytes_max,
        state: state::StateSettings {
            keys_max,
            bindings_max,
        },
        audit_queue: audit::QueueLimits {
            records_max,
            bytes_max,
        },
        streams_max,
        tools_max,
    } = *limits;
    let authn::AuthnSettings {
        issuers: _,
        token_bytes_max,
        token_cache_max,
        json_depth_max: _,
        jwks_bytes_max,
        jwks_keys_max,
        fetch_timeout,
        fetch_wait,
    } = authn;
    json!({
        "connections_max": connections_max,
        "handshake_timeout": yaml::duration_text(handshake_timeout),
        "body_bytes_max": body_bytes_max,
        "json_depth_max": json_depth_max,
        "json_values_max": json_values_max,
        "name_bytes_max": name_bytes_max,
        "uri_bytes_max": uri_bytes_max,
        "subscriptions_max": subscriptions_max,
        "list_item_bytes_max": list_item_bytes_max,
        "headers_max": headers_max,
        "header_bytes_max": header_bytes_max,
        "rules_max": rules_max,
        "cel_bytes_max": cel_bytes_max,
        "state_keys_max": keys_max,
        "bindings_max": bindings_max,
        "tools_max": tools_max,
        "audit_queue_max": records_max,
        "audit_queue_bytes_max": bytes_max,
        "streams_max": streams_max,
        "token_bytes_max": token_bytes_max,
        "token_cache_max": token_cache_max,
        "jwks_bytes_max": jwks_bytes_max,
        "jwks_keys_max": jwks_keys_max,
        "fetch_timeout": yaml::duration_text(*fetch_timeout),
        "fetch_wait": yaml::duration_text(*fetch_wait),
    })
}
