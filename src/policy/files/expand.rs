//! Finds the files that match a glob. An unreadable directory is an error here. Libraries skip such
//! directories, and a policy would silently lose rules.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::error::{FILES_MAX, ReadPolicyError};
use crate::file::{self, FileKind};

/// The limit on the names that are visited: a glob can traverse a whole disk.
const NAMES_MAX: usize = 100_000;
/// The depth limit of `**`, because a link may lead back up.
const DEPTH_MAX: usize = 64;

/// As in a shell, `*` matches no hidden file, and directories leave hidden files out too.
const VISIBLE: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// One part of the path between separators.
enum PatternPart {
    /// A literal name.
    Plain(PathBuf),
    /// A name with `*`, `?` or `[…]`.
    Pattern {
        pattern: Pattern,
        /// Whether it is only `*`, and so does not name files.
        is_any: bool,
    },
    /// `**`: any number of directories, or none.
    Deep,
}

pub(super) fn is_glob(path: &Path) -> bool {
    has_signs(path.as_os_str())
}

/// The part of a glob before its first sign, without the name of a file.
pub(super) fn plain_folder(path: &Path) -> PathBuf {
    let parts = path.components();
    parts
        .take_while(|part| !has_signs(part.as_os_str()))
        .collect()
}

fn has_signs(text: &OsStr) -> bool {
    let bytes = text.as_encoded_bytes();
    bytes.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// The paths that match the glob, in order; a directory only if it is named like a file.
pub(super) fn expand(path: &Path) -> Result<Vec<PathBuf>, ReadPolicyError> {
    let mut parts = Vec::new();
    for component in path.components() {
        parts.push(part(component, path)?);
    }
    // Two in a row are equivalent to one.
    parts.dedup_by(|one, other| matches!((one, other), (PatternPart::Deep, PatternPart::Deep)));
    let mut walk = DirWalk {
        glob: path,
        left: NAMES_MAX,
        found: Vec::new(),
    };
    walk.go(Path::new(""), &parts, 0)?;
    walk.found.sort();
    walk.found.dedup();
    Ok(walk.found)
}

fn part(component: Component<'_>, path: &Path) -> Result<PatternPart, ReadPolicyError> {
    let pattern_error = |cause| ReadPolicyError::Pattern {
        path: path.to_owned(),
        cause,
    };
    let text = component.as_os_str();
    if !has_signs(text) {
        return Ok(PatternPart::Plain(PathBuf::from(text)));
    }
    let text = text.to_str().ok_or_else(|| pattern_error("not UTF-8"))?;
    if text == "**" {
        return Ok(PatternPart::Deep);
    }
    let pattern = Pattern::new(text).map_err(|error| pattern_error(error.msg))?;
    let is_any = text.bytes().all(|byte| byte == b'*');
    Ok(PatternPart::Pattern { pattern, is_any })
}

struct DirWalk<'p> {
    glob: &'p Path,
    left: usize,
    found: Vec<PathBuf>,
}

impl DirWalk<'_> {
    /// Continues from a directory with the remaining parts.
    fn go(
        &mut self,
        folder: &Path,
        parts: &[PatternPart],
        depth: usize,
    ) -> Result<(), ReadPolicyError> {
        let Some((part, rest)) = parts.split_first() else {
            return Ok(());
        };
        match part {
            PatternPart::Plain(name) => {
                let path = folder.join(name);
                self.take(&path, rest, false, depth)
            }
            PatternPart::Pattern { pattern, is_any } => {
                for (name, path) in self.names(folder)? {
                    if pattern.matches_with(&name, VISIBLE) {
                        self.take(&path, rest, *is_any, depth)?;
                    }
                }
                Ok(())
            }
            PatternPart::Deep => {
                self.go(folder, rest, depth)?;
                self.deeper(folder, parts, depth)
            }
        }
    }

    /// Enters every visible directory below, with the same parts.
    fn deeper(
        &mut self,
        folder: &Path,
        parts: &[PatternPart],
        depth: usize,
    ) -> Result<(), ReadPolicyError> {
        if depth >= DEPTH_MAX {
            return Err(self.too_wide());
        }
        for (name, path) in self.names(folder)? {
            if !name.starts_with('.') && kind(&path)? == Some(FileKind::Directory) {
                self.go(&path, parts, depth.saturating_add(1))?;
            }
        }
        Ok(())
    }

    /// Handles an entry that a part matched: as a file at the end, otherwise as a directory to
    /// enter.
    fn take(
        &mut self,
        path: &Path,
        rest: &[PatternPart],
        is_any: bool,
        depth: usize,
    ) -> Result<(), ReadPolicyError> {
        if !rest.is_empty() {
            return match kind(path)? {
                Some(FileKind::Directory) => self.go(path, rest, depth),
                // They have no entries.
                Some(FileKind::File | FileKind::Other(_)) | None => Ok(()),
            };
        }
        let is_left_out = match file::kind(path) {
            Ok(None) => true,
            // `*` is not meant for directories, which may exist beside the files.
            Ok(Some(FileKind::Directory)) => is_any && !is_named_as_policy(path),
            // Reading it reports what is wrong with it.
            Ok(Some(FileKind::File | FileKind::Other(_))) | Err(_) => false,
        };
        if is_left_out {
            return Ok(());
        }
        if self.found.len() > FILES_MAX {
            return Err(ReadPolicyError::TooLarge);
        }
        self.found.push(path.to_owned());
        Ok(())
    }

    fn too_wide(&self) -> ReadPolicyError {
        ReadPolicyError::TooWide(self.glob.to_owned())
    }

    /// The names in a directory, with their paths. Bytes of a name that are not UTF-8 match as
    /// U+FFFD.
    fn names(&mut self, folder: &Path) -> Result<Vec<(String, PathBuf)>, ReadPolicyError> {
        let here = here_if_empty(folder);
        let read_error = |cause: std::io::Error| ReadPolicyError::of(here, cause);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(here).map_err(read_error)? {
            let name = entry.map_err(read_error)?.file_name();
            self.left = self.left.checked_sub(1).ok_or_else(|| self.too_wide())?;
            let path = folder.join(&name);
            names.push((name.to_string_lossy().into_owned(), path));
        }
        Ok(names)
    }
}

fn kind(path: &Path) -> Result<Option<FileKind>, ReadPolicyError> {
    file::kind(path).map_err(|cause| ReadPolicyError::of(path, cause))
}

pub(super) fn here_if_empty(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }
}

/// Hidden files are left out: editors and Kubernetes volumes store internal files under such names.
pub(super) fn is_named_as_policy(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    let yaml = path
        .extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml");
    yaml && !hidden
}
