//! The audit log: one record for each decision, written off the request path.
//!
//! # An example
//!
//! Alice's call of `create_issue` is denied. `check/evidence.rs` fills a [`Record`] and hands it to
//! [`Audit::record`]:
//!
//! 1. `record.rs` serializes it as one line of JSON. Its table of fields has the name and the form of
//!    each: `mcp.method.name`, `http.response.status_code`. `cut.rs` bounds client text, so that no
//!    line exceeds [`LINE_BYTES_MAX`]. `"cut":true` marks a record with shortened text.
//! 2. `queue.rs` takes the line. A full queue drops and counts it, because a slow log must not become
//!    an outage. [`Losses`] has the count, and `mcp_authz_audit_lost_total` shows it.
//! 3. `writer.rs`, on the thread `audit`, writes all queued lines to the sink. When the last [`Audit`]
//!    is dropped, it writes the rest and ends.
//!
//! [`Audit::record_durably`] hands over a record in the same way and waits until the sink has it, for
//! a check that must not go on without its evidence.
//!
//! Evidence that is not a decision, such as a changed tool, is a [`Notice`] and takes the same way.
//!
//! A check serializes its own record, because serializing on the writer's thread measured slower: it
//! would free strings that another thread allocated.

mod cut;
mod durable;
mod notice;
mod queue;
mod record;
mod sink;
mod writer;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use durable::Receipt;
use queue::Queue;

pub use cut::{Kept, KeptList, LINE_BYTES_MAX};
pub use durable::NotDurable;
pub use notice::{Event, Notice};
pub use queue::{Losses, QueueLimits};
pub use record::{ArgumentNames, Arguments, InnerCall, Record, SessionHash, Unverified, WouldBe};
pub use sink::standard_output;

/// What records have, where an operator may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditSettings {
    /// The groups, roles and scopes of the caller.
    pub groups: bool,
}

impl Default for AuditSettings {
    fn default() -> Self {
        AuditSettings { groups: true }
    }
}

/// The producers' side. Cheap to clone; the writer ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Audit(Arc<OpenQueue>);

/// A queue that is closed when this is dropped.
#[derive(Debug)]
struct OpenQueue(Arc<Queue>);

/// Room for most lines.
const LINE_BYTES_USUAL: usize = 1024;

impl Audit {
    /// Starts the thread that writes to `sink`, with a queue of this size. The sink must not buffer:
    /// what it reports as written has been written. Only [`record_durably`](Self::record_durably)
    /// flushes it.
    ///
    /// # Errors
    /// The operating system starts no thread.
    pub fn start(
        sink: impl Write + Send + 'static,
        limits: QueueLimits,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let queue = Arc::new(Queue::new(limits));
        let audit = Audit(Arc::new(OpenQueue(Arc::clone(&queue))));
        let thread = std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || writer::write_all(&queue, sink))?;
        Ok((audit, thread))
    }

    /// Hands a record over. Never waits for the sink.
    pub fn record(&self, record: &Record) {
        let mut line = Vec::with_capacity(LINE_BYTES_USUAL);
        record.write(&mut line);
        // A loss is counted.
        let _taken = self.hand_over(line, None);
    }

    /// Hands a record over, and waits until the sink has written and flushed it. The wait has no limit
    /// of its own, so the caller sets one. The record is handed over when the future is first polled.
    /// It is written even if the future is dropped after that.
    ///
    /// # Errors
    /// [`NotDurable`]: the record is lost, or nobody knows that it is not.
    pub async fn record_durably(&self, record: &Record) -> Result<(), NotDurable> {
        let mut line = Vec::with_capacity(LINE_BYTES_USUAL);
        record.write(&mut line);
        let (receipt, written) = durable::receipt();
        self.hand_over(line, Some(receipt))?;
        written.wait().await
    }

    /// Hands over a notice. Never waits for the sink.
    pub fn notice(&self, notice: &Notice) {
        // Writing to memory does not fail.
        if let Ok(line) = notice.line() {
            // A loss is counted.
            let _taken = self.hand_over(line, None);
        }
    }

    /// Hands over a notice, and waits as [`record_durably`](Self::record_durably) does.
    ///
    /// # Errors
    /// [`NotDurable`]: the notice is lost, or nobody knows that it is not.
    pub async fn notice_durably(&self, notice: &Notice) -> Result<(), NotDurable> {
        // Writing to memory does not fail.
        let line = notice.line().unwrap_or_default();
        let (receipt, written) = durable::receipt();
        self.hand_over(line, Some(receipt))?;
        written.wait().await
    }

    fn hand_over(&self, mut line: Vec<u8>, receipt: Option<Receipt>) -> Result<(), NotDurable> {
        line.push(b'\n');
        let OpenQueue(queue) = &*self.0;
        let put = queue.put(&line, receipt);
        // Only the first loss is logged; the counter shows the rest.
        match put {
            Ok(()) => {}
            Err(NotDurable::QueueFull) => {
                if queue.losses.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::error!(
                        "`audit_queue_max` records or `audit_queue_bytes_max` bytes wait to be \
                         written; further ones are dropped"
                    );
                }
            }
            Err(fault @ (NotDurable::SinkFailed | NotDurable::Closed)) => {
                if queue.losses.failed.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::error!(%fault, "cannot write audit records");
                }
            }
        }
        put
    }

    /// The records lost so far.
    #[must_use]
    pub fn losses(&self) -> &Arc<Losses> {
        let OpenQueue(queue) = &*self.0;
        &queue.losses
    }
}

impl Drop for OpenQueue {
    fn drop(&mut self) {
        let OpenQueue(queue) = self;
        queue.close();
    }
}

#[cfg(test)]
mod tests;
