//! Parses `Content-Type`.

use std::borrow::Cow;

use super::refusal::Refusal;

/// Checks the content type of a request: JSON in UTF-8.
///
/// Parameters that no server reads say nothing about the body, so they pass. But a program that
/// searches the value for a charset must not find another one than a program that parses it, so a
/// parameter in whose name or value the word stands is refused.
pub(super) fn check_content_type(value: &str) -> Result<(), Refusal> {
    let is_json = |parameter: Parameter<'_>| {
        let has_word = |text: &str| text.to_ascii_lowercase().contains(CHARSET);
        if has_word(parameter.name) || has_word(&parameter.value) {
            return Err(Refusal::ContentType);
        }
        Ok(())
    };
    if !parse(value, is_json)?.eq_ignore_ascii_case("application/json") {
        return Err(Refusal::ContentType);
    }
    Ok(())
}

/// Returns the media type of a `Content-Type`, as spelled (RFC 9110 §8.3.1; empty parameters are
/// allowed, §5.6.6).
///
/// # Errors
/// The value has a parameter other than one `charset` of utf-8. Some programs search the whole
/// value for types, and decode by any charset.
pub fn media_type(value: &str) -> Result<&str, Refusal> {
    parse(value, |_| Err(Refusal::ContentType))
}

/// A parameter other than the charset.
struct Parameter<'a> {
    name: &'a str,
    value: Cow<'a, str>,
}

/// Reads the media type, whose charset is utf-8 if there is one. `other` judges all other
/// parameters.
fn parse(
    value: &str,
    other: impl Fn(Parameter<'_>) -> Result<(), Refusal>,
) -> Result<&str, Refusal> {
    let (media_type, mut rest) = value.split_once(';').unwrap_or((value, ""));
    let mut has_charset = false;
    loop {
        rest = rest.trim_start_matches(OWS);
        if let Some(next) = rest.strip_prefix(';') {
            rest = next;
            continue;
        }
        if rest.is_empty() {
            return Ok(media_type.trim_matches(OWS));
        }
        let (name, after) = rest.split_once('=').ok_or(Refusal::ContentType)?;
        if name.is_empty() || !name.bytes().all(is_of_token) {
            return Err(Refusal::ContentType);
        }
        let (value, after) = parameter_value(after)?;
        if !name.eq_ignore_ascii_case(CHARSET) {
            other(Parameter { name, value })?;
        } else if has_charset {
            return Err(Refusal::ContentType);
        } else if !UTF_8.iter().any(|own| value.eq_ignore_ascii_case(own)) {
            return Err(Refusal::Charset);
        } else {
            has_charset = true;
        }
        rest = after.trim_start_matches(OWS);
        if !rest.is_empty() && !rest.starts_with(';') {
            return Err(Refusal::ContentType);
        }
    }
}

/// The first of several content types that are joined by commas, and what is behind its comma.
pub(super) fn first_type(value: &str) -> (&str, Option<&str>) {
    let mut is_quoted = false;
    let mut is_escaped = false;
    let comma = value.bytes().position(|byte| {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_quoted,
            b'"' => is_quoted = !is_quoted,
            b',' => return !is_quoted,
            _ => {}
        }
        false
    });
    match comma.and_then(|comma| value.split_at_checked(comma)) {
        Some((first, rest)) => (first, rest.strip_prefix(',')),
        None => (value, None),
    }
}

/// A token or a quoted string, and the text after it.
fn parameter_value(text: &str) -> Result<(Cow<'_, str>, &str), Refusal> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ' ', '\t', '"']).unwrap_or(text.len());
        let (token, rest) = text.split_at_checked(end).ok_or(Refusal::ContentType)?;
        return Ok((Cow::Borrowed(token), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next() {
            Some('"') => return Ok((Cow::Owned(value), chars.as_str())),
            Some('\\') => value.push(chars.next().ok_or(Refusal::ContentType)?),
            Some(char) => value.push(char),
            None => return Err(Refusal::ContentType),
        }
    }
}

/// Whether a byte is one of a token (RFC 9110 §5.6.2).
fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Optional whitespace (RFC 9110 §5.6.3).
pub(super) const OWS: [char; 2] = [' ', '\t'];

const CHARSET: &str = "charset";

/// The name of the charset, and the label that everybody takes for it (WHATWG Encoding, Names and
/// labels).
const UTF_8: [&str; 2] = ["utf-8", "utf8"];
