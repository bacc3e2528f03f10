//! Reading files, and telling what has a name.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::error::ReadError;
use super::looks::{START_TIME_MAX, within};

/// What has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// Something else, in words.
    Other(&'static str),
}

impl FileKind {
    fn of(found: &Metadata) -> Self {
        let kind = found.file_type();
        if kind.is_file() {
            FileKind::File
        } else if kind.is_dir() {
            FileKind::Directory
        } else if kind.is_fifo() {
            FileKind::Other("a pipe")
        } else if kind.is_socket() {
            FileKind::Other("a socket")
        } else if kind.is_block_device() || kind.is_char_device() {
            FileKind::Other("a device")
        } else {
            FileKind::Other("something else")
        }
    }

    fn regular(self) -> Result<(), ReadError> {
        match self {
            FileKind::File => Ok(()),
            FileKind::Directory => Err(ReadError::NotAFile("a directory")),
            FileKind::Other(what) => Err(ReadError::NotAFile(what)),
        }
    }
}

/// What has the name `path`, behind links; `None` only if nothing has.
///
/// # Errors
/// When that cannot be told, a link to nothing included.
pub fn kind(path: &Path) -> Result<Option<FileKind>, ReadError> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(Some(FileKind::of(&found))),
        // Below a file nothing can be.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
        Err(error) => match ReadError::of(path, error) {
            ReadError::Missing => Ok(None),
            error @ (ReadError::Dangling
            | ReadError::NotAFile(_)
            | ReadError::TooLarge(_)
            | ReadError::NotText
            | ReadError::Hangs(_)
            | ReadError::Other(_)) => Err(error),
        },
    }
}

/// Reads a regular file whole.
///
/// # Errors
/// When it is none, has more than `bytes_max` bytes, or cannot be read.
pub fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, ReadError> {
    let of = |error| ReadError::of(path, error);
    // A device is not even opened.
    FileKind::of(&std::fs::metadata(path).map_err(of)?).regular()?;
    // Should a pipe have taken its place by now, opening it does not wait for a writer.
    let mut open = OpenOptions::new();
    open.read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = open.open(path).map_err(of)?;
    FileKind::of(&file.metadata()?).regular()?;
    whole(file, bytes_max)
}

/// Reads a regular file of text whole.
///
/// # Errors
/// Those of [`read`], and when it is not UTF-8.
pub fn read_text(path: &Path, bytes_max: u64) -> Result<String, ReadError> {
    text(read(path, bytes_max)?)
}

/// Reads what a command line names: standard input for `-`, a pipe that the shell made (`<(…)`), or
/// a regular file. The writer of a pipe may take its time.
///
/// # Errors
/// Those of [`read_text`].
pub fn read_input(path: &Path, bytes_max: u64) -> Result<String, ReadError> {
    text(read_input_bytes(path, bytes_max)?)
}

/// Reads the same, which need not be text.
///
/// # Errors
/// Those of [`read`].
pub fn read_input_bytes(path: &Path, bytes_max: u64) -> Result<Vec<u8>, ReadError> {
    if path == Path::new("-") {
        whole(io::stdin().lock(), bytes_max)
    } else if is_descriptor(path) {
        whole(File::open(path)?, bytes_max)
    } else {
        let owned = path.to_owned();
        within(START_TIME_MAX, move || read(&owned, bytes_max))?
    }
}

/// Whether a path that [`read_input`] takes names something that can be read only once: standard
/// input, or a pipe that the shell made.
#[must_use]
pub fn is_read_once(path: &Path) -> bool {
    path == Path::new("-") || is_descriptor(path)
}

/// Whether the path names what this process was started with, which the shell opened for it.
fn is_descriptor(path: &Path) -> bool {
    path == Path::new("/dev/stdin")
        || ["/dev/fd", "/proc/self/fd"]
            .into_iter()
            .any(|folder| path.parent() == Some(Path::new(folder)))
}

fn whole(from: impl Read, bytes_max: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    from.take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= bytes_max) {
        Ok(bytes)
    } else {
        Err(ReadError::TooLarge(bytes_max))
    }
}

fn text(bytes: Vec<u8>) -> Result<String, ReadError> {
    String::from_utf8(bytes).map_err(|_| ReadError::NotText)
}

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Which file it is.
    file: (u64, u64),
    length: u64,
    /// When its content changed: seconds and nanoseconds, before 1970 too.
    modified: (i64, i64),
    /// When anything about it changed.
    changed: (i64, i64),
}

/// The state of the regular file at `path`.
///
/// # Errors
/// When it is none, or cannot be told.
pub fn stamp(path: &Path) -> Result<Stamp, ReadError> {
    let found = std::fs::metadata(path).map_err(|error| ReadError::of(path, error))?;
    FileKind::of(&found).regular()?;
    Ok(Stamp {
        file: (found.dev(), found.ino()),
        length: found.len(),
        modified: (found.mtime(), found.mtime_nsec()),
        changed: (found.ctime(), found.ctime_nsec()),
    })
}
