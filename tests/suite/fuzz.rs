//! The targets of `tests/fuzz`, each over a fixed number of inputs that are made of its seeds.
//!
//! The inputs are the same each time, and more of them with `FUZZ_TIMES=10`. `cargo fuzz` looks
//! further: tests/README.md tells how.

use std::fs;
use std::panic::catch_unwind;

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

use super::fuzz_targets::{TARGETS, Target};
use super::source::root;

macro_rules! fuzzed {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                drive(stringify!($name));
            }
        )*
        const FUZZED: &[&str] = &[$(stringify!($name)),*];
    };
}

fuzzed!(body bootstrap check config headers list policy processing token uri yaml);

#[test]
fn each_target_runs_here_and_under_cargo_fuzz() {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, FUZZED);
    let manifest = fs::read_to_string(root().join("tests/fuzz/Cargo.toml")).unwrap();
    assert_eq!(manifest.matches("[[bin]]").count(), names.len());
    for name in names {
        let path = format!("fuzz_targets/{name}.rs");
        let entry = format!("[[bin]]\nname = \"{name}\"\npath = \"{path}\"\n");
        assert!(manifest.contains(&entry), "{name}");
        let binary = fs::read_to_string(root().join("tests/fuzz").join(path)).unwrap();
        let call = format!("mcp_authz_fuzz::{name}(data)");
        assert!(binary.contains(&call), "{name}");
    }
}

/// Runs a target on its seeds and then on what is made of them.
fn drive(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let seeds = (target.seeds)();
    for seed in &seeds {
        run(target, seed);
    }
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let times = std::env::var_os("FUZZ_TIMES");
    let times = times.map_or(1, |times| times.to_str().unwrap().parse().unwrap());
    for _ in 0..target.inputs * times {
        run(target, &changed(&seeds, &mut random));
    }
}

fn run(target: &Target, input: &[u8]) {
    let outcome = catch_unwind(|| (target.run)(input));
    assert!(outcome.is_ok(), "{}: {}", target.name, input.escape_ascii());
}

/// A number below `end`.
fn below(end: usize, random: &mut TestRng) -> usize {
    usize::try_from(random.next_u32()).unwrap() % end.max(1)
}

/// A range of at most 32 bytes.
fn range(length: usize, random: &mut TestRng) -> std::ops::Range<usize> {
    let start = below(length + 1, random);
    let size = below(32, random).min(length - start);
    start..start + size
}

/// What means something to one of the readers.
const WORDS: [&[u8]; 24] = [
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\n",
    b"\r\n",
    b"\n\n",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"*",
    b"&a ",
    b"*a",
    b"!!int ",
    b"null",
    b"-0",
    b"1e999",
    b"%2e%2e/",
];

/// A seed with one to eight edits.
fn changed(seeds: &[Vec<u8>], random: &mut TestRng) -> Vec<u8> {
    let mut bytes = seeds[below(seeds.len(), random)].clone();
    for _ in 0..=below(8, random) {
        let at = below(bytes.len() + 1, random);
        match below(8, random) {
            0 if at < bytes.len() => bytes[at] ^= 1 << below(8, random),
            1 if at < bytes.len() => bytes[at] = random.next_u32().to_le_bytes()[0],
            2 => {
                let word = WORDS[below(WORDS.len(), random)];
                bytes.splice(at..at, word.iter().copied());
            }
            3 => drop(bytes.drain(range(bytes.len(), random))),
            4 => {
                let copied = bytes[range(bytes.len(), random)].to_vec();
                bytes.splice(at..at, copied);
            }
            5 => {
                let other = &seeds[below(seeds.len(), random)];
                let copied = other[range(other.len(), random)].to_vec();
                bytes.splice(at..at, copied);
            }
            6 => {
                let other = range(bytes.len(), random);
                bytes[other].reverse();
            }
            _ if below(4, random) == 0 => bytes.truncate(at),
            _ => {}
        }
    }
    bytes
}
