//! What the parts of a check cost, each with its budget beside it.
//!
//! `cargo bench --bench costs` runs all of them, `cargo bench --bench costs -- check` those with
//! that text in their path. Budgets are for medians on one core of a quiet machine; on a busy one
//! the fastest sample comes closest. Allocations are exact, and those of the measured thread.
//! `cargo bench --bench costs -- --memory` tells what stays in memory, in some five minutes.
//! `tests/bench/README.md` has the figures of one run, and which budgets are not kept yet.

use divan::AllocProfiler;

// `cfg(test)` is always on here; it tells clippy that benches may panic.
#[cfg(test)]
mod audit;
#[cfg(test)]
mod body;
#[cfg(test)]
mod check;
#[cfg(test)]
mod envoy;
#[cfg(test)]
mod issuer;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod service;
#[cfg(test)]
mod state;
#[cfg(test)]
mod tokens;

#[global_allocator]
static ALLOCATOR: AllocProfiler<mimalloc::MiMalloc> = AllocProfiler::new(mimalloc::MiMalloc);

fn main() {
    #[cfg(test)]
    if std::env::args().any(|argument| argument == "--memory") {
        return memory::report();
    }
    divan::main();
}
