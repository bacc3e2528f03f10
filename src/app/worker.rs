//! A thread with a runtime of its own, on which checks are served.
//!
//! A connection stays on one worker, and so does everything that is asked on it: nothing of a check
//! goes from core to core. And the runtime takes tasks in the order in which they were woken, so
//! that the responses to checks that came in together go out together, in one write; the runtime of
//! many threads wakes the connection's task after each.

use std::io;
use std::num::NonZero;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

use super::error::RunError;

/// How long work that cannot be cut, such as reading a file, may hold the end up.
pub(super) const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// How many workers serve checks: one for each core.
pub(super) fn workers() -> NonZero<usize> {
    thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN)
}

/// A running worker.
pub(super) struct Worker {
    pub(super) thread: JoinHandle<()>,
    /// How its work ended, when nothing of it is left.
    pub(super) ended: oneshot::Receiver<Result<(), RunError>>,
}

impl Worker {
    /// Starts a thread that does this work.
    pub(super) fn start(
        work: impl Future<Output = Result<(), RunError>> + Send + 'static,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (done, ended) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("checks".to_owned())
            .spawn(move || {
                let result = runtime.block_on(work);
                // Connections that were cut end here, and what was asked on them is recorded as
                // given up.
                runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
                if done.send(result).is_err() {
                    tracing::debug!("a worker was cut");
                }
            })?;
        Ok(Worker { thread, ended })
    }
}
