//! A policy test after reading: a request, and the expected outcome.

use super::request::SampleRequest;
use crate::yaml::Node;

/// One question with its answer.
#[derive(Debug, Clone)]
pub(crate) struct Test {
    pub(crate) silence: Vec<&'static str>,
    pub(crate) name: String,
    /// The team whose test it is.
    pub(crate) team: Option<String>,
    pub(crate) place: Node,
    pub(crate) request: SampleRequest,
    pub(crate) expected: ExpectedOutcome,
}

#[derive(Debug, Clone)]
pub(crate) enum ExpectedOutcome {
    Call(Box<ExpectedCall>),
    List {
        visible: Vec<Expectation<String>>,
        hidden: Vec<Expectation<String>>,
    },
}

/// What is not said may be anything.
#[derive(Debug, Clone)]
pub(crate) struct ExpectedCall {
    pub(crate) decision: Option<Expectation<OutcomeName>>,
    pub(crate) reason: Option<Expectation<String>>,
    pub(crate) rule: Option<Expectation<String>>,
    pub(crate) scopes: Option<Expectation<Vec<String>>>,
    /// Headers that rules set; others may be set too.
    pub(crate) headers: Vec<(String, Expectation<String>)>,
}

/// A value and where it is expected.
#[derive(Debug, Clone)]
pub(crate) struct Expectation<T> {
    pub(crate) place: Node,
    pub(crate) value: T,
}

/// How a request can end, as tests name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeName {
    /// Forwarded.
    Allow,
    /// Refused by the policy.
    Deny,
    /// Sent back for more.
    Challenge,
    /// Refused before the policy is asked.
    Reject,
}

impl OutcomeName {
    pub(super) const ALL: [OutcomeName; 4] = [
        OutcomeName::Allow,
        OutcomeName::Deny,
        OutcomeName::Challenge,
        OutcomeName::Reject,
    ];

    /// The word in a test file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            OutcomeName::Allow => "allow",
            OutcomeName::Deny => "deny",
            OutcomeName::Challenge => "challenge",
            OutcomeName::Reject => "reject",
        }
    }
}
