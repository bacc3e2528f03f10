//! Why an item cannot be judged, and why a response cannot be read.

use crate::json::StreamFault;

/// Why an item or list is hidden without having been judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unjudged {
    /// An item is larger than `item_bytes_max`, or the id of a new task longer than
    /// `task_id_bytes_max`.
    #[error("an item is too large")]
    TooLarge,
    /// The list is not an array. It is replaced by an empty one.
    #[error("the list is not an array")]
    NotAList,
    /// An item is not an object.
    #[error("an item is not an object")]
    NotAnObject,
    /// An item is not UTF-8, has a number out of range, or half of a surrogate pair in its name or in a
    /// key. Elsewhere in its text half of a pair passes as it is.
    #[error("an item has text or a number that cannot be represented")]
    Unsound,
    /// Arrays and objects in an item are nested deeper than `json_depth_max`.
    #[error("an item is nested too deeply")]
    TooDeep,
    /// An item can be read in two ways: equal keys, keys that differ only in case from one another
    /// or from a member of the protocol, or NUL in a key. Free data in it, such as a schema, may
    /// have keys that differ only in case.
    #[error("an item can be read in two ways")]
    Ambiguous,
    /// An item lacks the string that names it.
    #[error("an item has no name")]
    Unnamed,
}

impl Unjudged {
    /// The stable code, for the audit.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Unjudged::TooLarge => "too_large",
            Unjudged::NotAList => "not_a_list",
            Unjudged::NotAnObject => "not_an_object",
            Unjudged::Unsound => "unsound",
            Unjudged::TooDeep => "too_deep",
            Unjudged::Ambiguous => "ambiguous",
            Unjudged::Unnamed => "unnamed",
        }
    }
}

/// Why a response cannot be read further. Nothing is forwarded from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unreadable {
    /// It is not JSON.
    #[error("the response is not valid JSON")]
    NotJson,
    /// A JSON text begins with a byte order mark.
    #[error("the response begins with a byte order mark")]
    Bom,
    /// A string is not UTF-8.
    #[error("the response is not UTF-8")]
    NotUtf8,
    /// Arrays and objects are nested too deeply.
    #[error("nesting in the response is deeper than `depth_max`")]
    TooDeep,
    /// Something other than white space follows the JSON value.
    #[error("data follows the JSON value of the response")]
    TrailingData,
    /// The response, or an event in it, ends before its JSON value does.
    #[error("the response ends in the middle of a JSON value")]
    Incomplete,
    /// Different clients read a line of an event stream differently.
    #[error("a line of the event stream can be read in two ways")]
    AmbiguousLine,
    /// A result that is held back as a whole is too large.
    #[error("a result of the response is too large to be filtered")]
    TooLarge,
    /// The caller has abandoned it.
    #[error("the response was abandoned")]
    Abandoned,
}

impl From<StreamFault> for Unreadable {
    fn from(fault: StreamFault) -> Self {
        match fault {
            StreamFault::NotJson => Unreadable::NotJson,
            StreamFault::Bom => Unreadable::Bom,
            StreamFault::NotUtf8 => Unreadable::NotUtf8,
            StreamFault::TooDeep => Unreadable::TooDeep,
            StreamFault::TrailingData => Unreadable::TrailingData,
        }
    }
}
