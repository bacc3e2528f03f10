//! Whether every byte of a text is of one kind, told of many at a time.
//!
//! A check has some forty short texts, each of which has to be looked at byte by byte. What is left
//! over when a loop has taken the long pieces would be most of them.

/// Whether `is_one`, which branches nowhere, holds of every byte. `filler` is a byte of which it
/// holds.
#[inline]
pub fn all(bytes: &[u8], filler: u8, is_one: impl Fn(u8) -> bool) -> bool {
    debug_assert!(is_one(filler), "the filler is of another kind");
    let mut padded = [filler; SHORT];
    let looked_at = match padded.get_mut(..bytes.len()) {
        Some(room) => {
            room.copy_from_slice(bytes);
            let length = bytes.len().next_multiple_of(PIECE);
            padded.get(..length).unwrap_or(bytes)
        }
        None => bytes,
    };
    // Without a way out in the middle, the compiler takes a piece at a time.
    let is_of_it = |all: bool, byte: &u8| all & is_one(*byte);
    looked_at.iter().fold(true, is_of_it)
}

const PIECE: usize = 32;
const SHORT: usize = 2 * PIECE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_looked_at() {
        let is_lower = |byte: u8| byte.is_ascii_lowercase();
        for length in 0..150 {
            let mut text = vec![b'x'; length];
            assert!(all(&text, b'a', is_lower), "{length}");
            for at in 0..length {
                text[at] = b'X';
                assert!(!all(&text, b'a', is_lower), "{at} of {length}");
                text[at] = b'x';
            }
        }
    }
}
