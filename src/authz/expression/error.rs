//! Why a text is not a valid expression.

/// Why a text is not a valid expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidExpression {
    /// The fault.
    pub message: String,
    /// The correct form; may be empty.
    pub help: String,
    /// The character at fault, counted from 1, if there is one.
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
