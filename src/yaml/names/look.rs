//! What names look like at a glance, to find those that are easily confused.

use icu_normalizer::ComposingNormalizerBorrowed;

/// What a name looks like at a glance: without case, `-`, `_` and blanks, and with the Latin letter
/// for those of other scripts that look like it. Names with the same look are easily confused.
#[must_use]
pub fn look(name: &str) -> String {
    let normal = ComposingNormalizerBorrowed::new_nfkc().normalize(name);
    let letters = normal
        .chars()
        .filter(|character| !matches!(character, '-' | '_') && !character.is_whitespace());
    letters
        .map(|character| latin(character).unwrap_or(character))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Whether each letter of a name is of another script and looks like a Latin one.
#[must_use]
pub fn passes_for_latin(name: &str) -> bool {
    let mut letters = name
        .chars()
        .filter(|character| character.is_alphabetic())
        .peekable();
    letters.peek().is_some() && letters.all(|character| latin(character).is_some())
}

/// The Latin letter that a Cyrillic or Greek one looks like (Unicode UTS #39, confusables).
pub(super) fn latin(character: char) -> Option<char> {
    Some(match character {
        'А' | 'а' | 'Α' | 'α' => 'a',
        'В' | 'Β' => 'b',
        'С' | 'с' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'Е' | 'е' | 'Ε' => 'e',
        'һ' | 'Н' | 'Η' => 'h',
        'І' | 'і' | 'Ι' | 'ι' => 'i',
        'Ј' | 'ј' | 'ϳ' => 'j',
        'К' | 'Κ' | 'κ' => 'k',
        'Ӏ' | 'ӏ' => 'l',
        'М' | 'Μ' => 'm',
        'Ν' => 'n',
        'О' | 'о' | 'Ο' | 'ο' => 'o',
        'Р' | 'р' | 'Ρ' | 'ρ' => 'p',
        'ԛ' => 'q',
        'Ѕ' | 'ѕ' => 's',
        'Т' | 'Τ' => 't',
        'υ' => 'u',
        'ѵ' | 'ν' => 'v',
        'ԝ' => 'w',
        'Х' | 'х' | 'Χ' | 'χ' => 'x',
        'У' | 'у' | 'Υ' => 'y',
        'Ζ' => 'z',
        _ => return None,
    })
}
