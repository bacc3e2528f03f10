//! Server-sent events (WHATWG HTML §9.2.6), parsed as they arrive: the lines around the JSON.

use memchr::memchr2;

use super::fault::Unreadable;
use super::filter::{ListFilter, Signal};

/// The parser of an event stream. The data of an event is one JSON text, or no message at all.
///
/// Not every client follows the standard. A line is refused if some clients could take it for
/// another: one that begins with white space, has white space after `data`, or contains another
/// character at which Unicode breaks lines. A lone carriage return is forwarded with a line feed.
#[derive(Debug)]
pub(super) struct EventStream {
    line: LinePart,
    /// Whether the event has a data field, even an empty one.
    has_data: bool,
    /// The kind of its data.
    data: EventData,
    /// The last two bytes of a line that is not JSON.
    tail: [u8; 2],
}

/// The kind of an event's data, as far as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EventData {
    /// White space so far.
    Blank,
    /// An object or an array, which may be a message.
    Json,
    /// Something else, which no client takes for a message, such as the address in the `endpoint`
    /// event of revision 2024-11-05.
    Opaque,
}

/// The parser's position in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LinePart {
    /// After this many bytes of the byte order mark with which a stream may begin.
    Mark(usize),
    /// After this many bytes of the name `data`; zero at the beginning of a line.
    Name(usize),
    /// Behind `data:`, where one space is not part of the data.
    Space,
    Data,
    /// In a comment or another field.
    Other,
    /// Behind a carriage return; a line feed may follow.
    Return,
}

impl EventStream {
    pub(super) fn new() -> Self {
        Self {
            line: LinePart::Mark(0),
            has_data: false,
            data: EventData::Blank,
            tail: [0; 2],
        }
    }

    /// Reads up to the first signal, or all of `input`.
    pub(super) fn read(
        &mut self,
        input: &mut &[u8],
        filter: &mut ListFilter,
    ) -> Result<Option<Signal>, Unreadable> {
        while let Some(&byte) = input.first() {
            let signal = match self.line {
                LinePart::Data => {
                    // Limit the search: every item ends a read, and otherwise each item would
                    // search the whole line.
                    let ahead = input.get(..AHEAD_BYTES).unwrap_or(input);
                    match memchr2(b'\n', b'\r', ahead) {
                        Some(0) => self.end_line(input, filter)?,
                        end => self.read_data(input, end.unwrap_or(ahead.len()), filter)?,
                    }
                }
                LinePart::Other => match memchr2(b'\n', b'\r', input) {
                    Some(0) => self.end_line(input, filter)?,
                    end => self.read_text(input, end.unwrap_or(input.len()), filter)?,
                },
                LinePart::Return if byte == b'\n' => {
                    self.line = LinePart::Name(0);
                    push_framing(input, 1, filter)
                }
                LinePart::Return => {
                    self.line = LinePart::Name(0);
                    filter.push_framing(b"\n")
                }
                LinePart::Space => {
                    self.line = LinePart::Data;
                    push_framing(input, usize::from(byte == b' '), filter)
                }
                LinePart::Mark(matched) => {
                    let next = mark(matched, byte);
                    self.line = next.unwrap_or(if matched == 0 {
                        LinePart::Name(0)
                    } else {
                        LinePart::Other
                    });
                    push_framing(input, usize::from(next.is_some()), filter)
                }
                LinePart::Name(matched) => self.read_name(input, matched, filter)?,
            };
            if signal.is_some() {
                return Ok(signal);
            }
        }
        Ok(None)
    }

    fn read_name(
        &mut self,
        input: &mut &[u8],
        matched: usize,
        filter: &mut ListFilter,
    ) -> Result<Option<Signal>, Unreadable> {
        let byte = input.first();
        match (NAME.get(matched), byte) {
            (Some(expected), Some(byte)) if expected == byte => {
                self.line = LinePart::Name(matched + 1);
                Ok(push_framing(input, 1, filter))
            }
            (None, Some(b':')) => {
                self.line = LinePart::Space;
                let framing = push_framing(input, 1, filter);
                let text = self.begin_data(filter)?;
                Ok(framing.or(text))
            }
            // A field without a colon has an empty value.
            (None, Some(b'\n' | b'\r')) => {
                self.line = LinePart::Data;
                self.begin_data(filter)
            }
            (Some(_), Some(b'\n' | b'\r')) => self.end_line(input, filter),
            (Some(_), Some(byte)) if matched == 0 && may_be_trimmed(*byte) => {
                Err(Unreadable::AmbiguousLine)
            }
            (None, Some(byte)) if may_be_trimmed(*byte) => Err(Unreadable::AmbiguousLine),
            (Some(_) | None, _) => {
                self.line = LinePart::Other;
                Ok(None)
            }
        }
    }

    /// Inserts a line feed between the data of two lines.
    fn begin_data(&mut self, filter: &mut ListFilter) -> Result<Option<Signal>, Unreadable> {
        if std::mem::replace(&mut self.has_data, true) && self.data != EventData::Opaque {
            filter.end_line()
        } else {
            Ok(None)
        }
    }

    /// Reads `length` bytes of data, or up to the first signal.
    fn read_data(
        &mut self,
        input: &mut &[u8],
        length: usize,
        filter: &mut ListFilter,
    ) -> Result<Option<Signal>, Unreadable> {
        let (mut data, rest) = input.split_at_checked(length).unwrap_or((input, &[]));
        if self.data == EventData::Blank {
            let first = data.iter().find(|byte| !matches!(byte, b' ' | b'\t'));
            self.data = match first {
                None => EventData::Blank,
                // The filter refuses a byte order mark.
                Some(b'{' | b'[') => EventData::Json,
                Some(byte) if byte.is_ascii_graphic() => EventData::Opaque,
                // The filter refuses what some clients trim, including a byte order mark.
                Some(_) => EventData::Json,
            };
        }
        if self.data == EventData::Opaque {
            return self.read_text(input, length, filter);
        }
        let signal = filter.read(&mut data)?;
        let read = length.saturating_sub(data.len());
        *input = input.get(read..).unwrap_or(rest);
        Ok(signal)
    }

    /// Forwards `length` bytes of a line that is not JSON.
    fn read_text(
        &mut self,
        input: &mut &[u8],
        length: usize,
        filter: &mut ListFilter,
    ) -> Result<Option<Signal>, Unreadable> {
        for &byte in input.iter().take(length) {
            if breaks_line(self.tail, byte) {
                return Err(Unreadable::AmbiguousLine);
            }
            let [_, last] = self.tail;
            self.tail = [last, byte];
        }
        Ok(push_framing(input, length, filter))
    }

    /// Handles the end of a line; a blank line ends the event.
    fn end_line(
        &mut self,
        input: &mut &[u8],
        filter: &mut ListFilter,
    ) -> Result<Option<Signal>, Unreadable> {
        if self.line == LinePart::Name(0) {
            // Data without JSON is no message to any client; such events prime a reconnection.
            filter.end(true)?;
            self.has_data = false;
            self.data = EventData::Blank;
        }
        self.line = if input.first() == Some(&b'\r') {
            LinePart::Return
        } else {
            LinePart::Name(0)
        };
        Ok(push_framing(input, 1, filter))
    }
}

fn push_framing(input: &mut &[u8], length: usize, filter: &mut ListFilter) -> Option<Signal> {
    let (framing, rest) = input.split_at_checked(length).unwrap_or((input, &[]));
    *input = rest;
    if framing.is_empty() {
        return None;
    }
    filter.push_framing(framing)
}

/// Whether a character that begins with this byte may be trimmed by clients that trim lines or
/// names.
fn may_be_trimmed(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t') || !byte.is_ascii()
}

/// Whether a byte completes a line break, given the two bytes before it: by Unicode (UAX #14,
/// classes BK and NL) or Python, other than line feed and carriage return.
fn breaks_line(before: [u8; 2], byte: u8) -> bool {
    match (before, byte) {
        (_, 0x0b | 0x0c | 0x1c..=0x1e) | ([_, 0xc2], 0x85) | ([0xe2, 0x80], 0xa8 | 0xa9) => true,
        (_, _) => false,
    }
}

/// The position after the next byte of a byte order mark; `None` if the byte is not part of it.
fn mark(matched: usize, byte: u8) -> Option<LinePart> {
    let next = matched + 1;
    (MARK.get(matched) == Some(&byte)).then_some(if next == MARK.len() {
        LinePart::Name(0)
    } else {
        LinePart::Mark(next)
    })
}

const NAME: &[u8] = b"data";

/// How far a line of data is searched for its end at a time.
const AHEAD_BYTES: usize = 1024;

const MARK: &[u8] = "\u{feff}".as_bytes();
