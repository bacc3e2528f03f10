//! The accepted definitions of a server's tools, from a file that is read again when it changes.

use std::collections::HashMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::description::{InvalidRecord, parse_record};
use super::input_schema::InputSchema;
use crate::authz::HintedClass;

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
        /// What the operating system said.
        source: io::Error,
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
}

impl PartialEq for Recorded {
    /// The digest is of the input schema too.
    fn eq(&self, other: &Self) -> bool {
        self.accepted == other.accepted
    }
}

/// The accepted definitions by name.
pub(super) type Snapshot = HashMap<String, Recorded>;

/// Reads the record at `path`. What it has in common with the one before is taken from there.
pub(super) fn read(path: &Path, before: &Snapshot) -> Result<Snapshot, InvalidSnapshot> {
    let text = text(path).map_err(|source| InvalidSnapshot::Read {
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
        (tool.name, Recorded { accepted, input })
    });
    Ok(recorded.collect())
}

fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    // Reading a pipe or a device might never end.
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    file.take(BYTES_MAX.saturating_add(1))
        .read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length <= BYTES_MAX) {
        return Ok(text);
    }
    Err(io::Error::other(format!(
        "it has more than {BYTES_MAX} bytes"
    )))
}
