//! The queue between checks and the writer. It holds lines, bounded in number and in bytes.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::durable::{NotDurable, Receipt};

/// The limits of the queue. Whichever is reached first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// How many records.
    pub records_max: usize,
    /// How many bytes, those of the batch being written included.
    pub bytes_max: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        QueueLimits {
            records_max: 65_536,
            bytes_max: 64 << 20,
        }
    }
}

/// Records that did not reach the sink.
#[derive(Debug, Default)]
pub struct Losses {
    pub(super) dropped: AtomicU64,
    pub(super) failed: AtomicU64,
}

impl Losses {
    /// Records dropped because the queue was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Records that the sink refused in whole or in part.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

/// The queue between checks and the writer.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<WaitingLines>,
    /// Wakes the writer.
    more: Condvar,
    pub(super) limits: QueueLimits,
    pub(super) losses: Arc<Losses>,
}

/// The lines that wait for the writer.
#[derive(Debug, Default)]
pub(super) struct WaitingLines {
    pub(super) lines: Vec<u8>,
    /// How many they are.
    pub(super) count: usize,
    /// Receipts by the number of their line, at most one for each.
    pub(super) receipts: Vec<(usize, Receipt)>,
    /// How many bytes the writer has taken and not yet written.
    pub(super) writing: usize,
    /// Whether the writer waits for lines and has to be woken.
    is_awaited: bool,
    is_closed: bool,
    /// Whether the writer has ended. Then nobody writes the queued lines.
    is_abandoned: bool,
}

/// The lines that the writer has taken.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) lines: Vec<u8>,
    /// Receipts by the number of their line.
    pub(super) receipts: Vec<(usize, Receipt)>,
}

impl Queue {
    /// An empty queue.
    pub(super) fn new(limits: QueueLimits) -> Self {
        Queue {
            waiting: Mutex::default(),
            more: Condvar::new(),
            limits,
            losses: Arc::default(),
        }
    }

    /// Closes the queue. The writer ends once it has written the queued lines.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.more.notify_one();
    }

    /// Marks the writer as ended, for whatever cause, and closes all receipts.
    pub(super) fn abandon(&self) {
        let mut waiting = self.lock();
        waiting.is_abandoned = true;
        let receipts = mem::take(&mut waiting.receipts);
        drop(waiting);
        drop(receipts);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, WaitingLines> {
        // Whoever panicked left nothing half done: lines are appended whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line, unless the queue is full or nobody can give its receipt.
    pub(super) fn put(&self, line: &[u8], receipt: Option<Receipt>) -> Result<(), NotDurable> {
        let mut waiting = self.lock();
        if receipt.is_some() && waiting.is_abandoned {
            return Err(NotDurable::Closed);
        }
        let QueueLimits {
            records_max,
            bytes_max,
        } = self.limits;
        let held = waiting.lines.len().saturating_add(waiting.writing);
        if waiting.count >= records_max || held.saturating_add(line.len()) > bytes_max {
            return Err(NotDurable::QueueFull);
        }
        let is_urgent = receipt.is_some();
        let number = waiting.count;
        waiting
            .receipts
            .extend(receipt.map(|receipt| (number, receipt)));
        make_room(&mut waiting.lines, line.len(), bytes_max);
        waiting.lines.extend_from_slice(line);
        waiting.count += 1;
        let is_awaited = mem::take(&mut waiting.is_awaited);
        drop(waiting);
        if is_awaited || is_urgent {
            self.more.notify_one();
        }
        Ok(())
    }

    /// Waits for lines, moves all of them into `batch`, and returns their number. It is 0 once the
    /// queue is closed and empty.
    pub(super) fn take(&self, batch: &mut Batch) -> usize {
        let mut waiting = self.lock();
        while waiting.count == 0 && !waiting.is_closed {
            waiting.is_awaited = true;
            let woken = self.more.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
        mem::swap(&mut waiting.lines, &mut batch.lines);
        mem::swap(&mut waiting.receipts, &mut batch.receipts);
        waiting.writing = batch.lines.len();
        mem::take(&mut waiting.count)
    }

    /// Lets lines gather for this long, or until a check waits for its receipt.
    pub(super) fn rest(&self, span: Duration) {
        let waiting = self.lock();
        let may_rest =
            |waiting: &mut WaitingLines| waiting.receipts.is_empty() && !waiting.is_closed;
        let rested = self.more.wait_timeout_while(waiting, span, may_rest);
        drop(rested.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Reserves room for this many more bytes: at least twice the present capacity, and never more than
/// the limit of the queue.
fn make_room(lines: &mut Vec<u8>, more: usize, bytes_max: usize) {
    let needed = lines.len().saturating_add(more);
    if needed > lines.capacity() {
        let room = lines.capacity().saturating_mul(2);
        let room = room.min(bytes_max).max(needed);
        lines.reserve_exact(room.saturating_sub(lines.len()));
    }
}
