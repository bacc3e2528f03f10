//! Why the files of a policy could not be read.

use std::path::{Path, PathBuf};

use crate::file::ReadError;

/// The most bytes all files of a policy may have together.
pub(super) const BYTES_MAX: u64 = 64 << 20;
/// The most files a policy may consist of.
pub(super) const FILES_MAX: usize = 1000;

/// Why the files of a policy could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadPolicyError {
    /// Nothing is there.
    #[error("no policy file at `{}`", .0.display())]
    Missing(PathBuf),
    /// The path is a glob that cannot be understood.
    #[error("`{}` is not a path or glob: {cause}", path.display())]
    Pattern {
        /// The path as configured.
        path: PathBuf,
        /// What is wrong with it.
        cause: &'static str,
    },
    /// One of them could not be read, or one of the directories that they are looked for in.
    #[error("cannot read the policy `{}`: {cause}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        cause: ReadError,
    },
    /// The path is a glob that leads through too much.
    #[error("`{}` leads through too many directories or names", .0.display())]
    TooWide(PathBuf),
    /// Too much to be a policy.
    #[error("the policy has more than {FILES_MAX} files or {BYTES_MAX} bytes")]
    TooLarge,
}

impl ReadPolicyError {
    /// That this file or directory cannot be read.
    pub(crate) fn of(path: &Path, cause: impl Into<ReadError>) -> Self {
        ReadPolicyError::Read {
            path: path.to_owned(),
            cause: cause.into(),
        }
    }
}
