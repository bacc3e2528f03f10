//! Ends a command: prints its result to standard output, or its error to standard error.

use std::io::Write;
use std::process::ExitCode;

use crate::yaml::Findings;

/// Why a command ended before it had a result.
#[derive(Debug)]
pub(super) enum Stop {
    /// A file has findings.
    Findings(Findings),
    /// It could not run.
    Failed(String),
}

impl Stop {
    /// An error with its causes.
    pub(super) fn failed(error: &dyn std::error::Error) -> Self {
        Stop::Failed(error_line(error))
    }
}

/// The exit status for findings in a file.
pub(super) const FINDINGS: u8 = 1;
/// The exit status for a command that could not run.
const FAILED: u8 = 2;

/// Prints the findings that keep a command from running.
pub(super) fn show(findings: &Findings) -> ExitCode {
    let mut out = anstream::stderr();
    let total = findings.total();
    let written = writeln!(out, "{}\n\nmcp-authz: {total}", findings.render(true));
    status(FINDINGS, &written)
}

/// Prints findings beside a result, on standard error.
pub(super) fn warn(findings: &Findings) {
    if !findings.is_empty() {
        // If even standard error is closed, the result remains.
        let _ok = writeln!(anstream::stderr(), "{}", findings.render(true));
    }
}

/// An error and its causes on one line.
pub(super) fn error_line(error: &dyn std::error::Error) -> String {
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

/// Writes a result to standard output, without colour unless that is a terminal.
pub(super) fn print(text: &str, code: u8) -> Result<ExitCode, Stop> {
    let mut out = anstream::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(ExitCode::from(code)),
        // A reader such as `head` has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(ExitCode::from(code)),
        Err(error) => Err(Stop::Failed(format!("cannot write: {error}"))),
    }
}

/// If even standard error is closed, the exit status remains.
fn status(status: u8, _written: &std::io::Result<()>) -> ExitCode {
    ExitCode::from(status)
}

/// Prints why a command has no result.
pub(super) fn stopped(stop: &Stop) -> ExitCode {
    match stop {
        Stop::Findings(findings) => show(findings),
        Stop::Failed(line) => fail(line),
    }
}

/// Says something beside the result, on standard error.
pub(super) fn note(line: &str) {
    // If even standard error is closed, the result remains.
    let _ok = writeln!(anstream::stderr(), "mcp-authz: {line}");
}

/// Prints on one line why a command could not run.
pub(super) fn fail(line: &str) -> ExitCode {
    let written = writeln!(anstream::stderr(), "mcp-authz: {line}");
    status(FAILED, &written)
}
