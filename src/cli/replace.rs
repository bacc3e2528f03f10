//! Writes a file that others may be reading.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::outcome::Stop;

/// Puts a file in the place of another at once: a reader sees the old or the new one, whole.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), Stop> {
    let name = path.display();
    put(path, content).map_err(|error| Stop::Failed(format!("cannot write `{name}`: {error}")))
}

fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    // A link stays one.
    let path = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        found => found?,
    };
    let mut name = path.clone().into_os_string();
    name.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(name);
    let write = || {
        let mut new = fs::File::create_new(&beside)?;
        new.write_all(content)?;
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            old => new.set_permissions(old?.permissions())?,
        }
        new.sync_all()?;
        fs::rename(&beside, &path)
    };
    write().inspect_err(|_| {
        if let Err(error) = fs::remove_file(&beside)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "a file is left behind");
        }
    })
}
