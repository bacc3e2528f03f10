//! The policy: read, compiled, kept and replaced as a whole.

mod compile;
mod document;

pub use compile::{CompileContext, compile};
