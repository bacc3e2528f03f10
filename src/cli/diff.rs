//! `mcp-authz diff`: whose access changes between two policies.

mod formats;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::load;
use super::outcome::{FINDINGS, Stop, print};
use super::{audit, revision};
use crate::policy::difference::{Difference, Replayer, html, rule_texts};
use crate::policy::testing::read_subjects;
use crate::yaml::Source;

/// What names standard input.
const INPUT: &str = "-";

/// Show whose access changes between two policies
#[derive(Debug, Args)]
pub(super) struct DiffArguments {
    /// The configuration file, for both policies
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The policy as it was: a file, a directory, a glob, or `git:REVISION:PATH`
    #[arg(value_name = "OLD")]
    old: String,
    /// The policy as it will be
    #[arg(value_name = "NEW")]
    new: String,
    /// A file with `subjects`: only their access is compared
    #[arg(long, value_name = "FILE")]
    subjects: Option<PathBuf>,
    /// Audit records: which of them NEW would decide otherwise
    #[arg(long, value_name = "AUDIT", num_args = 1..)]
    replay: Vec<PathBuf>,
    /// Exit with 1 if somebody gains access, or if anything changes
    #[arg(long, value_enum)]
    fail_on: Option<FailOn>,
    /// The moment from which on decisions are compared; by default, now
    #[arg(long, value_name = "TIME", value_parser = load::read_moment)]
    at: Option<Timestamp>,
    /// The output format
    #[arg(long, value_enum, default_value_t = DiffFormat::Sentences)]
    format: DiffFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Growth,
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DiffFormat {
    Sentences,
    Table,
    Json,
    Html,
}

pub(super) fn run(arguments: &DiffArguments) -> Result<ExitCode, Stop> {
    let DiffArguments {
        config,
        old: old_name,
        new: new_name,
        subjects,
        replay,
        fail_on,
        at,
        format,
    } = arguments;
    let (config, context) = load::context(config)?;
    let samples = context.samples();
    let callers = match subjects {
        Some(path) => read_subjects(load::read(path)?, &samples).map_err(Stop::Findings)?,
        None => Vec::new(),
    };
    if old_name == INPUT && new_name == INPUT {
        let message = "standard input cannot be both policies";
        return Err(Stop::Failed(message.to_owned()));
    }
    let (old_sources, new_sources) = (revision::read(old_name)?, revision::read(new_name)?);
    let places = config.policy_places();
    let compile = |global: &[Source]| load::compile_beside(global.to_vec(), &places, &context);
    let (before, old_texts) = compile(&old_sources)?;
    let (after, new_texts) = compile(&new_sources)?;
    new_texts.tell(&after.broken);
    if before.broken.to_lines() != after.broken.to_lines() {
        old_texts.tell(&before.broken);
    }
    let is_whole = old_texts.denied.is_empty() && new_texts.denied.is_empty();
    let (old, new) = (before.policy, after.policy);
    let around = load::surroundings(&config, &context)?;
    let from = load::moment(*at);
    let difference = Difference::of([&old, &new], &around, from, &callers);
    let mut replayer = Replayer::new([&old, &new], &around);
    for path in replay {
        let file = audit::read(path)?;
        for (place, line) in file.lines() {
            replayer.read(&place, line);
        }
    }
    let recorded = (!replay.is_empty()).then_some(&replayer.replay);
    let shown = formats::Shown {
        difference: &difference,
        names: [old_name, new_name],
        texts: [&rule_texts(&old_sources), &rule_texts(&new_sources)],
        replay: recorded,
    };
    let text = match format {
        DiffFormat::Sentences => formats::sentences(&shown),
        DiffFormat::Table => formats::table(&shown),
        DiffFormat::Json => formats::json(&shown),
        DiffFormat::Html => html(&difference, shown.names, shown.texts, recorded)
            .map_err(|error| Stop::failed(&error))?,
    };
    let is_bad = match fail_on {
        None => false,
        Some(FailOn::Growth) => difference.grows(),
        Some(FailOn::Any) => difference.changes(),
    };
    let is_good = is_whole && !is_bad;
    print(&text, if is_good { 0 } else { FINDINGS })
}
