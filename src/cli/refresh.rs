//! `mcp-authz classify --refresh`: shows how a server's tools differ from the accepted ones, and
//! accepts them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use super::load;
use super::outcome::{FINDINGS, Stop, print};
use super::replace::replace;
use crate::authz::Value;
use crate::catalog::RecordedTool;
use crate::file;
use crate::json::Json;

/// A missing snapshot has no tools.
pub(super) fn run(tools: &Path, snapshot: &Path, accept: bool) -> Result<ExitCode, Stop> {
    let source = load::read(tools)?;
    let listed = load::parse_record(&source)?;
    let accepted = if matches!(file::kind(snapshot), Ok(None)) {
        Vec::new()
    } else {
        load::parse_record(&load::read(snapshot)?)?
    };
    let mut text = String::new();
    let changes = compare(&accepted, &listed, &mut text);
    let name = snapshot.display();
    let end = match (changes, accept) {
        (0, _) => format!("nothing is otherwise than in `{name}`"),
        (_, false) => format!("{changes} change(s); `--accept` puts them into `{name}`"),
        (_, true) => {
            replace(snapshot, source.text.as_bytes())?;
            format!("{changes} change(s), accepted into `{name}`")
        }
    };
    text.push_str(&end);
    text.push('\n');
    print(&text, if changes > 0 && !accept { FINDINGS } else { 0 })
}

/// Writes the differences by name, and returns how many tools differ.
fn compare(accepted: &[RecordedTool], listed: &[RecordedTool], text: &mut String) -> usize {
    let mut names: BTreeMap<&str, (Option<&RecordedTool>, Option<&RecordedTool>)> = BTreeMap::new();
    for tool in accepted {
        names.entry(&tool.name).or_default().0 = Some(tool);
    }
    for tool in listed {
        names.entry(&tool.name).or_default().1 = Some(tool);
    }
    let mut changes = 0_usize;
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    for (name, both) in names {
        let name = name.escape_debug();
        match both {
            (Some(old), Some(new)) if old.digest() != new.digest() => {
                let parts = old.differences(new);
                line(format!("changed: {name} ({})", parts.join(", ")));
                for part in parts {
                    line(format!("  {part} was: {}", shown(old.part(part))));
                    line(format!("  {part} is:  {}", shown(new.part(part))));
                }
            }
            (None, Some(new)) => {
                let class = new.annotations().class().name();
                line(format!("new: {name} ({class} by its annotations)"));
                line(format!(
                    "  description is:  {}",
                    shown(new.part("description"))
                ));
            }
            (Some(_), None) => line(format!("gone: {name}")),
            (Some(_) | None, _) => continue,
        }
        changes = changes.saturating_add(1);
    }
    changes
}

/// A value as JSON on one line. Characters that a terminal would act on or hide are escaped, because a
/// description may hold text that is meant for models only.
fn shown(value: Option<&Value<'_>>) -> String {
    let Some(value) = value else {
        return "absent".to_owned();
    };
    let text = serde_json::to_string(&Json(Cow::Borrowed(value))).unwrap_or_default();
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '"' | '\'' | '\\') {
            shown.push(character);
        } else {
            // Writing to a string cannot fail.
            let _ok = write!(shown, "{}", character.escape_debug());
        }
    }
    shown
}
