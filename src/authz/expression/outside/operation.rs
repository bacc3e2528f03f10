//! The operations, by name: what an operator or a conversion becomes when an expression is loaded.

use cel::ExecutionError;

use crate::authz::expression::origin::Origin;

/// The function that an operation on two values becomes, and on one.
pub(crate) const BINARY: &str = "@binary";

pub(crate) const UNARY: &str = "@unary";

/// What errors of both are said to come from.
pub(crate) const COMPARISON: &str = "comparison";

/// An operation with what is known of its operands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) name: OperationName,
    pub(crate) left: Origin,
    pub(crate) right: Origin,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OperationName {
    Equals,
    NotEquals,
    Less,
    LessOrEquals,
    Greater,
    GreaterOrEquals,
    In,
    /// The member of an object.
    Member,
    /// Whether an object has a member.
    Has,
    /// Whether it has one that is not null.
    Given,
    /// The text of the URI against what the author wrote.
    Uri(UriTest),
    /// A conversion that accepts one form of a value.
    Convert(Conversion),
}

/// How the text of the URI is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UriTest {
    Glob,
    StartsWith,
    EndsWith,
    Contains,
}

/// What a value is converted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conversion {
    Bool,
    Int,
    Uint,
    Num,
    /// A text, and nothing else.
    Text,
    /// A text, or that of an integer or a truth value, of which there is one.
    Spelled,
    Fold,
    Plain,
    List,
    Time,
}

/// The conversions of CEL, which are these for values from outside.
pub(crate) const CEL_CONVERSIONS: &[(&str, Conversion)] = &[
    ("bool", Conversion::Bool),
    ("int", Conversion::Int),
    ("uint", Conversion::Uint),
    ("double", Conversion::Num),
    ("string", Conversion::Spelled),
    ("timestamp", Conversion::Time),
];

/// The functions that policies have for values from outside.
pub(crate) const HELPERS: &[(&str, Conversion)] = &[
    ("num", Conversion::Num),
    ("text", Conversion::Text),
    ("fold", Conversion::Fold),
    ("plain", Conversion::Plain),
    ("list", Conversion::List),
    ("time", Conversion::Time),
];

pub(crate) fn no_result(why: &str) -> ExecutionError {
    ExecutionError::function_error(COMPARISON, why)
}
