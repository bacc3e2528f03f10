//! Files: how everything here reads what the operator wrote.
//!
//! What cannot be read is an error and never an absent file, because a deny rule may be in it. Only a
//! regular file is read, and its size is bounded: a pipe or a device might never end.
//!
//! # An example
//!
//! The policy is on a network volume, and an editor saves it while the process runs:
//!
//! 1. Four times a second a [`Watcher`] looks at the file through [`Looks`], on a thread of its own: if
//!    the volume gives no answer, the look is given up after [`LOOK_TIME_MAX`], and checks go on
//!    with the policy in force.
//! 2. [`read()`] finds half of the file, and [`Settled::is_due`] says no: one look is not enough.
//! 3. The next look finds the whole file, the one after it the same again. Now the change is due, and
//!    what was looked at is compiled and taken into force.
//! 4. If it does not compile, the policy in force stays, and [`Failing`] tells operators why and since
//!    when.
//!
//! [`Settled`] is the one rule, and [`Watcher`] the one loop, for all files that are watched: the
//! configuration, policies, recorded tools, TLS, countries, keys of contexts, authorities of peers. A
//! `jwks_file` is not watched but read as a URL is, again and again. At the start, and in commands,
//! [`within`] bounds how long reading takes.

mod error;
mod failing;
mod looks;
mod read;
mod settled;
mod watch;

pub use error::ReadError;
pub use failing::Failing;
pub use looks::{LOOK_TIME_MAX, Looks, START_TIME_MAX, within};
pub use read::{
    FileKind, Stamp, is_read_once, kind, read, read_input, read_input_bytes, read_text, stamp,
};
pub use settled::Settled;
pub use watch::{IsDue, Look, Watch, Watcher};

#[cfg(test)]
mod tests;
