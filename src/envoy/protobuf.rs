//! Protobuf's wire format (<https://protobuf.dev/programming-guides/encoding>), read in place and
//! written directly.
//!
//! A check is a message of twenty to forty strings that nobody keeps, and its response has nearly
//! as many. Generated types would allocate each of them, which costs more than the decision. The
//! tests compare with the generated types.

use ascii::AsciiStr;

/// Bytes are no message, or one that is not of the expected form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Undecodable;

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field<'m> {
    /// A text, bytes or a message.
    Bytes(&'m [u8]),
    /// A number or an enumerator, as a varint.
    Number(u64),
    /// A number of a fixed length, none of which is asked for.
    Fixed,
}

impl<'m> Field<'m> {
    /// A message, or bytes.
    pub(super) fn bytes(self) -> Result<&'m [u8], Undecodable> {
        match self {
            Field::Bytes(bytes) => Ok(bytes),
            Field::Number(_) | Field::Fixed => Err(Undecodable),
        }
    }

    /// An `int64`.
    pub(super) fn signed(self) -> Result<i64, Undecodable> {
        match self {
            Field::Number(number) => Ok(number.cast_signed()),
            Field::Bytes(_) | Field::Fixed => Err(Undecodable),
        }
    }

    /// A text, which is UTF-8.
    pub(super) fn text(self) -> Result<&'m str, Undecodable> {
        text(self.bytes()?)
    }
}

/// Bytes as a text, if they are UTF-8.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Undecodable> {
    // Of short ASCII, which is nearly all there is, this is told several times faster.
    match AsciiStr::from_ascii(bytes) {
        Ok(text) => Ok(text.as_str()),
        Err(_) => std::str::from_utf8(bytes).map_err(|_| Undecodable),
    }
}

/// The fields of a message, in their order, each with its number. Ends at the first that is
/// damaged.
#[derive(Debug, Clone)]
pub(super) struct MessageFields<'m>(&'m [u8]);

impl<'m> MessageFields<'m> {
    pub(super) fn of(message: &'m [u8]) -> Self {
        MessageFields(message)
    }

    fn read(&mut self) -> Result<(u64, Field<'m>), Undecodable> {
        let tag = self.varint()?;
        let field = match tag & 7 {
            0 => Field::Number(self.varint()?),
            1 => self.take(8).map(|_| Field::Fixed)?,
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Undecodable)?;
                Field::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Field::Fixed)?,
            // Groups, which no message of ours has, and what is nothing.
            _ => return Err(Undecodable),
        };
        match tag >> 3 {
            0 => Err(Undecodable),
            number => Ok((number, field)),
        }
    }

    fn take(&mut self, length: usize) -> Result<&'m [u8], Undecodable> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Undecodable)?;
        self.0 = rest;
        Ok(taken)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Undecodable> {
        match self.0 {
            // Nearly all are short.
            [byte @ ..0x80, rest @ ..] => {
                self.0 = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Undecodable> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or(Undecodable)?;
            self.0 = rest;
            let part = u64::from(byte & 0x7f);
            // Of the tenth byte there is room for one bit.
            if shift == 63 && part > 1 {
                return Err(Undecodable);
            }
            value |= part << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Undecodable)
    }
}

impl<'m> Iterator for MessageFields<'m> {
    type Item = Result<(u64, Field<'m>), Undecodable>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            self.0 = &[];
        }
        Some(read)
    }
}

/// Appends a text or bytes as a field.
pub(super) fn put_bytes(to: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    put_tag(to, number, 2);
    put_varint(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

/// Appends a number as a field, unless it is 0, which is what a field is that is absent.
pub(super) fn put_number(to: &mut Vec<u8>, number: u8, value: u16) {
    if value != 0 {
        put_tag(to, number, 0);
        put_varint(to, value.into());
    }
}

/// Appends a message as a field; `write` appends its own fields.
pub(super) fn put_message(to: &mut Vec<u8>, number: u8, write: impl FnOnce(&mut Vec<u8>)) {
    put_tag(to, number, 2);
    // Nearly all are short, and have one byte for their length.
    let at = to.len();
    to.push(0);
    write(to);
    let length = to.len().saturating_sub(at).saturating_sub(1);
    if let (Ok(short @ ..0x80), Some(byte)) = (u8::try_from(length), to.get_mut(at)) {
        *byte = short;
        return;
    }
    let (prefix, bytes) = varint(length as u64);
    let prefix = prefix.get(..bytes).unwrap_or_default();
    to.splice(at..=at, prefix.iter().copied());
}

fn put_tag(to: &mut Vec<u8>, number: u8, wire_type: u8) {
    debug_assert!(number < 16, "the tag has more than one byte");
    to.push(number << 3 | wire_type);
}

#[inline]
fn put_varint(to: &mut Vec<u8>, value: u64) {
    if let Ok(byte @ ..0x80) = u8::try_from(value) {
        return to.push(byte);
    }
    let (bytes, length) = varint(value);
    to.extend_from_slice(bytes.get(..length).unwrap_or_default());
}

/// A number as a varint, and how many bytes that has.
fn varint(mut value: u64) -> ([u8; VARINT_BYTES_MAX], usize) {
    let mut bytes = [0; VARINT_BYTES_MAX];
    let mut length = 0;
    for byte in &mut bytes {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        length += 1;
        if value == 0 {
            *byte = low;
            break;
        }
        *byte = low | 0x80;
    }
    (bytes, length)
}

const VARINT_BYTES_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(message: &[u8]) -> Result<Vec<(u64, Field<'_>)>, Undecodable> {
        MessageFields::of(message).collect()
    }

    #[test]
    fn fields_of_every_form_are_read() {
        let message = [
            b"\x0a\x03abc".as_slice(),
            b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x19\x01\x02\x03\x04\x05\x06\x07\x08",
            b"\x25\x01\x02\x03\x04",
            b"\xfa\x01\x00",
        ];
        let expected = [
            (1, Field::Bytes(b"abc")),
            (2, Field::Number(u64::MAX)),
            (3, Field::Fixed),
            (4, Field::Fixed),
            (31, Field::Bytes(b"")),
        ];
        assert_eq!(fields(&message.concat()), Ok(expected.to_vec()));
        assert_eq!(fields(b""), Ok(Vec::new()));
    }

    #[test]
    fn what_is_damaged_is_refused() {
        for message in [
            b"\x0a".as_slice(),
            b"\x0a\x04abc",
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x08",
            b"\x08\x80",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x09\x01\x02\x03",
            b"\x0d\x01",
            // A group, a wire type that is none, and the field 0.
            b"\x0b\x0c",
            b"\x0e",
            b"\x02\x00",
        ] {
            assert_eq!(fields(message), Err(Undecodable), "{message:x?}");
        }
        assert_eq!(Field::Bytes(b"\xff").text(), Err(Undecodable));
        assert_eq!(Field::Number(1).bytes(), Err(Undecodable));
        assert_eq!(Field::Fixed.bytes(), Err(Undecodable));
        assert_eq!(Field::Number(7).signed(), Ok(7));
        assert_eq!(Field::Number(u64::MAX).signed(), Ok(-1));
        assert_eq!(Field::Fixed.signed(), Err(Undecodable));
        assert_eq!(Field::Bytes(b"\x07").signed(), Err(Undecodable));
    }

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 126, 127, 128, 129, 16_383, 16_384, 100_000] {
            let text = "x".repeat(length);
            let mut message = Vec::new();
            put_message(&mut message, 3, |to| put_bytes(to, 15, text.as_bytes()));
            put_number(&mut message, 2, 0);
            put_bytes(&mut message, 1, b"after");
            put_number(&mut message, 2, 503);
            let read = fields(&message).unwrap();
            let [(3, Field::Bytes(inner)), after, (2, Field::Number(503))] = *read else {
                panic!("{read:?}")
            };
            assert_eq!(after, (1, Field::Bytes(b"after")));
            assert_eq!(fields(inner), Ok(vec![(15, Field::Bytes(text.as_bytes()))]));
        }
    }
}
