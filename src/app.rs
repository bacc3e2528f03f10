//! The composition root: builds the parts, runs them, and ends them in order.
//!
//! # An example
//!
//! `mcp-authz serve --config config.yaml`, and later SIGTERM:
//!
//! 1. [`run`] loads the configuration and starts logs and traces.
//! 2. `parts.rs` builds what can fail: recorded tools, policies, keys, authorities. `sockets.rs` binds
//!    the ports. Everything that can be wrong is found out before anything starts, so a mistake in
//!    the policy ends the process with its findings, and Envoy never meets half a service.
//! 3. `background.rs` lists what goes on for the life of the process, with a name for each:
//!    fetching keys, watching files, passing on SIGHUP. `tasks.rs` starts them, and the workers.
//! 4. `worker.rs`: each core has a thread with a runtime of its own, on which checks are served.
//! 5. The gate `keys` opens once an issuer has answered, and the process is ready.
//! 6. `signals.rs` hears SIGTERM. The process says that it is not ready, waits until Envoy has
//!    noticed, takes no new connection, and finishes what is in flight.
//! 7. `threads.rs` waits for the workers and then for the writer of the audit: only then is the
//!    evidence complete.
//!
//! What operators are told meanwhile is in `status.rs`.

mod background;
mod clock;
mod context;
mod error;
mod parts;
mod preflight;
mod signals;
mod sockets;
mod status;
mod tasks;
mod threads;
mod worker;

use std::path::Path;
use std::sync::Arc;

use crate::audit::{self, Audit};
use crate::check::{LongBodies, Pipeline, Servers};
use crate::config::{self, Config};
use crate::envoy;
use crate::health::Readiness;
use crate::state::{self, InFlight};
use crate::telemetry;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::notices::Notices;
use clock::CLOCK;
use parts::{Core, ServiceParts};
use signals::Signals;
use sockets::Sockets;
use tasks::Tasks;
use threads::Threads;
use worker::{SHUTDOWN_TIMEOUT, workers};

pub use clock::now;
pub use context::compile_context;
pub use error::RunError;
pub use preflight::preflight;

/// Runs the service until it is told to stop. Builds the runtime, so call it outside of one.
///
/// # Errors
/// Why it could not start, or why it ended by itself.
pub fn run(config_path: &Path) -> Result<(), RunError> {
    let config = config::load(config_path)?;
    let timeout = config.drain.timeout;
    // Checks are served by workers; what is done here may wait.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RunError::system("cannot start the runtime"))?;
    let mut threads = Threads::default();
    let result = runtime.block_on(async {
        let telemetry = telemetry::start(&config.telemetry)?;
        let result = Box::pin(serve(config, &mut threads)).await;
        telemetry.flush(timeout).await;
        result
    });
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    threads.end(timeout);
    if result.is_ok() {
        tracing::info!("stopped");
    }
    result
}

async fn serve(config: Config, threads: &mut Threads) -> Result<(), RunError> {
    tracing::info!(config = %config.effective(), "starting");
    let signals = Signals::watch().map_err(RunError::system("cannot watch for signals"))?;
    let (core, refreshers) = Core::build(&config)?;
    let servers = Servers::new(&config.servers)?;
    let sockets = Sockets::bind(&config).await?;
    if let Some(notice) = status::notice(config.replicas) {
        tracing::warn!("{notice}");
    }
    let (audit, thread) = audit::standard_output()
        .and_then(|sink| Audit::start(sink, config.limits.audit_queue))
        .map_err(RunError::system("cannot start the audit thread"))?;
    threads.writer = Some(thread);
    let parts = ServiceParts {
        notices: Notices::default(),
        losses: Arc::clone(audit.losses()),
        metrics: Metrics::new(),
        readiness: Readiness::new(),
        tls: sockets.grpc.tls().cloned(),
        state: state::open(config.limits.state),
        replicas: config.replicas,
        core,
    };
    let pipeline = Arc::new(pipeline(&config, servers, audit, &parts));
    let (grpc, admin) = (sockets.grpc_address, sockets.admin_address);
    let mut tasks = Tasks::new();
    tasks.start_background(background::tasks(&parts, refreshers, signals.hangup));
    threads.workers = tasks
        .start_grpc(sockets.grpc, &pipeline, &parts, envoy_settings(&config))
        .map_err(RunError::system("cannot start the workers"))?;
    drop(pipeline);
    if let Some(socket) = sockets.admin {
        tasks.start_admin(socket, status::admin(&parts));
    }
    let admin = admin.as_deref().map(tracing::field::display);
    tracing::info!(%grpc, admin, "listening");
    tasks
        .run_until_told(signals.end, &parts.readiness, config.drain)
        .await
}

/// What checks go through, of these parts.
fn pipeline(config: &Config, servers: Servers, audit: Audit, parts: &ServiceParts) -> Pipeline {
    Pipeline {
        servers,
        authenticator: Arc::clone(&parts.core.authenticator),
        policy: Arc::clone(&parts.core.policy),
        candidate: parts.core.candidate.clone(),
        catalog: Arc::clone(&parts.core.catalog),
        state: Arc::clone(&parts.state.state),
        in_flight: InFlight::new(config.limits.state.bindings_max),
        purpose: config.purpose.clone(),
        device_header: config.device_header.clone(),
        facts: config.facts.clone(),
        peers: Arc::clone(&parts.core.peers),
        countries: parts.core.countries.clone(),
        audit,
        metrics: parts.metrics.clone(),
        notices: parts.notices.clone(),
        handoffs: Arc::clone(&parts.core.handoffs),
        limits: config.limits.check,
        long_bodies: LongBodies::new(workers()),
        clock: CLOCK,
    }
}

fn envoy_settings(config: &Config) -> envoy::ServeSettings {
    let mut settings = envoy::ServeSettings::default();
    settings.request.headers_max = config.limits.check.headers_max;
    settings.request.source = config.client_address;
    settings.body_bytes_max = config.limits.check.body_bytes_max;
    settings.streams_max = config.limits.streams_max;
    settings
}
