//! `mcp-authz classify`: a first risk-class table from what a server says about its tools.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::outcome::{Stop, print};
use super::{load, refresh};
use crate::authz::HintedClass;
use crate::catalog::RecordedTool;
use crate::yaml;

/// Make a first risk-class table from a recorded `tools/list` result, or compare it with one
/// that was accepted
#[derive(Debug, Args)]
pub(super) struct ClassifyArguments {
    /// The recorded result
    #[arg(value_name = "TOOLS.json")]
    tools: PathBuf,
    /// The server's name in the configuration
    #[arg(long, value_name = "NAME", default_value = "server")]
    server: String,
    /// Show the differences from this recorded result instead of a table
    #[arg(long, value_name = "SNAPSHOT.json")]
    refresh: Option<PathBuf>,
    /// Put the new result in its place
    #[arg(long, requires = "refresh")]
    accept: bool,
}

pub(super) fn run(arguments: &ClassifyArguments) -> Result<ExitCode, Stop> {
    let ClassifyArguments {
        tools,
        server,
        refresh,
        accept,
    } = arguments;
    if let Some(snapshot) = refresh {
        return refresh::run(tools, snapshot, *accept);
    }
    let tools = load::parse_record(&load::read(tools)?)?;
    print(&table(server, &tools), 0)
}

fn table(server: &str, tools: &[RecordedTool]) -> String {
    let mut lines = vec![
        "# From the annotations of a recorded tools/list result. They are what the server says of".to_owned(),
        "# itself: look at each line before you trust it. What is not annotated is taken for the worst.".to_owned(),
        "tools:".to_owned(),
        format!("  {}:", quote(server)),
    ];
    for class in HintedClass::ALL {
        let own: Vec<&RecordedTool> = tools
            .iter()
            .filter(|tool| tool.annotations().class() == class)
            .collect();
        let class = class.name();
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

fn line(tool: &RecordedTool) -> String {
    let mut notes = Vec::new();
    let annotations = tool.annotations();
    if !annotations.is_annotated {
        notes.push("not annotated");
    }
    // A tool that says nothing of it may reach anything (`openWorldHint`), so most would have the note.
    if !annotations.open_world {
        notes.push("reaches nothing outside");
    }
    if annotations.idempotent && !annotations.read_only {
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

/// A YAML scalar with this text: plain where YAML allows it, else as JSON, which YAML includes.
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
    let is_odd = yaml::name_fault(text).is_some();
    let mut quoted = String::new();
    for character in serde_json::Value::from(text).to_string().chars() {
        if character.is_ascii() && character != '\u{7f}' || character.is_alphanumeric() && !is_odd {
            quoted.push(character);
        } else {
            // Writing to a string cannot fail.
            let _ok = write!(quoted, "\\U{:08x}", u32::from(character));
        }
    }
    // A blank at the end is as easily overlooked.
    if is_odd {
        quoted = quoted.replacen("\" ", "\"\\x20", 1);
        if let Some(start) = quoted.strip_suffix(" \"") {
            quoted = format!("{start}\\x20\"");
        }
    }
    quoted
}
