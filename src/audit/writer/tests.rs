use super::*;

/// A sink with room for so many bytes, which comes back.
struct Disk {
    room: usize,
    text: Vec<u8>,
    is_interrupted: bool,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_interrupted = !self.is_interrupted;
        if self.is_interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = bytes.len().min(self.room);
        if count == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room -= count;
        self.text.extend(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Of each batch: the room that there is, how many lines come whole, and what the file has then.
#[test]
fn a_record_that_is_written_in_part_spoils_no_other() {
    let mut disk = Disk {
        room: 0,
        text: Vec::new(),
        is_interrupted: false,
    };
    let mut is_torn = false;
    for (room, whole, text) in [
        (0, Some(0), ""),
        // The end of a line is no tear.
        (8, Some(2), "{1}\n{2}\n"),
        (100, None, "{1}\n{2}\n{1}\n{2}\n{3}\n"),
        (6, Some(1), "{1}\n{2"),
        (0, Some(0), "{1}\n{2"),
        // All but the end of the line is a tear too.
        (4, Some(0), "{1}\n{2\n{1}"),
        (1, Some(0), "{1}\n{2\n{1}\n"),
        (100, None, "{1}\n{2\n{1}\n{1}\n{2}\n{3}\n"),
    ] {
        if text.starts_with("{1}\n{2") && room == 6 {
            disk.text.clear();
        }
        disk.room = room;
        let lines = write(&mut disk, b"{1}\n{2}\n{3}\n", &mut is_torn);
        assert_eq!(lines.err().map(|error| error.lines), whole, "{text:?}");
        assert_eq!(str::from_utf8(&disk.text).unwrap(), text);
    }
}

/// A non-blocking pipe that has room every other time.
#[derive(Default)]
struct Pipe {
    text: Vec<u8>,
    is_full: bool,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_full = !self.is_full;
        if self.is_full {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.text.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_line_feed_behind_a_torn_line_waits_for_room() {
    let mut pipe = Pipe::default();
    let mut is_torn = true;
    let written = write(&mut pipe, b"{1}\n", &mut is_torn);
    assert!(written.is_ok() && !is_torn);
    assert_eq!(pipe.text, b"\n{1}\n");
}

/// Of three lines that are waited for, as many as were written are durable.
#[tokio::test]
async fn of_a_batch_that_is_torn_the_lines_before_are_durable() {
    for written in 0..=3 {
        let queue = Queue::new(QueueLimits::default());
        let (mut receipts, waiting): (Vec<_>, Vec<_>) = (0..3)
            .map(|number| {
                let (receipt, written) = crate::audit::durable::receipt();
                ((number, receipt), written)
            })
            .unzip();
        acknowledge(&queue, &mut io::sink(), &mut receipts, written);
        assert!(receipts.is_empty());
        for (number, waiting) in waiting.into_iter().enumerate() {
            let expected = if number < written {
                Ok(())
            } else {
                Err(NotDurable::SinkFailed)
            };
            assert_eq!(waiting.wait().await, expected, "{number} of {written}");
        }
        assert_eq!(
            queue.losses.failed(),
            0,
            "what was not written was counted before"
        );
    }
}
