//! Reduces texts to a form that is equal for all texts which some server may treat as the same.

use std::borrow::Cow;

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use unicase::UniCase;

use super::json_text;
use super::value::Value;

/// Folds a text at least as far as any server does: trims it, removes JSON quotes, and applies NFKC
/// and full case folding. Texts with different folds are different to every server.
pub(super) fn fold(text: &str) -> Cow<'_, str> {
    let text = trim(text);
    match unquote(text) {
        Some(inner) => Cow::Owned(fold_plain(trim(&inner)).into_owned()),
        None => fold_plain(text),
    }
}

fn fold_plain(text: &str) -> Cow<'_, str> {
    if !text.is_ascii() {
        let folded = nfkc(&fold_case(&nfkc(text))).into_owned();
        Cow::Owned(trim(&folded).to_owned())
    } else if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// Folds a part of a text, whose ends are not those of the text. Composed characters are
/// decomposed, so that the fold of a prefix is a prefix of the fold.
pub(super) fn fold_decomposed(part: &str) -> String {
    if part.is_ascii() {
        return part.to_ascii_lowercase();
    }
    let nfkd = DecomposingNormalizerBorrowed::new_nfkd();
    nfkd.normalize(&fold_case(&nfkd.normalize(part)))
        .into_owned()
}

/// Whether some server reads two texts as equal.
#[must_use]
pub fn is_near(one: &str, other: &str) -> bool {
    let quoted = |text: &str| trim(text).starts_with('"');
    if one.is_ascii() && other.is_ascii() && !quoted(one) && !quoted(other) {
        return trim(one).eq_ignore_ascii_case(trim(other));
    }
    fold(one) == fold(other)
}

/// A text as a person sees it: folded, and without invisible characters.
pub(super) fn visible(text: &str) -> String {
    let seen: String = fold(text)
        .chars()
        .filter(|character| !is_invisible(*character))
        .collect();
    // Removing invisible characters may have brought composing characters together.
    fold(&seen).into_owned()
}

/// The form of a part of a text within the fold of the text.
pub(super) fn folded_part(part: &str) -> String {
    unwrapped(&fold(&format!("x{part}x")))
}

/// The form of a part of a text within its visible form.
pub(super) fn visible_part(part: &str) -> String {
    unwrapped(&visible(&format!("x{part}x")))
}

fn unwrapped(text: &str) -> String {
    let inner = text
        .strip_prefix('x')
        .and_then(|text| text.strip_suffix('x'));
    inner.unwrap_or(text).to_owned()
}

/// Whether a server that decodes into named members may treat two keys as one, ignoring case, `_`,
/// `-` and blanks.
pub(super) fn is_same_key(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        let squeezed = |key: &str| -> Vec<u8> { squeezed_bytes(key).collect() };
        let alike = squeezed_bytes(one).eq(squeezed_bytes(other));
        // A key of only separators equals only itself.
        return alike && (!squeezed(one).is_empty() || one == other);
    }
    squeeze(one) == squeeze(other)
}

fn squeezed_bytes(key: &str) -> impl Iterator<Item = u8> {
    let kept = key.bytes().filter(|byte| !b"_- \t".contains(byte));
    kept.map(|byte| byte.to_ascii_lowercase())
}

fn squeeze(key: &str) -> String {
    let folded = UniCase::unicode(key).to_folded_case();
    let kept = |character: &char| !matches!(character, '_' | '-') && !character.is_whitespace();
    folded.chars().filter(kept).collect()
}

/// Full case folding, through upper case: `ı` becomes `I` in upper case.
fn fold_case(text: &str) -> String {
    UniCase::unicode(text).to_folded_case().replace('ı', "i")
}

fn nfkc(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfkc().normalize(text)
}

/// Trims white space, controls and byte order marks at the ends.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(is_blank)
}

fn is_blank(character: char) -> bool {
    // Python also strips the information separators, others strip all controls.
    character.is_whitespace() || character.is_control() || character == '\u{feff}'
}

/// Unquotes a JSON string.
fn unquote(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    Some(match json_text::parse(text) {
        Some(Value::String(text)) => text.into_owned(),
        Some(_) | None => inner.to_owned(),
    })
}

/// Format characters, variation selectors and controls, which a person does not see.
pub(super) fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a text stands for having no name, or spells no.
pub(crate) fn is_nothing(text: &str) -> bool {
    const NOTHING: [&str; 10] = [
        "", "0", "false", "n", "no", "none", "null", "off", "[]", "{}",
    ];
    NOTHING.contains(&&*fold(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_some_server_reads_as_equal_are_near() {
        for (one, other, near) in [
            ("root", "root", true),
            (" root\n", "root", true),
            ("Root", "ROOT", true),
            ("\u{feff}root\0", "root", true),
            ("\u{1c}root\u{1f}", "root", true),
            ("\"root\"", "root", true),
            ("\"r\\u006fot\"", "root", true),
            ("\"root", "root", false),
            ("ｒｏｏｔ", "root", true),
            ("\u{212a}ey", "key", true),
            ("ſkip", "skip", true),
            ("Straße", "STRASSE", true),
            ("e\u{301}", "é", true),
            ("\u{a0}root", "root", true),
            ("r oot", "root", false),
            ("rооt", "root", false),
            ("ro\u{200b}ot", "root", false),
            ("Größe", "Grösse", true),
            ("日本", "日本語", false),
            ("ΣΑΣ", "σας", true),
            ("", " ", true),
            ("acme", "acme-eu", false),
            ("ﬁle", "FILE", true),
            ("admın", "ADMIN", true),
        ] {
            assert_eq!(is_near(one, other), near, "{one:?} {other:?}");
            assert_eq!(fold(one) == fold(other), near, "{one:?} {other:?}");
        }
    }

    #[test]
    fn invisible_characters_are_dropped() {
        for (text, seen) in [
            ("s\u{ad}ecret", "secret"),
            ("\u{200b}Secret ", "secret"),
            ("ｓｅｃｒｅｔ", "secret"),
            ("se\u{2060}cret\u{fe0f}", "secret"),
            ("e\u{200d}\u{301}", "é"),
            ("two words", "two words"),
        ] {
            assert_eq!(visible(text), seen, "{text:?}");
        }
    }

    #[test]
    fn keys_that_decoders_treat_as_one_are_the_same() {
        for (one, other, same) in [
            ("force", "Force", true),
            ("dry_run", "dryRun", true),
            ("dry-run", "DRYRUN", true),
            ("dry run", "dryRun", true),
            ("ſkip", "skip", true),
            ("\u{212a}ey", "key", true),
            ("force", "forced", false),
            ("dry.run", "dryrun", false),
            ("_", "-", false),
            ("_", "_", true),
            ("größe", "GRÖSSE", true),
            ("", "", true),
            ("a", "", false),
        ] {
            assert_eq!(is_same_key(one, other), same, "{one:?} {other:?}");
        }
    }
}
