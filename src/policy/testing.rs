//! Policy tests: questions with the answers that the author wants, asked of the same
//! evaluation that the server runs.
//!
//! The tests of a policy are found by [`super::read_tests`]. They are run before a policy is taken
//! into force, and a policy that fails one is not.
//!
//! ```
//! use mcp_authz::policy::testing::{SampleContext, Suite};
//! use mcp_authz::policy::{CompileContext, compile};
//! use mcp_authz::yaml::Source;
//!
//! let source = |name: &str, text: &str| Source {
//!     name: name.to_owned(),
//!     text: text.to_owned(),
//! };
//! let policy = source("policy.yaml", "
//! rules:
//! - {id: readers, effect: allow, who: {groups: [dev]}, what: {tools: [get_*]}}
//! ");
//! let tests = source("policy_test.yaml", "
//! tests:
//! - name: developers read
//!   request: {server: github, method: tools/call, name: get_issue, subject: {groups: [dev]}}
//!   expect: {decision: allow, rule: readers}
//! - name: nobody writes
//!   request: {server: github, method: tools/call, name: merge, subject: {groups: [dev]}}
//!   expect: {decision: deny, reason: no_matching_rule}
//! ");
//! let policy = compile(&[policy], &CompileContext::default()).unwrap();
//! let suite = Suite::read(&[tests], &SampleContext::default()).unwrap();
//! let report = suite.run(&policy);
//! assert_eq!(report.cases.len(), 2);
//! assert!(report.failures.is_empty());
//! ```
//!
//! `document` reads the files, `request` turns a sample into what a policy decides about, `whole`
//! decides a call with the calls inside it, `case` asks and compares, and `wording` says in words how it came out.

mod caller;
mod case;
mod context;
mod document;
mod expectation;
mod report;
mod request;
mod suite;
mod whole;
mod wording;

pub use caller::SampleCaller;
pub use context::SampleContext;
pub use document::{read_request, read_subjects, sample_subject};
pub use expectation::OutcomeName;
pub(crate) use expectation::{ExpectedOutcome, Test};
pub use report::{CaseReport, SuiteReport};
pub use request::{IndirectTools, SampleAsk, SampleRequest, ToolDefaults, Unasked, sample_lists};
pub use suite::Suite;
pub use wording::{
    NamedDecision, effect_name, match_name, narrate, narrate_fault, narrate_rule, narrate_selector,
};

#[cfg(test)]
mod tests;
