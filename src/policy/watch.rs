//! Replaces the policy in force when its files change, or on request.
//!
//! Files are compared by content instead of using change notifications, which works the same on
//! local disks, network volumes and Kubernetes volumes. A change is applied only after two reads in
//! a row return the same content, because a half-written file could be a valid policy whose last
//! deny rules are missing.

use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use super::files::{ReadPolicyError, Sources, read_files, state_of};
use super::store::{LoadPolicyError, PolicyStore};
use crate::file::{LOOK_TIME_MAX, Looks, Settled};

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
    mut reload_now: mpsc::Receiver<()>,
    clock: fn() -> jiff::Timestamp,
    read: impl Fn(&Path) -> Sources + Clone + Send + 'static,
) {
    let mut ticks = tokio::time::interval_at(Instant::now() + LOOK_INTERVAL, LOOK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let looks = Looks::new(LOOK_TIME_MAX);
    let mut watched = Settled::at(store.opened.clone());
    let mut taking: Option<Reload> = None;
    // A request may also arrive while a policy is loading; the reload then follows.
    let mut is_asked = false;
    // Applies only to the next read: if it hangs, the request waits as others do.
    let mut is_urgent = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            asked = reload_now.recv() => match asked {
                Some(()) => (is_asked, is_urgent) = (true, true),
                None => break,
            },
        }
        let (path, read) = (store.path.clone(), read.clone());
        let look = looks.look(mem::take(&mut is_urgent), move || {
            let sources = read(&path);
            (state_of(&sources), sources)
        });
        let looked = tokio::select! {
            looked = look => looked,
            // A request does not wait for a read that may hang: the next read starts in parallel.
            Some(()) = reload_now.recv() => {
                (is_asked, is_urgent) = (true, true);
                continue;
            }
        };
        let (seen, sources) = match looked {
            Ok(Some(looked)) => looked,
            Ok(None) => continue,
            Err(cause) => {
                let error = LoadPolicyError::from(ReadPolicyError::of(&store.path, cause));
                if watched.is_news(Err(error.to_string())) {
                    // It would be reported as the current policy, which is unknown.
                    if let Some(before) = taking.take() {
                        before.end().await;
                    }
                    store.fail(&error, clock());
                    report(&store, &error);
                }
                continue;
            }
        };
        if taking.as_ref().is_some_and(Reload::is_done)
            && let Some(done) = taking.take()
        {
            done.end().await;
        }
        if !watched.is_due(seen, is_asked && taking.is_none()) {
            continue;
        }
        if let Some(before) = taking.take() {
            before.end().await;
        }
        is_asked = false;
        // Load the content that was compared: reading again might return another half-written file.
        taking = Some(Reload::begin(&store, sources, clock));
    }
    if let Some(last) = taking {
        last.done().await;
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
        let work =
            tokio::task::spawn_blocking(move || match store.take(sources, clock(), &replaced) {
                Ok(()) => tracing::info!(
                    revision = %store.status().revision,
                    rules = store.snapshot().rules().len(),
                    "policy in force"
                ),
                Err(error) => report(&store, &error),
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

    async fn done(self) {
        if let Err(error) = self.work.await {
            tracing::error!(%error, "the policy reload did not finish");
        }
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
