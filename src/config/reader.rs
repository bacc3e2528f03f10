//! The reader whose methods decode the sections of the file.

use std::path::{Path, PathBuf};

/// Reads a configuration. Each file of the room adds the section that it is named after.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConfigReader<'b> {
    /// What paths in the file are relative to.
    pub(super) base: &'b Path,
}

impl ConfigReader<'_> {
    /// A path in the file.
    pub(super) fn path(self, path: &str) -> PathBuf {
        self.base.join(path)
    }
}
