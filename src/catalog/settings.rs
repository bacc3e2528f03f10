//! The configuration of the catalog, server by server.

use std::path::PathBuf;

/// What becomes of a tool whose definition changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnChange {
    /// It is audited and counted.
    #[default]
    Audit,
    /// It is also hidden and refused until the definition is accepted.
    Deny,
}

/// What becomes of a tool that is not in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUnknown {
    /// The policy decides, as about any other.
    #[default]
    Policy,
    /// It is hidden and refused.
    Deny,
}

/// How far a server is trusted in what it says of its tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trust {
    /// What becomes of a tool whose definition changes.
    pub on_change: OnChange,
    /// What becomes of a tool that is not in the record.
    pub on_unknown: OnUnknown,
    /// Whether annotations are a source of classes.
    pub hints: bool,
}

impl Trust {
    /// Whether without a record something that the operator asked for cannot be done.
    pub(super) fn needs_record(self) -> bool {
        self.hints || self.on_change == OnChange::Deny || self.on_unknown == OnUnknown::Deny
    }
}

/// One server, as far as its tools are watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedServer {
    /// Its configured name.
    pub name: String,
    /// How far it is trusted.
    pub trust: Trust,
    /// Its recorded and accepted `tools/list` result.
    pub snapshot: Option<PathBuf>,
    /// Whether the arguments of calls have to fit the recorded input schemas.
    pub check_arguments: bool,
}

/// What the catalog may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogLimits {
    /// How many tools of a server are remembered, besides those of its record.
    pub tools_max: usize,
    /// The longest name that is remembered, in bytes: no longer one can be called.
    pub name_bytes_max: usize,
}
