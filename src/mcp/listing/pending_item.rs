//! The item that is held back until it is judged.

/// The text of an item with the comma in front of it, and the event-stream framing inside the text.
///
/// Removing an item also removes the comma in front of it and the white space between the two.
/// White space elsewhere belongs to no item, and neither does framing: it stays when its item goes,
/// so that the event keeps its fields and its lines.
#[derive(Debug, Default)]
pub(super) struct PendingItem {
    text: Vec<u8>,
    framing: Vec<u8>,
    cuts: Vec<Cut>,
}

/// Framing inside the text.
#[derive(Debug, Clone, Copy)]
struct Cut {
    /// How much text precedes it.
    text_end: usize,
    /// How much framing there is up to its end.
    framing_end: usize,
}

impl PendingItem {
    pub(super) fn push_text(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
    }

    pub(super) fn push_framing(&mut self, bytes: &[u8]) {
        self.framing.extend_from_slice(bytes);
        let cut = Cut {
            text_end: self.text.len(),
            framing_end: self.framing.len(),
        };
        match self.cuts.last_mut() {
            Some(last) if last.text_end == cut.text_end => *last = cut,
            Some(_) | None => self.cuts.push(cut),
        }
    }

    /// How many bytes are held; equal for equal contents, however they were chunked.
    pub(super) fn size(&self) -> usize {
        self.text.len() + self.framing.len() + self.cuts.len() * size_of::<Cut>()
    }

    /// The item as JSON, without the comma in front of it.
    pub(super) fn json(&self) -> &[u8] {
        self.text.strip_prefix(b",").unwrap_or(&self.text)
    }

    /// Writes the text and framing, without the comma in front if it is the first item.
    pub(super) fn keep(&mut self, out: &mut Vec<u8>, is_first: bool) {
        let mut text_start = usize::from(is_first && self.text.starts_with(b","));
        let mut framing_start = 0;
        for cut in &self.cuts {
            out.extend_from_slice(between(&self.text, text_start, cut.text_end));
            out.extend_from_slice(between(&self.framing, framing_start, cut.framing_end));
            text_start = text_start.max(cut.text_end);
            framing_start = cut.framing_end;
        }
        out.extend_from_slice(between(&self.text, text_start, self.text.len()));
        self.clear();
    }

    /// Writes the framing and drops the text.
    pub(super) fn hide(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.framing);
        self.clear();
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.framing.clear();
        self.cuts.clear();
        // One large item must not keep its memory for the rest of a long stream.
        self.text.shrink_to(ROOM_KEPT);
        self.framing.shrink_to(ROOM_KEPT);
        self.cuts.shrink_to(ROOM_KEPT / size_of::<Cut>());
    }
}

fn between(bytes: &[u8], start: usize, end: usize) -> &[u8] {
    bytes.get(start..end).unwrap_or_default()
}

const ROOM_KEPT: usize = 64 * 1024;
