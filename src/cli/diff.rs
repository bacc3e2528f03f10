//! `mcp-authz diff`: whose access changes between two policies.

mod formats;
mod side;
mod sides;
mod whole;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::audit;
use super::load;
use super::outcome::{FINDINGS, Stop, print};
use crate::policy::difference::{Difference, Replayer, html};
use crate::policy::testing::{SampleCaller, read_subjects};

/// Show whose access changes between two policies, or since a revision
#[derive(Debug, Args)]
pub(super) struct DiffArguments {
    /// The configuration file, for both policies, or as it is now
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The policy as it was: a file, a directory, a glob, or `git:REVISION:PATH`; `git:REVISION` is
    /// all that the configuration named at that revision
    #[arg(value_name = "OLD")]
    old: String,
    /// The policy as it will be; without it, all that the configuration names now
    #[arg(value_name = "NEW")]
    new: Option<String>,
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
    let sides = sides::read(config, old_name, new_name.as_deref())?;
    let (old, new) = (&sides.old, &sides.new);
    let callers = match subjects {
        Some(path) => {
            let samples = new.context.samples();
            let callers = read_subjects(load::read(path)?, &samples).map_err(Stop::Findings)?;
            refuse_same_names(&path.display().to_string(), &callers)?;
            callers
        }
        None => Vec::new(),
    };
    new.files.tell(&new.broken);
    if old.broken.to_lines() != new.broken.to_lines() {
        old.files.tell(&old.broken);
    }
    let is_whole = old.files.denied.is_empty() && new.files.denied.is_empty();
    let from = load::moment(*at);
    let (policies, around) = ([&old.policy, &new.policy], [&old.around, &new.around]);
    let mut difference = Difference::of(policies, around, from, &callers);
    difference.not_compared.clone_from(&sides.not_compared);
    difference.notes.clone_from(&sides.notes);
    let mut replayer = Replayer::new(policies, around);
    for path in replay {
        let file = audit::read(path)?;
        for (place, line) in file.lines() {
            replayer.read(&place, line);
        }
    }
    let recorded = (!replay.is_empty()).then_some(&replayer.replay);
    let shown = formats::Shown {
        difference: &difference,
        names: [&old.name, &new.name],
        texts: [&old.texts, &new.texts],
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

/// Changes are told of a caller by its name.
fn refuse_same_names(file: &str, callers: &[SampleCaller]) -> Result<(), Stop> {
    let mut names = BTreeSet::new();
    match callers.iter().find(|caller| !names.insert(&caller.name)) {
        None => Ok(()),
        Some(caller) => Err(Stop::Failed(format!(
            "`{file}` has two subjects called `{}`: tell them apart by `name`",
            caller.name
        ))),
    }
}
