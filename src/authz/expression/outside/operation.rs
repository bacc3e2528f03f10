//! The operations, by name: the load-time replacements of operators and conversions.

use cel::ExecutionError;

use crate::authz::expression::origin::Origin;

/// The functions that replace operations on two values, and on one.
pub(crate) const BINARY: &str = "@binary";

pub(crate) const UNARY: &str = "@unary";

/// The function name in the errors of both.
pub(crate) const COMPARISON: &str = "comparison";

/// An operation with the origins of its operands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) name: OperationName,
    pub(crate) left: Origin,
    pub(crate) right: Origin,
}

/// The operation.
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
    /// Whether it has a member that is not null.
    Given,
    /// A test of the URI's text against what the author wrote.
    Uri(UriTest),
    /// A conversion that accepts only unambiguous forms of a value.
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

/// The target of a conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conversion {
    Bool,
    Int,
    Uint,
    Num,
    /// A text, and nothing else.
    Text,
    /// A text, or an integer or boolean that has exactly one spelling.
    Spelled,
    Fold,
    Plain,
    List,
    Time,
}

/// The conversions of CEL that these replace for external values.
pub(crate) const CEL_CONVERSIONS: &[(&str, Conversion)] = &[
    ("bool", Conversion::Bool),
    ("int", Conversion::Int),
    ("uint", Conversion::Uint),
    ("double", Conversion::Num),
    ("string", Conversion::Spelled),
    ("timestamp", Conversion::Time),
];

/// The functions for external values that policies have.
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
