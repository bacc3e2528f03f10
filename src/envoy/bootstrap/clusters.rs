//! The clusters that lead to mcp-authz: whether their limits and protocol fit.

use super::{AuthzFilter, ConfigMessage, Report};

/// Envoy's default limit on the streams of a connection.
const STREAMS_MAX: u64 = 1024;

/// Checks a cluster that a filter calls.
pub(super) fn look(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    let service = gate.authz.config.at("grpc_service.envoy_grpc.cluster_name");
    let Some(service) = service else {
        if let Some(google) = gate.authz.config.at("grpc_service.google_grpc") {
            report.unseen(
                google,
                "the settings of Google's gRPC client are not checked",
            );
        }
        return;
    };
    match gate.world.cluster(service.text().unwrap_or_default()) {
        Some(cluster) => look_at(gate, cluster, report),
        None if gate.world.clusters.is_empty() => {
            report.unseen(
                service,
                "the clusters are in none of the files and are not checked",
            );
        }
        None => {
            let message = "no file has a cluster of this name: no request passes";
            report.error(
                service,
                message,
                "a cluster that leads to `listen` of mcp-authz.yaml",
            );
        }
    }
}

fn look_at(gate: &AuthzFilter<'_, '_>, cluster: ConfigMessage<'_>, report: &mut Report) {
    let Some(options) = http2(cluster) else {
        let message = "Envoy does not speak HTTP/2 to mcp-authz, as gRPC needs: no request passes";
        let help = "`explicit_http_config: {http2_protocol_options: {max_concurrent_streams: 200}}` \
                    in `typed_extension_protocol_options`";
        report.missing(cluster, message, help);
        return;
    };
    let field = options.get("max_concurrent_streams");
    let streams = field.and_then(ConfigMessage::count).unwrap_or(STREAMS_MAX);
    if let Some(expected) = gate.expected
        && streams > u64::from(expected.streams_max)
    {
        let message = "Envoy opens more streams than mcp-authz accepts on one connection: bursts \
                       are refused";
        let help = format!("`max_concurrent_streams: {}` or less", expected.streams_max);
        match field {
            Some(field) => report.error(field, message, &help),
            None => report.missing(cluster, message, &help),
        }
    }
    let raised = cluster.list("circuit_breakers.thresholds");
    if !raised
        .into_iter()
        .any(|threshold| threshold.get("max_requests").is_some())
    {
        let message = "Envoy allows 1024 concurrent checks and refuses requests above that";
        let help = "`circuit_breakers` as in envoy/envoy.yaml";
        report.warn_missing(cluster, message, help);
    }
}

/// The `HttpProtocolOptions` of a cluster.
pub(super) fn options(cluster: ConfigMessage<'_>) -> Option<ConfigMessage<'_>> {
    const OPTIONS: &str = "upstreams.http.v3.HttpProtocolOptions";
    let all = cluster.get("typed_extension_protocol_options");
    let mut all = all.into_iter().flat_map(ConfigMessage::entries);
    let found = all.find_map(|(_, entry)| entry.typed().filter(|typed| typed.is(OPTIONS)));
    found.map(|typed| typed.body)
}

/// The HTTP/2 options of a cluster that always uses HTTP/2.
fn http2(cluster: ConfigMessage<'_>) -> Option<ConfigMessage<'_>> {
    let Some(options) = options(cluster) else {
        return cluster.get("http2_protocol_options");
    };
    let explicit = options.at("explicit_http_config.http2_protocol_options");
    let chosen = explicit.or_else(|| options.at("auto_config.http2_protocol_options"));
    // By ALPN, with Envoy's defaults.
    chosen.or_else(|| options.get("auto_config"))
}
