//! `mcp-authz test`: runs the policy's tests.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::load::{self, Loaded};
use super::outcome::{FINDINGS, Stop, print};
use crate::file::{self, FileKind};
use crate::policy;
use crate::policy::testing::{CaseReport, Suite, SuiteReport};
use crate::yaml::Source;

/// Run the policy's tests
#[derive(Debug, Args)]
pub(super) struct TestArguments {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Test files or directories of them; by default, those beside the policy
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// How to show the results
    #[arg(long, value_enum, default_value_t = TestFormat::Text)]
    format: TestFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TestFormat {
    Text,
    Json,
    Junit,
}

pub(super) fn run(arguments: &TestArguments) -> Result<ExitCode, Stop> {
    let TestArguments {
        config,
        paths,
        format,
    } = arguments;
    let loaded = load::load(config)?;
    let sources = sources(&loaded, paths)?;
    let suite = Suite::read(&sources, &loaded.samples).map_err(Stop::Findings)?;
    if suite.is_empty() {
        let help = "name them, or put them beside the policy in a file that ends in `_test.yaml`";
        return Err(Stop::Failed(format!("there are no tests; {help}")));
    }
    let report = suite.run(&loaded.policy);
    let rules = loaded.policy.rules().iter().map(|rule| &*rule.id);
    let unreached: Vec<&str> = rules.filter(|id| !report.reached.contains(*id)).collect();
    let text = match format {
        TestFormat::Text => text(&report, &unreached),
        TestFormat::Json => json(&report, &unreached),
        TestFormat::Junit => junit(&report),
    };
    let failed = report.cases.iter().any(|case| !case.failures.is_empty());
    print(&text, if failed { FINDINGS } else { 0 })
}

fn sources(loaded: &Loaded, paths: &[PathBuf]) -> Result<Vec<Source>, Stop> {
    if paths.is_empty() {
        return policy::read_tests(&loaded.config.policy).map_err(|error| Stop::failed(&error));
    }
    let mut sources = Vec::new();
    for path in paths {
        if matches!(file::kind(path), Ok(Some(FileKind::Directory))) {
            let below = policy::read_tests(path).map_err(|error| Stop::failed(&error))?;
            sources.extend(below);
        } else {
            sources.push(load::read(path)?);
        }
    }
    Ok(sources)
}

fn failed(report: &SuiteReport) -> usize {
    report
        .cases
        .iter()
        .filter(|case| !case.failures.is_empty())
        .count()
}

fn text(report: &SuiteReport, unreached: &[&str]) -> String {
    let mut text = String::new();
    for case in &report.cases {
        let (colour, word) = if case.failures.is_empty() {
            ("32", "ok  ")
        } else {
            ("31", "FAIL")
        };
        line(
            &mut text,
            &format!("\u{1b}[{colour}m{word}\u{1b}[0m {}", case.name),
        );
    }
    let shown = report.failures.render(true);
    if !shown.is_empty() {
        line(&mut text, &format!("\n{shown}"));
    }
    let (all, failed) = (report.cases.len(), failed(report));
    line(&mut text, &format!("\n{all} test(s), {failed} failed"));
    if !unreached.is_empty() {
        line(&mut text, "rules that no test reaches:");
        for id in unreached {
            line(&mut text, &format!("  {id}"));
        }
    }
    text
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn json(report: &SuiteReport, unreached: &[&str]) -> String {
    let case = |case: &CaseReport| {
        json!({
            "name": case.name,
            "file": case.file,
            "line": case.line,
            "passed": case.failures.is_empty(),
            "failures": case.failures,
        })
    };
    let cases: Vec<_> = report.cases.iter().map(case).collect();
    let failed = failed(report);
    let whole = json!({
        "tests": cases,
        "passed": report.cases.len().saturating_sub(failed),
        "failed": failed,
        "unreached_rules": unreached,
    });
    format!("{whole:#}\n")
}

/// The XML that continuous integration systems read.
fn junit(report: &SuiteReport) -> String {
    let (all, failed) = (report.cases.len(), failed(report));
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let counts = format!("tests=\"{all}\" failures=\"{failed}\"");
    line(
        &mut text,
        &format!("<testsuites {counts}>\n<testsuite name=\"policy\" {counts}>"),
    );
    for case in &report.cases {
        let name = xml(&case.name);
        let file = xml(&case.file);
        let head = format!(
            "<testcase name=\"{name}\" classname=\"{file}\" file=\"{file}\" line=\"{}\"",
            case.line
        );
        if case.failures.is_empty() {
            line(&mut text, &format!("{head}/>"));
            continue;
        }
        line(&mut text, &format!("{head}>"));
        let firsts = case
            .failures
            .iter()
            .map(|failure| failure.lines().next().unwrap_or_default());
        let firsts = xml(&firsts.collect::<Vec<_>>().join("; "));
        let whole = xml(&case.failures.join("\n\n"));
        line(
            &mut text,
            &format!("<failure message=\"{firsts}\">{whole}</failure>"),
        );
        line(&mut text, "</testcase>");
    }
    line(&mut text, "</testsuite>\n</testsuites>");
    text
}

/// Text for XML 1.0 §2.2 and §2.4: special characters escaped, characters that XML lacks replaced.
fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(character),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            control if control.is_control() => {
                // Writing to a string cannot fail.
                let _ok = write!(escaped, "\\u{:04x}", u32::from(control));
            }
            other => escaped.push(other),
        }
    }
    escaped
}
