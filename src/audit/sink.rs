//! Where records go.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;

/// Standard output as it is. [`io::Stdout`] keeps back what could not be written, and puts it in the
/// middle of what comes later.
///
/// # Errors
/// When the operating system refuses another handle.
pub fn standard_output() -> io::Result<File> {
    let own = io::stdout().as_fd().try_clone_to_owned()?;
    Ok(File::from(own))
}
