//! `mcp-authz matrix`: who may call which tool.

mod tables;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::load;
use super::outcome::{Stop, print};
use crate::policy::matrix::{self, Matrix};
use crate::policy::testing::read_subjects;

/// Show who may call which tool
#[derive(Debug, Args)]
pub(super) struct MatrixArguments {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// A file with `subjects`; by default, one subject for each name in the rules' `who`
    #[arg(long, value_name = "FILE")]
    subjects: Option<PathBuf>,
    /// The output format
    #[arg(long, value_enum, default_value_t = MatrixFormat::Table)]
    format: MatrixFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MatrixFormat {
    Table,
    Csv,
    Json,
    Html,
}

pub(super) fn run(arguments: &MatrixArguments) -> Result<ExitCode, Stop> {
    let MatrixArguments {
        config,
        subjects,
        format,
    } = arguments;
    let loaded = load::load(config)?;
    let (policy, samples) = (&loaded.policy, &loaded.samples);
    let callers = match subjects {
        Some(path) => read_subjects(load::read(path)?, samples).map_err(Stop::Findings)?,
        None => matrix::named_in_rules(policy, &samples.issuer),
    };
    let recorded = load::recorded_tools(&loaded.config)?;
    let servers = loaded.config.servers.iter().map(|one| one.name.as_str());
    let tools = matrix::known_tools(policy, servers, &recorded);
    let matrix = Matrix::new(policy, &samples.hints, tools, callers);
    let matrix = matrix.map_err(|error| Stop::failed(&error))?;
    let text = match format {
        MatrixFormat::Table => tables::text(&matrix),
        MatrixFormat::Csv => tables::csv(&matrix).map_err(|error| Stop::failed(&*error))?,
        MatrixFormat::Json => tables::json(&matrix),
        MatrixFormat::Html => matrix::html(&matrix).map_err(|error| Stop::failed(&error))?,
    };
    print(&text, 0)
}
