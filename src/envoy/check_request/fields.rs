//! Fields of Envoy's messages that may occur once.

use crate::check::InvalidCheck;
use crate::envoy::protobuf::{Field, MessageFields, Undecodable};

impl From<Undecodable> for InvalidCheck {
    fn from(_: Undecodable) -> Self {
        InvalidCheck::Undecodable
    }
}

/// Takes a field that may be there once.
pub(super) fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), InvalidCheck> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(InvalidCheck::RepeatedField),
    }
}

/// The one field of a message that is asked for, if it is there.
pub(super) fn only(message: &[u8], number: u64) -> Result<Option<Field<'_>>, InvalidCheck> {
    let mut found = None;
    for field in MessageFields::of(message) {
        let (own, field) = field?;
        if own == number {
            once(&mut found, field)?;
        }
    }
    Ok(found)
}

/// Refuses a map that has a key twice. Its entries are sorted, so that many of them take no longer
/// to compare than to read.
pub(super) fn require_distinct(entries: &mut [(&str, &str)]) -> Result<(), InvalidCheck> {
    entries.sort_unstable();
    let is_twice = |pair: &[(&str, &str)]| matches!(pair, [(one, _), (other, _)] if one == other);
    if entries.windows(2).any(is_twice) {
        return Err(InvalidCheck::RepeatedField);
    }
    Ok(())
}

/// An entry of a map from texts to texts.
pub(super) fn map_entry(entry: Field<'_>) -> Result<(&str, &str), InvalidCheck> {
    let (mut key, mut value) = (None, None);
    for field in MessageFields::of(entry.bytes()?) {
        match field? {
            (1, text) => once(&mut key, text.text()?)?,
            (2, text) => once(&mut value, text.text()?)?,
            _ => {}
        }
    }
    Ok((key.unwrap_or_default(), value.unwrap_or_default()))
}
