//! A JSON text of which items of lists may be left out. All else keeps its bytes.

use std::ops::Range;

use crate::json::{Lexer, LexerStep};

/// A JSON text, and the parts of it that may be written otherwise, in their order.
#[derive(Debug)]
pub(super) struct Doc {
    text: Vec<u8>,
    parts: Vec<Part>,
}

/// A part of a text.
#[derive(Debug)]
pub(super) struct Part {
    span: Range<usize>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// A list, of which hidden items are left out.
    List(Vec<Entry>),
    /// A string that is a JSON text itself.
    Text(Doc),
}

/// An item of a list.
#[derive(Debug)]
pub(super) struct Entry {
    span: Range<usize>,
    /// The number of the tool that it is; none: it stays.
    pub(super) tool: Option<usize>,
    pub(super) parts: Vec<Part>,
}

impl Entry {
    /// An item that stays as it is.
    pub(super) fn of(span: &Range<usize>) -> Self {
        Entry {
            span: span.clone(),
            tool: None,
            parts: Vec::new(),
        }
    }

    fn is_left_out(&self, shown: &[bool]) -> bool {
        let is_shown = |tool: usize| shown.get(tool).copied().unwrap_or(false);
        self.tool.is_some_and(|tool| !is_shown(tool))
    }
}

impl Part {
    pub(super) fn list(span: Range<usize>, entries: Vec<Entry>) -> Self {
        let content = Content::List(entries);
        Part { span, content }
    }

    pub(super) fn text(span: Range<usize>, doc: Doc) -> Self {
        let content = Content::Text(doc);
        Part { span, content }
    }

    pub(super) fn start(&self) -> usize {
        self.span.start
    }

    fn changes(&self, shown: &[bool]) -> bool {
        match &self.content {
            Content::List(entries) => entries.iter().any(|entry| {
                entry.is_left_out(shown) || entry.parts.iter().any(|part| part.changes(shown))
            }),
            Content::Text(doc) => doc.parts.iter().any(|part| part.changes(shown)),
        }
    }
}

impl Doc {
    /// A text with its parts; `None` if what is in no item is not UTF-8 or nests too deep.
    pub(super) fn of(text: Vec<u8>, parts: Vec<Part>, depth_max: usize) -> Option<Self> {
        let doc = Doc { text, parts };
        let frame = doc.written(&[]);
        is_sound(frame.as_deref().unwrap_or(&doc.text), depth_max).then_some(doc)
    }

    /// The text without the items that are not to be shown; `None` if it stays as it is.
    pub(super) fn written(&self, shown: &[bool]) -> Option<Vec<u8>> {
        let changes = self.parts.iter().any(|part| part.changes(shown));
        changes.then(|| {
            let mut out = Vec::new();
            self.write(0..self.text.len(), &self.parts, shown, &mut out);
            out
        })
    }

    /// Writes a stretch of the text and the parts in it.
    fn write(&self, at: Range<usize>, parts: &[Part], shown: &[bool], out: &mut Vec<u8>) {
        let mut from = at.start;
        for part in parts.iter().filter(|part| part.changes(shown)) {
            out.extend_from_slice(self.bytes(from..part.span.start));
            match &part.content {
                Content::Text(doc) => write_string(&doc.written(shown).unwrap_or_default(), out),
                Content::List(entries) => self.write_list(entries, shown, out),
            }
            from = part.span.end;
        }
        out.extend_from_slice(self.bytes(from..at.end));
    }

    fn write_list(&self, entries: &[Entry], shown: &[bool], out: &mut Vec<u8>) {
        out.push(b'[');
        let kept = entries.iter().filter(|entry| !entry.is_left_out(shown));
        for (at, entry) in kept.enumerate() {
            if at > 0 {
                out.push(b',');
            }
            self.write(entry.span.clone(), &entry.parts, shown, out);
        }
        out.push(b']');
    }

    fn bytes(&self, at: Range<usize>) -> &[u8] {
        self.text.get(at).unwrap_or_default()
    }
}

/// Writes a text as a JSON string, without characters at which some clients break the lines of a
/// stream.
fn write_string(text: &[u8], out: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(text);
    let string = serde_json::to_string(&text).unwrap_or_default();
    let string = string
        .replace('\u{85}', "\\u0085")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    out.extend_from_slice(string.as_bytes());
}

/// Whether a text is JSON in UTF-8 that nests no deeper than this.
fn is_sound(text: &[u8], depth_max: usize) -> bool {
    let mut lexer = Lexer::new(depth_max);
    let mut input = text;
    loop {
        match lexer.run(&mut input, usize::MAX) {
            Ok(LexerStep::More) => return lexer.is_whole(),
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}
