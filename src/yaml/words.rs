//! Wording of messages: lists of words, and suggestions for unknown ones.

/// The nearest known word, or all of them if none is near.
#[must_use]
pub fn suggestion(word: &str, known: &[&str]) -> String {
    match near(word, known) {
        Some(help) => help,
        None if known.is_empty() => String::new(),
        None => format!("known here: {}", quoted(known)),
    }
}

/// The nearest known word, if one is near.
pub(super) fn near(word: &str, known: &[&str]) -> Option<String> {
    let near = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(3))
        .min();
    near.map(|(_, candidate)| format!("did you mean `{candidate}`?"))
}

/// Words in backquotes, with commas between.
#[must_use]
pub fn quoted<W: AsRef<str>>(words: &[W]) -> String {
    let words: Vec<String> = words
        .iter()
        .map(|word| format!("`{}`", word.as_ref()))
        .collect();
    words.join(", ")
}
