//! The grammar of numbers (RFC 8259 §6).

/// The last part of a number that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumberState {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    E,
    Sign,
    Exponent,
}

impl NumberState {
    /// The state after a byte; `None` if the byte is not part of the number.
    pub(crate) fn next(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Minus, b'0') => Some(Self::Zero),
            (Self::Minus | Self::Integer, b'0'..=b'9') => Some(Self::Integer),
            (Self::Zero | Self::Integer, b'.') => Some(Self::Point),
            (Self::Point | Self::Fraction, b'0'..=b'9') => Some(Self::Fraction),
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Some(Self::E),
            (Self::E, b'+' | b'-') => Some(Self::Sign),
            (Self::E | Self::Sign | Self::Exponent, b'0'..=b'9') => Some(Self::Exponent),
            (
                Self::Minus
                | Self::Zero
                | Self::Integer
                | Self::Point
                | Self::Fraction
                | Self::E
                | Self::Sign
                | Self::Exponent,
                _,
            ) => None,
        }
    }

    pub(crate) fn may_end(self) -> bool {
        match self {
            Self::Zero | Self::Integer | Self::Fraction | Self::Exponent => true,
            Self::Minus | Self::Point | Self::E | Self::Sign => false,
        }
    }
}
