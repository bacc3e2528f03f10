//! Why the files of a policy could not be read.

use std::path::{Path, PathBuf};

use crate::file::ReadError;

/// The limit on the total bytes of a policy's files.
pub(super) const BYTES_MAX: u64 = 64 << 20;
/// The same for the files of a team, and for its tests: all of it is in memory several times.
pub(super) const TEAM_BYTES_MAX: u64 = 8 << 20;
/// The limit on the number of a policy's files.
pub(super) const FILES_MAX: usize = 1000;

/// Why the files of a policy could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadPolicyError {
    /// The path does not exist or matches nothing.
    #[error("no policy file at `{}`", .0.display())]
    Missing(PathBuf),
    /// The path is a directory with no policy file in itself.
    #[error(
        "no policy file at `{}`: directories of a directory are not searched, which `{}/**/*.yaml` does",
        .0.display(),
        .0.display()
    )]
    EmptyDirectory(PathBuf),
    /// The path is an invalid glob.
    #[error("`{}` is not a path or glob: {cause}", path.display())]
    Pattern {
        /// The path as configured.
        path: PathBuf,
        /// What is wrong with it.
        cause: &'static str,
    },
    /// A file could not be read, or a directory to be searched for files.
    #[error("cannot read the policy `{}`: {cause}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        cause: ReadError,
    },
    /// The glob visits too many directories or names.
    #[error("`{}` leads through too many directories or names", .0.display())]
    TooWide(PathBuf),
    /// The files are too many or too large for a policy.
    #[error("the policy has more than {FILES_MAX} files or {BYTES_MAX} bytes")]
    TooLarge,
    /// The files of a team are too large.
    #[error("the team's files have more than {TEAM_BYTES_MAX} bytes")]
    TeamTooLarge,
    /// The file of a team is a link that leads away from its files.
    #[error(
        "`{}` leads out of `{}`: a team's files must not be links to others",
        path.display(),
        folder.display()
    )]
    Outside {
        /// The link.
        path: PathBuf,
        /// Where the team's files are.
        folder: PathBuf,
    },
}

impl ReadPolicyError {
    /// The error for a file or directory that cannot be read.
    pub(crate) fn of(path: &Path, cause: impl Into<ReadError>) -> Self {
        ReadPolicyError::Read {
            path: path.to_owned(),
            cause: cause.into(),
        }
    }
}
