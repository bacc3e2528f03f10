//! Tests whether every byte of a text is of one class, quickly, because a check has about a hundred
//! texts whose every byte is tested.

/// A class of bytes, as a table: for texts of a few bytes, and for classes of many ranges.
#[derive(Debug)]
pub struct ByteClass([bool; 256]);

impl ByteClass {
    /// What a token is made of (RFC 9110 §5.6.2), as names of headers and methods are.
    pub const TOKEN: ByteClass = ByteClass::of(
        b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    );
    /// What the name of a header is made of in HTTP/2, where it is in lower case (RFC 9113 §8.2.1).
    pub const NAME: ByteClass =
        ByteClass::of(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz");

    #[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
    const fn of(bytes: &[u8]) -> ByteClass {
        let mut class = [false; 256];
        let mut rest = bytes;
        while let [byte, more @ ..] = rest {
            class[*byte as usize] = true;
            rest = more;
        }
        ByteClass(class)
    }

    /// Whether every byte of a text is of this class.
    #[inline]
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let is_one = |byte| self.0.get(usize::from(byte)).copied().unwrap_or_default();
        text.bytes().all(is_one)
    }
}

/// Tests every byte with `is_one`, which must be branch-free so that the loop vectorizes. `filler`
/// must satisfy it: it pads a short text to whole blocks.
#[inline]
pub fn all(bytes: &[u8], filler: u8, is_one: impl Fn(u8) -> bool) -> bool {
    debug_assert!(is_one(filler), "the filler is of another class");
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
/// What is no longer is filled up to whole pieces: what a loop leaves over would be most of it.
const SHORT: usize = 2 * PIECE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_as_the_standards_have_them() {
        for byte in 0..=255_u8 {
            let text = char::from(byte).to_string();
            let is_token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(ByteClass::TOKEN.matches(&text), is_token, "{text:?}");
            let is_of_name = is_token && !byte.is_ascii_uppercase();
            assert_eq!(ByteClass::NAME.matches(&text), is_of_name, "{text:?}");
        }
        assert!(
            ByteClass::NAME.matches("content-type") && !ByteClass::NAME.matches("Content-Type")
        );
    }

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
