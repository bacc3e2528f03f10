//! `mcp-authz matrix`: who may call which tool.

mod tables;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::live::{self, Configured};
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
    /// The admin endpoint (`admin.listen`) of the running service: tools that it has seen in lists
    /// have a row too
    #[arg(long, value_name = "URL")]
    live: Option<String>,
    /// Ask a service on another host over http, which anybody on the way can change
    #[arg(long, requires = "live")]
    insecure_http: bool,
    /// The moment to judge at, as RFC 3339; by default now, with rules that depend on the hour left
    /// open
    #[arg(long, value_name = "TIME", value_parser = load::read_moment)]
    at: Option<Timestamp>,
    /// Show these servers only
    #[arg(long, value_name = "NAME,…")]
    server: Vec<String>,
    /// Show these tools only
    #[arg(long, value_name = "NAME,…")]
    tool: Vec<String>,
    /// Show these subjects only
    #[arg(long, value_name = "NAME,…")]
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
        live,
        insecure_http,
        at,
        server,
        tool,
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
    let servers = Vec::from_iter(servers);
    let names = callers.iter().map(|caller| caller.name.clone()).collect();
    let shown = named(subject, names, "subject")?;
    callers.retain(|caller| shown.contains(&caller.name));
    let recorded = load::recorded_tools(&loaded.config)?;
    let closed = loaded.config.servers.iter();
    let closed = closed.filter(|one| one.trust.on_unknown == OnUnknown::Deny);
    let closed: Vec<&str> = closed.map(|one| &*one.name).collect();
    let configured = Configured {
        shown: &servers,
        servers: loaded.config.servers.iter().map(|one| &*one.name).collect(),
        closed: &closed,
        recorded: &recorded,
    };
    let live = live.as_ref();
    let live = live.map(|url| live::read(url, *insecure_http, &configured, &mut samples.hints));
    let live = live.transpose()?;
    let tools = servers.iter().map(String::as_str);
    let tools = matrix::known_tools(policy, tools, &recorded, &closed);
    let matrix = Matrix::new(policy, &samples.hints, tools, live, callers, now);
    let mut matrix = matrix.map_err(|error| Stop::failed(&error))?;
    let names = matrix.rows.iter().map(|row| row.tool.text().into_owned());
    let shown = named(tool, names.collect(), "tool")?;
    matrix.rows.retain(|row| shown.contains(&*row.tool.text()));
    if !outcome.is_empty() {
        let outcomes: Vec<PreviewOutcome> = outcome.iter().map(|one| one.outcome()).collect();
        matrix.retain(&outcomes);
    }
    matrix.retain_used_notes();
    let text = match format {
        MatrixFormat::Table => tables::text(&matrix),
        MatrixFormat::Csv => tables::csv(&matrix).map_err(|error| Stop::failed(&*error))?,
        MatrixFormat::Json => tables::json(&matrix),
        MatrixFormat::Html => matrix::html(&matrix).map_err(|error| Stop::failed(&error))?,
    };
    print(&text, loaded.status(0))
}

/// The names that are asked for, or all of them if none is. An argument is a name or a list of names
/// with commas between them; a name may have commas itself.
fn named(asked: &[String], all: Vec<String>, what: &str) -> Result<BTreeSet<String>, Stop> {
    let all = BTreeSet::from_iter(all);
    if asked.is_empty() {
        return Ok(all);
    }
    let asked = asked.iter().flat_map(|argument| {
        if all.contains(argument) {
            vec![argument.as_str()]
        } else {
            argument.split(',').collect()
        }
    });
    let asked: BTreeSet<String> = asked.map(str::to_owned).collect();
    if let Some(name) = asked.difference(&all).next() {
        let known: Vec<&str> = all.iter().map(String::as_str).collect();
        let message = format!(
            "there is no {what} `{}`; there are: {}",
            name.escape_debug(),
            known.join(", ")
        );
        return Err(Stop::Failed(message));
    }
    Ok(asked)
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
