//! Why arguments do not fit a schema, or cannot be held against it.

/// Why arguments cannot be held against a schema; for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnusableSchema {
    /// There is none, or something else in its place.
    #[error("it is not a JSON object")]
    NotAnObject,
    /// It is too large.
    #[error("it is too large")]
    Size,
    /// Its `$schema` is not known.
    #[error("its `$schema` is none of the drafts 4, 6, 7, 2019-09 and 2020-12")]
    Dialect,
    /// A part of it has an identifier or a dialect of its own.
    #[error("a part of it has `{0}` of its own, which is not supported")]
    Part(&'static str),
    /// A reference does not lead to a place within it.
    #[error("`{0}` is not followed: only `$ref` to `#` or `#/…` within the schema is")]
    Reference(String),
    /// A reference leads back to itself without going into the value.
    #[error("a reference leads back to itself")]
    Cycle,
    /// Too many schemas, or too many that nest, are for one and the same value.
    #[error("a value has to fit too many parts of it at once")]
    FanOut,
    /// It is not a JSON Schema, or has a pattern that cannot be used.
    #[error("{0}")]
    Invalid(String),
}

/// Where arguments do not fit, and how. It has no text of the client but the names of properties
/// that the schema knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{kind}", if path.is_empty() { String::new() } else { format!("at `{path}`: ") })]
pub struct InvalidArguments {
    /// The place of the first fault, as a JSON Pointer; empty for the arguments as a whole. A name
    /// that is not in the schema is `*`, and the end of a long path is `…`.
    pub path: String,
    /// The keyword that is not met, or `size` or `schema`.
    pub kind: &'static str,
}

impl InvalidArguments {
    pub(super) fn whole(kind: &'static str) -> Self {
        InvalidArguments {
            path: String::new(),
            kind,
        }
    }
}
