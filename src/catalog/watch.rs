//! Reads a server's record again when the file changes, or when asked to.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Catalog, snapshot};
use crate::file::{self, LOOK_TIME_MAX, Looks, ReadError, Settled};

/// How often a file is looked at: a change is in force after two looks that found the same.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

impl Catalog {
    /// Reads the record of one server again when it changes, and at once when asked to, until nobody
    /// can ask any more. `clock` gives the time since when it is failing; `reloaded` is called
    /// whenever it was read.
    pub async fn watch(
        self: Arc<Self>,
        server: String,
        mut asked: mpsc::Receiver<()>,
        clock: fn() -> Timestamp,
        reloaded: impl Fn(&Self) + Send,
    ) {
        let mut ticks = tokio::time::interval_at(Instant::now() + LOOK_INTERVAL, LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let looks = Looks::new(LOOK_TIME_MAX);
        let mut watched = Settled::new();
        let mut is_asked = false;
        // Only for the next look: what is asked for waits as others do where that one hangs.
        let mut is_urgent = false;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                asked = asked.recv() => match asked {
                    Some(()) => (is_asked, is_urgent) = (true, true),
                    None => return,
                },
            }
            let asks = (is_asked, mem::take(&mut is_urgent));
            let looked = tokio::select! {
                looked = self.look(&server, &looks, &mut watched, asks) => looked,
                // Who asks does not wait for a look that may hang.
                Some(()) = asked.recv() => {
                    (is_asked, is_urgent) = (true, true);
                    continue;
                }
            };
            let Some(text) = looked else {
                continue;
            };
            is_asked = false;
            let (catalog, name) = (Arc::clone(&self), server.clone());
            let taken = tokio::task::spawn_blocking(move || catalog.take(&name, text, clock()));
            match taken.await {
                Ok(()) => reloaded(&self),
                Err(error) => tracing::error!(%error, "reading recorded tools did not finish"),
            }
        }
    }

    /// What is to be taken of the record, if anything is: its text, or why it cannot be had. It may
    /// be asked for, and the look may be urgent.
    pub(super) async fn look(
        &self,
        server: &str,
        looks: &Looks,
        watched: &mut Settled<Result<file::Stamp, String>>,
        (is_asked, is_urgent): (bool, bool),
    ) -> Option<Result<String, ReadError>> {
        let path = self.servers.get(server)?.path.clone()?;
        let mut seen = watched.clone();
        let look = looks.look(is_urgent, move || {
            let stamp = file::stamp(&path).map_err(|error| error.to_string());
            let text = seen.is_due(stamp, is_asked).then(|| snapshot::text(&path));
            (seen, text)
        });
        match look.await {
            Ok(looked) => {
                let (seen, text) = looked?;
                *watched = seen;
                text
            }
            Err(error) => watched
                .is_news(Err(error.to_string()))
                .then_some(Err(error)),
        }
    }

    fn take(&self, server: &str, text: Result<String, ReadError>, now: Timestamp) {
        if let Some((known, path)) = self.servers.get(server).and_then(|known| {
            let path = known.path.as_ref()?;
            Some((known, path))
        }) {
            known.take(server, path, text, now);
        }
    }
}
