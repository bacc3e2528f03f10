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
//! 3. `background.rs` lists the tasks that live as long as the process, and `part_tasks.rs` those of
//!    a part of the configuration: fetching keys, watching files. `tasks.rs` starts them and the
//!    workers.
//! 4. `worker.rs`: each core has a thread with a runtime of its own, on which checks are served.
//! 5. The gate `keys` opens once an issuer has answered, and the process is ready.
//! 6. A server is added to `config.yaml`. `reload.rs` sees it, has `parts.rs` build the parts that are
//!    new and take over the others, and puts them in force as one pipeline. If anything is wrong with
//!    them, nothing changes.
//! 7. `signals.rs` hears SIGTERM. The process says that it is not ready, waits until Envoy has
//!    noticed, takes no new connection, and finishes what is in flight.
//! 8. `threads.rs` waits for the workers and then for the writer of the audit: only then is the
//!    evidence complete.
//!
//! What operators are told meanwhile is in `status.rs`.

mod background;
mod clock;
mod commands;
mod config_record;
mod context;
mod error;
mod last_good;
mod pages;
mod part_tasks;
mod parts;
mod preflight;
mod reload;
mod samples;
mod signals;
mod sockets;
mod status;
mod tasks;
mod threads;
mod worker;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::audit::{self, Audit};
use crate::check::LivePipeline;
use crate::config::{self, Config};
use crate::envoy;
use crate::health::Readiness;
use crate::listen::Inherited;
use crate::state;
use crate::telemetry;
use clock::CLOCK;
use config_record::ConfigRecord;
use parts::{Core, Lasting, ServiceParts};
use reload::ConfigFile;
use signals::Signals;
use sockets::Sockets;
use tasks::Tasks;
use threads::Threads;
use worker::SHUTDOWN_TIMEOUT;

/// What [`issuer_files`] finds.
pub use crate::authn::{FaultWeight, IssuerFileFault};
pub use clock::now;
pub use context::compile_context;
pub use error::RunError;
pub use preflight::{issuer_files, preflight};
pub use samples::issuer_claims;

/// Runs the service until it is told to stop. Builds the runtime, so call it outside of one.
///
/// # Errors
/// Fails if the service cannot start, or ends without having been told to.
pub fn run(config_path: &Path) -> Result<(), RunError> {
    // It changes the environment, so it comes before there are other threads.
    let inherited = Inherited::from_environment()?;
    let text = config::read(config_path)?;
    let config = config::decode_file(config_path, text.clone())?;
    let file = ConfigFile {
        path: config_path.to_owned(),
        text: text.into(),
    };
    let record = Arc::new(ConfigRecord::new(config, CLOCK()));
    // Checks are served by workers; what is done here may wait.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RunError::system("cannot start the runtime"))?;
    let mut threads = Threads::default();
    let result = runtime.block_on(async {
        let telemetry = telemetry::start(&record.current().telemetry)?;
        let given = (inherited, telemetry.spans_lost());
        let result = Box::pin(serve(file, given, &record, &mut threads)).await;
        telemetry.flush(record.current().drain.timeout).await;
        result
    });
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    threads.end(record.current().drain.timeout);
    if result.is_ok() {
        tracing::info!("stopped");
    }
    result
}

async fn serve(
    file: ConfigFile,
    (inherited, spans_lost): (Inherited, Arc<AtomicU64>),
    record: &Arc<ConfigRecord>,
    threads: &mut Threads,
) -> Result<(), RunError> {
    let config = record.current();
    tracing::info!(config = %config.effective(), "starting");
    let signals = Signals::watch().map_err(RunError::system("cannot watch for signals"))?;
    let (core, refreshers) = Core::first(&config)?;
    core.tell_policy(None);
    let sockets = Sockets::bind(&config, inherited).await?;
    if let Some(notice) = status::notice(config.replicas) {
        tracing::warn!("{notice}");
    }
    let (audit, thread) = audit::standard_output()
        .and_then(|sink| Audit::start(sink, config.limits.audit_queue))
        .map_err(RunError::system("cannot start the audit thread"))?;
    threads.writer = Some(thread);
    let losses = Arc::clone(audit.losses());
    let state = state::open(config.limits.state);
    let pipeline = core.pipeline(&config, Lasting::first(&config, &state, audit));
    let parts = ServiceParts {
        notices: pipeline.notices.clone(),
        losses,
        spans_lost,
        handshakes_failed: Arc::clone(sockets.grpc.failed()),
        metrics: pipeline.metrics.clone(),
        readiness: Readiness::new(),
        tls: sockets.grpc.tls().cloned(),
        state,
        config: Arc::clone(record),
        live: Arc::new(LivePipeline::new(pipeline)),
    };
    let (grpc, admin) = (sockets.grpc_address, sockets.admin_address);
    let mut tasks = Tasks::new(sockets.handed_over);
    let built = (core, refreshers);
    tasks.start_background(background::tasks(&parts, built, file, signals.hangup));
    threads.workers = tasks
        .start_grpc(sockets.grpc, &parts, envoy_settings(&config))
        .map_err(RunError::system("cannot start the workers"))?;
    if let Some(socket) = sockets.admin {
        tasks.start_admin(socket, status::admin(&parts));
    }
    let admin = admin.as_deref().map(tracing::field::display);
    tracing::info!(%grpc, admin, "listening");
    tasks.run_until_told(signals.end, &parts).await
}

fn envoy_settings(config: &Config) -> envoy::ServeSettings {
    let mut settings = envoy::ServeSettings::default();
    settings.request.headers_max = config.limits.check.headers_max;
    settings.request.source = config.client_address;
    settings.body_bytes_max = config.limits.check.body_bytes_max;
    settings.streams_max = config.limits.streams_max;
    settings
}
