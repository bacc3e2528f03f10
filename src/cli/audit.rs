//! Reads files of audit records, line by line.

use std::path::Path;

use super::outcome::Stop;
use crate::file;

/// The most bytes of a file of audit records.
const BYTES_MAX: u64 = 1 << 30;
/// What stands for a line that is no text: no record either.
const NO_TEXT: &str = "not UTF-8";

/// A file of audit records.
#[derive(Debug)]
pub(super) struct AuditFile {
    /// How the command line names it.
    pub(super) name: String,
    bytes: Vec<u8>,
}

/// Reads a file, standard input for `-`, or a pipe of the shell.
pub(super) fn read(path: &Path) -> Result<AuditFile, Stop> {
    let name = path.display().to_string();
    match file::read_input_bytes(path, BYTES_MAX) {
        Ok(bytes) => Ok(AuditFile { name, bytes }),
        Err(error) => Err(Stop::Failed(format!("cannot read `{name}`: {error}"))),
    }
}

impl AuditFile {
    /// Each line with its place: the file and the number. One that was cut off may end within a
    /// character, which spoils no other line.
    pub(super) fn lines(&self) -> impl Iterator<Item = (String, &str)> {
        let lines = self.bytes.split(|byte| *byte == b'\n');
        (1_usize..).zip(lines).map(|(number, line)| {
            let place = format!("{}:{number}", self.name);
            (place, std::str::from_utf8(line).unwrap_or(NO_TEXT))
        })
    }
}
