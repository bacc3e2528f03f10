//! Digests that stand for names in a store.

use aws_lc_rs::digest::{SHA256, digest};

/// The first half of a SHA-256: long enough to avoid collisions, and of one size however long a
/// client's name is.
pub(crate) type ShortDigest = [u8; 16];

pub(super) fn short_digest(bytes: &[u8]) -> ShortDigest {
    let digest = digest(&SHA256, bytes);
    let mut short = ShortDigest::default();
    for (to, from) in short.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    short
}

/// Hashes each part after its length, so that no two lists of parts give the same bytes.
pub(super) fn digest_of<const N: usize>(parts: [&[u8]; N]) -> ShortDigest {
    let mut few = [0; 512];
    if let Some(bytes) = joined(parts, &mut few) {
        return short_digest(bytes);
    }
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend(part.len().to_be_bytes());
        bytes.extend(part);
    }
    short_digest(&bytes)
}

/// The same bytes in a buffer, if it has room.
fn joined<'b, const N: usize>(parts: [&[u8]; N], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let mut end = 0_usize;
    for part in parts {
        for bytes in [&part.len().to_be_bytes()[..], part] {
            let start = end;
            end = start.checked_add(bytes.len())?;
            buffer.get_mut(start..end)?.copy_from_slice(bytes);
        }
    }
    buffer.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_digested_as_short_ones_are() {
        for length in [0, 483, 484, 485, 9000] {
            let id = "x".repeat(length);
            let parts = [b"task".as_slice(), b"ab", id.as_bytes()];
            let mut bytes = Vec::new();
            for part in parts {
                bytes.extend(part.len().to_be_bytes());
                bytes.extend(part);
            }
            assert_eq!(digest_of(parts), short_digest(&bytes), "{length}");
        }
    }
}
