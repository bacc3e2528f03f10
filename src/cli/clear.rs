//! `mcp-authz clear`: lifts what limits and windows have counted for one subject.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::json;

use super::admin::AdminEndpoint;
use super::outcome::{FINDINGS, Stop, note, print};
use crate::policy::matrix::shown;

/// Forget what limits and windows have counted for one subject, in a running service
///
/// Each replica counts for itself, so each has to be told.
#[derive(Debug, Args)]
pub(super) struct ClearArguments {
    /// The admin endpoint (`admin.listen`) of the service, over loopback: it takes commands from its
    /// own host alone
    #[arg(long, value_name = "URL")]
    admin: String,
    /// The subject, exactly as audit records have it
    #[arg(long, value_name = "SUBJECT")]
    subject: String,
    /// Its issuer, exactly as audit records have it
    #[arg(long, value_name = "ISSUER")]
    issuer: String,
    /// Only what this rule counts; by default, what all of them do
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// Why, for the audit: at most 256 characters
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The output format
    #[arg(long, value_enum, default_value_t = ClearFormat::Text)]
    format: ClearFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ClearFormat {
    Text,
    Json,
}

/// What the service answers.
#[derive(Debug, Deserialize)]
struct Done {
    forgotten: u64,
    had_evictions: bool,
    counts: Vec<Count>,
    kept: Vec<Kept>,
    unknown_until: Option<String>,
    audited: bool,
}

#[derive(Debug, Deserialize)]
struct Count {
    rules: Vec<String>,
    forgotten: u64,
}

#[derive(Debug, Deserialize)]
struct Kept {
    rule: String,
    by: Vec<String>,
    why: String,
}

pub(super) fn run(arguments: &ClearArguments) -> Result<ExitCode, Stop> {
    let ClearArguments {
        admin,
        subject,
        issuer,
        rule,
        reason,
        format,
    } = arguments;
    let endpoint = AdminEndpoint::of("--admin", admin, false)?;
    if !endpoint.is_here() {
        let message = "`--admin` has to be on this host, such as http://127.0.0.1:9002: run the command where the service runs, or forward its port";
        return Err(Stop::Failed(message.to_owned()));
    }
    let mut body = json!({"subject": subject, "issuer": issuer, "reason": reason});
    if let (Some(rule), Some(body)) = (rule, body.as_object_mut()) {
        body.insert("rule".to_owned(), json!(rule));
    }
    let answer = endpoint.post("clear", &body)?;
    let place = endpoint.page("clear");
    if answer.status != 200 {
        let why = answer
            .error()
            .map_or_else(String::new, |why| format!(": {}", shown(&why)));
        let status = answer.status;
        return Err(Stop::Failed(format!(
            "`{place}` refuses with http status {status}{why}"
        )));
    }
    let done: Done = serde_json::from_slice(&answer.text).map_err(|error| {
        Stop::Failed(format!(
            "`{place}` does not answer as mcp-authz does, so nobody knows what was cleared: {error}"
        ))
    })?;
    if !done.audited {
        note("the audit may not say that this was done: see the log of the service");
    }
    let is_any = done.forgotten > 0 || done.had_evictions;
    let code = if is_any { 0 } else { FINDINGS };
    match format {
        ClearFormat::Text => print(&text(&done), code),
        ClearFormat::Json => print(&String::from_utf8_lossy(&answer.text), code),
    }
}

fn text(done: &Done) -> String {
    let mut text = String::new();
    if done.forgotten > 0 {
        add(&mut text, &format!("forgot {} count(s)", done.forgotten));
    } else if !done.had_evictions {
        add(
            &mut text,
            "forgot nothing: nothing is counted for this subject of this issuer. Both are compared exactly, capitals too; audit records have them as they are",
        );
    }
    for Count { rules, forgotten } in &done.counts {
        let rules = if rules.is_empty() {
            "rules that are no longer there".to_owned()
        } else {
            shown(&rules.join(", "))
        };
        add(&mut text, &format!("  {rules}: {forgotten}"));
    }
    if done.had_evictions {
        add(
            &mut text,
            "forgot that counts were evicted because the store was full",
        );
    }
    for Kept { rule, by, why } in &done.kept {
        let by = by.join(", ");
        let line = format!("not touched: {rule} counts by {by}: {why}");
        add(&mut text, &shown(&line));
    }
    if let Some(until) = &done.unknown_until {
        let line = format!(
            "until {until} counts that are missing are unknown, because the store was full: rules over them may still refuse"
        );
        add(&mut text, &shown(&line));
    }
    text
}

/// Writing to a string cannot fail.
fn add(text: &mut String, line: &str) {
    let _ok = writeln!(text, "{line}");
}
