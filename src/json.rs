//! JSON text to [`Value`] and back, for what is not a message of a client: tokens, key sets,
//! descriptions of tools.
//!
//! [`decode`] refuses what says two things at once: `serde_json` keeps the last of two equal keys
//! in silence, and here that is a fault. It already refuses trailing data, a byte order mark,
//! invalid UTF-8 and numbers out of range. [`digest`] is the same for equal values however they
//! were spelled.

mod cursor;
mod decode;
mod digest;
mod fault;
mod lexer;
mod number;
mod object;
mod strings;
mod text;

pub(crate) use cursor::{Cursor, Syntax};
pub use decode::{InvalidJson, Json, decode};
pub use digest::{Digest, digest, digest_members, hex};
pub(crate) use fault::StreamFault;
pub(crate) use lexer::{Lexer, LexerStep, ValueStart};
pub use object::Object;
pub(crate) use strings::unescape;
pub use text::{written_length, written_length_of};

#[cfg(test)]
mod tests;
