//! Why a file cannot be read.

use std::io;
use std::path::Path;
use std::time::Duration;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Nothing has this name.
    #[error("there is no such file")]
    Missing,
    /// A link has this name, and nothing is where it points.
    #[error("it is a link to nothing")]
    Dangling,
    /// Something else has this name: reading it might never end.
    #[error("it is {0}, not a regular file")]
    NotAFile(&'static str),
    /// More bytes than this.
    #[error("it has more than {0} bytes")]
    TooLarge(u64),
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    NotText,
    /// The file system gave no answer within this time.
    #[error("the file system gave no answer within {} s", .0.as_secs_f64())]
    Hangs(Duration),
    /// Anything else that the operating system said.
    #[error(transparent)]
    Other(#[from] io::Error),
}

impl ReadError {
    /// The error of asking for the file at `path`.
    pub(super) fn of(path: &Path, error: io::Error) -> Self {
        if error.kind() != io::ErrorKind::NotFound {
            return ReadError::Other(error);
        }
        match std::fs::symlink_metadata(path) {
            Ok(_) => ReadError::Dangling,
            Err(error) if error.kind() == io::ErrorKind::NotFound => ReadError::Missing,
            Err(error) => ReadError::Other(error),
        }
    }
}
