//! The tables of `tests/data`, each row as a test of its own: `TABLE::FILE::ROW`.
//!
//! `cargo test --test rows -- 'decisions::lists::a refused list'` runs the rows with that text in
//! their name, and with `--exact` the one of that name. A row needs no other: they run in another
//! order each time, several at once.

use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

// `cfg(test)` is always on here; it tells clippy that helpers may panic.
#[cfg(test)]
mod decisions;
#[cfg(test)]
mod envoy_mistakes;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod honest;
#[cfg(test)]
mod invalid;
#[cfg(test)]
mod suspect;

#[cfg(test)]
fn trials() -> Vec<Trial> {
    let mut tables = decisions::tables();
    tables.extend(honest::tables());
    tables.extend(envoy_mistakes::tables());
    tables.extend(invalid::tables());
    tables.extend(suspect::tables());
    let mut tests = decisions::tests();
    tests.extend(honest::tests());
    harness::trials(tables, tests)
}

#[cfg(not(test))]
fn trials() -> Vec<Trial> {
    Vec::new()
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = trials();
    if !arguments.list {
        let random = RandomState::new();
        trials.sort_by_cached_key(|trial| random.hash_one(trial.name()));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
