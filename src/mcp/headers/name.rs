//! Headers that repeat a text of the body, which may contain commas and may be encoded: `Mcp-Name`
//! and `Mcp-Param-…`.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::copies::{Copies, check_value, is_joined};
use crate::mcp::header::Header;
use crate::mcp::refusal::Refusal;

/// What such a header says, beside the texts of the body that it may repeat.
pub(super) struct TextHeader<'a> {
    /// The value as spelled, encoded or not.
    pub(super) copies: Copies<'a>,
    /// The value as it is meant.
    pub(super) text: Cow<'a, str>,
    /// Whether it is one of the texts.
    pub(super) is_own: bool,
}

impl<'a> TextHeader<'a> {
    /// Reads the header lines; none if there is no line. The texts of the body say whether a comma is
    /// part of a text or stands between its copies. If Envoy may have joined two lines
    /// (`repeats_kept_apart` is false), it is never part of a text.
    ///
    /// # Errors
    /// Two copies differ, or the value is malformed.
    pub(super) fn of(
        header: Header,
        lines: impl Iterator<Item = &'a str>,
        repeats_kept_apart: bool,
        texts: &[&str],
    ) -> Result<Option<Self>, Refusal> {
        let repeated = |_| Refusal::HeaderRepeated(header);
        let Some(mut copies) = Copies::of(header, lines).map_err(repeated)? else {
            return Ok(None);
        };
        if header == Header::Name && is_encoded(copies.value) {
            let joined = Copies::of_line(header, copies.value).map_err(repeated)?;
            copies.value = joined.value;
            copies.is_repeated |= joined.is_repeated;
        }
        check_value(header, copies.value)?;
        let text = decode(header, copies.value)?;
        let is_whole = |text: &str| repeats_kept_apart || !text.contains(',');
        if is_whole(copies.value) && texts.contains(&&*text) {
            let is_own = true;
            return Ok(Some(TextHeader {
                copies,
                text,
                is_own,
            }));
        }
        let mut whole = texts.iter().filter(|own| is_whole(own));
        let own = whole.find(|own| header == Header::Name && is_joined(copies.value, own));
        if let Some(value) = own.and_then(|own| copies.value.get(..own.len())) {
            let is_repeated = true;
            return Ok(Some(TextHeader {
                copies: Copies { value, is_repeated },
                text: Cow::Borrowed(value),
                is_own: true,
            }));
        }
        if copies.value.contains(',') {
            return Err(Refusal::HeaderRepeated(header));
        }
        Ok(Some(TextHeader {
            copies,
            text,
            is_own: false,
        }))
    }
}

/// Decodes the base64 form: `=?base64?…?=`, standard alphabet, padded, of UTF-8. The markers are
/// exact and in lower case; near misses are refused.
fn decode(header: Header, value: &str) -> Result<Cow<'_, str>, Refusal> {
    let malformed = Refusal::HeaderMalformed(header);
    // A copy of an argument without the end marker is literal (SEP-2243, Value Encoding).
    let is_literal = header != Header::Name && !value.ends_with(BASE64_END);
    if is_literal || !is_encoded(value) {
        return Ok(Cow::Borrowed(value));
    }
    let encoded = value
        .strip_prefix(BASE64_BEGIN)
        .and_then(|rest| rest.strip_suffix(BASE64_END))
        .ok_or_else(|| malformed.clone())?;
    let bytes = STANDARD.decode(encoded).map_err(|_| malformed.clone())?;
    String::from_utf8(bytes)
        .map(Cow::Owned)
        .map_err(|_| malformed)
}

/// Whether a value begins as the base64 form does, in any case.
fn is_encoded(value: &str) -> bool {
    value
        .get(..BASE64_BEGIN.len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case(BASE64_BEGIN))
}

const BASE64_BEGIN: &str = "=?base64?";
const BASE64_END: &str = "?=";
