//! The tasks that belong to parts of the configuration in force: fetching keys and watching files.
//!
//! When another configuration comes into force, the tasks of the parts that it keeps go on. Tasks of
//! removed parts end, and tasks of new parts start.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::Arc;

use tokio::signal::unix::Signal;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinError, JoinSet};

use super::clock::CLOCK;
use super::last_good;
use super::parts::Core;
use crate::authn::KeyRefresher;
use crate::check::LivePipeline;
use crate::policy;

/// Work that runs until it is dropped.
pub(super) type Background = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a task does, and for which part.
pub(super) type TaskName = (&'static str, String);

/// A task that runs until it is dropped.
pub(super) struct PartTask {
    name: TaskName,
    /// Asks it to read its files now.
    ask: mpsc::Sender<()>,
    run: Background,
}

/// The tasks of one configuration.
#[derive(Default)]
pub(super) struct PartTasks {
    /// Whether they run already.
    kept: HashSet<TaskName>,
    new: Vec<PartTask>,
}

impl PartTasks {
    /// The tasks of these parts, some of which may run already. A new task is a line here.
    /// `records` is notified whenever recorded tools have been read.
    pub(super) fn of(
        core: &Core,
        earlier: Option<&Core>,
        refreshers: Vec<KeyRefresher>,
        records: &mpsc::Sender<()>,
    ) -> Self {
        let mut tasks = PartTasks::default();
        for issuer in core.authenticator.issuers() {
            tasks.kept.insert(("keys", issuer.issuer.to_string()));
        }
        for refresher in refreshers {
            let name = refresher.issuer().to_string();
            tasks.kept.remove(&("keys", name.clone()));
            tasks.add(("keys", name), false, |asked| {
                Box::pin(refresher.refresh(asked))
            });
        }
        let is_kept = |is: &dyn Fn(&Core) -> bool| earlier.is_some_and(is);
        let store = &core.policy;
        let kept = is_kept(&|earlier| Arc::ptr_eq(&earlier.policy, store));
        tasks.add(named("policy"), kept, |asked| {
            Box::pin(policy::watch(Arc::clone(store), asked, CLOCK))
        });
        if store.is_kept() {
            tasks.add(named("last_good"), kept, |asked| {
                Box::pin(last_good::confirm(Arc::clone(store), asked))
            });
        }
        if let Some(store) = &core.candidate {
            let is_same = |other: &Arc<_>| Arc::ptr_eq(other, store);
            let kept = is_kept(&|earlier| earlier.candidate.as_ref().is_some_and(is_same));
            tasks.add(named("candidate_policy"), kept, |asked| {
                Box::pin(policy::watch(Arc::clone(store), asked, CLOCK))
            });
        }
        // Each by itself: a file system that gives no answer holds up the records of no other.
        for server in core.catalog.recorded_servers() {
            let kept = is_kept(&|earlier| core.catalog.shares(&earlier.catalog, server));
            let records = records.clone();
            tasks.add(("tools", server.to_owned()), kept, |asked| {
                Box::pin(
                    core.catalog
                        .watch(server, asked, CLOCK, move || tell(&records)),
                )
            });
        }
        if let Some(countries) = &core.countries {
            let is_same = |other: &Arc<_>| Arc::ptr_eq(other, countries);
            let kept = is_kept(&|earlier| earlier.countries.as_ref().is_some_and(is_same));
            tasks.add(named("countries"), kept, |asked| {
                Box::pin(Arc::clone(countries).watch(asked, CLOCK))
            });
        }
        if core.handoffs.status().is_shared {
            let kept = is_kept(&|earlier| core.handoffs.shares_keys(&earlier.handoffs));
            let handoffs = Arc::clone(&core.handoffs);
            tasks.add(named("handoff"), kept, |asked| {
                Box::pin(async move { handoffs.watch(asked, CLOCK).await })
            });
        }
        if core.peers.are_verified() {
            let kept = is_kept(&|earlier| Arc::ptr_eq(&earlier.peers, &core.peers));
            tasks.add(named("peers"), kept, |asked| {
                Box::pin(Arc::clone(&core.peers).watch(asked, CLOCK))
            });
        }
        tasks
    }

    fn add(
        &mut self,
        name: TaskName,
        is_kept: bool,
        run: impl FnOnce(mpsc::Receiver<()>) -> Background,
    ) {
        if is_kept {
            self.kept.insert(name);
            return;
        }
        let (ask, asked) = mpsc::channel(1);
        let run = run(asked);
        self.new.push(PartTask { name, ask, run });
    }
}

fn named(what: &'static str) -> TaskName {
    (what, String::new())
}

/// Sends the signal unless one is pending.
fn tell(to: &mpsc::Sender<()>) {
    if to.try_send(()).is_err() {
        tracing::debug!("a reload is asked for already and serves this one too");
    }
}

/// Runs the tasks of the configuration in force, and passes on requests for a reload.
pub(super) struct Supervisor {
    pub(super) live: Arc<LivePipeline>,
    /// SIGHUP.
    pub(super) hangup: Signal,
    /// Asks for the configuration to be read, where it can be read again.
    pub(super) config: Option<mpsc::Sender<()>>,
    /// The tasks of the next configuration.
    pub(super) next: mpsc::Receiver<PartTasks>,
    /// Recorded tools have been read.
    pub(super) records: mpsc::Receiver<()>,
}

/// A running task.
struct Running {
    ask: mpsc::Sender<()>,
    task: AbortHandle,
}

/// The running tasks. A task that ends returns its name.
#[derive(Default)]
struct RunningTasks {
    by_name: HashMap<TaskName, Running>,
    tasks: JoinSet<TaskName>,
}

impl Supervisor {
    /// Runs until one of the tasks ends, which is always a fault.
    pub(super) async fn run(mut self, first: PartTasks) {
        let mut running = RunningTasks::default();
        running.change(first);
        loop {
            tokio::select! {
                Some(ended) = running.tasks.join_next(), if !running.tasks.is_empty() => {
                    if was_ended(ended) {
                        return;
                    }
                }
                Some(()) = self.hangup.recv() => {
                    self.config.iter().for_each(tell);
                    running.by_name.values().for_each(|one| tell(&one.ask));
                }
                Some(tasks) = self.next.recv() => running.change(tasks),
                Some(()) = self.records.recv() => self.records_changed(&running),
            }
        }
    }

    /// Has the policies compiled again against the tools recorded now.
    fn records_changed(&self, running: &RunningTasks) {
        let pipeline = self.live.current();
        let policy = Some(("policy", &pipeline.policy));
        let candidate = pipeline.candidate.as_ref();
        let candidate = candidate.map(|store| ("candidate_policy", store));
        for (name, store) in policy.into_iter().chain(candidate) {
            let hints = pipeline.catalog.trusted_hints();
            let has_changed = store.set_recorded(hints, pipeline.catalog.recorded_defaults());
            if let Some(one) = running.by_name.get(&named(name))
                && has_changed
            {
                tell(&one.ask);
            }
        }
    }
}

impl RunningTasks {
    /// Ends the tasks of removed parts, and starts those of new ones.
    fn change(&mut self, tasks: PartTasks) {
        let PartTasks { kept, new } = tasks;
        self.by_name.retain(|name, running| {
            let is_kept = kept.contains(name);
            if !is_kept {
                running.task.abort();
            }
            is_kept
        });
        for PartTask { name, ask, run } in new {
            let ended = name.clone();
            let task = self.tasks.spawn(async move {
                run.await;
                ended
            });
            self.by_name.insert(name, Running { ask, task });
        }
    }
}

/// Whether a task has ended without having been told to.
fn was_ended(ended: Result<TaskName, JoinError>) -> bool {
    match ended {
        Ok((what, name)) => {
            tracing::error!(what, name, "a task ended by itself");
            true
        }
        Err(error) if error.is_cancelled() => false,
        Err(error) => {
            tracing::error!(%error, "a task did not finish");
            true
        }
    }
}
