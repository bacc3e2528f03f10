//! All tests of a policy, and running them.

use std::collections::{BTreeSet, HashSet};

use super::case::RunningTest;
use super::context::SampleContext;
use super::document;
use super::expectation::Test;
use super::report::{CaseReport, SuiteReport};
use crate::authz::Policy;
use crate::policy::layer::{Layer, LayerFindings};
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
        Self::read_layers(&[Layer::global(sources)], context)
    }

    /// Reads the global tests and those of teams. A team's test asks about the team's servers alone.
    ///
    /// # Errors
    /// Everything that is wrong with any of them, at once.
    pub fn read_layers(layers: &[Layer<'_>], context: &SampleContext) -> Result<Self, Findings> {
        let mut found = LayerFindings::default();
        let mut tests: Vec<Test> = Vec::new();
        let mut names = HashSet::new();
        for layer in layers {
            let own = SampleContext {
                team: layer.team.cloned(),
                ..context.clone()
            };
            let team = layer.team.map(|team| team.name.as_str());
            for source in layer.sources() {
                let id = found.add(layer, source);
                let findings = &mut found.all;
                let Some(root) = yaml::parse(id, findings) else {
                    continue;
                };
                for test in document::read_tests(&root, &own, findings) {
                    if !names.insert((team, test.name.clone())) {
                        let message = format!("there is another test named `{}`", test.name);
                        findings.error(&test.place, message, "names tell failures apart");
                    }
                    tests.push(test);
                }
            }
        }
        let findings = found.into_findings();
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
        self.ask_while(policy, || true, |_| true).0
    }

    /// The same, for as long as it is wanted: `None` when it was not to the end.
    #[must_use]
    pub fn run_while(&self, policy: &Policy, is_wanted: impl Fn() -> bool) -> Option<SuiteReport> {
        self.run_of(policy, is_wanted, |_| true)
    }

    /// The same, but only the tests about some of the servers.
    #[must_use]
    pub fn run_of(
        &self,
        policy: &Policy,
        is_wanted: impl Fn() -> bool,
        is_asked: impl Fn(&str) -> bool,
    ) -> Option<SuiteReport> {
        let (report, is_whole) = self.ask_while(policy, is_wanted, is_asked);
        is_whole.then_some(report)
    }

    fn ask_while(
        &self,
        policy: &Policy,
        is_wanted: impl Fn() -> bool,
        is_asked: impl Fn(&str) -> bool,
    ) -> (SuiteReport, bool) {
        let mut report = SuiteReport {
            cases: Vec::new(),
            failures: self.findings.clone(),
            reached: BTreeSet::new(),
        };
        for test in &self.tests {
            if !is_wanted() {
                return (report, false);
            }
            if !is_asked(&test.request.server) {
                continue;
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
                team: test.team.clone(),
                file,
                line,
                failures,
            });
        }
        (report, true)
    }
}
