//! A tree of YAML values, each of which knows where in its file it stands.

use std::ops::Range;

use super::source::SourceId;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The file.
    pub source: SourceId,
    /// The bytes of the file that the value takes.
    pub span: Range<usize>,
    /// The value.
    pub data: Data,
}

/// A YAML value by the core schema (YAML 1.2.2 §10.3).
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number with a fraction or exponent, or not a number at all.
    Float(f64),
    /// Any other scalar, and every quoted one.
    String(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order of the file; keys are strings and unique.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// What the value is, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.data {
            Data::Null => "nothing",
            Data::Bool(_) => "a boolean",
            Data::Int(_) => "an integer",
            Data::Float(_) => "a number",
            Data::String(_) => "a string",
            Data::List(_) => "a list",
            Data::Map(_) => "a mapping",
        }
    }

    /// The value of a member of a mapping; none for anything but a mapping.
    #[must_use]
    pub fn member(&self, key: &str) -> Option<&Node> {
        let Data::Map(entries) = &self.data else {
            return None;
        };
        let own = entries.iter().find(|(name, _)| name.as_str() == Some(key));
        own.map(|(_, value)| value)
    }

    /// The items of a list; none for anything but a list.
    #[must_use]
    pub fn items(&self) -> &[Node] {
        if let Data::List(items) = &self.data {
            items
        } else {
            &[]
        }
    }

    /// The text of a string scalar.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Data::String(text) = &self.data {
            Some(text)
        } else {
            None
        }
    }
}
