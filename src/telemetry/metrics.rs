//! The metrics of the process: one file for each group, where a metric has its name, its help, its
//! labels and the method that moves it.
//!
//! A new metric is a field, a registration and a method in the file of its group, and the call that
//! moves it. `mcp_authz_audit_lost_total`, for example, is all of `metrics/audit.rs`; `app/status.rs`
//! calls `metrics.audit.set_lost`.
//!
//! Labels are closed sets and names from the configuration, never what a client sent.

mod audit;
mod checks;
mod common;
mod config;
mod connections;
mod files;
mod handoff;
mod keys;
mod lists;
mod notices;
mod policy;
mod sessions;
mod state;
mod traces;

use std::sync::Arc;

use prometheus_client::encoding::text;
pub use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub use audit::AuditMetrics;
pub use checks::{CheckMetrics, DecisionKind, RehearsalKind, Stage};
pub use config::{ConfigMetrics, ConfigTotals};
pub use connections::ConnectionMetrics;
pub use files::FileMetrics;
pub use handoff::HandoffMetrics;
pub use keys::{KeyMetrics, KeyTotals};
pub use lists::{ItemFate, ListMetrics, ToolEvent};
pub use notices::NoticeMetrics;
pub use policy::{PolicyMetrics, PolicyTotals};
pub use sessions::{BoundBy, SessionMetrics};
pub use state::StateMetrics;
pub use traces::TraceMetrics;

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every metric of the process. Clones update the same metrics.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    /// Of checks.
    pub checks: CheckMetrics,
    /// Of sessions and tasks.
    pub sessions: SessionMetrics,
    /// Of lists and the tools in them.
    pub lists: ListMetrics,
    /// Of responses that Envoy sends for inspection.
    pub handoff: HandoffMetrics,
    /// Of the configuration.
    pub config: ConfigMetrics,
    /// Of the policy.
    pub policy: PolicyMetrics,
    /// Of the issuers' keys.
    pub keys: KeyMetrics,
    /// Of the store.
    pub state: StateMetrics,
    /// Of the audit.
    pub audit: AuditMetrics,
    /// Of traces.
    pub traces: TraceMetrics,
    /// Of connections.
    pub connections: ConnectionMetrics,
    /// Of watched files.
    pub files: FileMetrics,
    /// Of mistakes noticed around this process.
    pub notices: NoticeMetrics,
}

impl Metrics {
    /// Every metric at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Arc::default(),
            checks: CheckMetrics::default(),
            sessions: SessionMetrics::default(),
            lists: ListMetrics::default(),
            handoff: HandoffMetrics::default(),
            config: ConfigMetrics::default(),
            policy: PolicyMetrics::default(),
            keys: KeyMetrics::default(),
            state: StateMetrics::default(),
            audit: AuditMetrics::default(),
            traces: TraceMetrics::default(),
            connections: ConnectionMetrics::default(),
            files: FileMetrics::default(),
            notices: NoticeMetrics::default(),
        };
        metrics.registry = Arc::new(metrics.registered());
        metrics
    }

    fn registered(&self) -> Registry {
        let Metrics {
            registry: _,
            checks,
            sessions,
            lists,
            handoff,
            config,
            policy,
            keys,
            state,
            audit,
            traces,
            connections,
            files,
            notices,
        } = self;
        let mut registry = Registry::with_prefix("mcp_authz");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running version", build);
        checks.register(&mut registry);
        sessions.register(&mut registry);
        lists.register(&mut registry);
        handoff.register(&mut registry);
        config.register(&mut registry);
        policy.register(&mut registry);
        keys.register(&mut registry);
        state.register(&mut registry);
        audit.register(&mut registry);
        traces.register(&mut registry);
        connections.register(&mut registry);
        files.register(&mut registry);
        notices.register(&mut registry);
        registry
    }

    /// Every metric, encoded as [`CONTENT_TYPE`].
    #[must_use]
    pub fn text(&self) -> String {
        let mut encoded = String::new();
        if let Err(error) = text::encode(&mut encoded, &self.registry) {
            tracing::error!(%error, "metrics cannot be encoded");
        }
        encoded
    }

    /// Fails unless each of these lines is present.
    #[cfg(test)]
    fn assert_has(&self, lines: &[&str]) {
        let text = self.text();
        for line in lines {
            assert!(
                text.lines().any(|have| have == *line),
                "no line `{line}` in\n{text}"
            );
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_the_version_and_ends() {
        let metrics = Metrics::new();
        metrics.assert_has(&[concat!(
            "mcp_authz_build_info{version=\"",
            env!("CARGO_PKG_VERSION"),
            "\"} 1"
        )]);
        assert!(metrics.text().ends_with("# EOF\n"));
    }
}
