//! Writes strings and scalars as JSON text.

use std::io::Write;

use serde::Serialize;

use crate::byte_class;

/// How many bytes a string takes in JSON, without its quotes.
#[must_use]
pub fn written_length(text: &str) -> usize {
    if is_plain(text) {
        return text.len();
    }
    let lengths = text.chars().map(written_length_of);
    lengths.fold(0, usize::saturating_add)
}

/// How many bytes a character takes in a JSON string.
#[must_use]
pub fn written_length_of(character: char) -> usize {
    match character {
        '"' | '\\' | '\u{8}' | '\t' | '\n' | '\u{c}' | '\r' => 2,
        '\0'..='\u{1f}' => 6,
        _ => character.len_utf8(),
    }
}

/// Whether a string is written unescaped, as most are.
fn is_plain(text: &str) -> bool {
    let is_plain = |byte| !matches!(byte, ..b' ' | b'"' | b'\\');
    byte_class::all(text.as_bytes(), b'a', is_plain)
}

/// Writes a string in pieces.
pub(super) fn string(text: &str, mut put: impl FnMut(&[u8])) {
    if is_plain(text) {
        put(b"\"");
        put(text.as_bytes());
        put(b"\"");
    } else {
        scalar(&text, put);
    }
}

pub(super) fn scalar(value: &impl Serialize, put: impl FnMut(&[u8])) {
    struct Pieces<P>(P);

    impl<P: FnMut(&[u8])> Write for Pieces<P> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            (self.0)(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut pieces = Pieces(put);
    if serde_json::to_writer(&mut pieces, value).is_err() {
        (pieces.0)(b"?");
    }
}
