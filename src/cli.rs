//! The commands. Each is a thin layer over the parts that the server uses too.
//!
//! Exit status: 0 good, 1 findings in a file, 2 could not run.

mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What was asked for.
#[derive(Debug, Parser)]
#[command(name = "mcp-authz", version, about, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service
    Serve {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// Runs one command to its end.
#[must_use]
pub fn run(arguments: Arguments) -> ExitCode {
    match arguments.command {
        Command::Serve { config } => serve::run(&config),
    }
}

/// The status for findings in a file of the operator's.
const FINDINGS: u8 = 1;
/// The status for everything else that keeps a command from running.
const FAILED: u8 = 2;
