//! Evidence: one record for each decision, written apart from the request path.
//!
//! A check hands over its finished [`Record`] and goes on; a thread of its own turns records
//! into JSON lines and writes them. The queue between them is bounded: when it is full the
//! record is dropped and counted, since a slow log must not become an outage.

mod notice;
mod record;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

pub use notice::{Event, Notice};
pub use record::{Arguments, Names, Record, SessionHash, WouldBe};

/// The handing-in side. Cheap to clone; the writer ends when the last one is gone.
#[derive(Debug, Clone)]
pub struct Audit {
    queue: SyncSender<Line>,
    losses: Arc<Losses>,
}

/// What becomes one line.
#[derive(Debug)]
enum Line {
    Record(Box<Record>),
    Notice(Box<Notice>),
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
        let (queue, records) = sync_channel(queue_max);
        let losses = Arc::new(Losses::default());
        let counted = Arc::clone(&losses);
        let thread = std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || write_all(sink, &records, &counted, linger(queue_max)))?;
        Ok((Audit { queue, losses }, thread))
    }

    /// Hands a record over. Never waits.
    pub fn record(&self, record: impl Into<Box<Record>>) {
        self.hand_over(Line::Record(record.into()));
    }

    /// Hands over what is no decision. Never waits.
    pub fn notice(&self, notice: Notice) {
        self.hand_over(Line::Notice(Box::new(notice)));
    }

    fn hand_over(&self, line: Line) {
        match self.queue.try_send(line) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                // Only the first loss is logged: whoever watches the counter sees the rest.
                if self.losses.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::error!("`audit_queue_max` records wait; further ones are dropped");
                }
            }
        }
    }

    /// What was lost so far.
    #[must_use]
    pub fn losses(&self) -> &Arc<Losses> {
        &self.losses
    }
}

impl Line {
    /// Appends one line of JSON.
    fn write(&self, line: &mut Vec<u8>) {
        let start = line.len();
        let written = match self {
            Line::Record(record) => serde_json::to_writer(&mut *line, record),
            Line::Notice(notice) => serde_json::to_writer(&mut *line, notice),
        };
        if written.is_err() {
            // Writing to memory does not fail; a half-written record would spoil its neighbours.
            line.truncate(start);
            return;
        }
        line.push(b'\n');
    }
}

/// Bytes gathered before a write, when records come faster than single writes would serve.
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

fn write_all(mut sink: impl Write, records: &Receiver<Line>, losses: &Losses, linger: Duration) {
    let mut batch = Vec::with_capacity(BATCH_BYTES);
    let mut held = 0;
    while let Ok(first) = records.recv() {
        let mut next = Some(first);
        while let Some(record) = next {
            record.write(&mut batch);
            held += 1;
            next = if batch.len() < BATCH_BYTES {
                records.try_recv().ok()
            } else {
                None
            };
        }
        if let Err(error) = sink.write_all(&batch).and_then(|()| sink.flush())
            && losses.failed.fetch_add(held, Ordering::Relaxed) == 0
        {
            tracing::error!(%error, "cannot write audit records");
        }
        let was_full = batch.len() >= BATCH_BYTES;
        batch.clear();
        held = 0;
        if !was_full && !linger.is_zero() {
            std::thread::sleep(linger);
        }
    }
}

#[cfg(test)]
mod tests;
