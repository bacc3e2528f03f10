//! The service with everything on, but for sockets and the audit's sink.

use std::num::NonZero;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Once};
use std::task::{Context, Poll, Waker};

use jiff::Timestamp;
use mcp_authz::app::compile_context;
use mcp_authz::audit::{Audit, Losses};
use mcp_authz::authn::{Authenticator, Peers};
use mcp_authz::catalog::Catalog;
use mcp_authz::check::{Decide, Handoffs, HttpRequest, LongBodies, Pipeline, Servers, Verdict};
use mcp_authz::config;
use mcp_authz::envoy::{ExtAuthz, ServeSettings};
use mcp_authz::policy::PolicyStore;
use mcp_authz::state::{InFlight, Memory};
use mcp_authz::telemetry::{self, metrics::Metrics, notices::Notices};

use super::issuer;

const CONFIG: &str = "
issuers:
- issuer: https://idp.test
  jwks_file: keys.json
  claims: {groups: groups, tenant: org_id, agent: client_id, scopes: scope}
servers:
- name: github
  match: {hosts: [mcp.test], path: /github}
  resource: https://mcp.test/github
policy: policy.yaml
";

pub(super) struct Service {
    pub(super) ext_authz: ExtAuthz<Pipeline>,
    pub(super) pipeline: Arc<Pipeline>,
    losses: Arc<Losses>,
    /// Those of the gRPC call.
    headers: http::HeaderMap,
}

impl Service {
    /// Builds the service as `app::run` does, and waits for the issuer's keys.
    pub(super) fn start(policy: &str) -> Self {
        log();
        let directory = tempfile::tempdir().unwrap();
        write_files(directory.path(), "listen: 127.0.0.1:0", policy);
        let config = config::load(&directory.path().join("config.yaml")).unwrap();
        let limits = &config.limits;
        let clock = Timestamp::now;
        let catalog = Catalog::open(config.watched_servers(), config.catalog_limits(), clock());
        let catalog = catalog.unwrap();
        let context = compile_context(&config, Some(&catalog));
        let policy = PolicyStore::open(config.policy.clone(), context, clock()).unwrap();
        let (authenticator, refreshers) =
            Authenticator::new(&config.authn, Arc::default()).unwrap();
        let (audit, _writer) = Audit::start(std::io::sink(), limits.audit_queue).unwrap();
        let losses = Arc::clone(audit.losses());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        for refresher in refreshers {
            runtime
                .handle()
                .spawn(refresher.run(std::future::pending()));
        }
        runtime.block_on(authenticator.ready());
        let pipeline = Arc::new(Pipeline {
            servers: Arc::new(Servers::new(&config.servers).unwrap()),
            authenticator: Arc::new(authenticator),
            policy: Arc::new(policy),
            candidate: None,
            catalog: Arc::new(catalog),
            state: Arc::new(Memory::new(limits.state)),
            in_flight: Arc::new(InFlight::new(limits.state.bindings_max)),
            purpose: config.purpose.clone(),
            device_header: None,
            facts: config.facts.clone(),
            peers: Arc::new(Peers::open(None).unwrap()),
            countries: None,
            audit,
            audit_settings: config.audit,
            metrics: Metrics::new(),
            notices: Notices::default(),
            handoffs: Arc::new(Handoffs::new(&config.handoff).unwrap()),
            limits: limits.check,
            long_bodies: Arc::new(LongBodies::new(NonZero::<usize>::MIN)),
            clock,
        });
        Service {
            ext_authz: ExtAuthz::new(Arc::clone(&pipeline), ServeSettings::default().request),
            pipeline,
            losses,
            headers: http::HeaderMap::new(),
        }
    }

    /// Asks as Envoy does. A frame of its own, to be found by profilers.
    #[inline(never)]
    pub(super) fn check(&self, message: &[u8]) -> Vec<u8> {
        finish(self.ext_authz.check(message, &self.headers))
    }

    /// Decides about what Envoy describes.
    pub(super) fn decide(&self, request: &HttpRequest<'_>) -> Verdict {
        finish(self.pipeline.decide(request))
    }

    /// To be called at the end: a record that is dropped costs less than one that is kept.
    pub(super) fn assert_nothing_lost(&self) {
        assert_eq!(self.losses.dropped(), 0, "audit records were dropped");
    }
}

/// Puts a configuration, `config.yaml`, and what it names into a directory.
pub(super) fn write_files(directory: &Path, listen: &str, policy: &str) {
    for (name, text) in [
        ("config.yaml", &*format!("{listen}{CONFIG}")),
        ("policy.yaml", policy),
        ("keys.json", &issuer::key_set()),
    ] {
        std::fs::write(directory.join(name), text).unwrap();
    }
}

/// The result of a future that waits for nothing.
pub(super) fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// Logs as the process does by default, since spans that nobody collects cost something too, but
/// not into the table of figures.
fn log() {
    static ONCE: Once = Once::new();
    let settings = telemetry::TelemetrySettings {
        log: "info,mcp_authz::authn=warn".to_owned(),
        ..telemetry::TelemetrySettings::default()
    };
    ONCE.call_once(|| drop(telemetry::start(&settings).unwrap()));
}
