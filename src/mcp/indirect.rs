//! The tools of a server that call other tools, or find them.

use crate::authz::{ValuePath, is_near};

/// A tool of a server that calls other tools of it, or finds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndirectTool {
    /// Its name. A name that some server may take for it counts as this one.
    pub tool: String,
    /// Where its arguments have the calls that it makes, if it makes any.
    pub inner: Option<InnerPaths>,
    /// Where its result has a list of tools, if it has one.
    pub results: Option<FoundPaths>,
}

/// Where the result of a tool has a list of tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPaths {
    /// The list.
    pub list: ValuePath,
    /// Where each of its items has the server that it is a tool of, if several are behind this one.
    pub server: Option<ValuePath>,
}

/// Where the arguments of a tool have the calls that it makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InnerPaths {
    /// The list of calls; none: there is one call.
    pub calls: Option<ValuePath>,
    /// Where the name of the server is that has the inner tool, in the same object as its name, if
    /// several are behind this one.
    pub server: Option<ValuePath>,
    /// Where the name of the inner tool is: in the arguments, or in each item of the list.
    pub name: ValuePath,
    /// Where the arguments of the inner tool are, in the same object.
    pub arguments: ValuePath,
    /// How they are written there.
    pub form: InnerForm,
}

impl IndirectTool {
    /// Whether some server may take a name for that of this tool.
    #[must_use]
    pub fn is_meant_by(&self, name: &str) -> bool {
        is_near(&self.tool, name)
    }
}

/// The name by which rules know the tool of a server behind this one. `None` if the server could be
/// another one: it has no name, or a part of it could be one of the tool's.
pub(super) fn qualified(server: &str, tool: &str) -> Option<String> {
    let is_clear = !server.is_empty() && !server.contains(SEPARATOR);
    is_clear.then(|| format!("{server}{SEPARATOR}{tool}"))
}

/// Stands between the name of a server and that of its tool.
const SEPARATOR: char = '/';

/// How the arguments of an inner call are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InnerForm {
    /// As an object.
    #[default]
    Object,
    /// As an object, or as a string that is the JSON text of one.
    Json,
}
