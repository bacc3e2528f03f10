//! `mcp-authz matrix`: who may call which tool.

mod tables;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::load;
use super::outcome::{Stop, print};
use crate::authz::{PreviewOutcome, PreviewTime};
use crate::catalog::OnUnknown;
use crate::policy::matrix::{self, Matrix};
use crate::policy::testing::read_subjects;

/// Show who may call which tool
#[derive(Debug, Args)]
pub(super) struct MatrixArguments {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Show the candidate policy
    #[arg(long)]
    candidate: bool,
    /// A file with `subjects`; by default, one subject for each name in the rules' `who`
    #[arg(long, value_name = "FILE")]
    subjects: Option<PathBuf>,
    /// The moment to judge at, as RFC 3339; by default now, with rules that depend on the hour left
    /// open
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Show these servers only
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    server: Vec<String>,
    /// Show these subjects only
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    subject: Vec<String>,
    /// Show only tools and subjects with one of these outcomes
    #[arg(long, value_name = "OUTCOME", value_delimiter = ',')]
    outcome: Vec<OutcomeFilter>,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OutcomeFilter {
    Allow,
    Challenge,
    Depends,
    Deny,
}

pub(super) fn run(arguments: &MatrixArguments) -> Result<ExitCode, Stop> {
    let MatrixArguments {
        config,
        candidate,
        subjects,
        at,
        server,
        subject,
        outcome,
        format,
    } = arguments;
    let loaded = load::load(config, load::Which::of(*candidate))?;
    let now = load::moment(*at);
    let (policy, mut samples) = (&loaded.policy, loaded.samples.clone());
    samples.at = Some(now);
    let mut callers = match subjects {
        Some(path) => read_subjects(load::read(path)?, &samples).map_err(Stop::Findings)?,
        None => matrix::named_in_rules(policy, &samples.issuer, now),
    };
    if at.is_some() {
        for caller in &mut callers {
            caller.time = PreviewTime::Then;
        }
    }
    let all = loaded.config.servers.iter();
    let servers = named(server, all.map(|one| one.name.clone()).collect(), "server")?;
    let names = callers.iter().map(|caller| caller.name.clone()).collect();
    let shown = named(subject, names, "subject")?;
    callers.retain(|caller| shown.contains(&caller.name));
    let recorded = load::recorded_tools(&loaded.config)?;
    let closed = loaded.config.servers.iter();
    let closed = closed.filter(|one| one.trust.on_unknown == OnUnknown::Deny);
    let closed: Vec<&str> = closed.map(|one| &*one.name).collect();
    let servers = servers.iter().map(String::as_str);
    let tools = matrix::known_tools(policy, servers, &recorded, &closed);
    let matrix = Matrix::new(policy, &samples.hints, tools, callers, now);
    let mut matrix = matrix.map_err(|error| Stop::failed(&error))?;
    if !outcome.is_empty() {
        let outcomes: Vec<PreviewOutcome> = outcome.iter().map(|one| one.outcome()).collect();
        matrix.retain(&outcomes);
    }
    let text = match format {
        MatrixFormat::Table => tables::text(&matrix),
        MatrixFormat::Csv => tables::csv(&matrix).map_err(|error| Stop::failed(&*error))?,
        MatrixFormat::Json => tables::json(&matrix),
        MatrixFormat::Html => matrix::html(&matrix).map_err(|error| Stop::failed(&error))?,
    };
    print(&text, loaded.status(0))
}

/// The names that are asked for, or all of them if none is.
fn named(asked: &[String], all: Vec<String>, what: &str) -> Result<Vec<String>, Stop> {
    if asked.is_empty() {
        return Ok(all);
    }
    if let Some(name) = asked.iter().find(|name| !all.contains(name)) {
        let known = all.join(", ");
        let message = format!(
            "there is no {what} `{}`; there are: {known}",
            name.escape_debug()
        );
        return Err(Stop::Failed(message));
    }
    Ok(asked.to_vec())
}

impl OutcomeFilter {
    fn outcome(self) -> PreviewOutcome {
        match self {
            OutcomeFilter::Allow => PreviewOutcome::Allow,
            OutcomeFilter::Challenge => PreviewOutcome::Challenge,
            OutcomeFilter::Depends => PreviewOutcome::Depends,
            OutcomeFilter::Deny => PreviewOutcome::Deny,
        }
    }
}
