//! `telemetry`: logs and traces.

use serde_json::{Value, json};

use crate::telemetry::{self, InvalidTelemetry, TelemetrySettings};
use crate::yaml::{self, Fields, Findings, Node};

/// Reads `telemetry`.
pub(super) fn settings(node: &Node, findings: &mut Findings) -> Option<TelemetrySettings> {
    let mut fields = Fields::open(node, "`telemetry`", findings)?;
    let defaults = TelemetrySettings::default();
    let endpoint = fields.optional("otlp_endpoint", findings, |node, findings| {
        let endpoint = yaml::string(node, findings)?;
        checked(node, telemetry::check_endpoint(&endpoint), findings)?;
        Some(endpoint)
    });
    let service_name = fields.optional("service_name", findings, yaml::string);
    let log = fields.optional("log", findings, |node, findings| {
        let log = yaml::string(node, findings)?;
        checked(node, telemetry::log_filter(&log), findings)?;
        Some(log)
    });
    fields.finish(findings);
    Some(TelemetrySettings {
        otlp_endpoint: endpoint,
        service_name: service_name.unwrap_or(defaults.service_name),
        log: log.unwrap_or(defaults.log),
    })
}

fn checked<T>(
    node: &Node,
    result: Result<T, InvalidTelemetry>,
    findings: &mut Findings,
) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            findings.error(node, error.to_string(), error.help());
            None
        }
    }
}

/// Logs and traces in force, as the effective configuration shows them.
pub(super) fn shown(settings: &TelemetrySettings) -> Value {
    let TelemetrySettings {
        otlp_endpoint,
        service_name,
        log,
    } = settings;
    json!({"otlp_endpoint": otlp_endpoint, "service_name": service_name, "log": log})
}
