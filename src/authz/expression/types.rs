//! The types of values, as far as they are known at load.

use std::fmt;

use cel::common::ast::LiteralValue;

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    /// Nothing is known.
    Any,
    /// The type of the items of an empty list: there are none.
    Nothing,
    /// A value from outside: any JSON value, and never a time.
    Json,
    /// Null.
    Null,
    /// A boolean.
    Bool,
    /// A signed integer.
    Int,
    /// An unsigned integer.
    Uint,
    /// A number with a fraction.
    Double,
    /// A text.
    Text,
    /// Bytes.
    Bytes,
    /// A moment.
    Time,
    /// A duration.
    Duration,
    /// A type.
    Kind,
    /// A list of items of one type.
    List(Box<Type>),
    /// An object, with the types of its keys and of its members.
    Map(Box<Type>, Box<Type>),
}

impl Type {
    /// The type of a literal.
    pub(super) fn of(literal: &LiteralValue) -> Self {
        match literal {
            LiteralValue::Boolean(_) => Type::Bool,
            LiteralValue::Bytes(_) => Type::Bytes,
            LiteralValue::Double(_) => Type::Double,
            LiteralValue::Int(_) => Type::Int,
            LiteralValue::Null => Type::Null,
            LiteralValue::String(_) => Type::Text,
            LiteralValue::UInt(_) => Type::Uint,
        }
    }

    /// A list of texts.
    pub(super) fn texts() -> Self {
        Type::List(Box::new(Type::Text))
    }

    /// An object with members of a type.
    pub(super) fn object(members: Type) -> Self {
        Type::Map(Box::new(Type::Text), Box::new(members))
    }

    /// Whether any value may be of it.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Type::Any | Type::Nothing | Type::Json)
    }

    /// Whether all of its values are numbers.
    pub(super) fn is_number(&self) -> bool {
        matches!(self, Type::Int | Type::Uint | Type::Double)
    }

    /// The type of a value that is of one of two types.
    pub(super) fn join(self, other: Type) -> Type {
        match (self, other) {
            (Type::Nothing, one) | (one, Type::Nothing) => one,
            (Type::List(one), Type::List(other)) => Type::List(Box::new(one.join(*other))),
            (Type::Map(key, value), Type::Map(other_key, other)) => {
                Type::Map(Box::new(key.join(*other_key)), Box::new(value.join(*other)))
            }
            (one, other) if one == other => one,
            _ => Type::Any,
        }
    }

    /// Whether a value of this type can equal one of another.
    pub(super) fn can_equal(&self, other: &Type) -> bool {
        let is_json =
            |one: &Type| !matches!(one, Type::Time | Type::Duration | Type::Bytes | Type::Kind);
        match (self, other) {
            (Type::Any | Type::Nothing, _) | (_, Type::Any | Type::Nothing) => true,
            (Type::Json, one) | (one, Type::Json) => is_json(one),
            (Type::List(one), Type::List(other)) => one.can_equal(other),
            (Type::Map(key, one), Type::Map(other_key, other)) => {
                key.can_equal(other_key) && one.can_equal(other)
            }
            (one, other) => one == other || (one.is_number() && other.is_number()),
        }
    }

    /// Whether a value of this type can be less or more than one of another.
    pub(super) fn has_order_with(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Any | Type::Nothing, _) | (_, Type::Any | Type::Nothing) => true,
            (Type::Json, one) | (one, Type::Json) => *one == Type::Json || one.is_number(),
            (one, other) => {
                let is_ordered = matches!(
                    one,
                    Type::Text | Type::Time | Type::Duration | Type::Bool | Type::Bytes
                );
                (is_ordered && one == other) || (one.is_number() && other.is_number())
            }
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Type::Any | Type::Nothing => "any value",
            Type::Json => "a value from outside",
            Type::Null => "null",
            Type::Bool => "a boolean",
            Type::Int | Type::Uint | Type::Double => "a number",
            Type::Text => "a text",
            Type::Bytes => "bytes",
            Type::Time => "a time",
            Type::Duration => "a duration",
            Type::Kind => "a type",
            Type::List(items) if **items == Type::Text => "a list of texts",
            Type::List(_) => "a list",
            Type::Map(..) => "an object",
        })
    }
}

/// The type of a field of one of our records.
pub(super) fn field_type(record: &str, field: &str) -> Type {
    match (record, field) {
        ("subject", "groups" | "roles" | "scopes") => Type::texts(),
        ("subject", "claims") | ("mcp", "arguments" | "input" | "meta") => Type::object(Type::Json),
        ("request", "headers") => Type::object(Type::Text),
        _ => Type::Text,
    }
}
