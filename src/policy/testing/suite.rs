//! All tests of a policy, and running them.

use std::collections::{BTreeSet, HashSet};

use super::case::RunningTest;
use super::context::SampleContext;
use super::document;
use super::expectation::Test;
use super::report::{CaseReport, SuiteReport};
use crate::authz::Policy;
use crate::yaml::{self, Findings, Source};

/// The tests of one or more files.
#[derive(Debug, Clone)]
pub struct Suite {
    /// The files, and what is wrong with them.
    findings: Findings,
    tests: Vec<Test>,
}

impl Suite {
    /// Reads the files. No files are no tests.
    ///
    /// # Errors
    /// Everything that is wrong with any of them, at once.
    pub fn read(sources: &[Source], context: &SampleContext) -> Result<Self, Findings> {
        let mut findings = Findings::new();
        let mut tests: Vec<Test> = Vec::new();
        let mut names = HashSet::new();
        for source in sources {
            let id = findings.add_source(source.clone());
            let Some(root) = yaml::parse(id, &mut findings) else {
                continue;
            };
            for test in document::read_tests(&root, context, &mut findings) {
                if !names.insert(test.name.clone()) {
                    let message = format!("there is another test named `{}`", test.name);
                    findings.error(&test.place, message, "names tell failures apart");
                }
                tests.push(test);
            }
        }
        if findings.has_errors() {
            return Err(findings);
        }
        Ok(Suite { findings, tests })
    }

    /// How many tests there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tests.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// The tests, in the order of the files.
    pub(crate) fn tests(&self) -> &[Test] {
        &self.tests
    }

    /// The files, and what is wrong with them.
    pub(crate) fn findings(&self) -> &Findings {
        &self.findings
    }

    /// Asks the policy every question.
    #[must_use]
    pub fn run(&self, policy: &Policy) -> SuiteReport {
        self.ask_while(policy, || true).0
    }

    /// The same, for as long as it is wanted: `None` when it was not to the end.
    #[must_use]
    pub fn run_while(&self, policy: &Policy, is_wanted: impl Fn() -> bool) -> Option<SuiteReport> {
        let (report, is_whole) = self.ask_while(policy, is_wanted);
        is_whole.then_some(report)
    }

    fn ask_while(&self, policy: &Policy, is_wanted: impl Fn() -> bool) -> (SuiteReport, bool) {
        let mut report = SuiteReport {
            cases: Vec::new(),
            failures: self.findings.clone(),
            reached: BTreeSet::new(),
        };
        for test in &self.tests {
            if !is_wanted() {
                return (report, false);
            }
            let mut case = RunningTest {
                test,
                report: &mut report,
                failures: Vec::new(),
            };
            case.run(policy);
            let failures = case.failures;
            let file = self.findings.name(test.place.source).to_owned();
            let line = self.findings.line(&test.place);
            report.cases.push(CaseReport {
                name: test.name.clone(),
                file,
                line,
                failures,
            });
        }
        (report, true)
    }
}
