//! Parses `Content-Type`.

use std::borrow::Cow;

use super::refusal::Refusal;

pub(super) fn check_content_type(value: &str) -> Result<(), Refusal> {
    if !media_type(value)?.eq_ignore_ascii_case("application/json") {
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
        if !name.eq_ignore_ascii_case("charset") || has_charset {
            return Err(Refusal::ContentType);
        }
        has_charset = true;
        let (charset, after) = parameter_value(after)?;
        if !charset.eq_ignore_ascii_case("utf-8") {
            return Err(Refusal::Charset);
        }
        rest = after.trim_start_matches(OWS);
        if !rest.is_empty() && !rest.starts_with(';') {
            return Err(Refusal::ContentType);
        }
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

/// Optional whitespace (RFC 9110 §5.6.3).
pub(super) const OWS: [char; 2] = [' ', '\t'];
