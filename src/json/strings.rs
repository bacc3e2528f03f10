//! The content of strings that arrive in pieces: checks for UTF-8, capture and unescaping.

use std::mem;

use memchr::memmem;

use super::fault::StreamFault;

/// Checks the inside of strings, whose characters may be split between chunks.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    /// The first bytes of a split character; at most three.
    partial: Vec<u8>,
}

impl Utf8 {
    pub(super) fn held(&self) -> usize {
        self.partial.len()
    }

    /// Checks a run of bytes; `is_last` if the string ends with this run.
    pub(super) fn check(&mut self, mut run: &[u8], is_last: bool) -> Result<(), StreamFault> {
        while !self.partial.is_empty() {
            let Some((byte, rest)) = run.split_first() else {
                return if is_last {
                    Err(StreamFault::NotUtf8)
                } else {
                    Ok(())
                };
            };
            self.partial.push(*byte);
            run = rest;
            match std::str::from_utf8(&self.partial) {
                Ok(_) => self.partial.clear(),
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(StreamFault::NotUtf8),
            }
        }
        let Err(error) = std::str::from_utf8(run) else {
            return Ok(());
        };
        if is_last || error.error_len().is_some() {
            return Err(StreamFault::NotUtf8);
        }
        let partial = run.get(error.valid_up_to()..).unwrap_or_default();
        self.partial.extend_from_slice(partial);
        Ok(())
    }
}

/// The beginning of one string, as spelled.
#[derive(Debug, Default)]
pub(super) struct Capture {
    bytes: Vec<u8>,
    bytes_max: usize,
    /// Whether the current string is captured.
    is_on: bool,
    /// Whether the string was longer.
    is_cut: bool,
    /// Whether the string has ended.
    is_ready: bool,
}

impl Capture {
    pub(super) fn begin(&mut self, bytes_max: usize) {
        self.bytes.clear();
        self.bytes_max = bytes_max;
        self.is_on = true;
        self.is_cut = false;
        self.is_ready = false;
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if !self.is_on {
            return;
        }
        let room = self.bytes_max.saturating_sub(self.bytes.len());
        let kept = bytes.get(..room).unwrap_or(bytes);
        self.is_cut |= kept.len() < bytes.len();
        self.bytes.extend_from_slice(kept);
    }

    pub(super) fn end(&mut self) {
        self.is_ready |= mem::take(&mut self.is_on);
    }

    pub(super) fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// The string, and whether it was longer, once it has ended.
    pub(super) fn take(&mut self) -> Option<(&[u8], bool)> {
        mem::take(&mut self.is_ready).then_some((self.bytes.as_slice(), self.is_cut))
    }

    pub(super) fn held(&self) -> usize {
        self.bytes.len()
    }
}

/// Unescapes a spelling, up to the first NUL in it; `None` if it has a lone surrogate. The second
/// value is whether the text is complete.
pub(crate) fn unescape(spelling: &[u8]) -> Option<(String, bool)> {
    let end = memmem::find(spelling, ESCAPED_NUL);
    let spelling = spelling.get(..end.unwrap_or(spelling.len()))?;
    let mut quoted = Vec::with_capacity(spelling.len() + 2);
    quoted.push(b'"');
    quoted.extend_from_slice(spelling);
    quoted.push(b'"');
    let text = serde_json::from_slice(&quoted).ok()?;
    Some((text, end.is_none()))
}

/// The only spelling of a NUL in a JSON string.
const ESCAPED_NUL: &[u8] = b"\\u0000";
