//! Keeps each message of the log in one line, whatever is in it.

use std::io::{self, Write};

/// Writes lines as they are, and whatever else would end or rewrite one as its escape. The log writes
/// each event with its line feed at once.
#[derive(Debug)]
pub(super) struct OneLine<W> {
    to: W,
    /// Whether the log itself writes escape sequences.
    is_coloured: bool,
}

impl<W: Write> OneLine<W> {
    pub(super) fn new(to: W, is_coloured: bool) -> Self {
        OneLine { to, is_coloured }
    }
}

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let (text, end) = match event.strip_suffix(b"\n") {
            Some(text) => (text, &b"\n"[..]),
            None => (event, &b""[..]),
        };
        let text = String::from_utf8_lossy(text);
        let ends_line = |character: char| {
            let is_own = character == '\t' || (self.is_coloured && character == '\u{1b}');
            let is_break = matches!(character, '\u{2028}' | '\u{2029}');
            is_break || (character.is_control() && !is_own)
        };
        if text.contains(ends_line) {
            let mut line = String::with_capacity(text.len());
            for character in text.chars() {
                if ends_line(character) {
                    line.extend(character.escape_default());
                } else {
                    line.push(character);
                }
            }
            self.to.write_all(&[line.as_bytes(), end].concat())?;
        } else {
            self.to.write_all(event)?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        let rows = [
            ("a message\n", "a message\n", "a message\n"),
            ("two\nlines\n", "two\\nlines\n", "two\\nlines\n"),
            ("a\r\nb\n", "a\\r\\nb\n", "a\\r\\nb\n"),
            ("tab\tü\n", "tab\tü\n", "tab\tü\n"),
            ("\n\n", "\\n\n", "\\n\n"),
            ("a\u{2028}b\n", "a\\u{2028}b\n", "a\\u{2028}b\n"),
            ("a\u{85}b\u{0}\n", "a\\u{85}b\\u{0}\n", "a\\u{85}b\\u{0}\n"),
            ("\u{1b}[2mx\n", "\\u{1b}[2mx\n", "\u{1b}[2mx\n"),
            ("no end", "no end", "no end"),
            ("", "", ""),
        ];
        for (event, plain, coloured) in rows {
            for (is_coloured, expected) in [(false, plain), (true, coloured)] {
                let mut written = Vec::new();
                let mut writer = OneLine::new(&mut written, is_coloured);
                writer.write_all(event.as_bytes()).unwrap();
                assert_eq!(String::from_utf8(written).unwrap(), expected, "{event:?}");
            }
        }
    }

    /// The log as it is set up: a line break in a message or a value does not begin another line.
    #[test]
    fn the_log_writes_one_line_for_each_event() {
        use std::sync::{Arc, Mutex};
        use tracing_subscriber::layer::SubscriberExt;

        #[derive(Clone, Default)]
        struct Shared(Arc<Mutex<Vec<u8>>>);
        impl Write for Shared {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let shared = Shared::default();
        let writer = shared.clone();
        let log = tracing_subscriber::fmt::layer()
            .with_writer(move || OneLine::new(writer.clone(), false))
            .with_ansi(false);
        let subscriber = tracing_subscriber::registry().with(log);
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!(value = "x\ny", "one\nERROR two");
            tracing::error!("three");
        });
        let text = String::from_utf8(shared.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
    }
}
