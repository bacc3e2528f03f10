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
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    match runtime.block_on(app::run(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(
            RunError::Config(ConfigError::Invalid(findings))
            | RunError::Policy(LoadPolicyError::Invalid(findings)),
        ) => show(&findings),
        Err(error) => fail(&error),
    }
}

fn show(findings: &Findings) -> ExitCode {
    let mut out = anstream::stderr();
    let count = findings.sorted().len();
    let written = writeln!(out, "{}\n\n{count} finding(s)", findings.render(true));
    status(FINDINGS, &written)
}

/// One line: the error and its causes.
fn fail(error: &dyn Error) -> ExitCode {
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
    let written = writeln!(anstream::stderr(), "mcp-authz: {line}");
    status(FAILED, &written)
}

/// Where even standard error is closed, the status is all that is left to say.
fn status(status: u8, _written: &std::io::Result<()>) -> ExitCode {
    ExitCode::from(status)
}
