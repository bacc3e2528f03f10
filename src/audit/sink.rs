//! Where records go.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;

/// Standard output without a buffer. [`io::Stdout`] keeps what it could not write, and would put it
/// into the middle of later lines.
///
/// # Errors
/// The operating system refuses another handle.
pub fn standard_output() -> io::Result<File> {
    let own = io::stdout().as_fd().try_clone_to_owned()?;
    Ok(File::from(own))
}
