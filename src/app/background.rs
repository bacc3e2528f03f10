//! What goes on for the life of the process beside checks: fetching keys and watching files.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::mpsc;

use super::clock::CLOCK;
use super::parts::ServiceParts;
use crate::authn::{Authenticator, KeyRefresher};
use crate::catalog::Catalog;
use crate::health::Gate;
use crate::policy::{self, PolicyStore};

/// Work that does not end by itself.
pub(super) type Background = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Each asks one watcher to read its files now.
type ReloadSenders = Vec<mpsc::Sender<()>>;

/// Each task with its name. A new one is a line here.
pub(super) fn tasks(
    parts: &ServiceParts,
    refreshers: Vec<KeyRefresher>,
    hangup: Signal,
) -> Vec<(&'static str, Background)> {
    let core = &parts.core;
    let mut tasks: Vec<(&'static str, Background)> = Vec::new();
    for refresher in refreshers {
        let run = refresher.run(std::future::pending());
        tasks.push(("keys", Box::pin(run)));
    }
    let mut reloads = ReloadSenders::new();
    let mut policies = Vec::new();
    for store in std::iter::once(&core.policy).chain(&core.candidate) {
        let (reload, asked) = mpsc::channel(1);
        policies.push((Arc::clone(store), reload.clone()));
        reloads.push(reload);
        let watch = policy::watch(Arc::clone(store), asked, CLOCK);
        tasks.push(("policy", Box::pin(watch)));
    }
    let policies = Arc::new(policies);
    // Each by itself: a file system that gives no answer holds up the records of no other.
    for server in core.catalog.recorded_servers() {
        let (reload, asked) = mpsc::channel(1);
        reloads.push(reload);
        let (catalog, policies) = (Arc::clone(&core.catalog), Arc::clone(&policies));
        let reloaded = move || records_changed(&catalog, &policies);
        let watch = core.catalog.watch(server, asked, CLOCK, reloaded);
        tasks.push(("tools", Box::pin(watch)));
    }
    if let Some(countries) = core.countries.clone() {
        let (reload, asked) = mpsc::channel(1);
        reloads.push(reload);
        tasks.push(("countries", Box::pin(countries.watch(asked, CLOCK))));
    }
    if core.handoffs.status().is_shared {
        let (reload, asked) = mpsc::channel(1);
        reloads.push(reload);
        let handoffs = Arc::clone(&core.handoffs);
        let watch = async move { handoffs.watch(asked, CLOCK).await };
        tasks.push(("handoff", Box::pin(watch)));
    }
    if core.peers.are_verified() {
        let (reload, asked) = mpsc::channel(1);
        reloads.push(reload);
        let watch = Arc::clone(&core.peers).watch(asked, CLOCK);
        tasks.push(("peers", Box::pin(watch)));
    }
    tasks.push(("signals", Box::pin(pass_on(hangup, reloads))));
    let first = first_keys(
        Arc::clone(&core.authenticator),
        parts.readiness.gate("keys"),
    );
    tasks.push(("readiness", Box::pin(first)));
    tasks
}

/// Has the policies compiled again with what is recorded of tools now.
fn records_changed(catalog: &Catalog, policies: &[(Arc<PolicyStore>, mpsc::Sender<()>)]) {
    for (store, reload) in policies {
        let (hints, defaults) = (catalog.trusted_hints(), catalog.recorded_defaults());
        if store.set_recorded(hints, defaults) && reload.try_send(()).is_err() {
            tracing::debug!("a reload is asked for already and serves the records too");
        }
    }
}

/// Asks for a reload of everything whenever the signal comes.
async fn pass_on(mut hangup: Signal, reloads: ReloadSenders) {
    while hangup.recv().await.is_some() {
        for reload in &reloads {
            if reload.try_send(()).is_err() {
                tracing::debug!("a reload is asked for already and serves this signal too");
            }
        }
    }
}

/// Opens the gate once the first keys are there, and has nothing to do after that.
async fn first_keys(authenticator: Arc<Authenticator>, gate: Gate) {
    keys_tried(&authenticator).await;
    drop(gate);
    std::future::pending::<()>().await;
}

/// How often the first fetches of keys are polled.
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
