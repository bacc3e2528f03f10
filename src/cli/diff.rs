//! `mcp-authz diff`: whose access changes between two policies.

mod formats;
mod revision;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::load::{self, PolicyTexts};
use super::outcome::{FINDINGS, Stop, print};
use crate::authz::Policy;
use crate::policy::difference::{Difference, Replayer, Surroundings, html, rule_texts};
use crate::policy::testing::read_subjects;
use crate::policy::{self, CompileContext, PolicyPlaces};
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
    #[arg(long, value_name = "TIME")]
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
    let ([old, new], is_whole) = compile([&old_sources, &new_sources], &places, &context)?;
    let around = Surroundings {
        servers: context.servers.clone(),
        recorded: load::recorded_tools(&config)?,
        hints: Arc::clone(&context.hints),
        uris: Arc::clone(&context.uris),
    };
    let from = load::moment(*at);
    let difference = Difference::of([&old, &new], &around, from, &callers);
    let mut replayer = Replayer::new([&old, &new], &around);
    for path in replay {
        let source = revision::audit(path)?;
        for (number, line) in (1_usize..).zip(source.text.lines()) {
            replayer.read(&format!("{}:{number}", source.name), line);
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

/// Compiles both policies beside the files of the teams, and says whether all of these can be used.
fn compile(
    [old, new]: [&[Source]; 2],
    places: &PolicyPlaces,
    context: &CompileContext,
) -> Result<([Policy; 2], bool), Stop> {
    let compile = |global: &[Source]| {
        let mut texts = PolicyTexts::beside(global.to_vec(), places, policy::read_of);
        let compiled = texts.compile(context).map_err(Stop::Findings)?;
        Ok::<_, Stop>((compiled, texts))
    };
    let (before, old_texts) = compile(old)?;
    let (after, new_texts) = compile(new)?;
    new_texts.tell(&after.broken);
    if before.broken.to_lines() != after.broken.to_lines() {
        old_texts.tell(&before.broken);
    }
    let is_whole = old_texts.denied.is_empty() && new_texts.denied.is_empty();
    Ok(([before.policy, after.policy], is_whole))
}
