//! Finds dots in a regular expression that are meant as dots: those in host names and addresses.

/// The pattern with its dots escaped, as a literal in double quotes has it, if a dot stands between
/// the labels of a host name, or between the numbers of an address, as any character.
pub(super) fn with_escaped_dots(pattern: &str) -> Option<String> {
    let characters: Vec<char> = pattern.chars().collect();
    let (mut right, mut is_found) = (String::new(), false);
    let (mut is_escaped, mut in_class) = (false, false);
    // The last character, if it stands for itself.
    let mut before: Option<char> = None;
    for (at, &character) in characters.iter().enumerate() {
        let rest = characters.get(at.saturating_add(1)..).unwrap_or_default();
        let is_dot = character == '.' && !is_escaped && !in_class;
        if is_dot && before.is_some_and(|before| is_between_labels(before, rest)) {
            right.push_str("\\.");
            is_found = true;
        } else {
            right.push(character);
        }
        let is_literal = !is_escaped && !in_class && is_label(character);
        before = is_literal.then_some(character);
        if is_escaped {
            is_escaped = false;
        } else {
            match character {
                '\\' => is_escaped = true,
                '[' => in_class = true,
                ']' => in_class = false,
                _ => {}
            }
        }
    }
    is_found.then(|| right.replace('\\', "\\\\"))
}

/// Whether what follows a dot continues a host name, or the numbers of an address.
fn is_between_labels(before: char, rest: &[char]) -> bool {
    let run = rest.iter().take_while(|character| is_label(**character));
    let run: Vec<char> = run.copied().collect();
    let numbers = before.is_ascii_digit() && run.first().is_some_and(char::is_ascii_digit);
    let after = rest.get(run.len()).copied();
    // The last letter of `comp?` is optional.
    let length = if after.is_some_and(|after| "?*{".contains(after)) {
        run.len().saturating_sub(1)
    } else {
        run.len()
    };
    numbers || (length >= 2 && run.iter().all(|c| c.is_alphanumeric() || *c == '-'))
}

fn is_label(character: char) -> bool {
    character.is_alphanumeric() || character == '-'
}

#[cfg(test)]
mod tests {
    use super::with_escaped_dots;

    #[test]
    fn dots_between_labels_are_found() {
        for (pattern, right) in [
            ("^acme.com$", Some(r"^acme\\.com$")),
            (
                r"^https://api.acme\.com/",
                Some(r"^https://api\\.acme\\.com/"),
            ),
            ("^10.0.0.1$", Some(r"^10\\.0\\.0\\.1$")),
            (r"^acme\.com$", None),
            ("^[a-z.]+$", None),
            ("^get.*issue$", None),
            ("^a.b$", None),
            ("^x.?yz$", None),
            (r"^\d.example$", None),
            ("^acme[.]com$", None),
            (".+@acme", None),
        ] {
            assert_eq!(with_escaped_dots(pattern).as_deref(), right, "{pattern}");
        }
    }
}
