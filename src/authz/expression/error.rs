//! Why a text is not an expression.

/// Why a text is not an expression that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidExpression {
    /// What is wrong.
    pub message: String,
    /// What would be right; may be empty.
    pub help: String,
    /// The character of the expression it is about, from 1, if it is about one.
    pub column: Option<usize>,
}

impl InvalidExpression {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        InvalidExpression {
            message: message.into(),
            help: help.into(),
            column: None,
        }
    }
}
