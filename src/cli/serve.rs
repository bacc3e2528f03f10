//! `mcp-authz serve`: runs the service, or prints why it cannot.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::outcome::{error_line, fail, show};
use crate::app::{self, RunError};
use crate::config::ConfigError;
use crate::policy::LoadPolicyError;

/// Run the service
#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(super) fn run(arguments: &ServeArguments) -> ExitCode {
    match app::run(&arguments.config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(
            RunError::Config(ConfigError::Invalid(findings))
            | RunError::Policy(LoadPolicyError::Invalid(findings) | LoadPolicyError::Tests(findings)),
        ) => show(&findings),
        Err(error) => fail(&error_line(&error)),
    }
}
