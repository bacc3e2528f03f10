//! Telemetry: what the process reports to operators, apart from the audit.
//!
//! - Logs are text on standard error. Standard output belongs to the audit.
//! - Traces go to a collector with OTLP, if one is configured.
//! - [`metrics`] are read at `/metrics` of the admin endpoint.
//! - [`notices`] are mistakes in the process's surroundings, such as a filter that Envoy lacks.
//!   They are counted, logged at most once an hour, and listed at `/readyz`.
//!
//! [`crate::check`] records what a check decided; this room provides the means.
//!
//! # An example
//!
//! Envoy sends a check in a gRPC call with a `traceparent`. [`Trace::of_call`] reads the header, and
//! [`Trace::check_scope`] opens the span `check` in that trace. The check runs inside of the
//! [`TraceScope`], where [`trace_id`] gives the id that its audit record carries. At its end
//! [`record_decision`] writes the decision into the span, and `metrics.checks.record_decision` counts
//! it in `mcp_authz_decisions_total`.

mod export;
pub mod metrics;
pub mod notices;
mod one_line;
mod setup;
mod trace;

pub use setup::{
    InvalidTelemetry, Telemetry, TelemetrySettings, check_endpoint, log_filter, start,
};
pub use trace::{Ended, Trace, TraceScope, record_decision, trace_id};
