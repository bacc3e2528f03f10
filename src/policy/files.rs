//! Finds and reads the files of a policy and of its tests.

mod error;
mod expand;
mod inside;

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};

pub use error::ReadPolicyError;

use crate::file::{self, FileKind, ReadError};
use crate::yaml::Source;
use error::{BYTES_MAX, FILES_MAX};
use expand::{here_if_empty, is_named_as_policy};

/// Whose files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The operator's, whose links may lead anywhere.
    Operator,
    /// A team's. Its links may not lead out of the folder of its files: what is wrong with a file is
    /// shown, and a team must not choose of which.
    Team,
}

/// Reads the file at `path`, or every `*.yaml` and `*.yml` file in that directory, or every file
/// that matches it as a glob, in the order of their paths. The tests of a policy (see
/// [`read_tests`]) are not included.
///
/// # Errors
/// If there is no file, or one cannot be read: a policy is read entirely or not at all. A dangling
/// link, a pipe or a directory with such a name counts as unreadable.
pub fn read(path: &Path) -> Result<Vec<Source>, ReadPolicyError> {
    read_of(Owner::Operator, path)
}

/// The same for the files of an owner.
///
/// # Errors
/// Likewise, and if a team's file is none of its folder, or its files are too large.
pub fn read_of(owner: Owner, path: &Path) -> Result<Vec<Source>, ReadPolicyError> {
    let paths = policy_paths(path)?;
    if paths.is_empty() {
        let is_directory = matches!(PolicyPath::of(path)?, PolicyPath::Directory);
        return Err(if is_directory {
            ReadPolicyError::EmptyDirectory(path.to_owned())
        } else {
            ReadPolicyError::Missing(path.to_owned())
        });
    }
    read_paths(owner, path, &paths)
}

/// Reads the tests of the policy at `path`, in the order of their paths: for a single file
/// `NAME.yaml` the file `NAME_test.yaml` beside it; for a directory or glob every `*_test.yaml` in
/// the directories of the policy's files (`.yml` alike). Having no tests is not an error.
///
/// # Errors
/// If one cannot be read.
pub fn read_tests(path: &Path) -> Result<Vec<Source>, ReadPolicyError> {
    read_tests_of(Owner::Operator, path)
}

/// The same for the tests of an owner.
///
/// # Errors
/// Likewise, and if a team's file is none of its folder, or its files are too large.
pub fn read_tests_of(owner: Owner, path: &Path) -> Result<Vec<Source>, ReadPolicyError> {
    read_paths(owner, path, &test_paths(path)?)
}

fn read_paths(
    owner: Owner,
    path: &Path,
    paths: &[PathBuf],
) -> Result<Vec<Source>, ReadPolicyError> {
    match owner {
        Owner::Operator => read_all(paths),
        Owner::Team => inside::read(&PolicyPath::folder(path)?, paths),
    }
}

/// The files in directories below the one at `path` that [`read`] does not read, if it is one: a
/// directory is not searched, and a glob says what is meant.
#[must_use]
pub fn unread(path: &Path) -> Vec<PathBuf> {
    let is_directory = matches!(PolicyPath::of(path), Ok(PolicyPath::Directory));
    if !is_directory || expand::is_glob(path) {
        return Vec::new();
    }
    let below = ["yaml", "yml"].map(|end| path.join("*/**").join(format!("*.{end}")));
    let found = below.iter().filter_map(|glob| expand::expand(glob).ok());
    found.flatten().collect()
}

/// Reads exactly these files, in this order.
///
/// # Errors
/// If one cannot be read.
pub fn read_all(paths: &[PathBuf]) -> Result<Vec<Source>, ReadPolicyError> {
    if paths.len() > FILES_MAX {
        return Err(ReadPolicyError::TooLarge);
    }
    let mut left = BYTES_MAX;
    paths.iter().map(|path| read_one(path, &mut left)).collect()
}

/// The files of one owner, as read at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PolicyFiles {
    pub(super) policy: Vec<Source>,
    pub(super) tests: Vec<Source>,
}

/// The result of reading the files.
pub(super) type Sources = Result<PolicyFiles, ReadPolicyError>;

/// Reads the files of the policy at `path`, and its tests.
pub(super) fn read_files(owner: Owner, path: &Path) -> Sources {
    Ok(PolicyFiles {
        policy: read_of(owner, path)?,
        tests: read_tests_of(owner, path)?,
    })
}

impl PolicyFiles {
    /// A digest over the names and texts.
    pub(super) fn digest(&self) -> Vec<u8> {
        let mut context = Context::new(&SHA256);
        // A corrected test is a change too: the policy may have been waiting for it.
        let all = self.policy.iter().chain(&self.tests);
        for part in all.flat_map(|file| [&file.name, &file.text]) {
            context.update(&part.len().to_le_bytes());
            context.update(part.as_bytes());
        }
        context.finish().as_ref().to_vec()
    }
}

/// The kind of path that a policy is configured with.
enum PolicyPath {
    File,
    Directory,
    Glob,
}

impl PolicyPath {
    fn of(path: &Path) -> Result<Self, ReadPolicyError> {
        match file::kind(path).map_err(|cause| ReadPolicyError::of(path, cause))? {
            // Anything else is refused when it is read.
            Some(FileKind::File | FileKind::Other(_)) => Ok(PolicyPath::File),
            Some(FileKind::Directory) => Ok(PolicyPath::Directory),
            None if expand::is_glob(path) => Ok(PolicyPath::Glob),
            None => Err(ReadPolicyError::Missing(path.to_owned())),
        }
    }

    /// The directory that all files of a path are in: of a glob, the part before its first sign.
    fn folder(path: &Path) -> Result<PathBuf, ReadPolicyError> {
        let folder = match PolicyPath::of(path)? {
            PolicyPath::File => path.parent().map(Path::to_owned).unwrap_or_default(),
            PolicyPath::Directory => path.to_owned(),
            PolicyPath::Glob => expand::plain_folder(path),
        };
        Ok(here_if_empty(&folder).to_owned())
    }
}

fn policy_paths(path: &Path) -> Result<Vec<PathBuf>, ReadPolicyError> {
    let mut found = match PolicyPath::of(path)? {
        PolicyPath::File => return Ok(vec![path.to_owned()]),
        PolicyPath::Directory => listed(path)?,
        PolicyPath::Glob => expand::expand(path)?,
    };
    found.retain(|file| !is_test_file(file));
    Ok(found)
}

fn test_paths(path: &Path) -> Result<Vec<PathBuf>, ReadPolicyError> {
    let folders = match PolicyPath::of(path)? {
        PolicyPath::File => return tests_beside(path),
        PolicyPath::Directory => vec![path.to_owned()],
        PolicyPath::Glob => {
            let files = policy_paths(path)?;
            let mut folders: Vec<PathBuf> = files
                .iter()
                .filter_map(|file| file.parent().map(Path::to_owned))
                .collect();
            folders.sort();
            folders.dedup();
            folders
        }
    };
    let mut found = Vec::new();
    for folder in folders {
        let here = here_if_empty(&folder);
        found.extend(listed(here)?.into_iter().filter(|file| is_test_file(file)));
    }
    Ok(found)
}

/// The tests of a single file. There are certainly no tests only if nothing has the name and the
/// directory exists.
fn tests_beside(path: &Path) -> Result<Vec<PathBuf>, ReadPolicyError> {
    let Some(stem) = path.file_stem() else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for extension in ["yaml", "yml"] {
        let mut name = stem.to_owned();
        name.push("_test.");
        name.push(extension);
        let beside = path.with_file_name(name);
        match file::kind(&beside) {
            Ok(None) => {}
            // Reading it reports what is wrong with it.
            Ok(Some(_)) | Err(_) => found.push(beside),
        }
    }
    if found.is_empty() {
        let folder = here_if_empty(path.parent().unwrap_or(Path::new("")));
        match file::kind(folder) {
            Ok(Some(FileKind::Directory)) => {}
            Ok(Some(FileKind::File | FileKind::Other(_)) | None) => {
                return Err(ReadPolicyError::of(folder, ReadError::Missing));
            }
            Err(cause) => return Err(ReadPolicyError::of(folder, cause)),
        }
    }
    Ok(found)
}

/// Whether a file in the directory of a policy is one of its files, by its name.
#[must_use]
pub fn is_policy_file(path: &Path) -> bool {
    is_named_as_policy(path) && !is_test_file(path)
}

/// Whether a file has the name of tests: `*_test.yaml`, `*_test.yml`.
#[must_use]
pub fn is_test_file(path: &Path) -> bool {
    let stem = path.file_stem().map(std::ffi::OsStr::as_encoded_bytes);
    stem.is_some_and(|stem| stem.ends_with(b"_test"))
}

fn read_one(path: &Path, left: &mut u64) -> Result<Source, ReadPolicyError> {
    let text = match file::read_text(path, *left) {
        Ok(text) => text,
        Err(ReadError::TooLarge(_)) => return Err(ReadPolicyError::TooLarge),
        Err(cause) => return Err(ReadPolicyError::of(path, cause)),
    };
    *left = u64::try_from(text.len())
        .ok()
        .and_then(|length| left.checked_sub(length))
        .ok_or(ReadPolicyError::TooLarge)?;
    Ok(Source {
        name: path.display().to_string(),
        text,
    })
}

/// Everything in a directory that is named like a policy file, whether it is a file or not.
fn listed(folder: &Path) -> Result<Vec<PathBuf>, ReadPolicyError> {
    let read_error = |cause: std::io::Error| ReadPolicyError::of(folder, cause);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read_error)? {
        let file = entry.map_err(read_error)?.path();
        if is_named_as_policy(&file) {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}
