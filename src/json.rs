//! JSON text (RFC 8259) to a [`Value`](crate::authz::Value) and back.
//!
//! ```
//! use mcp_authz::authz::Value;
//! use mcp_authz::json::{InvalidJson, decode, digest};
//!
//! let one = decode(br#"{"b": 1, "a": "\u0061"}"#, 2).unwrap();
//! assert_eq!(one.member("a"), Some(&Value::String("a".into())));
//!
//! // The digest does not depend on spelling or on the order of members.
//! let other = decode(br#"{"a":"a","b":1}"#, 2).unwrap();
//! assert_eq!(digest(&one), digest(&other));
//!
//! // `serde_json` keeps the last of two equal keys in silence. Here they are an error.
//! assert_eq!(decode(br#"{"a":1,"a":2}"#, 2), Err(InvalidJson::DuplicateKey));
//! ```
//!
//! | file | use |
//! |---|---|
//! | `decode.rs` | whole texts of ours and of issuers: tokens, key sets, descriptions of tools |
//! | `cursor.rs` | bodies of clients, where every value counts against a limit and no key is lost |
//! | `lexer.rs` | responses that arrive in pieces, and pass byte for byte |
//! | `digest.rs` | digests of values |
//! | `object.rs`, `text.rs` | records, written member by member |

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
