//! Why a text that arrives in pieces is not JSON.

/// Why a text that arrives in pieces is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamFault {
    /// It does not follow the grammar.
    NotJson,
    /// It begins with a byte order mark.
    Bom,
    /// A string is not UTF-8.
    NotUtf8,
    /// Arrays and objects are nested too deeply.
    TooDeep,
    /// Something other than white space follows the value.
    TrailingData,
}
