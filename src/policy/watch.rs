//! Replaces the policy in force when its files change, or on request.
//!
//! Files are compared by content instead of using change notifications, which works the same on
//! local disks, network volumes and Kubernetes volumes. A change is applied only after two reads in
//! a row return the same content, because a half-written file could be a valid policy whose last
//! deny rules are missing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::difference::reload_summary;
use super::files::{FilesState, ReadPolicyError, Sources, read_files, state_of};
use super::store::{LoadPolicyError, PolicyStore};
use crate::authz::Policy;
use crate::file::{LOOK_TIME_MAX, Look, Looks, ReadError, Settled, Watch, Watcher};

/// How many ids of rules a log line has of each kind.
const IDS_MAX: usize = 20;

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
    read: impl Fn(&Path) -> Sources + Clone + Send + 'static,
) {
    let settled = Settled::at(store.opened.clone());
    let policy = WatchedPolicy {
        store,
        clock,
        read,
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
    taking: Option<Reload>,
}

impl<R: Fn(&Path) -> Sources + Clone + Send + 'static> Watch for WatchedPolicy<R> {
    type Seen = FilesState;
    type Found = Sources;

    fn look(&self) -> Look<FilesState, Sources> {
        let (path, read) = (self.store.path.clone(), self.read.clone());
        Box::new(move |is_due| {
            let sources = read(&path);
            // What was looked at is what is taken: read again, it might be another half-written
            // file.
            is_due(state_of(&sources)).then_some(sources)
        })
    }

    fn unanswered(&self, error: &ReadError) -> FilesState {
        Err(error.to_string())
    }

    async fn take(&mut self, sources: Sources) {
        self.give_up().await;
        self.taking = Some(Reload::begin(&self.store, sources, self.clock));
    }

    async fn fail(&mut self, error: ReadError) {
        // It would be told of as the policy in place, which nobody knows.
        self.give_up().await;
        let error = LoadPolicyError::from(ReadPolicyError::of(&self.store.path, error));
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
    fn begin(store: &Arc<PolicyStore>, sources: Sources, clock: fn() -> jiff::Timestamp) -> Self {
        let is_replaced = Arc::new(AtomicBool::new(false));
        let (store, replaced) = (Arc::clone(store), Arc::clone(&is_replaced));
        let work = tokio::task::spawn_blocking(move || {
            let before = store.snapshot();
            match store.take(sources, clock(), &replaced) {
                Ok(()) => {
                    tracing::info!(
                        revision = %store.status().revision,
                        rules = store.snapshot().rules().len(),
                        "policy in force"
                    );
                    report_changes(&store, &before, clock());
                }
                Err(error) => report(&store, &error),
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
fn report_changes(store: &PolicyStore, before: &Policy, now: jiff::Timestamp) {
    let after = store.snapshot();
    if before.revision() == after.revision() {
        return;
    }
    let changes = reload_summary([before, &after], &store.surroundings(), now);
    let (grown, shrunk) = changes.counts.unzip();
    let said = |count: Option<usize>| count.map_or("unknown".to_owned(), |one| one.to_string());
    tracing::info!(
        grown = %said(grown),
        shrunk = %said(shrunk),
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
    let revision = store.status().revision;
    match error {
        LoadPolicyError::Replaced => tracing::info!("{error}; the newer one is next"),
        LoadPolicyError::Read(_) => {
            tracing::error!(%revision, "{error}; the policy in force stays");
        }
        LoadPolicyError::Invalid(_) | LoadPolicyError::Tests(_) => {
            tracing::error!(%revision, "{error}; the policy in force stays");
            for line in error.lines() {
                tracing::error!("{line}");
            }
        }
    }
}

#[cfg(test)]
mod tests;
