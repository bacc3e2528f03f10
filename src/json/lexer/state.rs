//! The lexer's position in a JSON text, and where it stops.

use crate::json::number::NumberState;

/// Where the lexer stopped. `Before`, `Comma` and `Close` stop in front of their byte, which the
/// next run reads; the others stop behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LexerStep {
    /// The input is used up.
    More,
    /// Behind a key; see `Lexer::take_text`.
    Key,
    /// In front of the first byte of a value.
    Before(ValueStart),
    /// In front of a comma.
    Comma,
    /// In front of the bracket that closes the container at the floor.
    Close,
    /// Behind a value. A number ends only where something else begins.
    End,
}

/// What kind of value begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueStart {
    Object,
    Array,
    Text,
    Scalar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LexerState {
    /// A value.
    Value,
    /// A value or the end of the array that has just begun.
    FirstValue,
    /// A key.
    Key,
    /// A key or the end of the object that has just begun.
    FirstKey,
    /// The colon behind a key.
    Colon,
    /// A comma or a closing bracket; at depth 0 nothing but white space.
    After,
    /// Inside a string.
    Text(Role),
    /// The character after a backslash.
    Escape(Role),
    /// This many hexadecimal digits.
    Hex(Role, u8),
    Number(NumberState),
    /// The rest of `true`, `false` or `null`.
    Word(&'static [u8]),
    /// Inside of a value that nests deeper than is followed.
    Deep(DeepPlace),
}

/// A place inside of a value of which only the brackets are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeepPlace {
    /// Outside of strings.
    Between,
    /// Inside a string.
    Text,
    /// The character after a backslash.
    Escape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Key,
    Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Object,
    Array,
}

impl LexerState {
    /// Whether a value may end here.
    pub(super) fn may_end(self) -> bool {
        match self {
            LexerState::After => true,
            LexerState::Number(number) => number.may_end(),
            LexerState::Value
            | LexerState::FirstValue
            | LexerState::Key
            | LexerState::FirstKey
            | LexerState::Colon
            | LexerState::Text(_)
            | LexerState::Escape(_)
            | LexerState::Hex(..)
            | LexerState::Word(_)
            | LexerState::Deep(_) => false,
        }
    }

    /// Whether a line may not end here, because a token has not ended.
    pub(super) fn is_inside_token(self) -> bool {
        match self {
            LexerState::Text(_)
            | LexerState::Escape(_)
            | LexerState::Hex(..)
            | LexerState::Word(_)
            | LexerState::Deep(DeepPlace::Text | DeepPlace::Escape) => true,
            LexerState::Number(number) => !number.may_end(),
            LexerState::Value
            | LexerState::FirstValue
            | LexerState::Key
            | LexerState::FirstKey
            | LexerState::Colon
            | LexerState::After
            | LexerState::Deep(DeepPlace::Between) => false,
        }
    }
}
