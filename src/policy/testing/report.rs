//! The results of policy tests.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::yaml::Findings;

/// How the tests of a policy came out.
#[derive(Debug, Clone)]
pub struct SuiteReport {
    /// One for each test, in order.
    pub cases: Vec<CaseReport>,
    /// Every expectation that was not met, where it is written.
    pub failures: Findings,
    /// The rules that determined the decision of some test.
    pub reached: BTreeSet<Arc<str>>,
}

/// How one test came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseReport {
    /// Its name.
    pub name: String,
    /// The team whose test it is; none: the operator's.
    pub team: Option<String>,
    /// The file it is in.
    pub file: String,
    /// The line of its name, from 1.
    pub line: usize,
    /// Each expectation that was not met, with the explanation. Empty: it passed.
    pub failures: Vec<String>,
}
