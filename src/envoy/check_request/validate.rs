//! What a method, a path, a host and a value of a header may be.

use crate::byte_class::{self, ByteClass};
use crate::check::InvalidCheck;

pub(super) fn require_method(method: &str) -> Result<(), InvalidCheck> {
    if method.is_empty() {
        return Err(InvalidCheck::NoMethod);
    }
    if is_token(method) {
        Ok(())
    } else {
        Err(InvalidCheck::InvalidMethod)
    }
}

pub(super) fn require_path(path: &str) -> Result<(), InvalidCheck> {
    if path.is_empty() {
        return Err(InvalidCheck::NoPath);
    }
    let clean = !path.chars().any(|c| c.is_control() || c == ' ');
    let absolute = path.starts_with('/') || path == "*";
    if clean && absolute {
        Ok(())
    } else {
        Err(InvalidCheck::InvalidPath)
    }
}

/// Holds the host to `uri-host [":" port]` (RFC 9110 §7.2), as far as characters go.
pub(super) fn require_host(host: &str) -> Result<(), InvalidCheck> {
    if host.is_empty() {
        return Err(InvalidCheck::NoHost);
    }
    let clean = host
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-._~%:[]!$&'()*+;=".contains(&b));
    if clean {
        Ok(())
    } else {
        Err(InvalidCheck::InvalidHost)
    }
}

/// Whether a value has control characters other than the tab, those beyond ASCII included.
pub(super) fn has_controls(value: &str) -> bool {
    let is_plain = |byte| matches!(byte, b' '..=b'~' | b'\t');
    !byte_class::all(value.as_bytes(), b' ', is_plain)
        && value.chars().any(|c| c.is_control() && c != '\t')
}

/// Whether a text is a token (RFC 9110 §5.6.2).
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && ByteClass::TOKEN.matches(text)
}
