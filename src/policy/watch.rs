//! Replaces the policy in force when its files change, or on request.
//!
//! Files are compared by content instead of using change notifications, which works the same on
//! local disks, network volumes and Kubernetes volumes. A change is applied only after two reads in
//! a row return the same content, because a half-written file could be a valid policy whose last
//! deny rules are missing.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::difference::{ReloadSummary, reload_summary};
use super::files::{Owner, ReadPolicyError, Sources, read_files};
use super::found::{FoundPolicy, Looked, PolicyState};
use super::load_error::LoadPolicyError;
use super::store::PolicyStore;
use crate::authz::Policy;
use crate::file::{LOOK_TIME_MAX, Look, Looks, ReadError, Settled, Watch, Watcher};

/// How many ids of rules a log line has of each kind.
const IDS_MAX: usize = 20;

/// How long the changes of access may be counted.
const COUNT_TIME_MAX: Duration = Duration::from_secs(2);

/// How often the files are read: two reads take well under a second.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Watches the policy's files until no one can request a reload any more, and reloads at once on
/// request.
///
/// `clock` gives the time that the reload status shows.
pub async fn watch(
    store: Arc<PolicyStore>,
    reload_now: mpsc::Receiver<()>,
    clock: fn() -> jiff::Timestamp,
) {
    watch_by(store, reload_now, clock, read_files).await;
}

/// [`watch`] with a reader that may never return.
async fn watch_by(
    store: Arc<PolicyStore>,
    reload_now: mpsc::Receiver<()>,
    clock: fn() -> jiff::Timestamp,
    read: impl Fn(Owner, &Path) -> Sources + Clone + Send + 'static,
) {
    let settled = Settled::at(store.opened.state());
    let looked = Looked::at(store.opened.clone());
    let policy = WatchedPolicy {
        store,
        clock,
        read,
        looked: Arc::new(Mutex::new(looked)),
        taking: None,
    };
    let watcher = Watcher::new(policy, Looks::new(LOOK_TIME_MAX), settled);
    watcher.run(LOOK_INTERVAL, reload_now).await;
}

/// A policy whose files are watched. It is compiled and tested beside the looks, so that a newer one
/// does not wait for it.
struct WatchedPolicy<R> {
    store: Arc<PolicyStore>,
    clock: fn() -> jiff::Timestamp,
    read: R,
    /// What has settled of each owner's files.
    looked: Arc<Mutex<Looked>>,
    taking: Option<Reload>,
}

impl<R: Fn(Owner, &Path) -> Sources + Clone + Send + 'static> Watch for WatchedPolicy<R> {
    type Seen = PolicyState;
    type Found = FoundPolicy;

    fn look(&self) -> Look<PolicyState, FoundPolicy> {
        let (places, read) = (self.store.places.clone(), self.read.clone());
        let looked = Arc::clone(&self.looked);
        Box::new(move |is_due| {
            let found = FoundPolicy::read_by(&places, read);
            // What was looked at is what is taken: read again, it might be another half-written
            // file.
            if places.teams.is_empty() {
                return is_due(found.state()).then_some(found);
            }
            let mut looked = looked.lock().unwrap_or_else(PoisonError::into_inner);
            let settled = looked.settle(&found);
            let state = settled.state();
            // Two looks have found it already, so it is due if it is another than was taken.
            (is_due(state.clone()) || is_due(state)).then_some(settled)
        })
    }

    fn unanswered(&self, error: &ReadError) -> PolicyState {
        PolicyState::unanswered(&error.to_string())
    }

    async fn take(&mut self, found: FoundPolicy) {
        self.give_up().await;
        self.taking = Some(Reload::begin(&self.store, found, self.clock));
    }

    async fn fail(&mut self, error: ReadError) {
        // It would be told of as the policy in place, which nobody knows.
        self.give_up().await;
        let error = LoadPolicyError::from(ReadPolicyError::of(&self.store.places.path, error));
        self.store.fail(&error, (self.clock)());
        report(&self.store, &error);
    }

    fn is_busy(&self) -> bool {
        self.taking.as_ref().is_some_and(|taking| !taking.is_done())
    }

    async fn end(self) {
        if let Some(last) = self.taking {
            last.done().await;
        }
    }
}

impl<R: Send> WatchedPolicy<R> {
    /// Gives up the policy that is on its way, if one is.
    async fn give_up(&mut self) {
        if let Some(before) = self.taking.take() {
            before.end().await;
        }
    }
}

/// A policy being loaded: compiled, and its tests run.
struct Reload {
    is_replaced: Arc<AtomicBool>,
    work: JoinHandle<()>,
}

impl Reload {
    fn begin(store: &Arc<PolicyStore>, found: FoundPolicy, clock: fn() -> jiff::Timestamp) -> Self {
        let is_replaced = Arc::new(AtomicBool::new(false));
        let (store, replaced) = (Arc::clone(store), Arc::clone(&is_replaced));
        let work = tokio::task::spawn_blocking(move || {
            let before = store.status().successes;
            let replaced_policy = store.snapshot();
            let taken = store.take(&found, clock(), &replaced);
            let status = store.status();
            if status.successes > before {
                let fate = if store.places.is_candidate {
                    "policy compared"
                } else {
                    "policy in force"
                };
                tracing::info!(
                    policy = store.places.key(),
                    revision = %status.revision,
                    rules = store.snapshot().rules().len(),
                    "{fate}"
                );
                let (store, after) = (Arc::clone(&store), store.snapshot());
                // Beside the reload, which a newer policy waits for.
                let _beside = tokio::task::spawn_blocking(move || {
                    report_changes(&store, [&replaced_policy, &after], clock(), &replaced);
                });
            }
            if let Err(error) = taken {
                report(&store, &error);
            }
        });
        Reload { is_replaced, work }
    }

    fn is_done(&self) -> bool {
        self.work.is_finished()
    }

    /// Abandons it for a newer one, unless it has finished.
    async fn end(self) {
        self.is_replaced.store(true, Ordering::Relaxed);
        self.done().await;
    }

    async fn done(mut self) {
        if let Err(error) = (&mut self.work).await {
            tracing::error!(%error, "the policy reload did not finish");
        }
    }
}

/// Logs whose access has changed. The policy is in force already.
fn report_changes(
    store: &PolicyStore,
    [before, after]: [&Policy; 2],
    now: jiff::Timestamp,
    is_replaced: &Arc<AtomicBool>,
) {
    if before.revision() == after.revision() {
        return;
    }
    let is_replaced = Arc::clone(is_replaced);
    let is_over = over(move || is_replaced.load(Ordering::Relaxed));
    let around = store.surroundings();
    let changes = reload_summary([before, after], [&around; 2], now, Arc::clone(&is_over));
    log_changes(store.places.key(), [before, after], &changes, is_over());
}

/// Logs whose access has changed from one store of a policy to the next, which another configuration
/// made. May take a second.
pub fn report_replaced(stores: [&PolicyStore; 2], now: jiff::Timestamp) {
    let [old, new] = stores.map(PolicyStore::snapshot);
    let [was, is] = stores.map(PolicyStore::surroundings);
    let is_over = over(|| false);
    let changes = reload_summary([&old, &new], [&was, &is], now, Arc::clone(&is_over));
    let is_same = old.revision() == new.revision() && changes.is_empty();
    if !is_same {
        let [_, store] = stores;
        log_changes(store.places.key(), [&old, &new], &changes, is_over());
    }
}

/// Says when counting takes too long, from now on, or is in vain.
fn over(is_vain: impl Fn() -> bool + Send + Sync + 'static) -> Arc<dyn Fn() -> bool + Send + Sync> {
    let begun = Instant::now();
    Arc::new(move || is_vain() || begun.elapsed() > COUNT_TIME_MAX)
}

fn log_changes(
    policy: &str,
    [before, after]: [&Policy; 2],
    changes: &ReloadSummary,
    is_over: bool,
) {
    let given_up = "counting was given up, because it takes too long or a newer policy came";
    let (grown, shrunk) = changes.counts.unzip();
    let said = |count: Option<usize>| count.map_or("unknown".to_owned(), |one| one.to_string());
    tracing::info!(
        policy,
        grown = %said(grown),
        shrunk = %said(shrunk),
        unknown = (grown.is_none() && is_over).then_some(given_up),
        rules_added = %listed(&changes.added),
        rules_removed = %listed(&changes.removed),
        rules_changed = %listed(&changes.changed),
        revision_before = %before.revision(),
        revision = %after.revision(),
        "access changed"
    );
}

/// The first ids of a list.
fn listed(ids: &[String]) -> String {
    let mut shown: Vec<String> = ids.iter().take(IDS_MAX).cloned().collect();
    let more = ids.len().saturating_sub(shown.len());
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown.join(", ")
}

impl Drop for Reload {
    /// The task that watches may be ended at any time. Its last policy must not be tested on and on
    /// for nobody.
    fn drop(&mut self) {
        self.is_replaced.store(true, Ordering::Relaxed);
    }
}

fn report(store: &PolicyStore, error: &LoadPolicyError) {
    let (revision, policy) = (store.status().revision, store.places.key());
    let stays = if store.places.is_candidate {
        "what was compared stays"
    } else {
        "the policy in force stays"
    };
    match error {
        LoadPolicyError::Replaced => tracing::info!(policy, "{error}; the newer one is next"),
        LoadPolicyError::Read(_) => {
            tracing::error!(policy, %revision, "{error}; {stays}");
        }
        LoadPolicyError::Invalid(_) | LoadPolicyError::Tests(_) => {
            tracing::error!(policy, %revision, "{error}; {stays}");
            for line in error.lines() {
                tracing::error!(policy, "{line}");
            }
        }
    }
}

#[cfg(test)]
mod tests;
