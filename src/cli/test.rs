//! `mcp-authz test`: runs the policy's tests.

use std::borrow::Cow;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};
use serde_json::json;

use super::load::{self, PolicyTexts};
use super::outcome::{FINDINGS, Stop, note, print, warn};
use crate::file::{self, FileKind};
use crate::policy;
use crate::policy::testing::{CaseReport, SuiteReport};
use crate::yaml::Source;

/// Run the policy's tests
#[derive(Debug, Args)]
pub(super) struct TestArguments {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Test the candidate policy
    #[arg(long)]
    candidate: bool,
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
        candidate,
        paths,
        format,
    } = arguments;
    let loaded = load::load(config, load::Which::of(*candidate))?;
    let tests = PolicyTexts::read(&loaded.places, policy::read_tests_of);
    let mut tests = if paths.is_empty() {
        tests?
    } else {
        PolicyTexts::named(sources(paths)?, tests.ok())
    };
    let suite = tests.suite(&loaded.denied, &loaded.samples);
    let (suite, broken) = suite.map_err(Stop::Findings)?;
    warn(&broken);
    for team in &tests.denied {
        note(&format!(
            "warning: the tests of the team `{team}` are not run, nor those of others about its servers"
        ));
    }
    if suite.is_empty() {
        let help = "name them, or put them beside the policy in a file that ends in `_test.yaml`";
        return Err(Stop::Failed(format!("there are no tests; {help}")));
    }
    // As in the service, nobody knows what the rules of such a team would say.
    let is_asked = |server: &str| !loaded.is_denied(server);
    let report = suite.run_of(&loaded.policy, || true, is_asked);
    let report = report.unwrap_or_else(|| suite.run(&loaded.policy));
    let rules = loaded.policy.rules().iter().map(|rule| &*rule.id);
    let unreached: Vec<&str> = rules.filter(|id| !report.reached.contains(*id)).collect();
    let text = match format {
        TestFormat::Text => text(&report, &unreached),
        TestFormat::Json => json(&report, &unreached),
        TestFormat::Junit => junit(&report).map_err(|error| Stop::failed(&error))?,
    };
    let failed = report.cases.iter().any(|case| !case.failures.is_empty());
    let is_whole = tests.denied.is_empty();
    let status = if failed || !is_whole { FINDINGS } else { 0 };
    print(&text, status)
}

fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, Stop> {
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
            &format!("\u{1b}[{colour}m{word}\u{1b}[0m {}", name(case)),
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

/// The name of a test, below that of its team.
fn name(case: &CaseReport) -> String {
    let team = case.team.as_ref().map(|team| format!("{team}/"));
    format!("{}{}", team.unwrap_or_default(), case.name)
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn json(report: &SuiteReport, unreached: &[&str]) -> String {
    let case = |case: &CaseReport| {
        let mut shown = json!({
            "name": case.name,
            "file": case.file,
            "line": case.line,
            "passed": case.failures.is_empty(),
            "failures": case.failures,
        });
        if let (Some(members), Some(team)) = (shown.as_object_mut(), &case.team) {
            members.insert("team".to_owned(), team.as_str().into());
        }
        shown
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
///
/// # Errors
/// Never in practice: a string takes whatever is written to it.
fn junit(report: &SuiteReport) -> Result<String, SerializeError> {
    let mut suite = TestSuite::new("policy");
    for case in &report.cases {
        let mut status = TestCaseStatus::success();
        if !case.failures.is_empty() {
            let first = |failure: &String| failure.lines().next().unwrap_or_default().to_owned();
            let firsts: Vec<String> = case.failures.iter().map(first).collect();
            status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status
                .set_message(xml(&firsts.join("; ")))
                .set_description(xml(&case.failures.join("\n\n")));
        }
        let file = xml(&case.file);
        let mut test = TestCase::new(xml(&name(case)), status);
        test.set_classname(file.as_ref());
        test.extra.insert("file".into(), file.as_ref().into());
        let line = case.line.to_string();
        test.extra.insert("line".into(), line.into());
        suite.add_test_case(test);
    }
    let mut whole = Report::new("mcp-authz test");
    whole.add_test_suite(suite);
    whole.to_string()
}

/// Spells out the characters that XML 1.0 lacks (§2.2), or that a reader of XML changes: left out,
/// they would make two names look alike.
fn xml(text: &str) -> Cow<'_, str> {
    let lacks = |character: char| match character {
        '\n' | '\t' => false,
        '\u{fffe}' | '\u{ffff}' => true,
        other => other.is_control(),
    };
    if !text.contains(lacks) {
        return text.into();
    }
    let mut spelled = String::with_capacity(text.len());
    for character in text.chars() {
        if lacks(character) {
            spelled.extend(character.escape_unicode());
        } else {
            spelled.push(character);
        }
    }
    spelled.into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::yaml::Findings;

    /// What a reader of XML gets back, or `None` where it is not XML.
    fn read_back(name: &str, failure: &str) -> (String, TestCaseStatus) {
        let report = SuiteReport {
            cases: vec![CaseReport {
                name: name.to_owned(),
                team: None,
                file: "f.yaml".to_owned(),
                line: 3,
                failures: vec![failure.to_owned()],
            }],
            failures: Findings::new(),
            reached: BTreeSet::new(),
        };
        let text = junit(&report).unwrap();
        let whole = Report::deserialize_from_str(&text).unwrap();
        let case = whole.test_suites[0].test_cases[0].clone();
        (case.name.to_string(), case.status)
    }

    #[test]
    fn a_hostile_name_stays_one_name_in_junit() {
        for (name, expected) in [
            ("</testcase>", "</testcase>"),
            ("a\"b' & <c> ]]> &amp;", "a\"b' & <c> ]]> &amp;"),
            ("a\u{0}b\u{1b}[31mc\u{7f}", "a\\u{0}b\\u{1b}[31mc\\u{7f}"),
            (
                "a\u{fffe}\u{ffff}\u{85}\r",
                "a\\u{fffe}\\u{ffff}\\u{85}\\u{d}",
            ),
        ] {
            let (read, status) = read_back(name, name);
            assert_eq!(read, expected);
            let TestCaseStatus::NonSuccess {
                message,
                description,
                ..
            } = status
            else {
                panic!("{status:?}");
            };
            assert_eq!(message.unwrap().as_str(), expected);
            assert_eq!(description.unwrap().as_str(), expected);
        }
        // An end of line is one in the text. An attribute has no lines.
        let (_, status) = read_back("name", "first\nsecond");
        let TestCaseStatus::NonSuccess {
            message,
            description,
            ..
        } = status
        else {
            panic!("{status:?}");
        };
        assert_eq!(message.unwrap().as_str(), "first");
        assert_eq!(description.unwrap().as_str(), "first\nsecond");
    }
}
