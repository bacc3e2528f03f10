//! Finds the id and the method at the beginning of a body whose sender is refused anyway.

use std::borrow::Cow;

use super::id::Id;
use super::key_rules::fold;
use crate::authz::Value;
use crate::json::{Cursor, Syntax};

/// The members found at the beginning of a body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Glance<'a> {
    /// The id to reply with. Absent if it is not within the part read, is invalid or duplicated, if
    /// the body is a batch or a response, or if the part read is not JSON.
    pub id: Option<Id<'a>>,
    /// The method for the audit record. Absent if it is not within the part read, is duplicated, is
    /// not a string or is too long. Never present for a batch.
    pub method: Option<Cow<'a, str>>,
}

/// Reads the members of the single message in the first 4 KiB of a body. It reports no faults and
/// keeps no other values, so that it costs the same small amount whatever the body is.
///
/// A method longer than `name_bytes_max` bytes is left out.
#[must_use]
pub fn glance(body: &[u8], name_bytes_max: usize) -> Glance<'_> {
    let (seen, is_whole) = match body.get(..BYTES_SEEN) {
        Some(seen) => (seen, seen.len() == body.len()),
        None => (body, true),
    };
    let (text, is_text) = match std::str::from_utf8(seen) {
        Ok(text) => (text, true),
        Err(error) => {
            // The last character may be cut off here.
            let is_cut = error.error_len().is_none() && !is_whole;
            let chunk = seen.utf8_chunks().next();
            (chunk.map_or("", |chunk| chunk.valid()), is_cut)
        }
    };
    let mut cursor = Cursor::new(text, usize::MAX);
    let mut found = GlimpsedMembers::default();
    let read = found.read(&mut cursor);
    let may_be_json = is_text
        && match read {
            Ok(()) => cursor.is_at_end(),
            Err(Syntax::Incomplete) => !is_whole,
            Err(Syntax::Invalid | Syntax::TooMany) => false,
        };
    let is_response = found.has_outcome && !found.method.is_there();
    let id = found.id.once().filter(|_| may_be_json && !is_response);
    let method = found.method.once();
    Glance {
        id: id.and_then(Id::new),
        method: method.filter(|method| method.len() <= name_bytes_max),
    }
}

/// A member as far as it was found.
#[derive(Debug, Default)]
enum Glimpse<T> {
    #[default]
    Nothing,
    Once(T),
    /// Given twice, or under a key that some reader could take for it.
    Unsure,
}

impl<T> Glimpse<T> {
    fn is_there(&self) -> bool {
        !matches!(self, Glimpse::Nothing)
    }

    fn once(self) -> Option<T> {
        match self {
            Glimpse::Once(value) => Some(value),
            Glimpse::Nothing | Glimpse::Unsure => None,
        }
    }
}

#[derive(Debug, Default)]
struct GlimpsedMembers<'a> {
    id: Glimpse<&'a str>,
    method: Glimpse<Cow<'a, str>>,
    /// Whether the object has a `result` or an `error`.
    has_outcome: bool,
}

impl<'a> GlimpsedMembers<'a> {
    /// Reads the members of an object as far as they go. It records the id only once something
    /// follows it, because the rest of a number may be cut off.
    fn read(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Syntax> {
        if !cursor.opens(b'{')? {
            return Err(Syntax::Invalid);
        }
        let mut goes_on = !cursor.takes(b'}')?;
        while goes_on {
            let key = cursor.key()?;
            self.has_outcome |= matches!(&*key, "result" | "error");
            let is_string = cursor.peek()? == b'"';
            if key == "method" && is_string {
                self.method = match (&self.method, cursor.scalar(true)?) {
                    (Glimpse::Nothing, Value::String(method)) => Glimpse::Once(method),
                    _ => Glimpse::Unsure,
                };
                goes_on = cursor.goes_on(b'}')?;
                continue;
            }
            let value = cursor.skip()?;
            goes_on = cursor.goes_on(b'}')?;
            match fold(&key).trim_end_matches('\0') {
                "id" if key == "id" && !self.id.is_there() => self.id = Glimpse::Once(value),
                "id" => self.id = Glimpse::Unsure,
                "method" => self.method = Glimpse::Unsure,
                _ => {}
            }
        }
        Ok(())
    }
}

/// How much of a body is read. Ordinary requests are shorter, and reading this much costs a few
/// microseconds.
const BYTES_SEEN: usize = 4 << 10;

#[cfg(test)]
mod tests;
