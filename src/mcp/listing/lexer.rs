//! JSON (RFC 8259) read as it arrives: what was read so far is a state, not a buffer.
//!
//! The reader follows the nesting and stops only where its caller looks, that is at the *floor*,
//! the depth of the innermost container whose members the caller tells apart. Everything deeper
//! is checked and run through without a stop.

use std::mem;

use memchr::memchr2;

use super::Unreadable;
use super::number::Number;
use super::text::{Capture, Utf8};

/// Where the reader stopped. `Before`, `Comma` and `Close` stop in front of the byte they are
/// about, which the next run takes; the others behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The input is used up.
    More,
    /// Behind a key; see [`Lexer::key`].
    Key,
    /// In front of the first byte of a value.
    Before(Shape),
    /// In front of a comma.
    Comma,
    /// In front of the bracket that closes the container at the floor.
    Close,
    /// Behind a value; behind it at once, except that a number ends where something else begins.
    End,
}

/// What kind of value begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Object,
    Array,
    Text,
    Scalar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
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
    /// The inside of a string.
    Text(Role),
    /// What a backslash stands before.
    Escape(Role),
    /// As many hexadecimal digits.
    Hex(Role, u8),
    Number(Number),
    /// The rest of `true`, `false` or `null`.
    Word(&'static [u8]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Key,
    Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    Object,
    Array,
}

/// The reader of one JSON text.
#[derive(Debug)]
pub(super) struct Lexer {
    state: State,
    stack: Vec<Container>,
    depth_max: usize,
    /// Whether the value has begun.
    begun: bool,
    /// Whether the caller has been stopped in front of the next byte.
    announced: bool,
    utf8: Utf8,
    capture: Capture,
}

impl Lexer {
    pub(super) fn new(depth_max: usize) -> Self {
        Self {
            state: State::Value,
            stack: Vec::new(),
            depth_max,
            begun: false,
            announced: false,
            utf8: Utf8::default(),
            capture: Capture::default(),
        }
    }

    /// Makes ready for another text.
    pub(super) fn restart(&mut self) {
        self.state = State::Value;
        self.stack.clear();
        self.begun = false;
        self.announced = false;
    }

    /// Whether nothing but white space was read.
    pub(super) fn is_blank(&self) -> bool {
        !self.begun
    }

    /// Whether the value is whole, if nothing follows it.
    pub(super) fn is_whole(&self) -> bool {
        let is_at_end = match self.state {
            State::After => true,
            State::Number(number) => number.may_end(),
            State::Value
            | State::FirstValue
            | State::Key
            | State::FirstKey
            | State::Colon
            | State::Text(_)
            | State::Escape(_)
            | State::Hex(..)
            | State::Word(_) => false,
        };
        is_at_end && self.stack.is_empty()
    }

    /// Whether a line may not end here, since a token does not.
    fn is_inside_token(&self) -> bool {
        match self.state {
            State::Text(_) | State::Escape(_) | State::Hex(..) | State::Word(_) => true,
            State::Number(number) => !number.may_end(),
            State::Value
            | State::FirstValue
            | State::Key
            | State::FirstKey
            | State::Colon
            | State::After => false,
        }
    }

    /// Notes the string that begins next; at most `bytes_max` bytes of it, as it is spelled.
    pub(super) fn note_text(&mut self, bytes_max: usize) {
        self.capture.begin(bytes_max);
    }

    /// The string that ended last, as it is spelled, if it was noted; and whether it was longer.
    pub(super) fn take_text(&mut self) -> Option<(&[u8], bool)> {
        self.capture.take()
    }

    /// Whether a noted string has ended and was not taken.
    pub(super) fn has_text(&self) -> bool {
        self.capture.is_ready()
    }

    /// How many bytes are remembered.
    pub(super) fn held(&self) -> usize {
        self.capture.held() + self.stack.len() + self.utf8.held()
    }

    /// Reads on until something at the depth `floor` is met.
    pub(super) fn run(&mut self, input: &mut &[u8], floor: usize) -> Result<Step, Unreadable> {
        loop {
            let step = match self.state {
                State::Text(role) => self.text(input, role, floor)?,
                State::Escape(role) => self.escape(input, role)?,
                State::Hex(role, left) => self.hex(input, role, left)?,
                State::Number(number) => self.number(input, number, floor)?,
                State::Word(rest) => self.word(input, rest, floor)?,
                State::Value
                | State::FirstValue
                | State::Key
                | State::FirstKey
                | State::Colon
                | State::After => self.structure(input, floor)?,
            };
            if let Some(step) = step {
                return Ok(step);
            }
        }
    }

    /// Takes a line end between two pieces of the text: white space that ends a number.
    pub(super) fn end_line(&mut self, floor: usize) -> Result<Step, Unreadable> {
        if self.is_inside_token() {
            return Err(Unreadable::NotJson);
        }
        let mut line_end: &[u8] = b"\n";
        self.run(&mut line_end, floor)
    }

    fn structure(&mut self, input: &mut &[u8], floor: usize) -> Result<Option<Step>, Unreadable> {
        let space = input.iter().take_while(|byte| is_space(**byte)).count();
        advance(input, space);
        let Some((&byte, rest)) = input.split_first() else {
            return Ok(Some(Step::More));
        };
        let is_announced = mem::take(&mut self.announced);
        let is_stop = self.stack.len() == floor && !is_announced;
        let step = match (self.state, byte) {
            (State::FirstValue, b']') | (State::FirstKey, b'}') => {
                return Ok(self.close(input, is_stop, floor));
            }
            (State::Value | State::FirstValue, _) => {
                let (shape, state) = self.begin(byte)?;
                if is_stop {
                    self.announced = true;
                    return Ok(Some(Step::Before(shape)));
                }
                self.enter(shape)?;
                self.begun = true;
                self.state = state;
                None
            }
            (State::Key | State::FirstKey, b'"') => {
                if is_stop {
                    self.capture.begin(KEY_BYTES_MAX);
                }
                self.state = State::Text(Role::Key);
                None
            }
            (State::Colon, b':') => {
                self.state = State::Value;
                None
            }
            (State::After, _) => return self.separate(input, byte, is_stop, floor),
            _ => return Err(Unreadable::NotJson),
        };
        *input = rest;
        Ok(step)
    }

    /// What a first byte begins, and the state behind it.
    fn begin(&self, byte: u8) -> Result<(Shape, State), Unreadable> {
        Ok(match byte {
            b'{' => (Shape::Object, State::FirstKey),
            b'[' => (Shape::Array, State::FirstValue),
            b'"' => (Shape::Text, State::Text(Role::Value)),
            b'-' => (Shape::Scalar, State::Number(Number::Minus)),
            b'0' => (Shape::Scalar, State::Number(Number::Zero)),
            b'1'..=b'9' => (Shape::Scalar, State::Number(Number::Integer)),
            b't' => (Shape::Scalar, State::Word(b"rue")),
            b'f' => (Shape::Scalar, State::Word(b"alse")),
            b'n' => (Shape::Scalar, State::Word(b"ull")),
            0xEF if !self.begun => return Err(Unreadable::Bom),
            _ => return Err(Unreadable::NotJson),
        })
    }

    fn enter(&mut self, shape: Shape) -> Result<(), Unreadable> {
        let container = match shape {
            Shape::Object => Container::Object,
            Shape::Array => Container::Array,
            Shape::Text | Shape::Scalar => return Ok(()),
        };
        if self.stack.len() >= self.depth_max {
            return Err(Unreadable::TooDeep);
        }
        self.stack.push(container);
        Ok(())
    }

    /// What follows a value.
    fn separate(
        &mut self,
        input: &mut &[u8],
        byte: u8,
        is_stop: bool,
        floor: usize,
    ) -> Result<Option<Step>, Unreadable> {
        match (self.stack.last(), byte) {
            (None, _) => Err(Unreadable::TrailingData),
            (Some(_), b',') if is_stop => {
                self.announced = true;
                Ok(Some(Step::Comma))
            }
            (Some(container), b',') => {
                self.state = match container {
                    Container::Object => State::Key,
                    Container::Array => State::Value,
                };
                advance(input, 1);
                Ok(None)
            }
            (Some(Container::Object), b'}') | (Some(Container::Array), b']') => {
                Ok(self.close(input, is_stop, floor))
            }
            (Some(Container::Object | Container::Array), _) => Err(Unreadable::NotJson),
        }
    }

    fn close(&mut self, input: &mut &[u8], is_stop: bool, floor: usize) -> Option<Step> {
        if is_stop {
            self.announced = true;
            return Some(Step::Close);
        }
        advance(input, 1);
        self.stack.pop();
        self.end(floor)
    }

    /// Ends a value.
    fn end(&mut self, floor: usize) -> Option<Step> {
        self.state = State::After;
        (self.stack.len() <= floor).then_some(Step::End)
    }

    fn text(
        &mut self,
        input: &mut &[u8],
        role: Role,
        floor: usize,
    ) -> Result<Option<Step>, Unreadable> {
        let stop = memchr2(b'"', b'\\', input);
        let (run, rest) = input
            .split_at_checked(stop.unwrap_or(input.len()))
            .unwrap_or((input, &[]));
        if run.iter().any(|byte| *byte < b' ') {
            return Err(Unreadable::NotJson);
        }
        self.utf8.check(run, stop.is_some())?;
        self.capture.push(run);
        *input = rest;
        let Some((&byte, rest)) = rest.split_first() else {
            return Ok(Some(Step::More));
        };
        *input = rest;
        if byte == b'\\' {
            self.capture.push(b"\\");
            self.state = State::Escape(role);
            return Ok(None);
        }
        self.capture.end();
        Ok(match role {
            Role::Key => {
                self.state = State::Colon;
                (self.stack.len() == floor).then_some(Step::Key)
            }
            Role::Value => self.end(floor),
        })
    }

    fn escape(&mut self, input: &mut &[u8], role: Role) -> Result<Option<Step>, Unreadable> {
        let Some((&byte, rest)) = input.split_first() else {
            return Ok(Some(Step::More));
        };
        self.state = match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => State::Text(role),
            b'u' => State::Hex(role, 4),
            _ => return Err(Unreadable::NotJson),
        };
        self.capture.push(&[byte]);
        *input = rest;
        Ok(None)
    }

    fn hex(&mut self, input: &mut &[u8], role: Role, left: u8) -> Result<Option<Step>, Unreadable> {
        let Some((&byte, rest)) = input.split_first() else {
            return Ok(Some(Step::More));
        };
        if !byte.is_ascii_hexdigit() {
            return Err(Unreadable::NotJson);
        }
        self.capture.push(&[byte]);
        *input = rest;
        self.state = if left > 1 {
            State::Hex(role, left - 1)
        } else {
            State::Text(role)
        };
        Ok(None)
    }

    fn number(
        &mut self,
        input: &mut &[u8],
        mut number: Number,
        floor: usize,
    ) -> Result<Option<Step>, Unreadable> {
        while let Some((&byte, rest)) = input.split_first() {
            let Some(next) = number.next(byte) else {
                return if number.may_end() {
                    Ok(self.end(floor))
                } else {
                    Err(Unreadable::NotJson)
                };
            };
            number = next;
            *input = rest;
        }
        self.state = State::Number(number);
        Ok(Some(Step::More))
    }

    fn word(
        &mut self,
        input: &mut &[u8],
        mut word: &'static [u8],
        floor: usize,
    ) -> Result<Option<Step>, Unreadable> {
        while let Some((expected, later)) = word.split_first() {
            let Some((byte, rest)) = input.split_first() else {
                self.state = State::Word(word);
                return Ok(Some(Step::More));
            };
            if byte != expected {
                return Err(Unreadable::NotJson);
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

/// Longer than any spelling of a key that is looked for: the longest has 17 characters, each of
/// which is at most a `\uXXXX`.
const KEY_BYTES_MAX: usize = 128;
