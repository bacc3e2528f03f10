//! The accepted definitions of a server's tools, from a file that is read again when it changes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::description::{InvalidRecord, parse_record};
use super::input_schema::InputSchema;
use super::marks::ToolMarks;
use crate::authz::HintedClass;
use crate::file::{self, ReadError};

/// The most bytes of a record.
const BYTES_MAX: u64 = 64 << 20;

/// Why there is no record of a server's tools.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSnapshot {
    /// It cannot be read.
    #[error("cannot read the recorded tools `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ReadError,
    },
    /// It is no record.
    #[error("the recorded tools `{}` cannot be used: {source}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: InvalidRecord,
    },
}

/// What was accepted of one tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) digest: Arc<str>,
    pub(super) class: HintedClass,
}

/// One tool of a record.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub(super) accepted: Accepted,
    pub(super) input: Arc<InputSchema>,
    pub(super) marks: Arc<ToolMarks>,
}

impl PartialEq for Recorded {
    /// The digest is of the input schema too.
    fn eq(&self, other: &Self) -> bool {
        self.accepted == other.accepted && self.marks == other.marks
    }
}

/// The accepted definitions by name.
pub(super) type Snapshot = HashMap<String, Recorded>;

/// The text of the record at `path`.
pub(super) fn text(path: &Path) -> Result<String, ReadError> {
    file::read_text(path, BYTES_MAX)
}

/// Reads a record from the text that was had of its file. What it has in common with the one before
/// is taken from there.
pub(super) fn read(
    path: &Path,
    text: Result<String, ReadError>,
    before: &Snapshot,
) -> Result<Snapshot, InvalidSnapshot> {
    let text = text.map_err(|source| InvalidSnapshot::Read {
        path: path.to_owned(),
        source,
    })?;
    let tools = parse_record(&text).map_err(|source| InvalidSnapshot::Content {
        path: path.to_owned(),
        source,
    })?;
    let recorded = tools.into_iter().map(|tool| {
        let accepted = Accepted {
            digest: tool.digest().into(),
            class: tool.annotations().class(),
        };
        let same = before.get(&tool.name);
        let same = same.filter(|before| before.accepted.digest == accepted.digest);
        let input = same.map_or_else(
            || Arc::new(tool.input_schema()),
            |before| Arc::clone(&before.input),
        );
        let marks = Arc::new(ToolMarks::of(&tool.definition));
        let recorded = Recorded {
            accepted,
            input,
            marks,
        };
        (tool.name, recorded)
    });
    Ok(recorded.collect())
}
