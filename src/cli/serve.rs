//! `mcp-authz serve`: runs the service, and says in plain words why it cannot.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use super::{FAILED, FINDINGS};
use crate::app::{self, RunError};
use crate::config::ConfigError;
use crate::policy::LoadPolicyError;
use crate::yaml::Findings;

pub(super) fn run(config: &Path) -> ExitCode {
    match app::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(
            RunError::Config(ConfigError::Invalid(findings))
            | RunError::Policy(LoadPolicyError::Invalid(findings)),
        ) => show(&findings),
        Err(error) => fail(&error),
    }
}

/// Every finding with its excerpt, and how many there are.
fn show(findings: &Findings) -> ExitCode {
    let text = format!(
        "{}\n\nmcp-authz: {}",
        findings.render(true),
        findings.total()
    );
    say(FINDINGS, &text)
}

/// One line: the error and its causes. No error repeats the text of its source.
fn fail(error: &dyn Error) -> ExitCode {
    let mut line = format!("mcp-authz: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    say(FAILED, &line)
}

fn say(status: u8, text: &str) -> ExitCode {
    match writeln!(anstream::stderr(), "{text}") {
        // Where even standard error is closed, the status is all that is left to say.
        Ok(()) | Err(_) => ExitCode::from(status),
    }
}
