//! The tasks that run beside checks for the life of the process.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::mpsc;

use super::part_tasks::{Background, PartTasks, Supervisor};
use super::parts::{Built, ServiceParts};
use super::reload::{ConfigFile, Reloader};
use crate::check::LivePipeline;
use crate::health::Gate;

/// Each task with its name. A new one is a line here. Tasks that belong to a part of the configuration
/// are in `part_tasks.rs`.
pub(super) fn tasks(
    parts: &ServiceParts,
    (core, refreshers): Built,
    file: ConfigFile,
    hangup: Signal,
) -> Vec<(&'static str, Background)> {
    let mut tasks: Vec<(&'static str, Background)> = Vec::new();
    let (records, records_read) = mpsc::channel(1);
    let (part_tasks, next) = mpsc::channel(1);
    let first = PartTasks::of(&core, None, refreshers, &records);
    let config = file.can_be_read_again().then(|| {
        let (ask, asked) = mpsc::channel(1);
        let reloader = Reloader::new(file, core, parts, part_tasks, records);
        tasks.push(("config", Box::pin(reloader.watch(asked))));
        ask
    });
    let supervisor = Supervisor {
        live: Arc::clone(&parts.live),
        hangup,
        config,
        next,
        records: records_read,
    };
    tasks.push(("parts", Box::pin(supervisor.run(first))));
    let gate = parts.readiness.gate("keys");
    let keys = first_keys(Arc::clone(&parts.live), gate);
    tasks.push(("readiness", Box::pin(keys)));
    tasks
}

/// Opens the gate once the first keys are loaded, and then stays idle.
async fn first_keys(live: Arc<LivePipeline>, gate: Gate) {
    keys_tried(&live).await;
    drop(gate);
    drop(live);
    std::future::pending::<()>().await;
}

/// How often the first fetches of keys are polled.
const KEYS_LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Waits until every issuer has been asked once and one has answered. An issuer that is down must not
/// keep a new replica from serving the callers of the others.
async fn keys_tried(live: &LivePipeline) {
    loop {
        let issuers: Vec<_> = live.current().authenticator.issuers().collect();
        let tried = issuers.iter().all(|issuer| issuer.keys.fetches > 0);
        if tried && issuers.iter().any(|issuer| issuer.keys.was_loaded) {
            return;
        }
        tokio::time::sleep(KEYS_LOOK_INTERVAL).await;
    }
}
