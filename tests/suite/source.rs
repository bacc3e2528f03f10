//! The source of the package, as the tests that look at it read it.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the package.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder whose names end so.
pub(super) fn files(below: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(below)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == ending)
            {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "nothing below {below}");
    found
}

/// The code of a file: without comments, and without tests at its end or of its own.
pub(super) fn code(path: &Path) -> String {
    let name = path.to_string_lossy();
    if name.ends_with("tests.rs") || name.contains("/tests/") || name.ends_with("fixtures.rs") {
        return String::new();
    }
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The text of a file, by its path from the root.
pub(super) fn text(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// One of the blocks of a kind in a Markdown file, by how it begins.
pub(super) fn block(name: &str, kind: &str, start: &str) -> String {
    let document = text(name);
    let opened = format!("```{kind}\n");
    let mut blocks = document
        .split(&opened)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap());
    blocks
        .find(|block| block.starts_with(start))
        .unwrap_or_else(|| panic!("{name} has no {kind} block that begins with {start:?}"))
        .to_owned()
}
