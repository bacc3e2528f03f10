//! The composition root: builds the parts, runs them, and ends them in order.
//!
//! Every task of the process is started here. The first one that ends before it was told to ends
//! the process with its error: half a service would leave Envoy asking nobody.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::admin::{Admin, Detail};
use crate::audit::{Audit, Losses};
use crate::authn::{Authenticator, InvalidSettings, KeyRefresher};
use crate::check::{InvalidServer, Pipeline, Servers};
use crate::config::{self, Config, ConfigError, Drain};
use crate::envoy;
use crate::health::Readiness;
use crate::listen::{self, ListenError, Listener, Socket, Tls, TlsError};
use crate::policy::{self, CompileContext, LoadPolicyError, PolicyStore};
use crate::telemetry::metrics::{KeyTotals, Metrics, PolicyTotals};
use crate::telemetry::{self, InvalidTelemetry};

/// Why the process could not start, or ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Logs or traces cannot be set up.
    #[error("telemetry: {0}")]
    Telemetry(#[from] InvalidTelemetry),
    /// There is no policy to begin with.
    #[error(transparent)]
    Policy(#[from] LoadPolicyError),
    /// An issuer cannot be asked as configured.
    #[error(transparent)]
    Issuers(#[from] InvalidSettings),
    /// A server cannot be guarded as configured.
    #[error(transparent)]
    Servers(#[from] InvalidServer),
    /// TLS cannot be set up.
    #[error("tls: {0}")]
    Tls(#[from] TlsError),
    /// A socket cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The admin endpoint has to be on TCP.
    #[error("`admin.listen` must be `host:port`")]
    AdminAddress,
    /// The operating system refused something.
    #[error("{what}: {source}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// The gRPC server failed.
    #[error(transparent)]
    Serve(#[from] envoy::ServeError),
    /// A task ended that must not.
    #[error("the task `{0}` ended")]
    TaskEnded(&'static str),
}

/// Runs the service until it is told to stop.
///
/// # Errors
/// Why it could not start, or why it ended by itself.
pub async fn run(config_path: &Path) -> Result<(), RunError> {
    let config = config::load(config_path)?;
    let telemetry = telemetry::start(&config.telemetry)?;
    let flush_timeout = config.drain.timeout;
    let result = serve(config).await;
    telemetry.flush(flush_timeout).await;
    result
}

async fn serve(config: Config) -> Result<(), RunError> {
    let context = compile_context(&config);
    let policy = PolicyStore::open(config.policy.clone(), context, Timestamp::now())?;
    let policy = Arc::new(policy);
    let (authenticator, refreshers) = Authenticator::new(&config.authn)?;
    let authenticator = Arc::new(authenticator);
    let servers = Servers::new(&config.servers)?;
    let sockets = Sockets::bind(&config).await?;
    let (audit, writer) =
        Audit::start(io::stdout(), config.limits.audit_queue_max).map_err(|source| {
            RunError::System {
                what: "cannot start the audit thread",
                source,
            }
        })?;
    let losses = Arc::clone(audit.losses());
    let metrics = Metrics::new();
    let parts = Parts {
        policy: Arc::clone(&policy),
        authenticator,
        losses,
    };
    tracing::info!(
        listen = %config.listen,
        servers = servers.iter().count(),
        issuers = config.authn.issuers.len(),
        revision = %policy.status().revision,
        "starting"
    );
    let pipeline = Arc::new(Pipeline {
        servers,
        authenticator: Arc::clone(&parts.authenticator),
        policy,
        audit,
        metrics: metrics.clone(),
        limits: config.limits.check,
        clock: Timestamp::now,
    });
    let readiness = Readiness::new();
    let mut tasks = Tasks::new();
    tasks.start_background(&parts, refreshers, &readiness)?;
    tasks.start_servers(sockets, &config, pipeline, &parts, &readiness, metrics);
    let result = tasks.run_until_told(&readiness, config.drain).await;
    flush(writer, config.drain.timeout).await;
    result
}

/// What a policy is compiled against under this configuration.
#[must_use]
pub fn compile_context(config: &Config) -> CompileContext {
    let servers = config.servers.iter().map(|server| server.name.clone());
    let issuer = config.authn.issuers.first();
    CompileContext {
        servers: Some(servers.collect()),
        issuer: issuer
            .map(|issuer| issuer.issuer.clone())
            .unwrap_or_default(),
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
    if let Some(files) = &config.tls {
        faults.extend(Tls::load(files.clone()).await.err().map(RunError::from));
    }
    if matches!(config.admin, Some(listen::Address::Unix(_))) {
        faults.push(RunError::AdminAddress);
    }
    faults
}

/// What the tasks share besides the pipeline.
#[derive(Clone)]
struct Parts {
    policy: Arc<PolicyStore>,
    authenticator: Arc<Authenticator>,
    losses: Arc<Losses>,
}

/// Everything that is listened on, bound before anything else starts so that a port in use ends
/// the process at once.
struct Sockets {
    grpc: Listener,
    admin: Option<tokio::net::TcpListener>,
}

impl Sockets {
    async fn bind(config: &Config) -> Result<Self, RunError> {
        let tls = match &config.tls {
            Some(files) => Some(Tls::load(files.clone()).await?),
            None => None,
        };
        let socket = listen::bind(&config.listen).await?;
        let admin = match &config.admin {
            None => None,
            Some(address) => match listen::bind(address).await? {
                Socket::Tcp(listener) => Some(listener),
                Socket::Unix(..) => return Err(RunError::AdminAddress),
            },
        };
        Ok(Sockets {
            grpc: Listener::new(socket, tls, listen::Limits::default()),
            admin,
        })
    }
}

/// The tasks of the process and the two ways to end them.
struct Tasks {
    tasks: JoinSet<Result<(), RunError>>,
    /// Becomes true when servers finish what is in flight and take nothing new.
    stop: watch::Sender<bool>,
}

impl Tasks {
    fn new() -> Self {
        Tasks {
            tasks: JoinSet::new(),
            stop: watch::Sender::new(false),
        }
    }

    /// Resolves once the servers are to stop.
    fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stop = self.stop.subscribe();
        async move {
            // The sender lives as long as the tasks; were it gone, they would have to end too.
            drop(stop.wait_for(|stop| *stop).await);
        }
    }

    fn start_background(
        &mut self,
        parts: &Parts,
        refreshers: Vec<KeyRefresher>,
        readiness: &Readiness,
    ) -> Result<(), RunError> {
        for refresher in refreshers {
            let stopped = self.stopped();
            self.tasks.spawn(async move {
                refresher.run(stopped).await;
                Ok(())
            });
        }
        let (reload, asked) = mpsc::channel(1);
        let store = Arc::clone(&parts.policy);
        let stopped = self.stopped();
        self.tasks.spawn(async move {
            tokio::select! {
                () = policy::watch(store, asked, Timestamp::now) => {
                    Err(RunError::TaskEnded("policy watch"))
                }
                () = stopped => Ok(()),
            }
        });
        let mut hangups = signal(SignalKind::hangup()).map_err(|source| RunError::System {
            what: "cannot watch for signals",
            source,
        })?;
        let stopped = self.stopped();
        self.tasks.spawn(async move {
            let forward = async {
                while hangups.recv().await.is_some() {
                    // A reload that is already asked for serves this signal too.
                    drop(reload.try_send(()));
                }
            };
            tokio::select! { () = forward => {}, () = stopped => {} }
            Ok(())
        });
        let keys_gate = readiness.gate("keys");
        let authenticator = Arc::clone(&parts.authenticator);
        let stopped = self.stopped();
        self.tasks.spawn(async move {
            tokio::select! { () = keys_tried(&authenticator) => {}, () = stopped => {} }
            drop(keys_gate);
            Ok(())
        });
        Ok(())
    }

    fn start_servers(
        &mut self,
        sockets: Sockets,
        config: &Config,
        pipeline: Arc<Pipeline>,
        parts: &Parts,
        readiness: &Readiness,
        metrics: Metrics,
    ) {
        let settings = envoy_settings(config);
        let stopped = self.stopped();
        let ready = readiness.clone();
        self.tasks.spawn(async move {
            Ok(envoy::serve(sockets.grpc, pipeline, ready, settings, stopped).await?)
        });
        if let Some(socket) = sockets.admin {
            let admin = admin(parts.clone(), readiness.clone(), metrics);
            let stopped = self.stopped();
            self.tasks.spawn(async move {
                admin
                    .serve(socket, stopped)
                    .await
                    .map_err(|source| RunError::System {
                        what: "the admin endpoint failed",
                        source,
                    })
            });
        }
    }

    /// Runs until a signal, then drains; or until a task fails.
    async fn run_until_told(mut self, readiness: &Readiness, drain: Drain) -> Result<(), RunError> {
        let watch_error = |source| RunError::System {
            what: "cannot watch for signals",
            source,
        };
        let mut terminate = signal(SignalKind::terminate()).map_err(watch_error)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(watch_error)?;
        let mut told = async || {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        };
        loop {
            tokio::select! {
                () = told() => break,
                Some(ended) = self.tasks.join_next() => outcome(ended)?,
            }
        }
        readiness.drain();
        // Time for Envoy's health checks to notice; a second signal says that nobody waits.
        tokio::select! { () = tokio::time::sleep(drain.delay) => {}, () = told() => {} }
        self.stop.send_replace(true);
        let finish = async {
            while let Some(ended) = self.tasks.join_next().await {
                outcome(ended)?;
            }
            Ok(())
        };
        match tokio::time::timeout(drain.timeout, finish).await {
            Ok(result) => result,
            Err(_) => {
                tracing::warn!("the drain took too long; connections are cut");
                self.tasks.abort_all();
                while self.tasks.join_next().await.is_some() {}
                Ok(())
            }
        }
    }
}

fn outcome(ended: Result<Result<(), RunError>, tokio::task::JoinError>) -> Result<(), RunError> {
    match ended {
        Ok(result) => result,
        Err(error) => Err(RunError::System {
            what: "a task did not finish",
            source: io::Error::other(error),
        }),
    }
}

/// How often the first fetch of keys is looked at.
const KEYS_LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Waits until every issuer was asked once and one of them answered. An issuer that is away must
/// not keep a new replica from serving the callers of the others.
async fn keys_tried(authenticator: &Authenticator) {
    loop {
        let issuers: Vec<_> = authenticator.issuers().collect();
        let tried = issuers.iter().all(|issuer| issuer.keys.fetches > 0);
        if tried && issuers.iter().any(|issuer| issuer.keys.was_loaded) {
            return;
        }
        tokio::time::sleep(KEYS_LOOK_INTERVAL).await;
    }
}

fn envoy_settings(config: &Config) -> envoy::Settings {
    let mut settings = envoy::Settings::default();
    settings.request.headers_max = config.limits.headers_max;
    settings.request.source = config.client_address;
    settings.body_bytes_max = config.limits.check.body_bytes_max;
    settings.streams_max = config.limits.streams_max;
    settings
}

fn admin(parts: Parts, readiness: Readiness, metrics: Metrics) -> Admin {
    let policy = Arc::clone(&parts.policy);
    let authenticator = Arc::clone(&parts.authenticator);
    let details = vec![
        Detail {
            name: "policy",
            state: Box::new(move || policy_detail(&policy)),
        },
        Detail {
            name: "keys",
            state: Box::new(move || keys_detail(&authenticator)),
        },
    ];
    Admin::new(
        readiness,
        metrics,
        move |metrics| sample(&parts, metrics),
        details,
    )
}

fn policy_detail(store: &PolicyStore) -> Value {
    let status = store.status();
    let failing = status
        .failing
        .map(|failing| json!({"since": failing.since.to_string(), "errors": failing.lines}));
    json!({
        "revision": &*status.revision,
        "applied": status.applied.to_string(),
        "rules": store.snapshot().rules().len(),
        "failing": failing,
    })
}

fn keys_detail(authenticator: &Authenticator) -> Value {
    let issuers = authenticator.issuers().map(|issuer| {
        let keys = issuer.keys;
        json!({
            "issuer": &*issuer.issuer,
            "usable": keys.is_usable,
            "keys": keys.keys,
            "skipped": keys.skipped,
            "age_seconds": keys.age.map(|age| age.as_secs()),
            "failing": keys.failing,
        })
    });
    Value::Array(issuers.collect())
}

fn sample(parts: &Parts, metrics: &Metrics) {
    let status = parts.policy.status();
    metrics.set_policy(&PolicyTotals {
        successes: status.successes,
        failures: status.failures,
        applied_unix_seconds: status.applied.as_second(),
        rules: parts.policy.snapshot().rules().len(),
        failing: status.failing.is_some(),
    });
    for issuer in parts.authenticator.issuers() {
        let keys = issuer.keys;
        let totals = KeyTotals {
            successes: keys.fetches.saturating_sub(keys.failures),
            failures: keys.failures,
            age: keys.age,
            usable: keys.is_usable,
        };
        metrics.set_keys(&issuer.issuer, &totals);
    }
    metrics.set_tokens_cached(parts.authenticator.tokens_cached());
    metrics.set_audit_lost(parts.losses.dropped().saturating_add(parts.losses.failed()));
}

/// Waits for the audit thread to write what is queued; it ends once nobody can hand in records.
async fn flush(writer: JoinHandle<()>, timeout: Duration) {
    let joined = tokio::task::spawn_blocking(move || writer.join().is_ok());
    if !matches!(tokio::time::timeout(timeout, joined).await, Ok(Ok(true))) {
        tracing::error!("audit records were not all written");
    }
}
