//! Findings as texts.

use serde_json::{Value, json};

use crate::yaml::Findings;

/// What is shown beside the findings.
pub(super) struct Shown<'s> {
    pub(super) config: Option<Value>,
    pub(super) revision: Option<&'s str>,
}

pub(super) fn text(
    findings: &Findings,
    errors: usize,
    warnings: usize,
    config: Option<Value>,
) -> String {
    let config = config.map_or_else(String::new, |config| format!("{config:#}\n\n"));
    let shown = findings.render(true);
    let gap = if shown.is_empty() { "" } else { "\n\n" };
    format!("{config}{shown}{gap}{errors} error(s), {warnings} warning(s)\n")
}

pub(super) fn json(
    findings: &Findings,
    errors: usize,
    warnings: usize,
    shown: Shown<'_>,
) -> String {
    let all = findings.sorted();
    let all = all.into_iter().map(|finding| {
        let (line, column) = findings.position(finding);
        let mut shown = json!({
            "severity": finding.severity.name(),
            "lint": finding.lint,
            "file": findings.name(finding.source),
            "line": line,
            "column": column,
            "message": finding.message,
            "help": finding.help,
        });
        if let (Some(members), Some(team)) = (shown.as_object_mut(), findings.team(finding.source))
        {
            members.insert("team".to_owned(), team.into());
        }
        shown
    });
    let all: Vec<_> = all.collect();
    let mut whole = json!({
        "findings": all,
        "errors": errors,
        "warnings": warnings,
        "policy_revision": shown.revision,
    });
    if let (Some(config), Some(members)) = (shown.config, whole.as_object_mut()) {
        members.insert("effective".to_owned(), config);
    }
    format!("{whole:#}\n")
}
