//! The commands. Each is a thin layer over the code of the server, in a file of its own with its
//! arguments.
//!
//! Exit status: 0 for success, 1 for findings in a file, 2 for a command that could not run. `-` as a
//! file is standard input. Only terminals get colour, and `NO_COLOR` is honoured.
//!
//! ```
//! use clap::Parser;
//! use mcp_authz::cli::{CommandLine, run};
//!
//! let words = ["mcp-authz", "schema", "policy"];
//! let exit_code = run(CommandLine::parse_from(words));
//! # assert_eq!(format!("{exit_code:?}"), format!("{:?}", std::process::ExitCode::SUCCESS));
//! ```

mod admin;
mod audit;
mod classify;
mod clear;
mod diff;
mod explain;
mod live;
mod load;
mod matrix;
mod outcome;
mod record;
mod refresh;
mod replace;
mod revision;
mod schema;
mod serve;
mod test;
mod validate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The command.
#[derive(Debug, Parser)]
#[command(name = "mcp-authz", version, about, max_term_width = 100)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::ServeArguments),
    Validate(validate::ValidateArguments),
    Test(test::TestArguments),
    Explain(explain::ExplainArguments),
    Matrix(matrix::MatrixArguments),
    Diff(diff::DiffArguments),
    Record(record::RecordArguments),
    Classify(classify::ClassifyArguments),
    Clear(clear::ClearArguments),
    Schema(schema::SchemaArguments),
}

/// Runs one command to its end.
#[must_use]
pub fn run(line: CommandLine) -> ExitCode {
    let done = match line.command {
        Command::Serve(arguments) => return serve::run(&arguments),
        Command::Validate(arguments) => validate::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Matrix(arguments) => matrix::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Record(arguments) => record::run(&arguments),
        Command::Classify(arguments) => classify::run(&arguments),
        Command::Clear(arguments) => clear::run(&arguments),
        Command::Schema(arguments) => schema::run(&arguments),
    };
    done.unwrap_or_else(|stop| outcome::stopped(&stop))
}
