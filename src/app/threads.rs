//! The threads that outlive the runtime, and how they end.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::worker::SHUTDOWN_TIMEOUT;

/// The threads that outlive the runtime.
#[derive(Debug, Default)]
pub(super) struct Threads {
    /// The threads that serve checks.
    pub(super) workers: Vec<JoinHandle<()>>,
    /// The thread that writes the audit records. It ends when the last [`Audit`](crate::audit::Audit) is dropped.
    pub(super) writer: Option<JoinHandle<()>>,
}

impl Threads {
    /// Waits for all threads, for the audit writer at most `timeout`.
    pub(super) fn end(self, timeout: Duration) {
        // Connections that the drain had to cut end with the workers, and what was asked on them is
        // recorded as given up. Only then is the audit complete.
        for worker in self.workers {
            if !has_ended(worker, SHUTDOWN_TIMEOUT.saturating_mul(2)) {
                tracing::error!("a worker does not end");
            }
        }
        if let Some(writer) = self.writer
            && !has_ended(writer, timeout)
        {
            tracing::error!("audit records were not all written");
        }
    }
}

/// Waits for a thread to end, and returns whether it ended well and in time.
fn has_ended(thread: JoinHandle<()>, timeout: Duration) -> bool {
    let (done, ended) = mpsc::channel();
    let waiting = thread::Builder::new().spawn(move || done.send(thread.join().is_ok()));
    waiting.is_ok() && ended.recv_timeout(timeout) == Ok(true)
}
