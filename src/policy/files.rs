//! The files a policy consists of.

use std::io::Read;
use std::path::{Path, PathBuf};

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
    /// One of them could not be read.
    #[error("cannot read the policy `{}`: {cause}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// A pipe or a device: reading it might never end.
    #[error("the policy `{}` is neither a file nor a directory", .0.display())]
    NotAFile(PathBuf),
    /// Too much to be a policy.
    #[error("the policy has more than {FILES_MAX} files or {BYTES_MAX} bytes")]
    TooLarge,
}

/// Reads the file at `path`, every `*.yaml` and `*.yml` file of the directory there, or every
/// file that matches it as a glob; in the order of their paths. The tests of a policy (see
/// [`read_tests`]) are not part of it.
///
/// # Errors
/// When there is none, or one cannot be read: a policy is whole or nothing.
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

fn policy_paths(path: &Path) -> Result<Vec<PathBuf>, ReadPolicyError> {
    let mut found = paths(path)?;
    if !path.is_file() {
        found.retain(|file| !is_test_file(file));
    }
    Ok(found)
}

fn test_paths(path: &Path) -> Result<Vec<PathBuf>, ReadPolicyError> {
    if path.is_file() {
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let beside = ["yaml", "yml"].into_iter().filter_map(|extension| {
            let beside = path.with_file_name(format!("{}_test.{extension}", stem?));
            beside.is_file().then_some(beside)
        });
        return Ok(beside.collect());
    }
    let mut folders: Vec<PathBuf> = policy_paths(path)?
        .iter()
        .filter_map(|file| file.parent().map(Path::to_owned))
        .collect();
    folders.dedup();
    let mut found = Vec::new();
    for folder in folders {
        let here = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &folder
        };
        found.extend(paths(here)?.into_iter().filter(|file| is_test_file(file)));
    }
    Ok(found)
}

/// `*_test.yaml`, `*_test.yml`.
fn is_test_file(path: &Path) -> bool {
    let stem = path.file_stem().map(std::ffi::OsStr::as_encoded_bytes);
    stem.is_some_and(|stem| stem.ends_with(b"_test"))
}

fn read_one(path: &Path, left: &mut u64) -> Result<Source, ReadPolicyError> {
    let mut text = String::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(left.saturating_add(1)).read_to_string(&mut text));
    let length = read.map_err(|cause| ReadPolicyError::Read {
        path: path.to_owned(),
        cause,
    })?;
    *left = u64::try_from(length)
        .ok()
        .and_then(|length| left.checked_sub(length))
        .ok_or(ReadPolicyError::TooLarge)?;
    Ok(Source {
        name: path.display().to_string(),
        text,
    })
}

fn paths(path: &Path) -> Result<Vec<PathBuf>, ReadPolicyError> {
    let read_error = |cause| ReadPolicyError::Read {
        path: path.to_owned(),
        cause,
    };
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            let entries = std::fs::read_dir(path).map_err(read_error)?;
            let mut files = Vec::new();
            for entry in entries {
                let file = entry.map_err(read_error)?.path();
                if is_policy_file(&file) {
                    files.push(file);
                }
            }
            files.sort();
            Ok(files)
        }
        Ok(found) if found.is_file() => Ok(vec![path.to_owned()]),
        Ok(_) => Err(ReadPolicyError::NotAFile(path.to_owned())),
        Err(_) if is_glob(path) => expand(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(ReadPolicyError::Missing(path.to_owned()))
        }
        Err(error) => Err(read_error(error)),
    }
}

/// Hidden files are left out: editors and Kubernetes volumes keep their own there.
fn is_policy_file(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    let yaml = path
        .extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml");
    yaml && !hidden && path.is_file()
}

fn is_glob(path: &Path) -> bool {
    path.as_os_str()
        .as_encoded_bytes()
        .iter()
        .any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// As in a shell: `*` matches no hidden file, as a directory leaves them out too.
const VISIBLE: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

fn expand(path: &Path) -> Result<Vec<PathBuf>, ReadPolicyError> {
    let pattern_error = |cause| ReadPolicyError::Pattern {
        path: path.to_owned(),
        cause,
    };
    let pattern = path.to_str().ok_or_else(|| pattern_error("not UTF-8"))?;
    let matches = glob::glob_with(pattern, VISIBLE).map_err(|error| pattern_error(error.msg))?;
    let mut files = Vec::new();
    for found in matches {
        let file = found.map_err(|error| ReadPolicyError::Read {
            path: error.path().to_owned(),
            cause: error.into_error(),
        })?;
        if file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}
