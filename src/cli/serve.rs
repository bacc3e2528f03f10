//! `mcp-authz serve`: runs the service, and says in plain words why it cannot.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use super::{FAILED, error_line, show, status};
use crate::app::{self, RunError};
use crate::config::ConfigError;
use crate::policy::LoadPolicyError;

pub(super) fn run(config: &Path) -> ExitCode {
    match app::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(
            RunError::Config(ConfigError::Invalid(findings))
            | RunError::Policy(LoadPolicyError::Invalid(findings) | LoadPolicyError::Tests(findings)),
        ) => show(&findings),
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn Error) -> ExitCode {
    let written = writeln!(anstream::stderr(), "mcp-authz: {}", error_line(error));
    status(FAILED, &written)
}
