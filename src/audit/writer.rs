//! The thread that writes: takes what waits in the queue to the sink, batch by batch.

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

/// Tells whoever waits for a line whether it is in the sink; the first `written` lines were
/// written. The sink is flushed only if that is of use to somebody.
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
    match patiently(|| sink.write(bytes))? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        count => Ok(count),
    }
}

/// Does it again as long as the sink has no room, or was interrupted.
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

/// How long a sink without room is left alone.
const FULL_PAUSE: Duration = Duration::from_millis(10);

/// After a write of as many bytes the writer does not rest: more will have come.
const BATCH_BYTES: usize = 64 * 1024;

/// Room for as many receipts is kept.
const BATCH_RECEIPTS: usize = 1024;

/// How long the writer rests after a write. To wake it costs a check more than to hand a record
/// over, and each write costs more than what is in it: under load it looks by itself, and then at
/// many records. The first record after a pause is written at once, and so is one that is waited for.
const LINGER: Duration = Duration::from_millis(10);
/// Smaller queues are never left alone: they could fill up meanwhile.
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
