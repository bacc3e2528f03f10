//! How much of a text a record keeps. Client text is measured in its escaped form, because a control
//! character takes six bytes of a line.

use serde::{Serialize, Serializer};

use crate::json::{self, Object};

/// The most bytes of a record or notice, its line feed included. It follows from the limits on each
/// text and list.
pub const LINE_BYTES_MAX: usize = 20 * 1024;
/// How many characters of client text a field keeps.
const TEXT_CHARS_MAX: usize = 256;
/// The most bytes that any text may take in its escaped form.
const TEXT_BYTES_MAX: usize = 512;
/// How many bytes a text may take that is short where it is honest.
const SHORT_TEXT_BYTES_MAX: usize = 112;
/// How many bytes a list of a notice may take.
const LIST_BYTES_MAX: usize = 1536;
/// The most bytes that one of a text takes, as it is written.
const ESCAPE_BYTES_MAX: usize = 6;

/// The part of client text that a record keeps.
pub(super) fn cut(text: &str) -> &str {
    let shown = within(text);
    if shown.len() <= TEXT_CHARS_MAX {
        return shown;
    }
    let end = shown.char_indices().nth(TEXT_CHARS_MAX);
    end.and_then(|(end, _)| shown.get(..end)).unwrap_or(shown)
}

/// The part of a text that any field may have.
fn within(text: &str) -> &str {
    within_bytes(text, TEXT_BYTES_MAX)
}

/// As much of a text as is written in so many bytes.
fn within_bytes(text: &str, bytes_max: usize) -> &str {
    if is_short(text.len(), bytes_max) || json::written_length(text) <= bytes_max {
        return text;
    }
    let mut left = bytes_max;
    for (end, character) in text.char_indices() {
        match left.checked_sub(json::written_length_of(character)) {
            Some(rest) => left = rest,
            None => return text.get(..end).unwrap_or_default(),
        }
    }
    text
}

/// Whether this many bytes of text are within a limit in any escaped form.
fn is_short(length: usize, bytes_max: usize) -> bool {
    length.saturating_mul(ESCAPE_BYTES_MAX) <= bytes_max
}

/// The part of client text that a record keeps, and whether it is shortened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    text: String,
    pub(super) is_cut: bool,
}

impl Kept {
    /// The part of a text that is kept.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let kept = cut(text);
        Kept {
            text: kept.to_owned(),
            is_cut: kept.len() < text.len(),
        }
    }
}

impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text)
    }
}

/// The first of some texts, as many as a record keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptList {
    texts: Vec<Kept>,
    pub(super) is_cut: bool,
}

impl KeptList {
    /// As many of these texts as are kept.
    #[must_use]
    pub fn of<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut left = LIST_BYTES_MAX;
        let mut list = KeptList {
            texts: Vec::new(),
            is_cut: false,
        };
        for text in texts {
            let kept = Kept::of(text);
            let length = json::written_length(&kept.text).saturating_add(QUOTES_AND_COMMA);
            let Some(rest) = left.checked_sub(length) else {
                list.is_cut = true;
                break;
            };
            left = rest;
            list.is_cut |= kept.is_cut;
            list.texts.push(kept);
        }
        list
    }
}

impl Serialize for KeptList {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.texts.serialize(to)
    }
}

/// The part of a text that any field may have, and whether it is shortened.
pub(super) fn limited(text: &str) -> (&str, bool) {
    let kept = within(text);
    (kept, kept.len() < text.len())
}

/// Writes an object, and keeps each text and list within its limit.
pub(super) struct Limited<'o, 't> {
    pub(super) object: &'o mut Object<'t>,
    /// Becomes true when something is left out.
    pub(super) is_cut: &'o mut bool,
}

impl Limited<'_, '_> {
    pub(super) fn text(&mut self, name: &'static str, text: &str) {
        let (kept, is_cut) = limited(text);
        *self.is_cut |= is_cut;
        self.object.text(name, kept);
    }

    pub(super) fn text_if(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// A text that is short where it is honest.
    pub(super) fn short_text_if(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            let kept = within_bytes(text, SHORT_TEXT_BYTES_MAX);
            *self.is_cut |= kept.len() < text.len();
            self.object.text(name, kept);
        }
    }

    /// An object whose members `write` adds, if there is a value for it.
    pub(super) fn object_if<T>(
        &mut self,
        name: &'static str,
        of: Option<&T>,
        write: impl FnOnce(&T, &mut Object<'_>, &mut bool),
    ) {
        let is_cut = &mut *self.is_cut;
        self.object
            .object_if(name, of, |of, object| write(of, object, is_cut));
    }

    /// The first of these texts, as many as fit into this many bytes, quotes and commas included.
    pub(super) fn texts<'a>(
        &mut self,
        name: &'static str,
        texts: impl Iterator<Item = &'a str>,
        bytes_max: usize,
    ) {
        let mut left = bytes_max;
        let cut_some = &mut *self.is_cut;
        let kept = texts.map_while(|text| {
            let (kept, is_cut) = limited(text);
            let length = json::written_length(kept).saturating_add(QUOTES_AND_COMMA);
            let rest = left.checked_sub(length);
            *cut_some |= is_cut || rest.is_none();
            left = rest?;
            Some(kept)
        });
        self.object.texts(name, kept);
    }
}

/// What an element of a list takes beside its text.
const QUOTES_AND_COMMA: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_by_characters_and_by_what_they_take() {
        for (character, kept) in [
            ('x', 256),
            ('\u{7f}', 256),
            ('é', 256),
            ('"', 256),
            ('\n', 256),
            ('語', 170),
            ('\u{1f600}', 128),
            ('\u{1}', 85),
        ] {
            for length in [kept - 1, kept, kept + 1, 10_000] {
                let text: String = std::iter::repeat_n(character, length).collect();
                let expected = length.min(kept);
                assert_eq!(
                    cut(&text).chars().count(),
                    expected,
                    "{character:?} {length}"
                );
                let is_cut = length > kept;
                assert_eq!(Kept::of(&text).is_cut, is_cut, "{character:?} {length}");
                let written = serde_json::to_string(cut(&text)).unwrap();
                assert!(written.len() <= TEXT_BYTES_MAX + 2, "{}", written.len());
            }
        }
        assert_eq!(within(&"x".repeat(513)).len(), 512);
        assert_eq!(limited(&"x".repeat(512)), ("x".repeat(512).as_str(), false));
    }

    fn texts(of: &[&str], bytes_max: usize) -> (String, bool) {
        let (mut line, mut is_cut) = (Vec::new(), false);
        let mut object = Object::begin(&mut line);
        let mut limited = Limited {
            object: &mut object,
            is_cut: &mut is_cut,
        };
        limited.texts("a", of.iter().copied(), bytes_max);
        object.end();
        (String::from_utf8(line).unwrap(), is_cut)
    }

    #[test]
    fn a_list_keeps_what_fits_and_says_when_that_is_not_all() {
        let all = (r#"{"a":["x","\n"]}"#.to_owned(), false);
        assert_eq!(texts(&["x", "\n"], 9), all);
        assert_eq!(texts(&["x", "\n"], 8), (r#"{"a":["x"]}"#.to_owned(), true));
        assert_eq!(texts(&["xy", "z"], 4), (r#"{"a":[]}"#.to_owned(), true));
        assert_eq!(texts(&[], 0), (r#"{"a":[]}"#.to_owned(), false));
        let long = "x".repeat(600);
        let (line, is_cut) = texts(&[&long], 1000);
        assert_eq!((line.len(), is_cut), (512 + r#"{"a":[""]}"#.len(), true));
    }
}
