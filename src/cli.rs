//! The commands. Each is a thin layer over the parts that the server uses too.
//!
//! Exit status: 0 good, 1 findings in a file, 2 could not run. Where a file is asked for, `-` is
//! standard input. Colour is for terminals, and `NO_COLOR` is honoured.

mod classify;
mod explain;
mod load;
mod matrix;
mod refresh;
mod schema;
mod serve;
mod test;
mod validate;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::yaml::Findings;

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
    /// Show everything that is wrong with a configuration, its policy and the policy's tests
    Validate {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// A file of the Envoy in front: a bootstrap, or one with `resources`. Several are of one
        /// Envoy
        #[arg(long, value_name = "FILE")]
        envoy: Vec<PathBuf>,
        /// Exit with 1 for warnings too
        #[arg(long)]
        deny_warnings: bool,
        /// How to show it
        #[arg(long, value_enum, default_value_t = TextFormat::Text)]
        format: TextFormat,
    },
    /// Run the policy's tests
    Test {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Test files or directories of them; by default, those beside the policy
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// How to show the results
        #[arg(long, value_enum, default_value_t = TestFormat::Text)]
        format: TestFormat,
    },
    /// Decide one request step by step
    Explain {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The request, as in a policy test
        #[arg(value_name = "REQUEST.yaml")]
        request: PathBuf,
    },
    /// Show who may call which tool
    Matrix {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// A file with `subjects`; by default, one for each name in the rules' `who`
        #[arg(long, value_name = "FILE")]
        subjects: Option<PathBuf>,
        /// How to show it
        #[arg(long, value_enum, default_value_t = MatrixFormat::Table)]
        format: MatrixFormat,
    },
    /// Make a first risk-class table from a recorded `tools/list` result, or compare it with one
    /// that was accepted
    Classify {
        /// The recorded result
        #[arg(value_name = "TOOLS.json")]
        tools: PathBuf,
        /// The server's name in the configuration
        #[arg(long, value_name = "NAME", default_value = "server")]
        server: String,
        /// Instead of a table, show what is otherwise than in this recorded result
        #[arg(long, value_name = "SNAPSHOT.json")]
        refresh: Option<PathBuf>,
        /// Put the new result in its place
        #[arg(long, requires = "refresh")]
        accept: bool,
    },
    /// Print a JSON Schema for editors
    Schema {
        /// Of what
        #[arg(value_enum)]
        of: SchemaOf,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TextFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TestFormat {
    Text,
    Json,
    Junit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MatrixFormat {
    Table,
    Csv,
    Json,
    Html,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SchemaOf {
    Config,
    Policy,
    Tests,
}

/// Why a command ended before it had a result.
#[derive(Debug)]
enum Stop {
    /// A file is wrong.
    Findings(Findings),
    /// It could not run.
    Failed(String),
}

impl Stop {
    fn failed(error: &dyn std::error::Error) -> Self {
        Stop::Failed(error_line(error))
    }
}

/// Runs one command to its end.
#[must_use]
pub fn run(arguments: Arguments) -> ExitCode {
    let done = match arguments.command {
        Command::Serve { config } => return serve::run(&config),
        Command::Validate {
            config,
            envoy,
            deny_warnings,
            format,
        } => validate::run(&config, &envoy, deny_warnings, format),
        Command::Test {
            config,
            paths,
            format,
        } => test::run(&config, &paths, format),
        Command::Explain { config, request } => explain::run(&config, &request),
        Command::Matrix {
            config,
            subjects,
            format,
        } => matrix::run(&config, subjects.as_deref(), format),
        Command::Classify {
            tools,
            refresh: Some(snapshot),
            accept,
            ..
        } => refresh::run(&tools, &snapshot, accept),
        Command::Classify { tools, server, .. } => classify::run(&tools, &server),
        Command::Schema { of } => schema::run(of),
    };
    match done {
        Ok(status) => status,
        Err(Stop::Findings(findings)) => show(&findings),
        Err(Stop::Failed(line)) => {
            let written = writeln!(anstream::stderr(), "mcp-authz: {line}");
            status(FAILED, &written)
        }
    }
}

/// The status for findings in a file of the operator's.
const FINDINGS: u8 = 1;
/// The status for everything else that keeps a command from running.
const FAILED: u8 = 2;

/// Shows what keeps a command from running: findings in a file.
fn show(findings: &Findings) -> ExitCode {
    let mut out = anstream::stderr();
    let total = findings.total();
    let written = writeln!(out, "{}\n\nmcp-authz: {total}", findings.render(true));
    status(FINDINGS, &written)
}

/// One line: an error and its causes.
fn error_line(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let text = source.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = source.source();
    }
    line
}

/// Writes a result to standard output; colour is taken out where it is no terminal.
fn print(text: &str, code: u8) -> Result<ExitCode, Stop> {
    let mut out = anstream::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(ExitCode::from(code)),
        // A reader such as `head` has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(ExitCode::from(code)),
        Err(error) => Err(Stop::Failed(format!("cannot write: {error}"))),
    }
}

/// Where even standard error is closed, the status is all that is left to say.
fn status(status: u8, _written: &std::io::Result<()>) -> ExitCode {
    ExitCode::from(status)
}
