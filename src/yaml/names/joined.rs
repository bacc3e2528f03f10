//! Words that join a Latin part and a part of another script, which nobody takes for each other.

use icu_properties::CodePointMapData;
use icu_properties::props::Script;

use super::look::latin;

/// Scripts whose letters nobody takes for Latin ones.
const UNLIKE_LATIN: [Script; 14] = [
    Script::Arabic,
    Script::Bengali,
    Script::Devanagari,
    Script::Ethiopic,
    Script::Gujarati,
    Script::Hebrew,
    Script::Kannada,
    Script::Khmer,
    Script::Lao,
    Script::Malayalam,
    Script::Sinhala,
    Script::Tamil,
    Script::Telugu,
    Script::Thai,
];
/// Latin letters that look like Cyrillic ones.
const LIKE_CYRILLIC: &str = "ABCEHKMOPSTXYaceikopsuxy";
/// Latin letters that look like Greek ones.
const LIKE_GREEK: &str = "ABEHIKMNOPTXYZaiknopuvwxy";
/// Greek letters that stand alone as signs, and look like no Latin one.
const GREEK_SIGNS: &str = "ΓΔΘΛΞΠΣΦΨΩ";
/// Of these, the ones that only begin a word.
const GREEK_PREFIXES: &str = "δθλμξπφψ";

/// The script of a character.
pub(super) fn script(character: char) -> Script {
    CodePointMapData::<Script>::new().get(character)
}

/// Whether a word is two in one, each in a script of its own, and neither has only letters that look
/// like those of the other: `ITотдел`, and not `аdmins`.
pub(super) fn is_joined(word: &str) -> bool {
    let mut parts: Vec<(Script, String)> = Vec::new();
    for character in word.chars() {
        let script = script(character);
        let is_neutral = matches!(script, Script::Common | Script::Inherited);
        match parts.last_mut() {
            Some((own, part)) if is_neutral || *own == script => part.push(character),
            _ => parts.push((script, String::from(character))),
        }
    }
    let [(first, one), (second, other)] = parts.as_slice() else {
        return false;
    };
    let (latin_part, foreign_script, part) = match (*first, *second) {
        (Script::Latin, script) => (one, script, other),
        (script, Script::Latin) => (other, script, one),
        _ => return false,
    };
    let is_long = |part: &str| part.chars().nth(1).is_some();
    let like = match foreign_script {
        Script::Cyrillic => LIKE_CYRILLIC,
        Script::Greek => LIKE_GREEK,
        own if UNLIKE_LATIN.contains(&own) => "",
        _ => return false,
    };
    let mut signs = GREEK_SIGNS.chars();
    let mut prefixes = GREEK_PREFIXES.chars().filter(|_| *second == Script::Latin);
    let is_sign =
        signs.any(|sign| part.chars().eq([sign])) || prefixes.any(|sign| part.chars().eq([sign]));
    let mut plain = part.chars().filter(|letter| latin(*letter).is_none());
    let is_unlike = latin_part.chars().any(|letter| !like.contains(letter));
    // One letter of the other script could be a slip, or all that a reader overlooks.
    is_long(latin_part) && (is_sign || (is_unlike && plain.nth(1).is_some()))
}
