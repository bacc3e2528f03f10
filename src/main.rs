//! The command line of mcp-authz: arguments to one command.

use std::process::ExitCode;

use clap::Parser;
use mcp_authz::cli::{self, Arguments};

fn main() -> ExitCode {
    cli::run(Arguments::parse())
}
