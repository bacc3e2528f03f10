//! Evidence: one record for each decision, written apart from the request path.
//!
//! A check leaves its record as a line of JSON and goes on; a thread of its own writes what has
//! gathered. To pass records on as they are and let the thread turn them into text costs more: their
//! parts would be freed by another thread than made them. What waits is bounded, in records and in
//! bytes: beyond that a record is dropped and counted, since a slow log must not become an outage.

mod cut;
mod notice;
mod record;

use std::io::{self, Write};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use cut::{Kept, LINE_BYTES_MAX};
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
    limits: Limits,
    losses: Arc<Losses>,
}

/// How much may wait to be written, whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many records.
    pub records_max: usize,
    /// How many bytes of them, those that are being written included.
    pub bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            records_max: 65_536,
            bytes_max: 64 << 20,
        }
    }
}

/// The lines that wait for the writer.
#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    /// How many they are.
    count: usize,
    /// How many bytes the writer has taken and not written yet.
    writing: usize,
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

    /// Records that the sink refused, in whole or in part.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

impl Audit {
    /// Starts the thread that writes to `sink`, with room for as many waiting records. The sink
    /// keeps nothing back: what it says is written is. It is never flushed.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(
        sink: impl Write + Send + 'static,
        limits: Limits,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let queue = Arc::new(Queue {
            waiting: Mutex::default(),
            more: Condvar::new(),
            limits,
            losses: Arc::default(),
        });
        let audit = Audit(Arc::new(Open(Arc::clone(&queue))));
        let thread = std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || queue.write_all(sink, linger(limits)))?;
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
        if let Ok(line) = notice.line() {
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
            tracing::error!(
                "`audit_queue_max` records or `audit_queue_bytes_max` bytes wait to be written; \
                 further ones are dropped"
            );
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
        let Limits {
            records_max,
            bytes_max,
        } = self.limits;
        let held = waiting.lines.len().saturating_add(waiting.writing);
        if waiting.count >= records_max || held.saturating_add(line.len()) > bytes_max {
            return false;
        }
        make_room(&mut waiting.lines, line.len(), bytes_max);
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
        waiting.writing = batch.len();
        mem::take(&mut waiting.count)
    }

    /// Writes what is handed over until nobody is left who could.
    fn write_all(&self, mut sink: impl Write, linger: Duration) {
        let mut batch = Vec::new();
        let mut is_torn = false;
        loop {
            let count = self.take(&mut batch);
            if count == 0 {
                return;
            }
            if let Err(error) = write(&mut sink, &batch, &mut is_torn) {
                let lost = count.saturating_sub(error.lines);
                let lost = u64::try_from(lost).unwrap_or(u64::MAX);
                if self.losses.failed.fetch_add(lost, Ordering::Relaxed) == 0 {
                    tracing::error!(error = %error.cause, "cannot write audit records");
                }
            }
            let is_large = batch.len() >= BATCH_BYTES;
            self.lock().writing = 0;
            batch.clear();
            // What a slow sink let gather is not kept as room for ever.
            batch.shrink_to(BATCH_BYTES);
            if !is_large && !linger.is_zero() {
                std::thread::sleep(linger);
            }
        }
    }
}

/// Lines that could not all be written.
struct Unwritten {
    /// How many were, whole.
    lines: usize,
    cause: io::Error,
}

/// Writes lines. Behind one that `is_torn` they begin on a line of their own, so that the half of a
/// record spoils no other.
fn write(sink: &mut impl Write, batch: &[u8], is_torn: &mut bool) -> Result<(), Unwritten> {
    if *is_torn {
        write_some(sink, b"\n").map_err(|cause| Unwritten { lines: 0, cause })?;
        *is_torn = false;
    }
    let mut rest = batch;
    while !rest.is_empty() {
        let cause = match write_some(sink, rest) {
            Ok(count) => {
                rest = rest.get(count..).unwrap_or_default();
                continue;
            }
            Err(error) => error,
        };
        let written = batch.strip_suffix(rest).unwrap_or_default();
        *is_torn = written.last().is_some_and(|&byte| byte != b'\n');
        let lines = written.split(|byte| *byte == b'\n').skip(1).count();
        return Err(Unwritten { lines, cause });
    }
    Ok(())
}

/// Writes some of these bytes. Where the sink has no room just now it waits: whoever shares standard
/// output may have made it non-blocking.
fn write_some(sink: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
    loop {
        let error = match sink.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => return Ok(count),
            Err(error) => error,
        };
        if error.kind() == io::ErrorKind::WouldBlock {
            std::thread::sleep(FULL_PAUSE);
        } else if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// How long a sink without room is left alone.
const FULL_PAUSE: Duration = Duration::from_millis(10);

/// Makes room for so many bytes more: twice as much as there was, but no more than may ever wait.
fn make_room(lines: &mut Vec<u8>, more: usize, bytes_max: usize) {
    let needed = lines.len().saturating_add(more);
    if needed > lines.capacity() {
        let room = lines.capacity().saturating_mul(2);
        let room = room.min(bytes_max).max(needed);
        lines.reserve_exact(room.saturating_sub(lines.len()));
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
const LINGERING_RECORDS_MIN: usize = 4096;
/// The same in bytes.
const LINGERING_BYTES_MIN: usize = LINGERING_RECORDS_MIN * LINE_BYTES_USUAL;

fn linger(limits: Limits) -> Duration {
    if limits.records_max < LINGERING_RECORDS_MIN || limits.bytes_max < LINGERING_BYTES_MIN {
        Duration::ZERO
    } else {
        LINGER
    }
}

#[cfg(test)]
mod tests;
