//! A thread with a runtime of its own, on which checks are served.
//!
//! A connection stays on one worker with all its checks, so no check moves between cores. The runtime
//! polls tasks in the order in which they were woken. So the responses to checks that came together
//! leave together, in one write. A multi-threaded runtime would wake the connection's task after
//! each of them.

use std::io;
use std::num::NonZero;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

use super::error::RunError;

/// How long work that cannot be cancelled, such as reading a file, may delay the end.
pub(super) const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// How many workers serve checks: one for each core.
pub(super) fn workers() -> NonZero<usize> {
    thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN)
}

/// A running worker.
pub(super) struct Worker {
    pub(super) thread: JoinHandle<()>,
    /// How its work ended, once all of it is gone.
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
