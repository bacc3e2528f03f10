//! Passes a value that nests deeper than the lexer follows.
//!
//! Nobody forwards such a value, so it matters only where it ends. A count of the open brackets tells
//! that of any JSON, in no memory. What is no JSON in there is nobody's to read.

use memchr::memchr2;

use super::state::{DeepPlace, LexerState, LexerStep};
use super::{Lexer, advance};

impl Lexer {
    /// Begins a container that is counted and no more.
    pub(super) fn begin_deep(&mut self) {
        self.deep = 1;
        self.state = LexerState::Deep(DeepPlace::Between);
    }

    /// Reads on to the end of the container that was begun.
    pub(super) fn deep(
        &mut self,
        input: &mut &[u8],
        place: DeepPlace,
        floor: usize,
    ) -> Option<LexerStep> {
        let stop = match place {
            DeepPlace::Between => input.iter().position(|byte| b"\"[]{}".contains(byte)),
            DeepPlace::Text => memchr2(b'"', b'\\', input),
            DeepPlace::Escape => Some(0),
        };
        advance(input, stop.unwrap_or(input.len()));
        let Some((&byte, rest)) = input.split_first() else {
            return Some(LexerStep::More);
        };
        *input = rest;
        let next = match (place, byte) {
            (DeepPlace::Between, b'[' | b'{') => {
                self.deep = self.deep.saturating_add(1);
                DeepPlace::Between
            }
            (DeepPlace::Between, b']' | b'}') => {
                self.deep = self.deep.saturating_sub(1);
                if self.deep == 0 {
                    return self.end(floor);
                }
                DeepPlace::Between
            }
            (DeepPlace::Text, b'\\') => DeepPlace::Escape,
            (DeepPlace::Text, _) => DeepPlace::Between,
            (DeepPlace::Between | DeepPlace::Escape, _) => DeepPlace::Text,
        };
        self.state = LexerState::Deep(next);
        None
    }
}
