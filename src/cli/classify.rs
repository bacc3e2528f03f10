//! `mcp-authz classify`: a first risk-class table from what a server says about its tools.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use super::snapshot::{self, RecordedTool};
use super::{Stop, load, print};

pub(super) fn run(tools: &Path, server: &str) -> Result<ExitCode, Stop> {
    let tools = snapshot::parse(&load::read(tools)?).map_err(Stop::Failed)?;
    print(&table(server, &tools), 0)
}

const CLASSES: [&str; 3] = ["read", "write", "destructive"];

fn table(server: &str, tools: &[RecordedTool]) -> String {
    let mut lines = vec![
        "# From the annotations of a recorded tools/list result. They are what the server says of".to_owned(),
        "# itself: look at each line before you trust it. What is not annotated is taken for the worst.".to_owned(),
        "tools:".to_owned(),
        format!("  {}:", quote(server)),
    ];
    for class in CLASSES {
        let own: Vec<&RecordedTool> = tools
            .iter()
            .filter(|tool| class_of(tool) == class)
            .collect();
        // A list without items would be an error of the policy.
        if own.iter().all(|tool| is_pattern(&tool.name)) {
            lines.push(format!("    # {class}: none"));
        } else {
            lines.push(format!("    {class}:"));
        }
        lines.extend(own.into_iter().map(line));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// The hints about destruction mean something only for tools that change something.
fn class_of(tool: &RecordedTool) -> &'static str {
    match (tool.read_only, tool.destructive) {
        (true, _) => "read",
        (false, false) => "write",
        (false, true) => "destructive",
    }
}

fn line(tool: &RecordedTool) -> String {
    let mut notes = Vec::new();
    if !tool.annotated {
        notes.push("not annotated");
    }
    if tool.annotated && tool.open_world {
        notes.push("reaches outside");
    }
    if tool.idempotent && !tool.read_only {
        notes.push("idempotent");
    }
    let name = quote(&tool.name);
    if is_pattern(&tool.name) {
        return format!("    # - {name}  # a pattern to a policy, which cannot name it");
    }
    if notes.is_empty() {
        return format!("    - {name}");
    }
    format!("    - {name}  # {}", notes.join(", "))
}

fn is_pattern(name: &str) -> bool {
    name.is_empty() || name.contains(['*', '?'])
}

/// A YAML scalar that is this text: as it is where that is plain, else as JSON, which YAML includes.
fn quote(text: &str) -> String {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/');
    let plain = text.bytes().all(word)
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if plain {
        return text.to_owned();
    }
    // JSON leaves some characters as they are that end a line in YAML, or must not be in it.
    let mut quoted = String::new();
    for character in serde_json::Value::from(text).to_string().chars() {
        if character.is_ascii() && character != '\u{7f}' || character.is_alphanumeric() {
            quoted.push(character);
        } else {
            // Writing to a string cannot fail.
            let _ok = write!(quoted, "\\U{:08x}", u32::from(character));
        }
    }
    quoted
}
