//! The thread that writes: takes what waits in the queue to the sink, batch by batch.

use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::queue::{Queue, QueueLimits};

/// Writes lines until the queue is closed and empty.
pub(super) fn write_all(queue: &Queue, mut sink: impl Write) {
    let linger = linger(queue.limits);
    let mut batch = Vec::new();
    let mut is_torn = false;
    loop {
        let count = queue.take(&mut batch);
        if count == 0 {
            return;
        }
        if let Err(error) = write(&mut sink, &batch, &mut is_torn) {
            let lost = count.saturating_sub(error.lines);
            let lost = u64::try_from(lost).unwrap_or(u64::MAX);
            if queue.losses.failed.fetch_add(lost, Ordering::Relaxed) == 0 {
                tracing::error!(error = %error.cause, "cannot write audit records");
            }
        }
        let is_large = batch.len() >= BATCH_BYTES;
        queue.lock().writing = 0;
        batch.clear();
        // What a slow sink let gather is not kept as room for ever.
        batch.shrink_to(BATCH_BYTES);
        if !is_large && !linger.is_zero() {
            std::thread::sleep(linger);
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

/// After a write of as many bytes the writer does not rest: more will have come.
const BATCH_BYTES: usize = 64 * 1024;

/// How long the writer rests after a write. To wake it costs a check more than to hand a record
/// over, and each write costs more than what is in it: under load it looks by itself, and then at
/// many records. The first record after a pause is written at once.
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
