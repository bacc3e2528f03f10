//! A stream of server-sent events (WHATWG HTML §9.2): the data and the type of each event.

use std::collections::VecDeque;

/// One event that has data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// Its type; empty if none is given, which means `message`.
    pub(super) kind: Vec<u8>,
    pub(super) data: Vec<u8>,
}

/// Takes the bytes of a stream as they come, and gives events. It holds what it was given and has
/// not given away: a bound is for the caller to keep.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    /// Whether the last byte ended a line and was a carriage return.
    after_return: bool,
    kind: Vec<u8>,
    data: Option<Vec<u8>>,
    ready: VecDeque<Event>,
    /// Whether a line was read, before which a byte order mark may stand.
    is_begun: bool,
}

impl Events {
    /// Takes more of the stream.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let ends_pair = byte == b'\n' && self.after_return;
            self.after_return = byte == b'\r';
            match byte {
                _ if ends_pair => {}
                b'\r' | b'\n' => self.end_line(),
                _ => self.line.push(byte),
            }
        }
    }

    /// The next event that has ended.
    pub(super) fn next(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = match line.strip_prefix("\u{feff}".as_bytes()) {
            Some(rest) if !self.is_begun => rest,
            Some(_) | None => &line,
        };
        self.is_begun = true;
        if line.is_empty() {
            let kind = std::mem::take(&mut self.kind);
            if let Some(data) = self.data.take() {
                self.ready.push_back(Event { kind, data });
            }
            return;
        }
        let colon = line.iter().position(|&byte| byte == b':');
        let (name, value) = match colon.and_then(|at| line.split_at_checked(at)) {
            Some((name, rest)) => (name, rest.strip_prefix(b":").unwrap_or(rest)),
            None => (line, &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"event" => self.kind = value.to_vec(),
            b"data" => match &mut self.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => self.data = Some(value.to_vec()),
            },
            // Comments, ids, times to wait, and what nobody knows.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&str]) -> Vec<(String, String)> {
        let mut events = Events::default();
        let mut read = Vec::new();
        for piece in pieces {
            events.push(piece.as_bytes());
            while let Some(Event { kind, data }) = events.next() {
                read.push((
                    String::from_utf8(kind).unwrap(),
                    String::from_utf8(data).unwrap(),
                ));
            }
        }
        read
    }

    #[test]
    fn events_are_read_whatever_ends_their_lines() {
        let rows = [
            ("data: a\n\n", vec![("", "a")]),
            ("data:a\r\rdata: b\r\r", vec![("", "a"), ("", "b")]),
            ("event: message\r\ndata: a\r\n\r\n", vec![("message", "a")]),
            ("data: a\ndata\ndata:  b\n\n", vec![("", "a\n\n b")]),
            ("\u{feff}data: a\n\n", vec![("", "a")]),
            (
                ": comment\nid: 1\nretry: 5\nother\n\ndata:\n\n",
                vec![("", "")],
            ),
            // An event without data is none, and its type is nobody else's.
            ("event: x\n\ndata: a\n\n", vec![("", "a")]),
            (
                "event: x\nevent: y\ndata: {\"a\":1}\n\n",
                vec![("y", "{\"a\":1}")],
            ),
            // What has not ended is no event.
            ("data: a\n", vec![]),
        ];
        for (text, expected) in rows {
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(kind, data)| (kind.to_owned(), data.to_owned()))
                .collect();
            assert_eq!(read(&[text]), expected, "{text:?}");
            let bytes: Vec<String> = text.chars().map(String::from).collect();
            let pieces: Vec<&str> = bytes.iter().map(String::as_str).collect();
            assert_eq!(read(&pieces), expected, "{text:?} in pieces");
        }
    }
}
