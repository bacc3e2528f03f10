//! The files a policy consists of.

mod expand;

use std::path::{Path, PathBuf};

use crate::file::{self, FileKind, ReadError};
use crate::yaml::Source;

/// The most bytes all files of a policy may have together.
const BYTES_MAX: u64 = 64 << 20;
/// The most files a policy may consist of.
const FILES_MAX: usize = 1000;

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
    pub(super) fn of(path: &Path, cause: impl Into<ReadError>) -> Self {
        ReadPolicyError::Read {
            path: path.to_owned(),
            cause: cause.into(),
        }
    }
}

/// Reads the file at `path`, every `*.yaml` and `*.yml` file of the directory there, or every
/// file that matches it as a glob; in the order of their paths. The tests of a policy (see
/// [`read_tests`]) are not part of it.
///
/// # Errors
/// When there is none, or one cannot be read: a policy is whole or nothing. A link to nothing, a
/// pipe or a directory of such a name is one that cannot be read.
pub fn read(path: &Path) -> Result<Vec<Source>, ReadPolicyError> {
    let paths = policy_paths(path)?;
    if paths.is_empty() {
        return Err(ReadPolicyError::Missing(path.to_owned()));
    }
    read_all(&paths)
}

/// Reads the tests of the policy at `path`: for a single file `NAME.yaml` the file
/// `NAME_test.yaml` beside it, for a directory or glob every `*_test.yaml` in the directories of
/// the policy's files (`.yml` alike); in the order of their paths. None is not an error.
///
/// # Errors
/// When one cannot be read.
pub fn read_tests(path: &Path) -> Result<Vec<Source>, ReadPolicyError> {
    read_all(&test_paths(path)?)
}

/// Reads exactly these files, in this order.
///
/// # Errors
/// When one cannot be read.
pub fn read_all(paths: &[PathBuf]) -> Result<Vec<Source>, ReadPolicyError> {
    if paths.len() > FILES_MAX {
        return Err(ReadPolicyError::TooLarge);
    }
    let mut left = BYTES_MAX;
    paths.iter().map(|path| read_one(path, &mut left)).collect()
}

/// How a policy is configured.
enum Place {
    File,
    Directory,
    Glob,
}

impl Place {
    fn of(path: &Path) -> Result<Self, ReadPolicyError> {
        match file::kind(path).map_err(|cause| ReadPolicyError::of(path, cause))? {
            // Something else is refused as it is read.
            Some(FileKind::File | FileKind::Other(_)) => Ok(Place::File),
            Some(FileKind::Directory) => Ok(Place::Directory),
            None if expand::is_glob(path) => Ok(Place::Glob),
            None => Err(ReadPolicyError::Missing(path.to_owned())),
        }
    }
}

fn policy_paths(path: &Path) -> Result<Vec<PathBuf>, ReadPolicyError> {
    let mut found = match Place::of(path)? {
        Place::File => return Ok(vec![path.to_owned()]),
        Place::Directory => listed(path)?,
        Place::Glob => expand::expand(path)?,
    };
    found.retain(|file| !is_test_file(file));
    Ok(found)
}

fn test_paths(path: &Path) -> Result<Vec<PathBuf>, ReadPolicyError> {
    let folders = match Place::of(path)? {
        Place::File => return tests_beside(path),
        Place::Directory => vec![path.to_owned()],
        Place::Glob => {
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

/// The tests of a single file. Only of a name that nothing has, in a directory that is there, is it
/// known that there are no tests.
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
            // What is wrong with it is told as it is read.
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

fn here_if_empty(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }
}

/// `*_test.yaml`, `*_test.yml`.
fn is_test_file(path: &Path) -> bool {
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

/// What has the name of a policy file in a directory, be it a file or not.
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

/// Hidden files are left out: editors and Kubernetes volumes keep their own there.
fn is_named_as_policy(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    let yaml = path
        .extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml");
    yaml && !hidden
}
