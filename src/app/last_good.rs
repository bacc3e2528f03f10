//! Notes again and again that the policy in force is still good, so that a later start knows how old
//! the last good one is.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::clock::CLOCK;
use crate::policy::PolicyStore;

/// How often it is noted: far more often than the shortest age that anybody would allow.
const INTERVAL: Duration = Duration::from_mins(1);

/// Notes it until it is dropped.
pub(super) async fn confirm(store: Arc<PolicyStore>, mut asked: mpsc::Receiver<()>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            Some(()) = asked.recv() => {}
        }
        let store = Arc::clone(&store);
        let noted = tokio::task::spawn_blocking(move || store.confirm(CLOCK())).await;
        if let Err(error) = noted {
            tracing::error!(%error, "noting the last good policy did not finish");
        }
    }
}
