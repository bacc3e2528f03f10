//! What is read from outside, as functions that take any bytes.
//!
//! A target panics where something that holds for all bytes does not hold. Each is written once:
//! `cargo fuzz` runs it on nightly Rust for as long as you like, and `tests/suite/fuzz.rs` on stable
//! Rust for a fixed number of inputs. tests/README.md tells how.

mod bodies;
mod files;
mod gates;
mod lists;
mod streams;
mod uris;

pub use bodies::{body, headers};
pub use files::{bootstrap, config, policy, yaml};
pub use gates::{check, token};
pub use lists::list;
pub use streams::processing;
pub use uris::uri;

use std::fs;
use std::path::{Path, PathBuf};

/// A function that takes any bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is also that of its binary for `cargo fuzz`.
    pub name: &'static str,
    /// The function.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How many inputs are made of the seeds in `cargo test`.
    pub inputs: usize,
}

/// All of them, by name.
pub const TARGETS: &[Target] = &[
    Target {
        name: "body",
        run: body,
        seeds: bodies::body_seeds,
        inputs: 20_000,
    },
    Target {
        name: "bootstrap",
        run: bootstrap,
        seeds: files::bootstrap_seeds,
        inputs: 150,
    },
    Target {
        name: "check",
        run: check,
        seeds: gates::check_seeds,
        inputs: 10_000,
    },
    Target {
        name: "config",
        run: config,
        seeds: files::config_seeds,
        inputs: 500,
    },
    Target {
        name: "headers",
        run: headers,
        seeds: bodies::headers_seeds,
        inputs: 20_000,
    },
    Target {
        name: "list",
        run: list,
        seeds: lists::list_seeds,
        inputs: 10_000,
    },
    Target {
        name: "policy",
        run: policy,
        seeds: files::policy_seeds,
        inputs: 200,
    },
    Target {
        name: "processing",
        run: processing,
        seeds: streams::processing_seeds,
        inputs: 3_000,
    },
    Target {
        name: "token",
        run: token,
        seeds: gates::token_seeds,
        inputs: 3_000,
    },
    Target {
        name: "uri",
        run: uri,
        seeds: uris::uri_seeds,
        inputs: 1_000,
    },
    Target {
        name: "yaml",
        run: yaml,
        seeds: files::yaml_seeds,
        inputs: 2_000,
    },
];

/// The repository. Cargo tells each of the two packages its own folder.
fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    if package.ends_with("tests/fuzz") {
        package.ancestors().nth(2).unwrap()
    } else {
        package
    }
}

/// The files of a folder of the repository that end so, in order.
fn read_all(folder: &str, extension: &str) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|own| own == extension));
    paths.sort();
    let files: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(!files.is_empty(), "no file in {folder}");
    files
}

fn read_one(path: &str) -> Vec<u8> {
    fs::read(root().join(path)).unwrap()
}
