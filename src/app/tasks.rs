//! The tasks of the process, and how they end.
//!
//! Every task is started here. One that ends before it was told to ends the process with its
//! error: half a service would leave Envoy asking nobody.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};

use super::worker::Worker;
use super::{CLOCK, Parts, RunError, workers};
use crate::admin::Admin;
use crate::authn::{Authenticator, KeyRefresher};
use crate::catalog::Catalog;
use crate::check::Pipeline;
use crate::config::Drain;
use crate::envoy;
use crate::health::Readiness;
use crate::listen::Listener;
use crate::policy;

/// The signals that the process knows, watched from the start: until then they would kill it.
pub(super) struct Signals {
    /// SIGHUP: reload the policy and the recorded tools.
    pub(super) hangup: Signal,
    /// SIGTERM and SIGINT: end.
    pub(super) end: EndSignals,
}

pub(super) struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn watch() -> io::Result<Self> {
        Ok(Signals {
            hangup: signal(SignalKind::hangup())?,
            end: EndSignals {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
            },
        })
    }
}

impl EndSignals {
    async fn told(&mut self) {
        tokio::select! { _ = self.terminate.recv() => {}, _ = self.interrupt.recv() => {} }
    }
}

/// The running tasks.
pub(super) struct Tasks {
    /// They finish what is in flight when told to stop, and take nothing new.
    servers: JoinSet<Result<(), RunError>>,
    /// They serve the servers to their end, and have nothing to finish.
    background: JoinSet<Result<(), RunError>>,
    /// Becomes true when the servers are to stop.
    stop: watch::Sender<bool>,
    /// Goes when what is in flight is to be cut.
    running: watch::Sender<()>,
}

impl Tasks {
    pub(super) fn new() -> Self {
        Tasks {
            servers: JoinSet::new(),
            background: JoinSet::new(),
            stop: watch::Sender::new(false),
            running: watch::Sender::new(()),
        }
    }

    /// Resolves once the servers are to stop.
    fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stop = self.stop.subscribe();
        async move {
            if stop.wait_for(|stop| *stop).await.is_err() {
                tracing::debug!("stopped with the process");
            }
        }
    }

    pub(super) fn start_background(
        &mut self,
        parts: &Parts,
        refreshers: Vec<KeyRefresher>,
        mut hangup: Signal,
    ) {
        for refresher in refreshers {
            self.background.spawn(async move {
                refresher.run(std::future::pending()).await;
                Err(RunError::TaskEnded("keys"))
            });
        }
        let mut reloads = Vec::new();
        for store in std::iter::once(&parts.core.policy).chain(&parts.core.candidate) {
            let (reload, asked) = mpsc::channel(1);
            reloads.push(reload);
            let store = Arc::clone(store);
            self.background.spawn(async move {
                policy::watch(store, asked, CLOCK).await;
                Err(RunError::TaskEnded("policy"))
            });
        }
        let policies: Vec<_> = std::iter::once(&parts.core.policy)
            .chain(&parts.core.candidate)
            .cloned()
            .zip(reloads.clone())
            .collect();
        let reloaded = Arc::new(move |catalog: &Catalog| {
            for (store, reload) in &policies {
                let (hints, defaults) = (catalog.trusted_hints(), catalog.recorded_defaults());
                if store.set_recorded(hints, defaults) && reload.try_send(()).is_err() {
                    tracing::debug!("a reload is asked for already and serves the records too");
                }
            }
        });
        // Each by itself: a file system that gives no answer holds up the records of no other.
        for server in parts.core.catalog.recorded_servers() {
            let (reload, asked) = mpsc::channel(1);
            reloads.push(reload);
            let (catalog, server) = (Arc::clone(&parts.core.catalog), server.to_owned());
            let reloaded = Arc::clone(&reloaded);
            self.background.spawn(async move {
                let reloaded = |catalog: &Catalog| reloaded(catalog);
                catalog.watch(server, asked, CLOCK, reloaded).await;
                Err(RunError::TaskEnded("tools"))
            });
        }
        self.background.spawn(async move {
            while hangup.recv().await.is_some() {
                for reload in &reloads {
                    if reload.try_send(()).is_err() {
                        tracing::debug!("a reload is asked for already and serves this signal too");
                    }
                }
            }
            Err(RunError::TaskEnded("signals"))
        });
        self.watch_files(parts);
        let gate = parts.readiness.gate("keys");
        let authenticator = Arc::clone(&parts.core.authenticator);
        self.background.spawn(async move {
            keys_tried(&authenticator).await;
            drop(gate);
            Ok(())
        });
    }

    /// Starts watching the files that only one part reads.
    fn watch_files(&mut self, parts: &Parts) {
        if let Some(countries) = parts.core.countries.clone() {
            self.background.spawn(async move {
                countries.watch(CLOCK).await;
                Err(RunError::TaskEnded("countries"))
            });
        }
        let handoffs = Arc::clone(&parts.core.handoffs);
        self.background.spawn(async move {
            handoffs.watch(CLOCK).await;
            Err(RunError::TaskEnded("handoff"))
        });
        let peers = Arc::clone(&parts.core.peers);
        self.background.spawn(async move {
            peers.watch(CLOCK).await;
            Err(RunError::TaskEnded("peers"))
        });
    }

    /// Starts as many workers as there are cores, and returns their threads. They end when they
    /// are told to stop and have finished, or when the tasks are gone.
    pub(super) fn start_grpc(
        &mut self,
        mut listener: Listener,
        pipeline: &Arc<Pipeline>,
        parts: &Parts,
        settings: envoy::ServeSettings,
    ) -> io::Result<Vec<JoinHandle<()>>> {
        let count = workers().get();
        let mut threads = Vec::with_capacity(count);
        for _ in 0..count {
            let share = listener.share();
            let (readiness, stopped) = (parts.readiness.clone(), self.stopped());
            let served = envoy::serve(share, Arc::clone(pipeline), readiness, settings, stopped);
            let mut running = self.running.subscribe();
            let worker = Worker::start(async move {
                tokio::select! {
                    served = served => Ok(served?),
                    Err(_) = running.changed() => Ok(()),
                }
            })?;
            threads.push(worker.thread);
            let ended = worker.ended;
            self.servers.spawn(async move {
                let ended = ended.await.map_err(io::Error::other);
                ended.map_err(RunError::system("a worker did not finish"))?
            });
        }
        self.servers.spawn(async move {
            listener.run().await;
            Ok(())
        });
        Ok(threads)
    }

    pub(super) fn start_admin(&mut self, socket: TcpListener, admin: Admin) {
        let stopped = self.stopped();
        self.servers.spawn(async move {
            let served = admin.serve(socket, stopped).await;
            served.map_err(RunError::system("the admin endpoint failed"))
        });
    }

    /// Runs until a signal, then drains; or until a task fails. A second signal skips the wait for
    /// Envoy, a third one cuts what is in flight.
    pub(super) async fn run_until_told(
        mut self,
        mut signals: EndSignals,
        readiness: &Readiness,
        drain: Drain,
    ) -> Result<(), RunError> {
        tokio::select! {
            () = signals.told() => {}
            error = self.failure() => return Err(error),
        }
        readiness.drain();
        // Time for Envoy's health checks to notice.
        tokio::select! {
            () = tokio::time::sleep(drain.delay) => {}
            () = signals.told() => {}
            error = self.failure() => return Err(error),
        }
        self.stop.send_replace(true);
        let finished = async {
            while let Some(ended) = self.servers.join_next().await {
                outcome(ended)?;
            }
            Ok(())
        };
        tokio::select! {
            result = finished => return result,
            () = tokio::time::sleep(drain.timeout) => {
                tracing::warn!("`drain.timeout` has passed; connections are cut");
            }
            () = signals.told() => tracing::warn!("told to end again; connections are cut"),
        }
        Ok(())
    }

    /// The error of the first task that ends. No server ends well before it is told to.
    async fn failure(&mut self) -> RunError {
        loop {
            let ended = tokio::select! {
                Some(ended) = self.servers.join_next() => {
                    outcome(ended).and(Err(RunError::TaskEnded("server")))
                }
                Some(ended) = self.background.join_next() => outcome(ended),
                else => Err(RunError::TaskEnded("all")),
            };
            if let Err(error) = ended {
                return error;
            }
        }
    }
}

fn outcome(ended: Result<Result<(), RunError>, JoinError>) -> Result<(), RunError> {
    match ended {
        Ok(result) => result,
        Err(error) => Err(RunError::System {
            what: "a task did not finish",
            source: io::Error::other(error),
        }),
    }
}

/// How often the first fetches of keys are looked at.
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
