//! The tasks of the process, and how they end.
//!
//! Every task is started here. `background.rs` lists those that serve no connection. A task that ends
//! without having been told to ends the process with its error, because Envoy would go on sending
//! checks to half a service.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use super::error::RunError;
use super::part_tasks::Background;
use super::parts::ServiceParts;
use super::signals::EndSignals;
use super::worker::{Worker, workers};
use crate::admin::Admin;
use crate::envoy;
use crate::listen::Listener;

/// The running tasks.
pub(super) struct Tasks {
    /// Tasks that, when told to stop, finish what is in flight and take nothing new.
    servers: JoinSet<Result<(), RunError>>,
    /// Tasks that run until the servers have ended, and have nothing to finish.
    background: JoinSet<Result<(), RunError>>,
    /// Becomes true when the servers have to stop.
    stop: watch::Sender<bool>,
    /// Is dropped when requests in flight have to be cut.
    running: watch::Sender<()>,
    /// Whether the socket for gRPC was handed over, and goes on to the next process.
    handed_over: bool,
}

impl Tasks {
    pub(super) fn new(handed_over: bool) -> Self {
        Tasks {
            servers: JoinSet::new(),
            background: JoinSet::new(),
            stop: watch::Sender::new(false),
            running: watch::Sender::new(()),
            handed_over,
        }
    }

    /// Resolves once the servers have to stop.
    fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stop = self.stop.subscribe();
        async move {
            if stop.wait_for(|stop| *stop).await.is_err() {
                tracing::debug!("stopped with the process");
            }
        }
    }

    /// Starts the tasks that live as long as the process. If one of them ends, the process ends.
    pub(super) fn start_background(&mut self, tasks: Vec<(&'static str, Background)>) {
        for (name, task) in tasks {
            self.background.spawn(async move {
                task.await;
                Err(RunError::TaskEnded(name))
            });
        }
    }

    /// Starts a worker for each core, and returns their threads. A worker ends once it is told to stop
    /// and has finished, or once the tasks are dropped.
    pub(super) fn start_grpc(
        &mut self,
        mut listener: Listener,
        parts: &ServiceParts,
        settings: envoy::ServeSettings,
    ) -> io::Result<Vec<JoinHandle<()>>> {
        let count = workers().get();
        let mut threads = Vec::with_capacity(count);
        for _ in 0..count {
            let share = listener.share();
            let (readiness, stopped) = (parts.readiness.clone(), self.stopped());
            let live = Arc::clone(&parts.live);
            let served = envoy::serve(share, live, readiness, settings, stopped);
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
        let (handed_over, readiness) = (self.handed_over, parts.readiness.clone());
        self.servers.spawn(async move {
            // Connections to such a socket wait; on any other they are answered while it starts.
            if handed_over {
                drop(timeout(START_TIME_MAX, readiness.started()).await);
            }
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

    /// Runs until a task fails, or until a signal, and then drains. A second signal skips the wait for
    /// Envoy, and a third one cuts the requests in flight.
    pub(super) async fn run_until_told(
        mut self,
        mut signals: EndSignals,
        parts: &ServiceParts,
    ) -> Result<(), RunError> {
        tokio::select! {
            () = signals.told() => {}
            error = self.failure() => return Err(error),
        }
        let drain = parts.config.current().drain;
        if self.handed_over {
            // New connections wait for the successor, so there is nothing for Envoy to notice.
            parts.readiness.hand_over();
        } else {
            parts.readiness.drain();
            // Time for Envoy's health checks to notice.
            tokio::select! {
                () = sleep(drain.delay) => {}
                () = signals.told() => {}
                error = self.failure() => return Err(error),
            }
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
            () = sleep(drain.timeout) => {
                tracing::warn!("`drain.timeout` has passed; connections are cut");
            }
            () = signals.told() => tracing::warn!("told to end again; connections are cut"),
        }
        Ok(())
    }

    /// The error of the first task that ends. No server ends well without having been told to.
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

/// How long connections to a socket that was handed over wait until the process is ready. Then they
/// are answered all the same: with an issuer that does not answer, their callers learn that at least.
const START_TIME_MAX: Duration = Duration::from_secs(5);
