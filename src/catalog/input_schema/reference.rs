//! References within a schema.

use serde_json::Value as Json;

/// What a reference within the schema leads to.
pub(super) fn target<'s>(root: &'s Json, reference: &str) -> Option<&'s Json> {
    let pointer = decode(reference.strip_prefix('#')?)?;
    root.pointer(&pointer)
}

/// Undoes the percent-encoding of a fragment.
fn decode(fragment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.bytes();
    while let Some(byte) = rest.next() {
        let byte = if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let code = (digit(rest.next()?)?, digit(rest.next()?)?);
            u8::try_from(code.0.checked_mul(16)?.checked_add(code.1)?).ok()?
        } else {
            byte
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}
