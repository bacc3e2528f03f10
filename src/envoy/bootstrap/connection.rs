//! The HTTP connection manager: the client's address, and what it accepts of a request.

use ipnet::IpNet;

use super::rows::{self, FieldFault, Row, Weight};
use super::{AuthzFilter, ConfigMessage, Report};
use crate::envoy::check_request::ClientAddress;

/// Checks of the connection manager that contains the filter.
pub(super) const CHECKS: [fn(&AuthzFilter<'_, '_>, &mut Report); 5] = [
    fields,
    client_address,
    internal_addresses,
    header_room,
    idle,
];

const ROWS: &[Row] = &[
    (
        "common_http_protocol_options.headers_with_underscores_action",
        FieldFault::Is("ALLOW", 0),
        Weight::Warning,
        "a server that passes headers as environment variables reads `_` as `-`",
        "`common_http_protocol_options: {headers_with_underscores_action: REJECT_REQUEST}`",
    ),
    (
        "normalize_path",
        FieldFault::NotTrue,
        Weight::Warning,
        "paths with `..` are left to mcp-authz, which refuses them",
        "`normalize_path: true`",
    ),
    (
        "merge_slashes",
        FieldFault::NotTrue,
        Weight::Warning,
        "paths with `//` are left to mcp-authz, which refuses them",
        "`merge_slashes: true`",
    ),
    (
        "path_with_escaped_slashes_action",
        FieldFault::IsNot("REJECT_REQUEST", 2),
        Weight::Warning,
        "paths with `%2F` are left to mcp-authz, which refuses them",
        "`path_with_escaped_slashes_action: REJECT_REQUEST`",
    ),
];

fn fields(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    rows::look(gate.chain.manager, ROWS, report);
}

fn client_address(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    let manager = gate.chain.manager;
    let relies = gate
        .expected
        .is_some_and(|expected| expected.client_address == ClientAddress::ExternalAddress);
    if !manager.is("use_remote_address") {
        let help = "`use_remote_address: true`";
        let field = manager.get("use_remote_address");
        if relies {
            let message = "a client can set `x-envoy-external-address` itself, and mcp-authz \
                           takes it for the client's address";
            match field {
                Some(field) => report.error(field, message, help),
                None => report.missing(manager, message, help),
            }
        } else {
            let message = "a client can claim any address, and send `x-envoy-*` headers that \
                           only Envoy may send";
            match field {
                Some(field) => report.warn(field, message, help),
                None => report.warn_missing(manager, message, help),
            }
        }
    }
    let hops = manager.get("xff_num_trusted_hops");
    if let Some(hops) = hops.filter(|hops| hops.count().is_some_and(|count| count > 0)) {
        let message = "the client's address comes from this many proxies in front: without them \
                       a client can choose it";
        let help = "the number of your own proxies, and a listener that only they can reach";
        report.warn(hops, message, help);
    }
    if let Some(field) = manager.get("original_ip_detection_extensions") {
        let message = "these extensions take the client's address from headers";
        let help = "leave them out, with `use_remote_address: true`";
        if relies {
            report.error(field, message, help);
        } else {
            report.warn(field, message, help);
        }
    }
    if let Some(field) = manager.set("skip_xff_append") {
        let message = "the next proxy takes the address in a client's `x-forwarded-for` for the \
                       client's own";
        report.warn(field, message, "leave `skip_xff_append` out");
    }
}

/// Clients from an internal address may control Envoy's router.
fn internal_addresses(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    for range in gate
        .chain
        .manager
        .list("internal_address_config.cidr_ranges")
    {
        let address = range.text_of("address_prefix");
        let length = range.count_of("prefix_len").unwrap_or_default();
        if is_loopback(address, length) {
            continue;
        }
        let message = "clients in this range can use headers to make Envoy run a call several \
                       times, and to claim to be internal";
        let help = "leave `internal_address_config` out, or let it cover only loopback";
        report.error(range, message, help);
    }
}

fn is_loopback(address: &str, length: u64) -> bool {
    let network: Option<IpNet> = format!("{address}/{length}").parse().ok();
    let loopback = ["127.0.0.0/8", "::1/128"];
    let loopback = loopback
        .iter()
        .filter_map(|text| text.parse::<IpNet>().ok());
    network.is_some_and(|network| {
        let mut loopback = loopback;
        loopback.any(|wide| wide.contains(&network))
    })
}

/// Envoy's default limit, including pseudo-headers.
const HEADERS_MAX: u64 = 100;
/// `:method`, `:path`, `:authority` and `:scheme`.
const PSEUDO_HEADERS: usize = 4;

/// Envoy's default limit on their names and values.
const HEADER_KIB_MAX: u64 = 60;

/// Envoy must accept at least as many headers as mcp-authz allows.
fn header_room(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    let Some(expected) = gate.expected else {
        return;
    };
    let needed = expected.headers_max.saturating_add(PSEUDO_HEADERS);
    let kib = expected.header_bytes_max.div_ceil(1024);
    let common = "common_http_protocol_options.max_headers_count";
    for (path, default, needed, limit) in [
        (common, HEADERS_MAX, needed, "headers_max"),
        (
            "max_request_headers_kb",
            HEADER_KIB_MAX,
            kib,
            "header_bytes_max",
        ),
    ] {
        let field = gate.chain.manager.at(path);
        let needed = u64::try_from(needed).unwrap_or(u64::MAX);
        if field.and_then(ConfigMessage::count).unwrap_or(default) >= needed {
            continue;
        }
        let message = format!(
            "a request with headers up to `limits.{limit}` is allowed, counted and recorded, but \
             then Envoy answers 500"
        );
        let help = format!("`{path}: {needed}`, or a lower `limits.{limit}` in mcp-authz.yaml");
        match field {
            Some(field) => report.error(field, message, &help),
            None => report.missing(gate.chain.manager, message, &help),
        }
    }
}

fn idle(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    let manager = gate.chain.manager;
    let help = "`stream_idle_timeout: 0s`";
    match manager.get("stream_idle_timeout") {
        None => {
            let message = "Envoy ends a stream when the server is silent for 5 minutes";
            report.warn_missing(manager, message, help);
        }
        Some(field) if field.milliseconds() != Some(0) => {
            let message = "Envoy ends a stream when the server is silent for this long";
            report.warn(field, message, help);
        }
        Some(_) => {}
    }
}
