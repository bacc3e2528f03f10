//! Replaces what nobody sees in a name.

use icu_properties::props::{
    BidiControl, DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup,
};
use icu_properties::{CodePointMapData, CodePointSetData};

/// A text without characters that a terminal acts upon, that turn the direction of text, or that
/// nobody sees: two names that look alike could be one. Each becomes U+FFFD.
#[must_use]
pub fn shown(name: &str) -> String {
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let turning = CodePointSetData::new::<BidiControl>();
    let categories = CodePointMapData::<GeneralCategory>::new();
    let is_hidden = |character: char| {
        let category = GeneralCategoryGroup::Control
            .union(GeneralCategoryGroup::Format)
            .union(GeneralCategoryGroup::LineSeparator)
            .union(GeneralCategoryGroup::ParagraphSeparator);
        ignorable.contains(character)
            || turning.contains(character)
            || category.contains(categories.get(character))
    };
    let replaced = |character: char| {
        if is_hidden(character) {
            char::REPLACEMENT_CHARACTER
        } else {
            character
        }
    };
    name.chars().map(replaced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_nothing_that_hides_or_turns_text() {
        let hidden = [
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{180e}',
            '\u{200b}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2067}',
            '\u{2068}',
            '\u{2069}',
            '\u{206a}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{e0041}',
            '\u{e0100}',
        ];
        for character in hidden {
            assert_eq!(
                shown(&format!("a{character}b")),
                "a\u{fffd}b",
                "{character:?}"
            );
        }
        for honest in [
            "get_notes",
            "e\u{301}t\u{e9}",
            "\u{30c4}\u{30fc}\u{30eb}",
            "\u{645}",
            "\u{1f600}",
            "a b",
        ] {
            assert_eq!(shown(honest), honest);
        }
    }
}
