//! JSON values: arguments, claims and metadata as rules see them.

use std::borrow::Cow;

/// A JSON value. Its strings are borrowed from the text unless an escape prevents it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer that fits `i64`.
    Int(i64),
    /// An integer above `i64::MAX` that fits `u64`.
    Uint(u64),
    /// Any other number; always finite.
    Float(f64),
    /// A string.
    String(Cow<'a, str>),
    /// A string with half of a surrogate pair, as it is written in JSON between its quotation
    /// marks. Servers keep, replace or refuse the half, so nothing can be said of the text.
    Unsound(Cow<'a, str>),
    /// An array.
    List(Vec<Value<'a>>),
    /// An object, in document order. INVARIANT: keys are unique.
    Map(Vec<(Cow<'a, str>, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// A string.
    pub(super) fn of_text(text: &'a str) -> Self {
        Value::String(Cow::Borrowed(text))
    }

    /// The member `key` of an object.
    #[must_use]
    pub fn member(&self, key: &str) -> Option<&Value<'a>> {
        match self {
            Value::Map(members) => members
                .iter()
                .find_map(|(name, value)| (name == key).then_some(value)),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::Unsound(_)
            | Value::List(_) => None,
        }
    }

    /// The same value with texts of its own.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Bool(is) => Value::Bool(is),
            Value::Int(number) => Value::Int(number),
            Value::Uint(number) => Value::Uint(number),
            Value::Float(number) => Value::Float(number),
            Value::String(text) => Value::String(Cow::Owned(text.into_owned())),
            Value::Unsound(text) => Value::Unsound(Cow::Owned(text.into_owned())),
            Value::List(items) => Value::List(items.into_iter().map(Value::into_owned).collect()),
            Value::Map(members) => {
                let members = members.into_iter();
                let owned =
                    members.map(|(key, value)| (Cow::Owned(key.into_owned()), value.into_owned()));
                Value::Map(owned.collect())
            }
        }
    }

    /// Whether no string in it has half of a surrogate pair.
    pub(super) fn is_sound(&self) -> bool {
        match self {
            Value::Unsound(_) => false,
            Value::List(items) => items.iter().all(Value::is_sound),
            Value::Map(members) => members.iter().all(|(_, value)| value.is_sound()),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::String(_) => true,
        }
    }

    /// The number of values in the value, itself included; if there are more than `most`, some
    /// number above `most`.
    pub(super) fn count(&self, most: usize) -> usize {
        let sum = |total: usize, value: &Value<'_>| {
            if total > most {
                total
            } else {
                total.saturating_add(value.count(most))
            }
        };
        match self {
            Value::List(items) => items.iter().fold(1, sum),
            Value::Map(members) => members.iter().map(|(_, value)| value).fold(1, sum),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::Unsound(_) => 1,
        }
    }

    /// The total bytes of all texts and keys in the value.
    pub(super) fn text_bytes(&self) -> usize {
        match self {
            Value::String(text) | Value::Unsound(text) => text.len(),
            Value::List(items) => items
                .iter()
                .fold(0, |sum, item| sum.saturating_add(item.text_bytes())),
            Value::Map(members) => members.iter().fold(0, |sum, (key, value)| {
                sum.saturating_add(key.len())
                    .saturating_add(value.text_bytes())
            }),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) => 0,
        }
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::Unsound(_)
            | Value::List(_)
            | Value::Map(_) => None,
        }
    }
}
