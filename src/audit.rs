//! Evidence: one record for each decision, written apart from the request path.
//!
//! A check leaves its record as a line of JSON and goes on; a thread of its own writes what has
//! gathered. To pass records on as they are and let the thread turn them into text costs more: their
//! parts would be freed by another thread than made them. What waits is bounded: beyond that a record
//! is dropped and counted, since a slow log must not become an outage.

mod notice;
mod record;

use std::io::{self, Write};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use notice::{Event, Notice};
pub use record::{Arguments, Names, Record, SessionHash, WouldBe};

/// The handing-in side. Cheap to clone; the writer ends when the last one is gone.
#[derive(Debug, Clone)]
pub struct Audit(Arc<Open>);

/// A queue that is closed when this is dropped.
#[derive(Debug)]
struct Open(Arc<Queue>);

/// What lies between checks and the writer.
#[derive(Debug)]
struct Queue {
    waiting: Mutex<Waiting>,
    /// Told when the writer may go on.
    more: Condvar,
    lines_max: usize,
    losses: Arc<Losses>,
}

/// The lines that wait for the writer.
#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    /// How many they are.
    count: usize,
    /// Whether the writer waits for some, and has to be told.
    is_awaited: bool,
    is_closed: bool,
}

/// Records that did not reach the sink.
#[derive(Debug, Default)]
pub struct Losses {
    dropped: AtomicU64,
    failed: AtomicU64,
}

impl Losses {
    /// Records dropped because the queue was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Records that the sink refused.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

impl Audit {
    /// Starts the thread that writes to `sink`, with room for `queue_max` waiting records.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(
        sink: impl Write + Send + 'static,
        queue_max: usize,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let queue = Arc::new(Queue {
            waiting: Mutex::default(),
            more: Condvar::new(),
            lines_max: queue_max,
            losses: Arc::default(),
        });
        let audit = Audit(Arc::new(Open(Arc::clone(&queue))));
        let thread = std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || queue.write_all(sink, linger(queue_max)))?;
        Ok((audit, thread))
    }

    /// Hands a record over. Never waits for the sink.
    pub fn record(&self, record: &Record) {
        let mut line = Vec::with_capacity(LINE_BYTES_USUAL);
        record.write(&mut line);
        self.hand_over(line);
    }

    /// Hands over what is no decision. Never waits for the sink.
    pub fn notice(&self, notice: &Notice) {
        // Writing to memory does not fail.
        if let Ok(line) = serde_json::to_vec(notice) {
            self.hand_over(line);
        }
    }

    fn hand_over(&self, mut line: Vec<u8>) {
        line.push(b'\n');
        let Open(queue) = &*self.0;
        if queue.put(&line) {
            return;
        }
        // Only the first loss is logged: whoever watches the counter sees the rest.
        if queue.losses.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::error!("`audit_queue_max` records wait; further ones are dropped");
        }
    }

    /// What was lost so far.
    #[must_use]
    pub fn losses(&self) -> &Arc<Losses> {
        let Open(queue) = &*self.0;
        &queue.losses
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let Open(queue) = self;
        queue.lock().is_closed = true;
        queue.more.notify_one();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Whoever panicked left nothing half done: lines are appended whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line, unless there is no room for it.
    fn put(&self, line: &[u8]) -> bool {
        let mut waiting = self.lock();
        if waiting.count >= self.lines_max {
            return false;
        }
        waiting.lines.extend_from_slice(line);
        waiting.count += 1;
        let is_awaited = mem::take(&mut waiting.is_awaited);
        drop(waiting);
        if is_awaited {
            self.more.notify_one();
        }
        true
    }

    /// Puts what waits in the place of `batch`, as soon as there is something, and says how many
    /// lines it is: none once the queue is closed and empty.
    fn take(&self, batch: &mut Vec<u8>) -> usize {
        let mut waiting = self.lock();
        while waiting.count == 0 && !waiting.is_closed {
            waiting.is_awaited = true;
            let woken = self.more.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
        mem::swap(&mut waiting.lines, batch);
        mem::take(&mut waiting.count)
    }

    /// Writes what is handed over until nobody is left who could.
    fn write_all(&self, mut sink: impl Write, linger: Duration) {
        let mut batch = Vec::new();
        loop {
            let count = self.take(&mut batch);
            if count == 0 {
                return;
            }
            let lost = u64::try_from(count).unwrap_or(u64::MAX);
            if let Err(error) = sink.write_all(&batch).and_then(|()| sink.flush())
                && self.losses.failed.fetch_add(lost, Ordering::Relaxed) == 0
            {
                tracing::error!(%error, "cannot write audit records");
            }
            let is_large = batch.len() >= BATCH_BYTES;
            batch.clear();
            // What a slow sink let gather is not kept as room for ever.
            batch.shrink_to(BATCH_BYTES);
            if !is_large && !linger.is_zero() {
                std::thread::sleep(linger);
            }
        }
    }
}

/// Room for most lines.
const LINE_BYTES_USUAL: usize = 1024;

/// After a write of as many bytes the writer does not rest: more will have come.
const BATCH_BYTES: usize = 64 * 1024;

/// How long the writer rests after a write. To wake it costs a check more than to hand a record
/// over, and each write costs more than what is in it: under load it looks by itself, and then at
/// many records. The first record after a pause is written at once.
const LINGER: Duration = Duration::from_millis(10);
/// Smaller queues are never left alone: they could fill up meanwhile.
const LINGERING_QUEUE_MIN: usize = 4096;

fn linger(queue_max: usize) -> Duration {
    if queue_max < LINGERING_QUEUE_MIN {
        Duration::ZERO
    } else {
        LINGER
    }
}

#[cfg(test)]
mod tests;
