//! Names that a person cannot tell from another: with blanks at their ends, with characters that
//! nobody sees, or with letters of another alphabet.
//!
//! Such a name is compared exactly and silently matches nothing, or something else than its reader
//! thinks. Names in any language are fine, and so are names with words of several scripts; a word
//! has one script, those that are written together (Unicode UTS #39, "Highly Restrictive"), or a
//! Latin part and a part of another script that nobody takes for each other, such as `ITотдел`.
//!
//! A name that an issuer gives all the same is accepted where the file lists it in `names`, in
//! escapes that a reader sees.

mod joined;
mod look;
mod odd;
mod shown;

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{
    DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup, Script,
};
use icu_properties::{CodePointMapData, CodePointSetData, PropertyNamesLong};

use super::decode::string;
use super::finding::Findings;
use super::tree::Node;
use joined::{is_joined, script};
pub use look::{look, passes_for_latin};
pub use odd::odd_names;
use shown::{escaped, is_plain, quoted};

/// The scripts that one word may have together, beside Latin.
const WRITTEN_TOGETHER: [&[Script]; 3] = [
    &[Script::Han, Script::Hiragana, Script::Katakana],
    &[Script::Han, Script::Bopomofo],
    &[Script::Han, Script::Hangul],
];
/// Letters in the form of a letter that stand for something else, as in `1º`.
const ORDINALS: [char; 2] = ['ª', 'º'];

/// What is wrong with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameFault {
    /// The message of a finding.
    pub message: String,
    /// Its help.
    pub help: String,
}

/// A non-empty string that is a name as it appears to be.
pub fn name(node: &Node, findings: &mut Findings) -> Option<String> {
    let text = string(node, findings)?;
    refuse_doubtful(&text, node, findings).then_some(text)
}

/// Whether a text is a name as it appears to be; otherwise leaves a finding.
pub fn refuse_doubtful(text: &str, node: &Node, findings: &mut Findings) -> bool {
    let fault = name_fault(text).filter(|_| !findings.has_odd_name(node.source, text));
    let is_good = fault.is_none();
    if let Some(NameFault { message, help }) = fault {
        findings.error(node, message, help);
    }
    is_good
}

/// Why a name is not what it appears to be.
#[must_use]
pub fn name_fault(name: &str) -> Option<NameFault> {
    if is_plain(name) {
        return None;
    }
    let fault = |message: String, help: &str| NameFault {
        message,
        help: format!(
            "{help}; where the name really is so, list it at the top of the file: \
             `names: [{}]`",
            quoted(name)
        ),
    };
    if name.trim() != name {
        let help = format!("names are compared exactly: write `{}`", name.trim());
        let message = format!("`{}` has a blank at its beginning or end", escaped(name));
        return Some(fault(message, &help));
    }
    if let Some(hidden) = hidden(name) {
        let message = format!(
            "`{}` has the character {}, which nobody sees",
            escaped(name),
            code(hidden)
        );
        return Some(fault(message, "names are compared exactly: leave it out"));
    }
    if let Some((character, plain)) = disguised(name) {
        let message = format!("`{name}` has {} for `{plain}`", told(character));
        return Some(fault(
            message,
            "names are compared exactly: write the plain letter",
        ));
    }
    if let Some((character, script)) = foreign(name) {
        let message = format!(
            "`{name}` mixes scripts: {} is {}",
            told(character),
            name_of(script)
        );
        let help = format!(
            "it reads `{}`: write the whole word in one script",
            escaped(name)
        );
        return Some(fault(message, &help));
    }
    let composed = ComposingNormalizerBorrowed::new_nfc().normalize(name);
    (composed != name).then(|| {
        let message = format!("`{}` is not in composed form (Unicode NFC)", escaped(name));
        fault(message, &format!("write `{composed}`, composed"))
    })
}

/// `U+0430`.
fn code(character: char) -> String {
    format!("U+{:04X}", u32::from(character))
}

fn told(character: char) -> String {
    format!("`{character}` ({})", code(character))
}

fn name_of(script: Script) -> String {
    let name = PropertyNamesLong::<Script>::new().get(script);
    name.unwrap_or("of another script").replace('_', " ")
}

fn is_wide_script(script: Script) -> bool {
    WRITTEN_TOGETHER
        .iter()
        .any(|together| together.contains(&script))
}

/// Whether a name is written in the scripts of East Asia, where blanks and letters may be wide.
fn is_wide(name: &str) -> bool {
    name.chars()
        .any(|character| is_wide_script(script(character)))
}

/// A character that nobody sees, or a blank that is not the plain one.
fn hidden(name: &str) -> Option<char> {
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let categories = CodePointMapData::<GeneralCategory>::new();
    let hiding = GeneralCategoryGroup::Control
        .union(GeneralCategoryGroup::Format)
        .union(GeneralCategoryGroup::LineSeparator)
        .union(GeneralCategoryGroup::ParagraphSeparator);
    let mut before = None;
    name.chars().find(|character| {
        let before = before.replace(*character);
        let is_blank = character.is_whitespace() && *character != ' ';
        let is_hidden =
            ignorable.contains(*character) || hiding.contains(categories.get(*character));
        (is_blank && !(*character == '\u{3000}' && is_wide(name)))
            || (is_hidden && !before.is_some_and(|before| joins(before, *character)))
    })
}

/// Whether a joiner changes how what is before it is written: in scripts that join letters, and in
/// pictures.
fn joins(before: char, joiner: char) -> bool {
    let script = script(before);
    let is_picture = script == Script::Common && !before.is_ascii() && !before.is_alphanumeric();
    let apart = [
        Script::Common,
        Script::Inherited,
        Script::Latin,
        Script::Cyrillic,
        Script::Greek,
    ];
    match joiner {
        '\u{200c}' | '\u{200d}' if !apart.contains(&script) => !is_wide_script(script),
        '\u{200d}' => is_picture || before == '\u{fe0f}',
        '\u{fe0f}' => is_picture,
        _ => false,
    }
}

/// A letter that stands for a plain one, such as one of full width, with the plain one.
fn disguised(name: &str) -> Option<(char, String)> {
    let normal = ComposingNormalizerBorrowed::new_nfkc();
    let plain = |character: char| {
        let mut buffer = [0; 4];
        let text: &str = character.encode_utf8(&mut buffer);
        let plain = normal.normalize(text).into_owned();
        let stands = !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_alphanumeric());
        stands.then_some(plain)
    };
    let mut letters = name.chars().filter(|character| {
        !character.is_ascii() && character.is_alphabetic() && !ORDINALS.contains(character)
    });
    let found = letters.find_map(|character| Some((character, plain(character)?)));
    found.filter(|_| !is_wide(name))
}

/// A letter of another script than the rest of its word.
fn foreign(name: &str) -> Option<(char, Script)> {
    let mut words = name.split(|character: char| !character.is_alphabetic());
    words.find_map(foreign_in)
}

fn foreign_in(word: &str) -> Option<(char, Script)> {
    let mut scripts: Vec<(Script, usize, char)> = Vec::new();
    for character in word.chars() {
        let script = script(character);
        if matches!(script, Script::Common | Script::Inherited) {
            continue;
        }
        match scripts.iter_mut().find(|(other, ..)| *other == script) {
            Some((_, count, _)) => *count = count.saturating_add(1),
            None => scripts.push((script, 1, character)),
        }
    }
    let fit = |together: &[Script]| {
        let mut all = scripts.iter();
        all.all(|(script, ..)| *script == Script::Latin || together.contains(script))
    };
    if scripts.len() < 2 || WRITTEN_TOGETHER.iter().any(|together| fit(together)) || is_joined(word)
    {
        return None;
    }
    // The rarer one is the odd one out, and of two as rare the one that is not Latin.
    let odd = scripts
        .iter()
        .min_by_key(|(script, count, _)| (*count, *script == Script::Latin));
    odd.map(|(script, _, character)| (*character, *script))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_language_are_fine() {
        for name in [
            "interns",
            "team red",
            "Ärzte-Köln",
            "équipe",
            "админы",
            "QA-команда",
            "команда QA",
            "研究部",
            "AIチーム",
            "チームＡ",
            "開発　部",
            "데이터team",
            "Ομάδα",
            "می\u{200c}خواهم",
            "👩\u{200d}💻 devs",
            "❤\u{fe0f}",
            "1º equipo",
            "m²",
            "µs",
            "Łódź",
            "a.b:c/d",
            "cn=admins,ou=groups",
            "ITотдел",
            "VIPклиенты",
            "отделIT",
            "CRM-команда",
            "μServices",
            "ΔTeam",
            "projectΩ",
            "ITמחלקה",
            "ฝ่ายIT",
        ] {
            assert_eq!(name_fault(name), None, "{name}");
        }
    }

    #[test]
    fn names_that_are_not_what_they_seem_are_found() {
        for (name, part) in [
            ("interns ", "blank at its beginning or end"),
            (" interns", "write `interns`"),
            ("interns\u{a0}", "\\u{a0}"),
            ("\u{3000}研究部", "blank"),
            ("int\u{200b}erns", "U+200B"),
            ("int\u{ad}erns", "U+00AD"),
            ("interns\u{feff}", "U+FEFF"),
            ("red\u{a0}team", "U+00A0"),
            ("red\tteam", "U+0009"),
            ("int\u{200d}erns", "U+200D"),
            ("а\u{200d}б", "U+200D"),
            ("\u{202e}snretni", "U+202E"),
            ("inte\u{e0041}rns", "U+E0041"),
            ("аdmins", "Cyrillic"),
            ("admіns", "it reads `adm\\u{456}ns`"),
            ("админu", "`u` (U+0075) is Latin"),
            ("αdmins", "Greek"),
            ("ａdmins", "has `ａ` (U+FF41) for `a`"),
            ("𝐚dmins", "for `a`"),
            ("ﬁnance", "for `fi`"),
            ("e\u{301}quipe", "write `équipe`"),
            ("адmins", "Cyrillic"),
            ("COтрудники", "mixes scripts"),
            ("adminσ", "Greek"),
            ("adminμ", "Greek"),
            ("раypal", "Cyrillic"),
            (
                "ITотделHR",
                "`names: [\"IT\\u043e\\u0442\\u0434\\u0435\\u043bHR\"]`",
            ),
            ("adмиn", "Cyrillic"),
            ("αβteam", "Greek"),
            ("ITсо", "Cyrillic"),
        ] {
            let fault = name_fault(name).unwrap_or_else(|| panic!("{name:?}"));
            let text = format!("{} ({})", fault.message, fault.help);
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn names_that_look_alike_have_one_look() {
        for (one, other) in [
            ("interns", "Interns"),
            ("red-team", "red_team"),
            ("Red Team", "redteam"),
            ("оса", "oca"),
            ("ｒed", "red"),
        ] {
            assert_eq!(look(one), look(other));
        }
        assert_ne!(look("team1"), look("team2"));
        assert!(passes_for_latin("рора"));
        assert!(!passes_for_latin("админы") && !passes_for_latin("popa"));
    }
}
