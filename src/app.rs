//! The composition root: builds the parts, runs them, and ends them in order.
//!
//! Everything that can be wrong is found out before anything starts: configuration, policy,
//! trust anchors, then sockets. What goes on for the life of the process is in `tasks`, what is
//! told to operators in `status`.

mod status;
mod store;
mod tasks;
mod worker;

use std::fs::File;
use std::io;
use std::num::NonZero;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use jiff::Timestamp;

use crate::audit::{Audit, Losses};
use crate::authn::{Authenticator, InvalidPeers, InvalidSettings, KeyRefresher, Peers};
use crate::catalog::{Catalog, InvalidSnapshot};
use crate::check::{Handoffs, InvalidHandoffKeys, InvalidServer, LongBodies, Pipeline, Servers};
use crate::config::{self, Config, ConfigError};
use crate::envoy;
use crate::geoip::{Countries, InvalidCountries};
use crate::health::Readiness;
use crate::listen::{self, ListenError, Listener, Socket, Tls, TlsError};
use crate::policy::{CompileContext, Issuers, LoadPolicyError, PolicyStore};
use crate::state::{InFlight, Memory, State};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::notices::Notices;
use crate::telemetry::{self, InvalidTelemetry};
use tasks::{Signals, Tasks};

/// Why the process could not start, or ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Logs or traces cannot be set up.
    #[error(transparent)]
    Telemetry(#[from] InvalidTelemetry),
    /// There is no policy to begin with.
    #[error(transparent)]
    Policy(#[from] LoadPolicyError),
    /// An issuer cannot be asked as configured.
    #[error(transparent)]
    Issuers(#[from] InvalidSettings),
    /// There is no database of countries to begin with.
    #[error(transparent)]
    Countries(#[from] InvalidCountries),
    /// Nobody can vouch for TLS peers as configured.
    #[error(transparent)]
    Peers(#[from] InvalidPeers),
    /// What was accepted of a server's tools cannot be read.
    #[error(transparent)]
    Tools(#[from] InvalidSnapshot),
    /// A server cannot be guarded as configured.
    #[error(transparent)]
    Servers(#[from] InvalidServer),
    /// There are no keys for what checks hand on.
    #[error(transparent)]
    Handoff(#[from] InvalidHandoffKeys),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A socket cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The admin endpoint has to be on TCP.
    #[error("`admin.listen` must be `host:port`")]
    AdminAddress,
    /// The operating system refused something.
    #[error("{what}")]
    System {
        /// What did not work.
        what: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// The gRPC server failed.
    #[error(transparent)]
    Serve(#[from] envoy::ServeError),
    /// A task ended that must not.
    #[error("the task `{0}` ended by itself")]
    TaskEnded(&'static str),
}

impl RunError {
    fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| RunError::System { what, source }
    }
}

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
    // Connections that the drain had to cut end with the workers, and what was asked on them is
    // recorded as given up. Only then is the audit complete.
    for worker in threads.workers {
        if !has_ended(worker, SHUTDOWN_TIMEOUT.saturating_mul(2)) {
            tracing::error!("a worker does not end");
        }
    }
    if let Some(writer) = threads.writer
        && !has_ended(writer, timeout)
    {
        tracing::error!("audit records were not all written");
    }
    if result.is_ok() {
        tracing::info!("stopped");
    }
    result
}

/// The clock of the process.
const CLOCK: fn() -> Timestamp = Timestamp::now;

/// The time, for commands that look at files.
#[must_use]
pub fn now() -> Timestamp {
    CLOCK()
}

/// How long work that cannot be cut, such as reading a file, may hold the end up.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// How many workers serve checks: one for each core.
fn workers() -> NonZero<usize> {
    thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN)
}

/// The threads that outlive the runtime.
#[derive(Debug, Default)]
struct Threads {
    /// They serve checks.
    workers: Vec<JoinHandle<()>>,
    /// It writes the audit records, and ends once nobody can hand in any.
    writer: Option<JoinHandle<()>>,
}

/// Standard output as it is. [`io::Stdout`] keeps back what could not be written, and puts it in the
/// middle of what comes later.
fn standard_output() -> io::Result<File> {
    let own = io::stdout().as_fd().try_clone_to_owned()?;
    Ok(File::from(own))
}

async fn serve(config: Config, threads: &mut Threads) -> Result<(), RunError> {
    tracing::info!(config = %config.effective(), "starting");
    let signals = Signals::watch().map_err(RunError::system("cannot watch for signals"))?;
    let (core, refreshers) = Core::build(&config)?;
    let servers = Servers::new(&config.servers)?;
    let sockets = Sockets::bind(&config).await?;
    if let Some(notice) = store::notice(config.replicas) {
        tracing::warn!("{notice}");
    }
    let (audit, thread) = standard_output()
        .and_then(|sink| Audit::start(sink, config.limits.audit_queue))
        .map_err(RunError::system("cannot start the audit thread"))?;
    threads.writer = Some(thread);
    let notices = Notices::default();
    let parts = Parts {
        notices: notices.clone(),
        losses: Arc::clone(audit.losses()),
        metrics: Metrics::new(),
        readiness: Readiness::new(),
        tls: sockets.grpc.tls().cloned(),
        memory: Arc::new(Memory::new(config.limits.state)),
        replicas: config.replicas,
        core,
    };
    let pipeline = Arc::new(Pipeline {
        servers,
        authenticator: Arc::clone(&parts.core.authenticator),
        policy: Arc::clone(&parts.core.policy),
        candidate: parts.core.candidate.clone(),
        catalog: Arc::clone(&parts.core.catalog),
        state: Arc::clone(&parts.memory) as Arc<dyn State>,
        in_flight: InFlight::new(config.limits.state.bindings_max),
        purpose: config.purpose.clone(),
        device_header: config.device_header.clone(),
        facts: config.facts.clone(),
        peers: Arc::clone(&parts.core.peers),
        countries: parts.core.countries.clone(),
        audit,
        metrics: parts.metrics.clone(),
        notices,
        handoffs: Arc::clone(&parts.core.handoffs),
        limits: config.limits.check,
        long_bodies: LongBodies::new(workers()),
        clock: CLOCK,
    });
    let (grpc, admin) = (sockets.grpc_address, sockets.admin_address);
    let mut tasks = Tasks::new();
    tasks.start_background(&parts, refreshers, signals.hangup);
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

/// The parts that checks and operators both look at.
#[derive(Debug, Clone)]
struct Core {
    policy: Arc<PolicyStore>,
    candidate: Option<Arc<PolicyStore>>,
    peers: Arc<Peers>,
    countries: Option<Arc<Countries>>,
    catalog: Arc<Catalog>,
    authenticator: Arc<Authenticator>,
    handoffs: Arc<Handoffs>,
}

impl Core {
    fn build(config: &Config) -> Result<(Self, Vec<KeyRefresher>), RunError> {
        let catalog = Catalog::open(config.watched_servers(), config.catalog_limits(), CLOCK())?;
        let context = compile_context(config, Some(&catalog));
        let candidate = config.candidate_policy.clone();
        let candidate = candidate
            .map(|path| PolicyStore::open(path, context.clone(), CLOCK()))
            .transpose()?;
        let countries = config.country_db_file.clone();
        let countries = countries.map(Countries::open).transpose()?;
        let peers = Peers::open(config.peers_ca_file.clone())?;
        let policy = PolicyStore::open(config.policy.clone(), context, CLOCK())?;
        if policy.snapshot().has_peers() && !peers.are_verified() {
            tracing::warn!(
                "rules ask for TLS peers, which are who Envoy says; `peers.ca_file` has their \
                 certificates verified"
            );
        }
        let (authenticator, refreshers) = Authenticator::new(&config.authn)?;
        let handoffs = Handoffs::new(&config.handoff)?;
        tracing::info!(
            revision = %policy.status().revision,
            rules = policy.snapshot().rules().len(),
            "policy in force"
        );
        let core = Core {
            policy: Arc::new(policy),
            candidate: candidate.map(Arc::new),
            peers: Arc::new(peers),
            countries: countries.map(Arc::new),
            catalog: Arc::new(catalog),
            authenticator: Arc::new(authenticator),
            handoffs: Arc::new(handoffs),
        };
        Ok((core, refreshers))
    }
}

/// What a policy is compiled against under this configuration and its recorded tools, as far as
/// they can be used.
#[must_use]
pub fn compile_context(config: &Config, catalog: Option<&Catalog>) -> CompileContext {
    let servers = config.servers.iter().map(|server| server.name.clone());
    let names = || config.authn.issuers.iter().map(|one| one.issuer.clone());
    let of_servers = config.servers.iter();
    let of_servers = of_servers.map(|server| (server.name.clone(), server.issuers.clone()));
    let issuers = Issuers {
        names: names().collect(),
        of_servers: of_servers.collect(),
        are_strict: config.issuers_strict,
    };
    CompileContext {
        servers: Some(servers.collect()),
        issuer: names().next().unwrap_or_default(),
        issuers: Arc::new(issuers),
        hints: Arc::new(catalog.map(Catalog::trusted_hints).unwrap_or_default()),
        defaults: Arc::new(catalog.map(Catalog::recorded_defaults).unwrap_or_default()),
        uris: Arc::new(config.uri_forms()),
        has_countries: config.country_db_file.is_some(),
        rules_max: config.limits.rules_max,
        cel_bytes_max: config.limits.cel_bytes_max,
    }
}

/// Everything that would keep the service from starting, though the file itself is good: files
/// that are missing or unusable, and settings that no part can be built from.
#[must_use]
pub async fn preflight(config: &Config) -> Vec<RunError> {
    let mut faults = Vec::new();
    faults.extend(Authenticator::new(&config.authn).err().map(RunError::from));
    faults.extend(Servers::new(&config.servers).err().map(RunError::from));
    let catalog = Catalog::open(config.watched_servers(), config.catalog_limits(), CLOCK());
    faults.extend(catalog.err().map(RunError::from));
    faults.extend(Handoffs::new(&config.handoff).err().map(RunError::from));
    let peers = Peers::open(config.peers_ca_file.clone());
    faults.extend(peers.err().map(RunError::from));
    if let Some(files) = &config.tls {
        faults.extend(Tls::load(files.clone()).await.err().map(RunError::from));
    }
    faults
}

/// What the tasks share besides the pipeline.
#[derive(Debug, Clone)]
struct Parts {
    core: Core,
    losses: Arc<Losses>,
    notices: Notices,
    metrics: Metrics,
    readiness: Readiness,
    tls: Option<Arc<Tls>>,
    memory: Arc<Memory>,
    replicas: u32,
}

/// Everything that is listened on, bound before anything else starts so that a port in use ends
/// the process at once.
struct Sockets {
    grpc: Listener,
    grpc_address: listen::Address,
    admin: Option<tokio::net::TcpListener>,
    admin_address: Option<String>,
}

impl Sockets {
    async fn bind(config: &Config) -> Result<Self, RunError> {
        let unknown = "cannot tell the address that was bound";
        let tls = match &config.tls {
            Some(files) => Some(Tls::load(files.clone()).await?),
            None => None,
        };
        let socket = listen::bind(&config.listen).await?;
        let grpc_address = socket.address().map_err(RunError::system(unknown))?;
        let admin = match &config.admin {
            None => None,
            Some(address) => match listen::bind(address).await? {
                Socket::Tcp(listener) => Some(listener),
                Socket::Unix(..) => return Err(RunError::AdminAddress),
            },
        };
        let admin_address = admin
            .as_ref()
            .map(|socket| socket.local_addr().map(|address| address.to_string()))
            .transpose()
            .map_err(RunError::system(unknown))?;
        Ok(Sockets {
            grpc: Listener::new(socket, tls, config.limits.listen),
            grpc_address,
            admin,
            admin_address,
        })
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

/// Waits for a thread to end. Whether it did well and in time.
fn has_ended(thread: JoinHandle<()>, timeout: Duration) -> bool {
    let (done, ended) = mpsc::channel();
    let waiting = thread::Builder::new().spawn(move || done.send(thread.join().is_ok()));
    waiting.is_ok() && ended.recv_timeout(timeout) == Ok(true)
}
