//! Reads JSON (RFC 8259) that arrives in pieces. It keeps a state and does not buffer the text.
//!
//! The lexer follows the nesting and stops only at the *floor*, the depth of the innermost container
//! whose members the caller distinguishes. It checks everything deeper without stopping.

mod deep;
mod state;

use std::mem;

use memchr::memchr2;

pub(crate) use state::{LexerStep, ValueStart};

use super::fault::StreamFault;
use super::number::NumberState;
use super::strings::{Capture, Utf8};
use state::{Container, LexerState, Role};

/// The lexer, for one JSON text after another.
#[derive(Debug)]
pub(crate) struct Lexer {
    state: LexerState,
    stack: Vec<Container>,
    depth_max: usize,
    /// How many containers are open that are deeper than the stack goes.
    deep: usize,
    /// Whether the caller looks at what is read now itself.
    tolerates: bool,
    /// Whether the value has started.
    begun: bool,
    /// Whether the lexer has already stopped in front of the next byte.
    announced: bool,
    utf8: Utf8,
    capture: Capture,
}

impl Lexer {
    pub(crate) fn new(depth_max: usize) -> Self {
        Self {
            state: LexerState::Value,
            stack: Vec::new(),
            depth_max,
            deep: 0,
            tolerates: false,
            begun: false,
            announced: false,
            utf8: Utf8::default(),
            capture: Capture::default(),
        }
    }

    /// Resets the lexer for another text.
    pub(crate) fn restart(&mut self) {
        self.state = LexerState::Value;
        self.stack.clear();
        self.begun = false;
        self.announced = false;
        self.tolerates = false;
    }

    /// From now on text that is not UTF-8 is no fault, and nor is nesting; or both are again. The
    /// caller looks at such a value itself before it forwards it. Of what nests very deep only the
    /// brackets are counted.
    pub(crate) fn tolerate(&mut self, tolerates: bool) {
        self.tolerates = tolerates;
    }

    /// Whether only white space was read.
    pub(crate) fn is_blank(&self) -> bool {
        !self.begun
    }

    /// Whether the value is complete, provided nothing follows it.
    pub(crate) fn is_whole(&self) -> bool {
        self.state.may_end() && self.stack.is_empty()
    }

    /// Captures the string that begins next: at most `bytes_max` bytes of its spelling.
    pub(crate) fn note_text(&mut self, bytes_max: usize) {
        self.capture.begin(bytes_max);
    }

    /// The spelling of the last string, if it was captured, and whether the capture is truncated.
    pub(crate) fn take_text(&mut self) -> Option<(&[u8], bool)> {
        self.capture.take()
    }

    /// Whether a captured string has ended and was not taken.
    pub(crate) fn has_text(&self) -> bool {
        self.capture.is_ready()
    }

    /// How many bytes are buffered.
    pub(crate) fn held(&self) -> usize {
        self.capture.held() + self.stack.len() + self.utf8.held()
    }

    /// Reads on until it meets something at the depth `floor`.
    pub(crate) fn run(
        &mut self,
        input: &mut &[u8],
        floor: usize,
    ) -> Result<LexerStep, StreamFault> {
        loop {
            let step = match self.state {
                LexerState::Text(role) => self.text(input, role, floor)?,
                LexerState::Escape(role) => self.escape(input, role)?,
                LexerState::Hex(role, left) => self.hex(input, role, left)?,
                LexerState::Number(number) => self.number(input, number, floor)?,
                LexerState::Word(rest) => self.word(input, rest, floor)?,
                LexerState::Deep(place) => self.deep(input, place, floor),
                LexerState::Value
                | LexerState::FirstValue
                | LexerState::Key
                | LexerState::FirstKey
                | LexerState::Colon
                | LexerState::After => self.structure(input, floor)?,
            };
            if let Some(step) = step {
                return Ok(step);
            }
        }
    }

    /// Handles a line end between two pieces of the text: white space that ends a number.
    pub(crate) fn end_line(&mut self, floor: usize) -> Result<LexerStep, StreamFault> {
        if self.state.is_inside_token() {
            return Err(StreamFault::NotJson);
        }
        let mut line_end: &[u8] = b"\n";
        self.run(&mut line_end, floor)
    }

    fn structure(
        &mut self,
        input: &mut &[u8],
        floor: usize,
    ) -> Result<Option<LexerStep>, StreamFault> {
        let space = input.iter().take_while(|byte| is_space(**byte)).count();
        advance(input, space);
        let Some((&byte, rest)) = input.split_first() else {
            return Ok(Some(LexerStep::More));
        };
        let is_announced = mem::take(&mut self.announced);
        let is_stop = self.stack.len() == floor && !is_announced;
        let step = match (self.state, byte) {
            (LexerState::FirstValue, b']') | (LexerState::FirstKey, b'}') => {
                return Ok(self.close(input, is_stop, floor));
            }
            (LexerState::Value | LexerState::FirstValue, _) => {
                let (shape, state) = self.begin(byte)?;
                if is_stop {
                    self.announced = true;
                    return Ok(Some(LexerStep::Before(shape)));
                }
                self.begun = true;
                self.state = state;
                self.enter(shape)?;
                None
            }
            (LexerState::Key | LexerState::FirstKey, b'"') => {
                if is_stop {
                    self.capture.begin(KEY_BYTES_MAX);
                }
                self.state = LexerState::Text(Role::Key);
                None
            }
            (LexerState::Colon, b':') => {
                self.state = LexerState::Value;
                None
            }
            (LexerState::After, _) => return self.separate(input, byte, is_stop, floor),
            _ => return Err(StreamFault::NotJson),
        };
        *input = rest;
        Ok(step)
    }

    /// What a first byte begins, and the state after it.
    fn begin(&self, byte: u8) -> Result<(ValueStart, LexerState), StreamFault> {
        Ok(match byte {
            b'{' => (ValueStart::Object, LexerState::FirstKey),
            b'[' => (ValueStart::Array, LexerState::FirstValue),
            b'"' => (ValueStart::Text, LexerState::Text(Role::Value)),
            b'-' => (ValueStart::Scalar, LexerState::Number(NumberState::Minus)),
            b'0' => (ValueStart::Scalar, LexerState::Number(NumberState::Zero)),
            b'1'..=b'9' => (ValueStart::Scalar, LexerState::Number(NumberState::Integer)),
            b't' => (ValueStart::Scalar, LexerState::Word(b"rue")),
            b'f' => (ValueStart::Scalar, LexerState::Word(b"alse")),
            b'n' => (ValueStart::Scalar, LexerState::Word(b"ull")),
            0xEF if !self.begun => return Err(StreamFault::Bom),
            _ => return Err(StreamFault::NotJson),
        })
    }

    fn enter(&mut self, shape: ValueStart) -> Result<(), StreamFault> {
        let container = match shape {
            ValueStart::Object => Container::Object,
            ValueStart::Array => Container::Array,
            ValueStart::Text | ValueStart::Scalar => return Ok(()),
        };
        if self.tolerates && self.stack.len() >= FOLLOWED_DEPTH_MAX {
            self.begin_deep();
            return Ok(());
        }
        if !self.tolerates && self.stack.len() >= self.depth_max {
            return Err(StreamFault::TooDeep);
        }
        self.stack.push(container);
        Ok(())
    }

    /// Handles what follows a value.
    fn separate(
        &mut self,
        input: &mut &[u8],
        byte: u8,
        is_stop: bool,
        floor: usize,
    ) -> Result<Option<LexerStep>, StreamFault> {
        match (self.stack.last(), byte) {
            (None, _) => Err(StreamFault::TrailingData),
            (Some(_), b',') if is_stop => {
                self.announced = true;
                Ok(Some(LexerStep::Comma))
            }
            (Some(container), b',') => {
                self.state = match container {
                    Container::Object => LexerState::Key,
                    Container::Array => LexerState::Value,
                };
                advance(input, 1);
                Ok(None)
            }
            (Some(Container::Object), b'}') | (Some(Container::Array), b']') => {
                Ok(self.close(input, is_stop, floor))
            }
            (Some(Container::Object | Container::Array), _) => Err(StreamFault::NotJson),
        }
    }

    fn close(&mut self, input: &mut &[u8], is_stop: bool, floor: usize) -> Option<LexerStep> {
        if is_stop {
            self.announced = true;
            return Some(LexerStep::Close);
        }
        advance(input, 1);
        self.stack.pop();
        self.end(floor)
    }

    /// Ends a value.
    fn end(&mut self, floor: usize) -> Option<LexerStep> {
        self.state = LexerState::After;
        (self.stack.len() <= floor).then_some(LexerStep::End)
    }

    fn text(
        &mut self,
        input: &mut &[u8],
        role: Role,
        floor: usize,
    ) -> Result<Option<LexerStep>, StreamFault> {
        let stop = memchr2(b'"', b'\\', input);
        let (run, rest) = input
            .split_at_checked(stop.unwrap_or(input.len()))
            .unwrap_or((input, &[]));
        let control = run.iter().position(|byte| *byte < b' ');
        if !self.tolerates {
            // However the text is cut into chunks, its first fault is the one that is told.
            let before = run.get(..control.unwrap_or(run.len())).unwrap_or(run);
            self.utf8
                .check(before, control.is_none() && stop.is_some())?;
        }
        if control.is_some() {
            return Err(StreamFault::NotJson);
        }
        self.capture.push(run);
        *input = rest;
        let Some((&byte, rest)) = rest.split_first() else {
            return Ok(Some(LexerStep::More));
        };
        *input = rest;
        if byte == b'\\' {
            self.capture.push(b"\\");
            self.state = LexerState::Escape(role);
            return Ok(None);
        }
        self.capture.end();
        Ok(match role {
            Role::Key => {
                self.state = LexerState::Colon;
                (self.stack.len() == floor).then_some(LexerStep::Key)
            }
            Role::Value => self.end(floor),
        })
    }

    fn escape(&mut self, input: &mut &[u8], role: Role) -> Result<Option<LexerStep>, StreamFault> {
        let Some((&byte, rest)) = input.split_first() else {
            return Ok(Some(LexerStep::More));
        };
        self.state = match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => LexerState::Text(role),
            b'u' => LexerState::Hex(role, 4),
            _ => return Err(StreamFault::NotJson),
        };
        self.capture.push(&[byte]);
        *input = rest;
        Ok(None)
    }

    fn hex(
        &mut self,
        input: &mut &[u8],
        role: Role,
        left: u8,
    ) -> Result<Option<LexerStep>, StreamFault> {
        let Some((&byte, rest)) = input.split_first() else {
            return Ok(Some(LexerStep::More));
        };
        if !byte.is_ascii_hexdigit() {
            return Err(StreamFault::NotJson);
        }
        self.capture.push(&[byte]);
        *input = rest;
        self.state = if left > 1 {
            LexerState::Hex(role, left - 1)
        } else {
            LexerState::Text(role)
        };
        Ok(None)
    }

    fn number(
        &mut self,
        input: &mut &[u8],
        mut number: NumberState,
        floor: usize,
    ) -> Result<Option<LexerStep>, StreamFault> {
        while let Some((&byte, rest)) = input.split_first() {
            let Some(next) = number.next(byte) else {
                return if number.may_end() {
                    Ok(self.end(floor))
                } else {
                    Err(StreamFault::NotJson)
                };
            };
            number = next;
            *input = rest;
        }
        self.state = LexerState::Number(number);
        Ok(Some(LexerStep::More))
    }

    fn word(
        &mut self,
        input: &mut &[u8],
        mut word: &'static [u8],
        floor: usize,
    ) -> Result<Option<LexerStep>, StreamFault> {
        while let Some((expected, later)) = word.split_first() {
            let Some((byte, rest)) = input.split_first() else {
                self.state = LexerState::Word(word);
                return Ok(Some(LexerStep::More));
            };
            if byte != expected {
                return Err(StreamFault::NotJson);
            }
            word = later;
            *input = rest;
        }
        Ok(self.end(floor))
    }
}

fn advance(input: &mut &[u8], count: usize) {
    *input = input.get(count..).unwrap_or_default();
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// How deep the containers of a value are told apart that the caller looks at: each level takes a
/// byte.
const FOLLOWED_DEPTH_MAX: usize = 1000;

/// Longer than any spelling of a key that callers look for: the longest has 17 characters, each at
/// most a `\uXXXX`.
const KEY_BYTES_MAX: usize = 128;
