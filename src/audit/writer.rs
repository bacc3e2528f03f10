//! The writer thread, which moves lines from the queue to the sink in batches.

use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::durable::{NotDurable, Receipt};
use super::queue::{Batch, Queue, QueueLimits};

/// Writes lines until the queue is closed and empty.
pub(super) fn write_all(queue: &Queue, mut sink: impl Write) {
    let _end = End(queue);
    let linger = linger(queue.limits);
    let mut batch = Batch::default();
    let mut is_torn = false;
    loop {
        let count = queue.take(&mut batch);
        if count == 0 {
            return;
        }
        let mut written = count;
        if let Err(error) = write(&mut sink, &batch.lines, &mut is_torn) {
            written = error.lines;
            fail(queue, count.saturating_sub(written), &error.cause);
        }
        acknowledge(queue, &mut sink, &mut batch.receipts, written);
        let is_large = batch.lines.len() >= BATCH_BYTES;
        queue.lock().writing = 0;
        batch.lines.clear();
        // What a slow sink let gather is not kept as room for ever.
        batch.lines.shrink_to(BATCH_BYTES);
        batch.receipts.shrink_to(BATCH_RECEIPTS);
        if !is_large && !linger.is_zero() {
            queue.rest(linger);
        }
    }
}

/// Tells the queue that the writer has ended, even by a panic of the sink.
struct End<'q>(&'q Queue);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Counts records that the sink refused. Only the first loss is logged.
fn fail(queue: &Queue, lost: usize, cause: &io::Error) {
    let lost = u64::try_from(lost).unwrap_or(u64::MAX);
    if queue.losses.failed.fetch_add(lost, Ordering::Relaxed) == 0 {
        tracing::error!(error = %cause, "cannot write audit records");
    }
}

/// Sends the receipts of a batch whose first `written` lines were written. Flushes the sink only if a
/// receipt depends on it.
fn acknowledge(
    queue: &Queue,
    sink: &mut impl Write,
    receipts: &mut Vec<(usize, Receipt)>,
    written: usize,
) {
    let awaited = receipts.partition_point(|(number, _)| *number < written);
    let mut is_durable = false;
    if awaited > 0 {
        match flush(sink) {
            Ok(()) => is_durable = true,
            Err(error) => fail(queue, awaited, &error),
        }
    }
    for (number, receipt) in receipts.drain(..) {
        receipt.say(if number < written && is_durable {
            Ok(())
        } else {
            Err(NotDurable::SinkFailed)
        });
    }
}

/// Flushes the sink, as patiently as [`write_some`] writes.
fn flush(sink: &mut impl Write) -> io::Result<()> {
    patiently(|| sink.flush())
}

/// A batch that was written in part.
struct Unwritten {
    /// How many lines were written whole.
    lines: usize,
    cause: io::Error,
}

/// Writes lines. If the last one `is_torn`, they begin on a new line, so that half a record spoils no
/// other.
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

/// Writes some of these bytes. Waits while the sink is full, because a process that shares standard
/// output may have made it non-blocking.
fn write_some(sink: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
    match patiently(|| sink.write(bytes))? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        count => Ok(count),
    }
}

/// Repeats a call while the sink is full or the call is interrupted.
fn patiently<T>(mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        let error = match act() {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        if error.kind() == io::ErrorKind::WouldBlock {
            std::thread::sleep(FULL_PAUSE);
        } else if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// The pause before a full sink is tried again.
const FULL_PAUSE: Duration = Duration::from_millis(10);

/// After a write of this many bytes the writer does not rest, because more lines will have come.
const BATCH_BYTES: usize = 64 * 1024;

/// The capacity for receipts that is kept.
const BATCH_RECEIPTS: usize = 1024;

/// How long the writer rests after a write. Waking it costs a check more than handing a record over,
/// and a write costs more than its content. So under load the writer wakes by itself and finds many
/// records. It writes the first record after a pause at once, and one with a receipt too.
const LINGER: Duration = Duration::from_millis(10);
/// With smaller queues the writer never rests, because they could fill up meanwhile.
const LINGERING_RECORDS_MIN: usize = 4096;
/// The same in bytes, for lines of a usual length.
const LINGERING_BYTES_MIN: usize = LINGERING_RECORDS_MIN * 1024;

fn linger(limits: QueueLimits) -> Duration {
    if limits.records_max < LINGERING_RECORDS_MIN || limits.bytes_max < LINGERING_BYTES_MIN {
        Duration::ZERO
    } else {
        LINGER
    }
}

#[cfg(test)]
mod tests;
