//! Finds line and column of a byte without reading the whole text each time.

/// How many bytes are between two marks.
const STEP: usize = 512;

/// Where every [`STEP`] bytes of a text are.
#[derive(Debug, Clone)]
pub(super) struct LineMarks {
    /// Line and column before the bytes from that mark on, both from 0.
    marks: Vec<(usize, usize)>,
}

impl LineMarks {
    /// Goes through the text once.
    pub(super) fn of(text: &str) -> Self {
        let mut marks = Vec::with_capacity(text.len() / STEP + 1);
        let mut here = (0, 0);
        for stretch in text.as_bytes().chunks(STEP) {
            marks.push(here);
            here = after(here, stretch);
        }
        LineMarks { marks }
    }

    /// Line and column of a byte of the same text, both from 1, the column in characters. Looks at
    /// fewer than [`STEP`] bytes.
    pub(super) fn position(&self, text: &str, offset: usize) -> (usize, usize) {
        let offset = offset.min(text.len());
        // A text that ends with a stretch has no mark behind it.
        let index = (offset / STEP).min(self.marks.len().saturating_sub(1));
        let mark = self.marks.get(index).copied().unwrap_or_default();
        let from = index.saturating_mul(STEP);
        let (line, column) = after(mark, text.as_bytes().get(from..offset).unwrap_or_default());
        (line.saturating_add(1), column.saturating_add(1))
    }
}

/// Line and column behind these bytes.
fn after((mut line, mut column): (usize, usize), bytes: &[u8]) -> (usize, usize) {
    #[cfg(test)]
    effort::count(bytes.len());
    for byte in bytes {
        if *byte == b'\n' {
            line = line.saturating_add(1);
            column = 0;
        } else if byte & 0b1100_0000 != 0b1000_0000 {
            // What continues a character (RFC 3629) is none of its own.
            column = column.saturating_add(1);
        }
    }
    (line, column)
}

#[cfg(test)]
pub(super) mod effort {
    use std::cell::Cell;

    thread_local! {
        static LOOKED_AT: Cell<usize> = const { Cell::new(0) };
    }

    /// Takes note of bytes that are looked at.
    pub(super) fn count(bytes: usize) {
        LOOKED_AT.set(LOOKED_AT.get() + bytes);
    }

    /// How many bytes were looked at on this thread.
    pub(crate) fn looked_at() -> usize {
        LOOKED_AT.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_that_counting_from_the_start_gives() {
        let line = "a\u{e9}\u{1f600}: [1, 2]\n";
        let long = "\u{e9}x".repeat(STEP);
        let text = format!("{}{long}\n\n{}", line.repeat(100), line.repeat(100));
        for text in [
            text.as_str(),
            "",
            "\n",
            "ab",
            &"x".repeat(STEP),
            &"\n".repeat(STEP * 2),
        ] {
            let places = LineMarks::of(text);
            let mut expected = (1, 1);
            for (offset, character) in text.char_indices() {
                assert_eq!(places.position(text, offset), expected, "{offset}");
                expected = match character {
                    '\n' => (expected.0 + 1, 1),
                    _ => (expected.0, expected.1 + 1),
                };
            }
            for beyond in [0, 1, 1000] {
                assert_eq!(places.position(text, text.len() + beyond), expected);
            }
        }
    }
}
