//! The integration tests, as one binary.

// `cfg(test)` is always on here; it tells clippy that helpers may panic too.
#[cfg(test)]
mod admin;
#[cfg(test)]
mod captured;
#[cfg(test)]
mod circles;
#[cfg(test)]
mod clear;
#[cfg(test)]
mod cli;
#[cfg(test)]
#[expect(
    clippy::too_many_lines,
    clippy::unnecessary_wraps,
    reason = "a row is as long as its message, and the fields of messages are options"
)]
mod contract;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod envoy_files;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
#[expect(
    unreachable_pub,
    reason = "the targets are also a library, for cargo fuzz"
)]
#[path = "../fuzz/src/lib.rs"]
mod fuzz_targets;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod handoff;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod process;
#[cfg(test)]
mod reconfigure;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod running;
#[cfg(test)]
mod secure;
#[cfg(test)]
mod source;
#[cfg(test)]
mod teams;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod told;
#[cfg(test)]
mod traces;
