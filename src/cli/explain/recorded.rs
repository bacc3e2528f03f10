//! `mcp-authz explain --decision`: one recorded decision, judged again at its own moment.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::decided_by::DecidedBy;
use super::formats::{self, Explained, ReadFile, Shown};
use crate::cli::outcome::{FINDINGS, Stop, note, print};
use crate::cli::{audit, load, revision};
use crate::policy::difference::{AuditLine, AuditRecord, Hindsight};

/// How many lines that are no records are named.
const BROKEN_NAMED: usize = 5;

/// What is asked for.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) config: &'a Path,
    pub(super) which: load::Which,
    /// Another policy than those of the configuration.
    pub(super) policy: Option<&'a str>,
    pub(super) decision: &'a str,
    pub(super) audit: &'a [PathBuf],
    pub(super) is_json: bool,
}

/// What the files have of a decision.
#[derive(Debug, Default)]
struct Found {
    decisions: Vec<(String, AuditRecord)>,
    events: Vec<(String, AuditRecord)>,
    /// The places of lines that are no records.
    broken: Vec<String>,
    files: Vec<ReadFile>,
}

pub(super) fn run(asked: &Asked<'_>) -> Result<ExitCode, Stop> {
    let id = asked.decision.trim();
    if id.is_empty() {
        return Err(Stop::Failed("the id of the decision is empty".to_owned()));
    }
    let inputs = std::iter::once(asked.config).chain(asked.audit.iter().map(PathBuf::as_path));
    let input = Path::new("-");
    let inputs = inputs.chain(asked.policy.map(Path::new));
    if inputs.filter(|path| *path == input).count() > 1 {
        let message = "standard input can be read only once";
        return Err(Stop::Failed(message.to_owned()));
    }
    let (config, context) = load::context(asked.config)?;
    let places = load::places(&config, asked.which)?;
    let global = match asked.policy {
        Some(place) => revision::read(place)?,
        None => crate::policy::read(&places.path).map_err(|error| Stop::failed(&error))?,
    };
    let (compiled, texts) = load::compile_beside(global, &places, &context)?;
    texts.tell(&compiled.broken);
    let policy = compiled.policy;
    let around = load::surroundings(&config, &context)?;
    let found = find(id, asked.audit)?;
    tell_broken(&found.broken);
    let explained = found.decisions.into_iter().map(|(place, record)| {
        let by = DecidedBy::of(record.text("reason").unwrap_or_default());
        let hindsight = by
            .asks_policy()
            .then(|| Hindsight::of(&policy, &around, &record));
        Explained {
            place,
            record,
            by,
            hindsight,
        }
    });
    let shown = Shown {
        id,
        revision: policy.revision(),
        decisions: explained.collect(),
        events: found.events,
        broken: found.broken,
        files: found.files,
    };
    let text = if asked.is_json {
        formats::json(&shown)
    } else {
        formats::text(&shown)
    };
    if shown.decisions.is_empty() {
        note(&format!("no decision {id} in {}", read_files(&shown.files)));
        return print(&text, FINDINGS);
    }
    print(&text, 0)
}

/// Every line about a decision.
fn find(id: &str, audit: &[PathBuf]) -> Result<Found, Stop> {
    let mut found = Found::default();
    for path in audit {
        if path.as_os_str().is_empty() {
            return Err(Stop::Failed("the name of a file is empty".to_owned()));
        }
        let file = audit::read(path)?;
        let mut lines: usize = 0;
        for (place, line) in file.lines() {
            let is_asked = |record: &AuditRecord| {
                let own = record.text("decision_id");
                own.is_some_and(|own| own.eq_ignore_ascii_case(id))
            };
            match AuditLine::read(line) {
                AuditLine::Empty => continue,
                AuditLine::Broken => found.broken.push(place),
                AuditLine::Event(record) if is_asked(&record) => {
                    found.events.push((place, record));
                }
                AuditLine::Decision(record) if is_asked(&record) => {
                    found.decisions.push((place, record));
                }
                AuditLine::Event(_) | AuditLine::Decision(_) => {}
            }
            lines = lines.saturating_add(1);
        }
        found.files.push(ReadFile {
            name: file.name.clone(),
            lines,
        });
    }
    Ok(found)
}

/// Says which lines are no records. Logs between them may be many.
fn tell_broken(broken: &[String]) {
    if broken.is_empty() {
        return;
    }
    let named: Vec<&str> = broken
        .iter()
        .take(BROKEN_NAMED)
        .map(String::as_str)
        .collect();
    let more = broken.len().saturating_sub(BROKEN_NAMED);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let count = broken.len();
    note(&format!(
        "{count} line(s) are no records: {}{more}",
        named.join(", ")
    ));
}

fn read_files(files: &[ReadFile]) -> String {
    let each = files
        .iter()
        .map(|file| format!("{} ({} line(s))", file.name, file.lines));
    each.collect::<Vec<_>>().join(", ")
}
