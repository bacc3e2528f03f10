//! Digests of values: equal for equal values, however they were spelled.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Serialize, Serializer};

use super::text::{scalar, string};
use crate::authz::Value;

/// `sha256:` and the digest of a value as JSON without white space, members sorted by name at
/// every depth.
#[must_use]
pub fn digest(value: &Value<'_>) -> String {
    Digest::of(value).to_string()
}

/// The [`digest`] of an object with these members, whose names are unique.
#[must_use]
pub fn digest_members<'v>(members: impl IntoIterator<Item = (&'v str, &'v Value<'v>)>) -> String {
    let mut hash = Hash::new();
    canonical_members(&mut members.into_iter().collect::<Vec<_>>(), &mut hash);
    hash.finish().to_string()
}

/// The [`digest`] of a value in binary form; whoever reads the record formats it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a value.
    #[must_use]
    pub fn of(value: &Value<'_>) -> Self {
        let mut hash = Hash::new();
        canonical(value, &mut hash);
        hash.finish()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 64];
        formatter.write_str("sha256:")?;
        formatter.write_str(hex(&self.0, &mut text))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Bytes as hexadecimal digits, up to the size of `text`.
#[must_use]
pub fn hex<'t>(bytes: &[u8], text: &'t mut [u8]) -> &'t str {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or(b'0');
    let mut length = 0;
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
        length += 2;
    }
    let written = text.get(..length).unwrap_or_default();
    str::from_utf8(written).unwrap_or_default()
}

/// A digest under construction. Canonical text arrives in pieces of few bytes, and each call of the
/// hash costs more than such a piece, so they are buffered first.
struct Hash {
    /// The hash of what exceeded the buffer.
    digest: Option<Context>,
    gathered: [u8; GATHERED_BYTES_MAX],
    /// How many bytes are buffered.
    length: usize,
}

/// The size of the buffer.
const GATHERED_BYTES_MAX: usize = 512;

impl Hash {
    fn new() -> Self {
        Hash {
            digest: None,
            gathered: [0; GATHERED_BYTES_MAX],
            length: 0,
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        let end = self.length.saturating_add(bytes.len());
        if let Some(room) = self.gathered.get_mut(self.length..end) {
            room.copy_from_slice(bytes);
            self.length = end;
            return;
        }
        self.hash(bytes);
    }

    /// Hashes the buffer, and these bytes.
    fn hash(&mut self, bytes: &[u8]) {
        let digest = self.digest.get_or_insert_with(|| Context::new(&SHA256));
        digest.update(self.gathered.get(..self.length).unwrap_or_default());
        digest.update(bytes);
        self.length = 0;
    }

    fn finish(self) -> Digest {
        let last = self.gathered.get(..self.length).unwrap_or_default();
        let finished = match self.digest {
            Some(mut digest) => {
                digest.update(last);
                digest.finish()
            }
            None => aws_lc_rs::digest::digest(&SHA256, last),
        };
        let mut digest = [0; 32];
        for (to, from) in digest.iter_mut().zip(finished.as_ref()) {
            *to = *from;
        }
        Digest(digest)
    }
}

fn canonical(value: &Value<'_>, hash: &mut Hash) {
    match value {
        Value::Null => hash.update(b"null"),
        Value::Bool(true) => hash.update(b"true"),
        Value::Bool(false) => hash.update(b"false"),
        Value::Int(number) => scalar(number, |piece| hash.update(piece)),
        Value::Uint(number) => scalar(number, |piece| hash.update(piece)),
        Value::Float(number) => scalar(number, |piece| hash.update(piece)),
        Value::String(text) => string(text, |piece| hash.update(piece)),
        // Nothing else is written with half of a surrogate pair.
        Value::Unsound(spelling) => {
            hash.update(b"\"");
            hash.update(spelling.as_bytes());
            hash.update(b"\"");
        }
        Value::List(items) => {
            hash.update(b"[");
            for (index, item) in items.iter().enumerate() {
                separate(index, hash);
                canonical(item, hash);
            }
            hash.update(b"]");
        }
        Value::Map(members) => {
            // A few members, as most objects have, are sorted without an allocation.
            let mut few = [("", &Value::Null); FEW_MEMBERS];
            let members = members.iter().map(|(name, member)| (&**name, member));
            match few.get_mut(..members.len()) {
                Some(few) => {
                    for (to, from) in few.iter_mut().zip(members) {
                        *to = from;
                    }
                    canonical_members(few, hash);
                }
                None => canonical_members(&mut members.collect::<Vec<_>>(), hash),
            }
        }
    }
}

const FEW_MEMBERS: usize = 16;

fn canonical_members<'v>(members: &mut [(&'v str, &'v Value<'v>)], hash: &mut Hash) {
    members.sort_unstable_by_key(|(name, _)| *name);
    hash.update(b"{");
    for (index, (name, member)) in members.iter().enumerate() {
        separate(index, hash);
        string(name, |piece| hash.update(piece));
        hash.update(b":");
        canonical(member, hash);
    }
    hash.update(b"}");
}

fn separate(index: usize, hash: &mut Hash) {
    if index > 0 {
        hash.update(b",");
    }
}
