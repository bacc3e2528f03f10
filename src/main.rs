//! The command line of mcp-authz: arguments to one command.

use std::process::ExitCode;

use clap::Parser;
use mcp_authz::cli::{self, CommandLine};

/// Checks allocate and free the same small sizes over and over; the system's allocator takes longer.
/// Without huge pages, which would double the resident memory and save nothing that can be measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run(CommandLine::parse())
}
