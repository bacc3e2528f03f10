//! Reads a server's record again when the file changes, or when asked to.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::server::ServerTools;
use super::{Catalog, snapshot};
use crate::file::{self, LOOK_TIME_MAX, Look, Looks, ReadError, Settled, Stamp, Watch, Watcher};

/// How often a file is looked at: a change is in force after two looks that found the same.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

impl Catalog {
    /// Reads the record of one server again when it changes, and at once when asked to, until nobody
    /// can ask any more. `clock` gives the time since when it is failing; `reloaded` is called
    /// whenever it was read. Ends at once for a server without a record.
    ///
    /// It is the server's record in every [`Catalog::next`] that has the server unchanged.
    pub fn watch(
        &self,
        server: &str,
        asked: mpsc::Receiver<()>,
        clock: fn() -> Timestamp,
        reloaded: impl Fn() + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let watcher = self.watcher(server, clock, reloaded);
        async move {
            if let Some(watcher) = watcher {
                watcher.run(LOOK_INTERVAL, asked).await;
            }
        }
    }

    pub(super) fn watcher<R: Fn() + Send>(
        &self,
        server: &str,
        clock: fn() -> Timestamp,
        reloaded: R,
    ) -> Option<Watcher<WatchedRecord<R>>> {
        let tools = Arc::clone(self.servers.get(server)?);
        let record = WatchedRecord {
            server: server.to_owned(),
            path: tools.path.clone()?,
            tools,
            clock,
            reloaded,
        };
        let looks = Looks::new(LOOK_TIME_MAX);
        Some(Watcher::new(record, looks, Settled::new()))
    }
}

/// A record that is watched by its stamp, and read only when that has changed.
#[derive(Debug)]
pub(super) struct WatchedRecord<R> {
    server: String,
    path: PathBuf,
    tools: Arc<ServerTools>,
    clock: fn() -> Timestamp,
    reloaded: R,
}

impl<R: Fn() + Send> Watch for WatchedRecord<R> {
    type Seen = Result<Stamp, String>;
    type Found = Result<String, ReadError>;

    fn look(&self) -> Look<Self::Seen, Self::Found> {
        let path = self.path.clone();
        Box::new(move |is_due| {
            let stamp = file::stamp(&path).map_err(|error| error.to_string());
            is_due(stamp).then(|| snapshot::text(&path))
        })
    }

    fn unanswered(&self, error: &ReadError) -> Self::Seen {
        Err(error.to_string())
    }

    async fn take(&mut self, text: Self::Found) {
        let (tools, server, path) = (
            Arc::clone(&self.tools),
            self.server.clone(),
            self.path.clone(),
        );
        let now = (self.clock)();
        let taken = tokio::task::spawn_blocking(move || tools.take(&server, &path, text, now));
        match taken.await {
            Ok(()) => (self.reloaded)(),
            Err(error) => tracing::error!(%error, "reading recorded tools did not finish"),
        }
    }

    async fn fail(&mut self, error: ReadError) {
        self.take(Err(error)).await;
    }
}
