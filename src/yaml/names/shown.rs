//! Writes names so that a reader sees each character.

/// What is sure to be as it appears: most names, at once.
pub(super) fn is_plain(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
        && !name.starts_with(' ')
        && !name.ends_with(' ')
}

/// Whether a reader sees a character as it is.
pub(super) fn is_visible(character: char) -> bool {
    matches!(character, ' '..='~')
}

/// A name with everything beyond ASCII as its number.
pub(super) fn escaped(name: &str) -> String {
    let mut text = String::new();
    for character in name.chars() {
        if is_visible(character) {
            text.push(character);
        } else {
            text.extend(character.escape_unicode());
        }
    }
    text
}

/// A name as YAML has it in quotation marks, with everything that is not seen in escapes.
pub(super) fn quoted(name: &str) -> String {
    let mut text = String::from("\"");
    for character in name.chars() {
        let number = u32::from(character);
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            _ if is_visible(character) => text.push(character),
            _ if number > 0xffff => text.extend(format!("\\U{number:08x}").chars()),
            _ => text.extend(format!("\\u{number:04x}").chars()),
        }
    }
    text.push('"');
    text
}
